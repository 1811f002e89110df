"""Answers of another model that a second log happens to hold: matched to a task's calls by their prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.curation.spans import PLACEHOLDER
from slmlens.results import Calls, Tasks
from slmlens.suitability.answers import Answer
from slmlens.suitability.candidates import parse_candidate
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import pilot_evidence, progress_of
from slmlens.suitability.pilot_sample import sessions_of
from slmlens.suitability.pilot_tables import PilotGradesTable, PilotSampleTable
from slmlens.suitability.reasons import percent
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.splits import earlier_units, stable_hash

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Said = tuple[str | None, list[dict[str, str]]]
"""Text and tool calls of an answer."""


@dataclass(frozen=True)
class Prompt:
    """A prompt without the values that were redacted in it, which have other placeholders in every run.

    :param key: Hash of roles, texts and tools on offer, each value by its kind and by which others it equals.
    :param values: The placeholders, each once, in the order of their first places.
    """

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Matched:
    """The calls of a task whose prompt another model answered too.

    :param answers: That model's answers by call, with the placeholders of the task's run; None: it failed to answer.
    :param clusters: By row of the task's calls a code, equal for calls that share a session or a recorded answer; -1:
        there is no recorded answer.
    :param calls: Usable calls of the task.
    :param ambiguous: Calls left out because their prompt differs from another's in redacted values only.
    :param untold: Calls left out because both answers hold a redacted value of one kind that no prompt holds.
    :param covered: Share of the task's calls that have an answer, or of those in later sessions if that is less.
    :param parts: Parts of the traffic, each with its calls and those of them that have an answer.
    """

    answers: dict[str, Answer | None]
    clusters: Ints
    calls: int
    ambiguous: int
    untold: int
    covered: float
    parts: tuple[tuple[str, int, int], ...]

    @property
    def independent(self) -> int:
        """Number of calls that could be asked: one a session, and each recorded answer once."""
        return int(self.clusters.max(initial=-1)) + 1


def prompts_of(calls: pl.DataFrame, messages: pl.DataFrame, *, as_they_stand: bool = False) -> dict[str, Prompt]:
    """Return the prompt of each call that has one with texts, by call.

    :param calls: ``CallsTable``.
    :param messages: ``MessagesTable``.
    :param as_they_stand: Two runs had one key, so that placeholders need no translation.
    """
    pieces: dict[str, tuple[str, list[str]]] = {}
    for message_id, role, text in messages.select("message_id", "role", "text").drop_nulls("text").iter_rows():
        values = [] if as_they_stand else [match.group() for match in PLACEHOLDER.finditer(text)]
        body = PLACEHOLDER.sub(r"<\1>", text) if values else text
        pieces[message_id] = (blake2b(f"{role}\x00{body}".encode(), digest_size=16).hexdigest(), values)
    found = {}
    for call_id, listed, tools in calls.select("call_id", "message_ids", "tool_names_offered").iter_rows():
        if listed and all(one in pieces for one in listed):
            found[call_id] = _prompt([pieces[one] for one in listed], tools or [])
    return found


def _prompt(pieces: list[tuple[str, list[str]]], tools: list[str]) -> Prompt:
    first: dict[str, int] = {}
    places = [first.setdefault(value, len(first)) for _, values in pieces for value in values]
    whole = repr(([digest for digest, _ in pieces], places, sorted(tools)))
    return Prompt(blake2b(whole.encode(), digest_size=16).hexdigest(), tuple(first))


class RecordedAnswers:
    """The answers of one model in a log, by prompt."""

    def __init__(self, calls: Calls, *, same_key: bool = False) -> None:
        """Index the answers.

        :param calls: The log's calls, all of this model.
        :param same_key: It was redacted under the key of the run that it is matched with.
        """
        self.same_key = same_key
        self.failed = set(calls.calls.filter(pl.col("status") != "ok").get_column("call_id"))
        self.said = _said(calls.calls, calls.messages)
        self.prompts = prompts_of(calls.calls, calls.messages, as_they_stand=same_key)
        self.by_key: defaultdict[str, list[str]] = defaultdict(list)
        for call_id in sorted(self.prompts, key=lambda one: stable_hash(one, "recorded")):
            self.by_key[self.prompts[call_id].key].append(call_id)

    def answer(self, call_id: str, renamed: Mapping[str, str]) -> tuple[Answer | None, set[str]]:
        """Return an answer with other placeholders, and the kinds of those that the prompt did not hold.

        :param renamed: Placeholder here -> placeholder there.
        """
        text, called = self.said.get(call_id, (None, []))
        if call_id in self.failed or (text is None and not called):
            return None, set()
        kinds = set() if self.same_key else _kinds((text, called), renamed)
        moved = [{**call, "arguments": _renamed(call["arguments"], renamed) or ""} for call in called]
        return parse_candidate(_renamed(text, renamed), moved), kinds


def match(tasks: Tasks, observed: Observed, recorded: RecordedAnswers, settings: AssessSettings) -> Matched:
    """Return which calls of a task have a recorded answer: those with the same messages and the same tools on offer.

    A prompt that several calls or several recorded answers share gives each call one of the answers, in an order that a
    hash decides; none is preferred. Where calls differ in redacted values only, nobody can tell whose the answer is,
    and they are left out.

    :param observed: The task's usable calls.
    :param recorded: Another model's answers.
    """
    own = tasks.calls.calls.filter(pl.col("call_id").is_in(observed.call_ids))
    prompts = prompts_of(own, tasks.calls.messages, as_they_stand=recorded.same_key)
    said = _said(own, tasks.calls.messages)
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for call_id in sorted(prompts, key=lambda one: stable_hash(one, "matched")):
        if prompts[call_id].key in recorded.by_key:
            by_key[prompts[call_id].key].append(call_id)
    answers: dict[str, Answer | None] = {}
    source: dict[str, str] = {}
    ambiguous = untold = 0
    for key, here in by_key.items():
        there = recorded.by_key[key]
        if len({prompts[one].values for one in here}) > 1 or len({recorded.prompts[one].values for one in there}) > 1:
            ambiguous += len(here)
            continue
        for place, call_id in enumerate(here):
            told = there[place % len(there)]
            values = prompts[call_id].values
            answer, strange = recorded.answer(told, dict(zip(recorded.prompts[told].values, values, strict=True)))
            if strange & _kinds(said.get(call_id, (None, [])), values):
                untold += 1
                continue
            answers[call_id], source[call_id] = answer, told
    has = np.array([call_id in answers for call_id in observed.call_ids], dtype=np.bool_)
    return Matched(
        answers=answers,
        clusters=_clusters(observed, source),
        calls=len(observed),
        ambiguous=ambiguous,
        untold=untold,
        covered=_covered(observed, has, settings),
        parts=_parts(tasks, observed, has),
    )


def recorded_evidence(task_id: str, table: pl.DataFrame, settings: AssessSettings) -> pl.DataFrame:
    """Return ``EvidenceTable`` rows (source ``pilot``) of the recorded answers of a task.

    :param table: ``RecordedTable`` of the task.
    """
    found = [pilot_evidence(task_id, [])]
    keys = ("slm", "mode", "covered", "rare_unreached")
    for (slm, _mode, covered, unreached), own in table.group_by(*keys, maintain_order=True):
        sample = own.select(PilotSampleTable.column_names()).sort("position")
        grades = own.select(PilotGradesTable.column_names())
        note = f"recorded answers of {slm} to {percent(float(covered))} of the calls; the rest is as it was believed; "
        rows = pilot_evidence(task_id, progress_of(sample, grades, settings))
        rows = rows.with_columns(covered=pl.lit(covered), note=pl.lit(note) + pl.col("note"))
        if unreached:  # nothing is known of its recall
            rows = rows.with_columns(rare_recall=pl.lit(None, pl.Float64), rare_n=pl.lit(0, pl.Int64))
        found.append(rows)
    return pl.concat(found)


def _said(calls: pl.DataFrame, messages: pl.DataFrame) -> dict[str, Said]:
    texts = messages.select(answer_id="message_id", text="text")
    rows = calls.select("call_id", "answer_id", "tool_calls").join(texts, on="answer_id", how="left")
    return {
        call_id: (text, called or [])
        for call_id, called, text in rows.select("call_id", "tool_calls", "text").iter_rows()
    }


def _kinds(said: Said, known: Iterable[str]) -> set[str]:
    """Kinds of the placeholders in an answer that are none of the known ones."""
    text, called = said
    known = set(known)
    whole = "\n".join([text or "", *(call["arguments"] or "" for call in called)])
    return {found.group(1) for found in PLACEHOLDER.finditer(whole) if found.group() not in known}


def _renamed(text: str | None, renamed: Mapping[str, str]) -> str | None:
    return text and PLACEHOLDER.sub(lambda found: renamed.get(found.group(), found.group()), text)


def _clusters(observed: Observed, source: Mapping[str, str]) -> Ints:
    """Join calls that share a session or a recorded answer, each with what the other shares."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = np.array([at for at, call_id in enumerate(observed.call_ids) if call_id in source], dtype=np.int64)
    clusters = np.full(len(observed), -1, dtype=np.int64)
    if not len(rows):
        return clusters
    sessions = sessions_of(observed)[rows]
    told = np.unique([source[observed.call_ids[row]] for row in rows], return_inverse=True)[1].reshape(-1)
    told = told + sessions.max() + 1
    n = int(told.max()) + 1
    joined = connected_components(coo_matrix((np.ones(len(rows)), (sessions, told)), shape=(n, n)), directed=False)[1]
    clusters[rows] = np.unique(joined[sessions], return_inverse=True)[1].reshape(-1)
    return clusters


