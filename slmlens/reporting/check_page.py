"""The page that ``slmlens check`` prints: plain text, aligned, at most 100 columns wide, the worst gaps first."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from slmlens.reporting.accounts import since_step_words
from slmlens.reporting.gaps import FIELDS, K_TASK, MIN_CALLS
from slmlens.reporting.text import counted, percent, sentence, shorten, visible
from slmlens.suitability.judge import MIN_REPEATED_PROMPTS

if TYPE_CHECKING:
    from slmlens.reporting.coverage import Check, Gap

WIDTH = 100
ALL_WORDS = "tasks, evidence and money"
FILES_SHOWN = 12
GAPS_SHOWN = 9
SMALL_GAP = 0.005
"""A gap in fewer calls than this is left to the table."""

_LEFT = 22
_LABEL_CHARS = max(len(field.label) for field in FIELDS)
_NAMES_SHOWN = 5
_REASONS_SHOWN = 3
_NAME_CHARS = 40
_NOTE_CHARS = 280
_NO_SETTING = "Nothing to set"  # as formats begin such a text
_COUNTS = ("records", "calls", "parents", "duplicates", "rejects", "other")
_GROUPS = (
    ("prompts", "answers", "tools", "tool_calls", "tokens"),
    ("cached_tokens", "reasoning_tokens", "model", "price", "times", "latency"),
    ("sessions", "traces", "users", "steps", "services"),
)


def check_page(check: Check) -> str:
    """Return the page.

    :param check: What a log holds.
    """
    parts = [_files(check), _facts(check), _shares(check), _gaps(check), [*_verdict(check)]]
    return visible("\n\n".join("\n".join(part) for part in parts if part))


def _files(check: Check) -> list[str]:
    files = check.files.sort(["records", "file"], descending=[True, False])
    rows = list(files.iter_rows(named=True))
    shown, hidden = rows[:FILES_SHOWN], rows[FILES_SHOWN:]
    columns = [name for name in _COUNTS if name in {"records", "calls"} or files.get_column(name).sum()]
    table = [["file", "format", *columns]]
    table += [[row["file"], row["format"] or "not read", *(f"{row[c]:,}" for c in columns)] for row in shown]
    if hidden:
        rest = (f"{sum(row[c] for row in hidden):,}" for c in columns)
        table.append([f"and {counted(len(hidden), 'more file')}", "", *rest])
    if files.height > 1:
        table.append(["all", "", *(f"{files.get_column(c).sum():,}" for c in columns)])
    others = sum(2 + max(len(line[at]) for line in table) for at in range(1, len(table[0])))
    return aligned([[_tail(name, WIDTH - others), *rest] for name, *rest in table], left=2)


def _facts(check: Check) -> list[str]:
    lines = [fact("days", _days(check)), *_models(check)]
    if check.n_steps:
        lines.append(fact("declared steps", _steps(check)))
    lines.append(fact("repeats", _repeats(check)))
    if check.rejects.height:
        reasons = [f"{reason} ({n:,})" for reason, n, _ in check.rejects.head(_REASONS_SHOWN).iter_rows()]
        more = check.rejects.height - len(reasons)
        lines.append(fact("rejects", "; ".join(reasons) + (f"; and {counted(more, 'more reason')}" if more else "")))
    lines += [fact("note", shorten(note, _NOTE_CHARS)) for note in check.notes]
    return lines


def _days(check: Check) -> str:
    month = check.month
    if month.start is None or month.end is None:
        return month.reason
    span = f"{month.start:%Y-%m-%d %H:%M} to {month.end:%Y-%m-%d %H:%M} UTC, {month.days:.1f} days"
    active = f"{month.active_days} with calls" if month.active_days != 1 else "1 with calls"
    told = month.mid_nusd is None and {"window", "times"} & {gap.field for gap in check.gaps}
    return f"{span}, {active}." if told else f"{span}, {active}. {sentence(month.reason)}{since_step_words(month)}"


def _models(check: Check) -> list[str]:
    shown = [
        f"{shorten(model, _NAME_CHARS) if model else 'not named'} ({n:,}{'' if priced else ', no price'})"
        for model, n, priced in check.models.head(_NAMES_SHOWN).iter_rows()
    ]
    more = check.models.height - len(shown)
    return [fact("models", ", ".join(shown) + (f" and {more:,} more" if more > 0 else ""))]


def _steps(check: Check) -> str:
    shown = ", ".join(shorten(step, _NAME_CHARS) for step in check.steps[:_NAMES_SHOWN])
    more = check.n_steps - min(len(check.steps), _NAMES_SHOWN)
    if not shown:
        return f"{check.n_steps:,}, none of them shared widely enough to be named here"
    return shown + (f" and {more:,} more" if more else "")


def _repeats(check: Check) -> str:
    found, total = check.repeats, check.ledger.calls
    if not check.share("prompts"):
        return "Not known without prompts."
    if not check.share("sessions"):
        return f"Not known without sessions; calls whose prompt stands elsewhere in the log: {found.anywhere:,}."
    if not found.calls:
        also = f" ({counted(found.anywhere, 'call')} repeat one, in one session or none)" if found.anywhere else ""
        return (
            f"No prompt is sent in two sessions{also}, so the present model is taken to agree with itself every time."
        )
    sent = (
        f"{counted(found.calls, 'call')} ({percent(found.calls / total)}) send a prompt that another session sent too, "
        f"byte for byte ({counted(found.prompts, 'prompt')}): "
    )
    if found.prompts < MIN_REPEATED_PROMPTS:
        return f"{sent}too few to tell how far the present model agrees with itself ({MIN_REPEATED_PROMPTS} in a task)."
    return (
        f"{sent}in tasks with {MIN_REPEATED_PROMPTS} such prompts, they show how far the present model agrees with "
        "itself."
    )


def _shares(check: Check) -> list[str]:
    formats = [name for name in check.coverage.get_column("format").unique(maintain_order=True) if name != "all"]
    share = {(form, name): value for form, name, value in check.coverage.select("format", "field", "share").iter_rows()}
    labels = {field.name: field.label for field in FIELDS}
    whole = check.coverage.filter((pl.col("format") == "all") & (pl.col("field") == "succeeded"))
    total, went = whole.select("calls", "present").row(0)
    head = f"{total - went:,} of {counted(total, 'call')} failed; of the others, this share has"
    if went == total:
        head = f"Of {counted(total, 'call')}, this share has"
    if len(formats) == 1:
        rows = max(len(group) for group in _GROUPS)
        cells = [
            [cell for group in _GROUPS for cell in _cell(group, at, labels, share, formats[0])] for at in range(rows)
        ]
        return [head, *("  " + line for line in aligned(cells, left=0, texts=(0, 2, 4), gap="   "))]
    columns = [*_largest(check, formats), "all"]
    table = [["", *columns]]
    names = [*(["succeeded"] if went < total else []), *(name for group in _GROUPS for name in group)]
    table += [[labels[name], *(_share(share[form, name]) for form in columns)] for name in names]
    return [head, *("  " + line for line in aligned(table, left=1))]


def _cell(
    group: Sequence[str], at: int, labels: dict[str, str], share: dict[tuple[str, str], float | None], form: str
) -> list[str]:
    return ["", ""] if at >= len(group) else [labels[group[at]], _share(share[form, group[at]])]


def _largest(check: Check, formats: list[str]) -> list[str]:
    calls = check.files.group_by("format").agg(pl.col("calls").sum()).sort("calls", "format", descending=[True, False])
    ordered = [name for name in calls.get_column("format").to_list() if name in formats]
    room = WIDTH - 2 - _LABEL_CHARS - len("  100 %")
    widths = itertools.accumulate(2 + max(len(name), len("> 99 %")) for name in ordered)
    return [name for name, width in zip(ordered, widths, strict=True) if width <= room]


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _gaps(check: Check) -> list[str]:
    if not check.gaps:
        return ["Nothing is missing."]
    large = [gap for gap in check.gaps if gap.share is None or gap.share >= SMALL_GAP]
    several = check.files.get_column("format").drop_nulls().n_unique() > 1
    lines = ["What is missing, worst first (share of the calls that lack it), what that costs, and what to set"]
    for gap in large[:GAPS_SHOWN]:
        lines += _gap(gap, several=several)
    told = {gap.label for gap in large[:GAPS_SHOWN]}
    rest = [label for label in dict.fromkeys(gap.label for gap in check.gaps) if label not in told]
    return [*lines, *([fact("smaller gaps", ", ".join(rest))] if rest else [])]


def _gap(gap: Gap, *, several: bool) -> list[str]:
    label = "failed" if gap.field == "succeeded" else gap.label
    name = f"{label}, {percent(gap.share)}" if gap.share is not None else label
    where = f"{', '.join(gap.formats)}: " if several else ""
    lines = [fact(name, where + gap.cost)]
    for form, text in gap.switches:
        if several and text.startswith(_NO_SETTING):
            continue
        lines.append(fact("", f"> {form + ': ' if several and len(gap.switches) > 1 else ''}{text}"))
    return lines


def _verdict(check: Check) -> list[str]:
    why = _why(check)
    lost = check.lacks.replace(", ", ", no ").replace(" and ", " and no ")
    some = bool(lost) and check.lacks != ALL_WORDS
    what = f"This log allows {check.allows}{f' only: no {lost}' if some else ''}."
    return textwrap.wrap(f"{what} {why}".strip(), WIDTH)


def _why(check: Check) -> str:
    """Return what the verdict rests on: the first obstacle, else what the money can be."""
    lacks = check.lacks
    if "tasks" in lacks and not check.share("prompts"):
        return "It holds no prompts: switch them on first."
    if "tasks" in lacks:
        return f"A task is a step that recurs in {K_TASK} sessions; the log has {check.units:,}."
    if "evidence" in lacks:
        return f"A verdict needs {MIN_CALLS} answered calls of one task; the log has {check.usable:,} in all."
    if "money" in lacks:
        return "No call has a price."
    return f"{_money(check)} Whether steps recur is for the analysis to find: `slmlens run`."


def _money(check: Check) -> str:
    month = check.month
    paid = check.ledger.seat_nusd == check.ledger.imported_nusd > 0
    seat = "At list prices, since a plan pays: " if paid else ""
    if month.mid_nusd is None:
        text = "savings are per 1,000 calls, without a month."
    else:
        text = "a month can be stated, " + ("with its range." if month.low_nusd is not None else "without a range.")
    return seat + text if seat else text[0].upper() + text[1:]


def fact(label: str, text: str) -> str:
    """Return a labelled paragraph, its text in a column of its own."""
    indent = " " * (_LEFT + 2)
    label = f"  {label}"
    first = label.ljust(_LEFT + 2) if len(label) < _LEFT + 2 else f"{label}  "
    wrapped = textwrap.wrap(
        " ".join(text.split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent + ("  " if text.startswith("> ") else ""),
        break_on_hyphens=False,
    )
    return "\n".join(wrapped)


def aligned(
    rows: Sequence[Sequence[str]], *, left: int, texts: Sequence[int] | None = None, gap: str = "  "
) -> list[str]:
    """Return the rows as lines of even columns; text columns to the left, numbers to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    is_text = set(range(left) if texts is None else texts)
    return [
        gap.join(
            cell.ljust(width) if at in is_text else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _tail(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"…{name[1 - limit :]}"
