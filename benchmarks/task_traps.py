"""The tasks found in generated logs whose truth is known, over many seeds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import slmlens as sl
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.encoders import static_encoder, tfidf_encoder
from slmlens.tasks.meaning import MeaningSettings, split_of, worked_on

PLANTED = {
    "five_templates": "5",
    "rare_and_batch": "14",
    "sparse_calendar": "2",
    "prompt_edited": "1",
    "coin_flip": "1",
    "coin_flip_repeats": "1",
    "planted_rule": "1",
    "planted_format": "1",
    "rare_label": "1",
    "self_disagreement": "1",
    "near_duplicates": "1",
    "personal_data": "1",
    "hostile_text": "",
}
"""Tasks that each trap holds; of hostile text only that no call is lost."""

OFFERED = {"coin_flip": "1", "coin_flip_repeats": "1", "planted_rule": "3"}
"""Tasks left where answers are offered as features. A control: in planted_rule the prompt gives the answer."""

BARE = DiscoverySettings(fits=0)
Rows = Iterator[Sequence[str]]
Matrix = np.ndarray[Any, Any]


def trap_rows(shared: Path, folder: Path, seeds: int) -> tuple[Sequence[str], Rows]:
    """Return the columns and rows of a table of all traps over many seeds."""
    columns = ("trap", "asked", "tasks: seeds", "AMI, least", "spend in tasks, least", "also")
    return columns, _rows(shared, folder, seeds)


def _rows(shared: Path, folder: Path, seeds: int) -> Rows:
    found: dict[str, list[tuple[int, float | None, float, str]]] = {name: [] for name in PLANTED}
    offered: dict[str, list[tuple[int, int, float]]] = {name: [] for name in OFFERED}
    for seed in range(1, seeds + 1):
        made = folder / str(seed)
        maker = [sys.executable, shared / "bench" / "make_traps.py", made, "--seed", str(seed), "--five", "2000"]
        subprocess.run(maker, check=True)
        facts = json.loads((made / "truth.json").read_text(encoding="utf-8"))
        for name in PLANTED:
            tasks = discover_tasks(sl.read_logs(made / f"{name}.jsonl"), settings=BARE)
            found[name].append(
                (tasks.tasks.height, agreement(name, facts[name], tasks), spend(tasks), also(name, facts[name], tasks))
            )
            if name in OFFERED:
                offered[name].append(split_by_answers(tasks))
    for name, results in found.items():
        amis = [ami for _, ami, _, _ in results if ami is not None]
        yield (
            name,
            PLANTED[name],
            tally(str(height) for height, *_ in results),
            f"{min(amis):.3f}" if amis else "",
            f"{min(share for _, _, share, _ in results):.1%}",
            tally(said for *_, said in results if said),
        )
    for name, splits in offered.items():
        told = sorted(reproduced for *_, reproduced in splits)
        yield (
            f"{name}, answers offered as features",
            OFFERED[name],
            tally(str(kept) for kept, *_ in splits),
            "",
            "",
            f"parts with answers {tally(str(n) for _, n, _ in splits)}; AMI by prompt {told[0]:.2f} to {told[-1]:.2f}",
        )


def tally(values: Iterator[str] | map[str]) -> str:
    return ", ".join(f"{value}: {n}" for value, n in sorted(Counter(values).items()))


def agreement(name: str, facts: dict[str, object], tasks: sl.Tasks) -> float | None:
    """Return the AMI with the tasks that were planted; None where there is but one."""
    from sklearn.metrics import adjusted_mutual_info_score

    gold = facts.get("gold")
    if not isinstance(gold, list):
        return None
    found = {c: t or f"none {c}" for c, t in tasks.assignments.select("call_id", "task_id").rows()}
    return float(adjusted_mutual_info_score(gold, [found[f"chatcmpl-{name}-{i:06d}"] for i in range(len(gold))]))


def spend(tasks: sl.Tasks) -> float:
    """Return the share of the spend that lies in tasks."""
    money = tasks.assignments.join(tasks.calls.calls.select("call_id", "spend_nusd"), on="call_id")
    inside = money.drop_nulls("task_id").get_column("spend_nusd").sum()
    return float(inside / money.get_column("spend_nusd").sum())


def also(name: str, facts: dict[str, object], tasks: sl.Tasks) -> str:
    """Return what else must hold of a trap: no call lost, the day of an edit found."""
    if tasks.assignments.height != facts["calls"]:
        return f"{tasks.assignments.height} of {facts['calls']} calls"
    if name != "prompt_edited":
        return ""
    days = [str(day.date()) for day in tasks.tasks.get_column("edited_on").drop_nulls()]
    return "edit dated right" if days == [facts["edited_on"]] else f"edit dated {days}"


def split_by_answers(tasks: sl.Tasks) -> tuple[int, int, float]:
    """Cluster prompts and answers together, as a tool would that looks at both, and ask the prompt alone for the parts.

    :param tasks: Of a log that is one task.
    :returns: Tasks that are left: the parts, if they recur and the nearest centre of the prompt gives held-out sessions
        the same ones (AMI of 0.8, as any split must), else one; the parts; that AMI.
    """
    answers = tasks.calls.calls.select("call_id", "answer_id").join(
        tasks.calls.messages.select(answer_id="message_id", answer="text"), on="answer_id", how="left"
    )
    rows = worked_on(tasks).join(answers, on="call_id").sort("call_id")
    texts, replies = (rows.get_column(name).fill_null("").to_list() for name in ("text", "answer"))
    both = [f"{text}\x1f{reply}" for text, reply in zip(texts, replies, strict=True)]
    distinct = sorted(set(both))
    of_prompt, of_reply = (encoded(part) for part in zip(*(one.split("\x1f") for one in distinct), strict=True))
    settings = MeaningSettings()
    joined = np.hstack([of_prompt, of_reply])
    split = split_of(rows.with_columns(text=pl.Series(both)), distinct, joined, settings)
    if split is None:
        return 1, 1, 0.0
    row_of = {text: at for at, text in enumerate(distinct)}
    reproduced = held_out(of_prompt[[row_of[text] for text in both]], split[0], rows.get_column("unit_id").to_numpy())
    parts = len(np.unique(split[0]))
    return parts if reproduced >= settings.reproduced else 1, parts, reproduced


def encoded(texts: Sequence[str]) -> Matrix:
    return (static_encoder() or tfidf_encoder(texts)).encode(texts)


def held_out(vectors: Matrix, label: Matrix, units: Matrix) -> float:
    """Return the AMI, on half of the sessions, of the parts with those that the rule of the other half gives.

    The mean of five ways to halve them: one way alone spreads from 0.74 to 0.96 with the ids of sessions, which are
    drawn anew each time a log is read.
    """
    return float(np.mean([_of_halves(vectors, label, units, seed) for seed in range(5)]))


def _of_halves(vectors: Matrix, label: Matrix, units: Matrix, seed: int) -> float:
    from sklearn.metrics import adjusted_mutual_info_score
    from sklearn.neighbors import NearestCentroid

    names = np.unique(units)
    first = np.isin(units, np.random.default_rng(seed).permutation(names)[: len(names) // 2])
    if len(np.unique(label[first])) < 2:
        return 0.0
    rule = NearestCentroid().fit(vectors[first], label[first])
    return float(adjusted_mutual_info_score(label[~first], rule.predict(vectors[~first])))
