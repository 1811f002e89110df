"""What a log holds before any analysis: its files, the share of calls that has each field, and what each gap costs."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import polars as pl

from slmlens.logs.formats import FORMATS
from slmlens.reporting.gaps import FIELDS, K_SHOW, K_TASK, MIN_CALLS, WINDOW_WEIGHT, Field, Seen, window_cost
from slmlens.reporting.text import counted
from slmlens.results import Calls
from slmlens.spend.ledger import Ledger, build_ledger
from slmlens.spend.months import Month, estimate_month
from slmlens.spend.names import resolve
from slmlens.spend.rates import tiers_at
from slmlens.tables import CoverageTable, RejectReasonsTable, checked

ALL = "all"
"""The format of the rows of ``Check.coverage`` that are about the whole log."""

_THINKS = re.compile(r"(^|/)(o[134](-|$)|gpt-5)")  # OpenAI's reasoning models report their reasoning tokens apart
_COUNTED = ("estimated", "uncounted", "assumed", "told", "unlisted", "untraced", "priced_timed")
_NAMES = ["provider", "model", "model_requested"]


@dataclass(frozen=True)
class Gap:
    """Something that calls of a format lack, at a cost.

    :param field: Its name, one of ``slmlens.logs.formats.declaration.GAPS`` or ``succeeded``.
    :param label: Its name on the page.
    :param formats: Names of the formats concerned.
    :param share: Share of the calls of these formats that lack it; None: it is about the log as a whole.
    :param cost: What that costs the analysis.
    :param switches: What to set in the tool, a sentence a format that declares one.
    :param weight: How much it hurts, for the order.
    """

    field: str
    label: str
    formats: tuple[str, ...]
    share: float | None
    cost: str
    switches: tuple[tuple[str, str], ...]
    weight: float


@dataclass(frozen=True)
class Repeats:
    """Prompts that are sent again.

    :param calls: Calls whose prompt, byte for byte before redaction, is also sent in another session.
    :param prompts: Distinct prompts among these.
    :param anywhere: Calls whose prompt stands more than once in the log, in any session or none.
    """

    calls: int
    prompts: int
    anywhere: int


@dataclass(frozen=True)
class Check:
    """What a log holds, and what it allows. ``str()`` is a page of plain text, at most 100 columns wide.

    :param files: ``FilesTable``; in every row records = calls + parents + duplicates + rejects + other.
    :param coverage: ``CoverageTable``: one row a (format, field); the whole log stands under the format ``all``.
    :param rejects: ``RejectReasonsTable``: why records were refused, the commonest reason first.
    :param gaps: What is missing, worst first.
    :param month: The run-rate of a month, or why there is none.
    :param ledger: The money of the log, none of it in a task yet.
    :param repeats: Prompts that are sent again.
    :param units: Recurrence units: sessions, else traces, else distinct prompts.
    :param usable: Calls with a prompt and an answer that may be learned from.
    :param models: ``model``, ``calls``, ``priced``: the calls by the model that served them, most calls first.
    :param steps: Declared steps that at least five subjects (users where logged, else sessions) share, redacted, most
        calls first.
    :param n_steps: Number of all declared steps.
    :param notes: Further sentences a user should read.
    """

    files: pl.DataFrame
    coverage: pl.DataFrame
    rejects: pl.DataFrame
    gaps: tuple[Gap, ...]
    month: Month
    ledger: Ledger
    repeats: Repeats
    units: int
    usable: int
    models: pl.DataFrame
    steps: tuple[str, ...]
    n_steps: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        from slmlens.reporting.check_page import check_page

        return check_page(self)

    def __repr__(self) -> str:
        return f"Check({counted(self.ledger.calls, 'call')} in {counted(self.files.height, 'file')}: {self.allows})"

    @property
    def allows(self) -> str:
        """What the log allows, as far as can be told before the analysis: ``tasks, evidence and money`` or less."""
        return _joined([word for word, holds in self._allowed() if holds]) or "nothing yet"

    @property
    def lacks(self) -> str:
        """What of tasks, evidence and money the log does not allow; empty if it allows all."""
        return _joined([word for word, holds in self._allowed() if not holds])

    def _allowed(self) -> list[tuple[str, bool]]:
        tasks = self.units >= K_TASK and self.share("prompts") > 0
        money = self.ledger.priced_calls > 0
        return [("tasks", tasks), ("evidence", tasks and self.usable >= MIN_CALLS), ("money", money)]

    def share(self, name: str) -> float:
        """Return the share of all calls that have a field; 0 where no call could have it.

        :param name: A name of the column ``field`` of ``coverage``.
        """
        found = self.coverage.filter((pl.col("format") == ALL) & (pl.col("field") == name)).get_column("share")
        return float(found.item() or 0.0)


def check_calls(calls: Calls) -> Check:
    """Return what priced calls hold.

    :param calls: Calls of a log, redacted and priced.
    """
    able = _with_abilities(calls.calls)
    formats = able.get_column("format").unique().sort().to_list()
    seen = {name: _seen(able.filter(pl.col("format") == name)) for name in formats}
    month = estimate_month(calls.calls, sampling_rate=calls.sampling_rate)
    nowhere = calls.calls.select("call_id", pl.lit(None, pl.String).alias("task_id"))
    steps, n_steps = _steps(calls.calls)
    return Check(
        files=calls.files,
        coverage=_coverage({**seen, ALL: _seen(able)}),
        rejects=_reject_reasons(calls.rejects),
        gaps=tuple(_gaps(seen, month)),
        month=month,
        ledger=build_ledger(calls.calls, nowhere),
        repeats=_repeats(calls.calls),
        units=calls.calls.select(pl.coalesce("session_id", "trace_id", "prompt_key", "call_id").n_unique()).item(),
        usable=able.filter(_usable()).height,
        models=_models(calls.calls),
        steps=steps,
        n_steps=n_steps,
        notes=tuple(note for note in calls.notes if not _told_elsewhere(note, calls)),
    )


def _usable() -> pl.Expr:
    by_name = {field.name: field.present for field in FIELDS}
    return (pl.col("status") == "ok") & by_name["prompts"] & by_name["answers"]


def _with_abilities(calls: pl.DataFrame) -> pl.DataFrame:
    """Add ``may_cache`` (its model has a price of cached tokens) and ``may_think`` (its model reports reasoning)."""
    thought = pl.col("reasoning_tokens").fill_null(0).max() > 0
    names = calls.group_by(_NAMES).agg(thought.alias("thought"))
    rows = [(_may_cache(p, m, r), thought or _may_think(m, r)) for p, m, r, thought in names.iter_rows()]
    able = pl.DataFrame(rows, {"may_cache": pl.Boolean, "may_think": pl.Boolean}, orient="row")
    joined = names.select(_NAMES).hstack(able)
    return calls.join(joined, on=_NAMES, how="left", nulls_equal=True, maintain_order="left")


def _may_cache(provider: str | None, model: str | None, requested: str | None) -> bool:
    listing = resolve(provider, model) or resolve(provider, requested)
    tiers = tiers_at(listing, dt.datetime.now(dt.UTC), batch=False) if listing else None
    return any(tier.cached is not None for tier in tiers or ())


def _may_think(*names: str | None) -> bool:
    return any(_THINKS.search(name.lower()) for name in names if name)


def _seen(calls: pl.DataFrame) -> Seen:
    went = pl.col("status") != "error"
    could = {field.name: field.applies & went for field in FIELDS}
    could["succeeded"] = pl.col("status").is_not_null()
    unpriced = went & pl.col("runrate_nusd").is_null()
    by_name = {field.name: field.present for field in FIELDS}
    uncounted = pl.col("input_tokens").is_null() | pl.col("output_tokens").is_null()
    row = calls.select(
        *(could[field.name].sum().alias(f"of {field.name}") for field in FIELDS),
        *((could[field.name] & field.present).sum().alias(field.name) for field in FIELDS),
        (went & pl.col("tokens_estimated") & ~uncounted).sum().alias("estimated"),
        (went & uncounted).sum().alias("uncounted"),
        (went & pl.col("model_assumed") & ~by_name["model"] & by_name["price"]).sum().alias("assumed"),
        (unpriced & (~by_name["model"] | uncounted)).sum().alias("told"),
        (went & by_name["tool_calls"] & ~by_name["tools"]).sum().alias("unlisted"),
        (went & ~by_name["sessions"] & ~by_name["traces"]).sum().alias("untraced"),
        pl.col("started_at").is_not_null().filter(by_name["price"]).mean().alias("priced_timed"),
    ).row(0, named=True)
    return Seen(
        calls={field.name: row[f"of {field.name}"] for field in FIELDS},
        present={field.name: row[field.name] for field in FIELDS},
        **{name: row[name] for name in _COUNTED},
    )


def _coverage(seen: dict[str, Seen]) -> pl.DataFrame:
    rows = [
        {
            "format": name,
            "field": field.name,
            "calls": found.calls[field.name],
            "present": found.present[field.name],
            "share": found.present[field.name] / found.calls[field.name] if found.calls[field.name] else None,
            "cost": _cost(field, found),
            "switch": _switch(name, field.name, found) if _cost(field, found) else None,
        }
        for name, found in seen.items()
        for field in FIELDS
    ]
    schema = {name: column.dtype for name, column in CoverageTable.columns().items()}
    return checked(CoverageTable, pl.DataFrame(rows, schema))


def _cost(field: Field, found: Seen) -> str | None:
    return field.cost(found) if found.missing(field.name) else None


def _switch(format_name: str, gap: str, found: Seen) -> str | None:
    switches = next((form.switches for form in FORMATS if form.name == format_name), {})
    if gap == "succeeded":  # a log without a single success leaves its answers out
        return switches.get("answers") if found.none(gap) else None
    return switches.get(gap)


def _gaps(seen: dict[str, Seen], month: Month) -> list[Gap]:
    """Return the gaps, worst first; formats that lack the same at the same cost share a gap."""
    total = sum(found.calls["succeeded"] for found in seen.values())
    found_in: dict[tuple[str, str], list[str]] = {}
    for field in FIELDS:
        for name, found in seen.items():
            cost = _cost(field, found)
            told = field.name == "price" and found.told == found.missing("price")
            if cost is not None and not told:
                found_in.setdefault((field.name, cost), []).append(name)
    labels = {field.name: field for field in FIELDS}
    gaps = []
    for (gap, cost), formats in found_in.items():
        missing = sum(seen[name].missing(gap) for name in formats)
        share = missing / sum(seen[name].calls[gap] for name in formats)
        weight = labels[gap].weight * missing / total
        gaps.append(Gap(gap, labels[gap].label, tuple(formats), share, cost, _switches(formats, gap, seen), weight))
    too_short = window_cost(month)
    if too_short is not None:
        weight = WINDOW_WEIGHT["no month" if too_short.startswith("No month") else "no range"]
        label = f"only {month.days:.1f} days"
        gaps.append(Gap("window", label, tuple(seen), None, too_short, _switches(list(seen), "window", seen), weight))
    return sorted(gaps, key=lambda gap: (-gap.weight, gap.field, gap.formats))


def _switches(formats: list[str], gap: str, seen: dict[str, Seen]) -> tuple[tuple[str, str], ...]:
    told = [(name, _switch(name, gap, seen[name])) for name in formats]
    return tuple((name, text) for name, text in told if text)


def _reject_reasons(rejects: pl.DataFrame) -> pl.DataFrame:
    counts = rejects.group_by("reason").agg(
        pl.len().cast(pl.Int64).alias("records"), pl.col("file").n_unique().cast(pl.Int64).alias("files")
    )
    return checked(RejectReasonsTable, counts.sort(["records", "reason"], descending=[True, False]))


def _repeats(calls: pl.DataFrame) -> Repeats:
    asked = calls.filter(pl.col("prompt_key").is_not_null())
    by_prompt = asked.group_by("prompt_key").agg(
        pl.len().alias("calls"), pl.col("session_id").drop_nulls().n_unique().alias("sessions")
    )
    apart = by_prompt.filter(pl.col("sessions") > 1)
    anywhere = by_prompt.filter(pl.col("calls") > 1).get_column("calls").sum()
    return Repeats(int(apart.get_column("calls").sum()), apart.height, int(anywhere))


def _models(calls: pl.DataFrame) -> pl.DataFrame:
    return (
        calls.group_by(pl.coalesce("model", "model_requested").alias("model"))
        .agg(pl.len().cast(pl.Int64).alias("calls"), pl.col("runrate_nusd").count().cast(pl.Int64).alias("priced"))
        .sort(["calls", "model"], descending=[True, False], nulls_last=True)
    )


def _steps(calls: pl.DataFrame) -> tuple[tuple[str, ...], int]:
    """Return the declared steps that may be shown, and the number of all."""
    subject = pl.coalesce("user_id", "session_id", "trace_id", "call_id")
    named = calls.drop_nulls("step").group_by("step").agg(pl.len().alias("calls"), subject.n_unique().alias("subjects"))
    shown = named.filter(pl.col("subjects") >= K_SHOW).sort(["calls", "step"], descending=[True, False])
    return tuple(shown.get_column("step").to_list()), named.height


def _told_elsewhere(note: str, calls: Calls) -> bool:
    """Tell whether a note of the reader is about prompts or rejects, which the page has lines for."""
    settings = [form.prompt_setting for form in FORMATS]
    return note.startswith(f"{calls.rejects.height:,} records could not") or any(text in note for text in settings)


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