def _covered(observed: Observed, has: Bools, settings: AssessSettings) -> float:
    later = ~earlier_units(observed.units, settings.train_share)
    return float(min(has.mean(), has[later].mean() if later.any() else 1.0))


def _parts(tasks: Tasks, observed: Observed, has: Bools) -> tuple[tuple[str, int, int], ...]:
    """Return parts of the traffic as ``(name, calls, calls with a recorded answer)``."""
    roles = tasks.calls.messages.filter(pl.col("role") == "assistant").get_column("message_id")
    own = tasks.calls.calls.filter(pl.col("call_id").is_in(observed.call_ids)).select("call_id", "message_ids")
    opens = own.with_columns(pl.col("message_ids").list.eval(pl.element().is_in(roles.implode())).list.any())
    answered = dict(opens.iter_rows())
    deep = np.array([bool(answered.get(call_id)) for call_id in observed.call_ids], dtype=np.bool_)
    length = np.array([len(answer.canonical) for answer in observed.answers])
    long = length > np.median(length)
    named = (
        ("prompts without an earlier answer in them", ~deep),
        ("prompts that go on from an earlier answer", deep),
        ("short answers", ~long),
        ("long answers", long),
    )
    return tuple((name, int(part.sum()), int(has[part].sum())) for name, part in named if part.any())
