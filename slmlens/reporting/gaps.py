"""What a log may lack, and what each gap costs the analysis: one sentence a gap, true of what the floors above do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from slmlens.reporting.text import counted
from slmlens.spend.months import MIN_DAYS, MIN_INTERVAL_DAYS, MIN_TIMED_SHARE, Month
from slmlens.suitability.observe import TIMED_SHARE
from slmlens.suitability.settings import AssessSettings
from slmlens.tasks.discover import DiscoverySettings

K_TASK = DiscoverySettings().k_task
K_SHOW = DiscoverySettings().k_show
MIN_CALLS = AssessSettings().min_calls
MANY_FAILED = 0.2
"""Share of failed calls from which they are shown as a gap; judgement."""


@dataclass(frozen=True)
class Seen:
    """What the calls of one format, or of the whole log, were found to have.

    :param calls: Field -> calls that could have it.
    :param present: Field -> of these, calls that have it.
    :param estimated: Calls whose tokens were estimated from their texts.
    :param uncounted: Calls that did not fail and have no token count, not even an estimate.
    :param assumed: Calls priced with ``--assume-model``.
    :param told: Unpriced calls that name no model or have no token count: gaps of their own.
    :param unlisted: Calls that use a tool while no tool on offer is logged.
    :param untraced: Calls with neither a session nor a trace.
    :param priced_timed: Share of the priced calls that carry a time; None: no call is priced.
    """

    calls: Mapping[str, int]
    present: Mapping[str, int]
    estimated: int
    uncounted: int
    assumed: int
    told: int
    unlisted: int
    untraced: int
    priced_timed: float | None

    def missing(self, name: str) -> int:
        """Return the number of calls that lack a field and would be better off with it.

        Tools on offer are lacking where a call uses one, a trace where there is no session.
        """
        special = {"tools": self.unlisted, "traces": self.untraced}
        return special.get(name, self.calls[name] - self.present[name])

    def none(self, name: str) -> bool:
        """Tell whether no call has the field."""
        return self.present[name] == 0


@dataclass(frozen=True)
class Field:
    """One thing that a call may have.

    :param name: Its name, as in ``slmlens.logs.formats.declaration.GAPS``.
    :param label: Its name on the page.
    :param present: Whether a call has it.
    :param weight: How much a lack of it hurts, for the order on the page; judgement.
    :param cost: What its lack costs, or None where it costs nothing.
    :param applies: Whether a call could have it; calls that failed are left out besides.
    """

    name: str
    label: str
    present: pl.Expr
    weight: float
    cost: Callable[[Seen], str | None]
    applies: pl.Expr = field(default_factory=lambda: pl.lit(value=True))


def _succeeded(seen: Seen) -> str | None:
    if seen.missing("succeeded") < MANY_FAILED * seen.calls["succeeded"]:
        return None
    return (
        "Logged as failed, or with neither an answer nor tokens. They count as failures of the present model, and "
        "nothing is learned from them."
    )


def _prompts(seen: Seen) -> str:
    if not seen.none("prompts"):
        return "These calls join no task, unless their step is declared."
    if not seen.none("steps"):
        return "The report is a ledger. Declared steps still group the calls, but a probe has nothing to look at."
    return "The report is a ledger of what was spent: no tasks, so nothing that could move."


def _answers(seen: Seen) -> str:
    if seen.none("answers"):
        return "No evidence: every task stays without a verdict, and none can move."
    return f"A task is judged by its answered calls alone, and needs {MIN_CALLS} of them."


def _tokens(seen: Seen) -> str:
    parts = []
    if seen.estimated:
        parts.append(
            f"Estimated from the length of the texts for {counted(seen.estimated, 'call')}, and their cost too."
        )
    if seen.uncounted:
        parts.append(f"Not even an estimate for {counted(seen.uncounted, 'call')}, so no price.")
    return " ".join(parts)


def _cached(_seen: Seen) -> str:
    return "Their whole input is priced in full: where prompts were cached, the spend is overstated."


def _reasoning(_seen: Seen) -> str:
    return "Thinking is not told from answering: a small model is charged for both, so savings are understated."


def _model(seen: Seen) -> str:
    if seen.assumed == seen.missing("model"):
        return "Priced as the model that you named: every figure rests on that assumption."
    return "No price. `--assume-model NAME` prices them as that model."


def _price(seen: Seen) -> str:
    if seen.told == seen.missing("price"):
        return "For want of a model or of token counts: see there."
    if seen.none("price"):
        return "No spend and no saving can be stated; the calls are counted, with their tokens."
    return "In no sum of money; counted in calls and tokens."


def _sessions(seen: Seen) -> str:
    if not seen.none("sessions"):
        return "They count by trace, else by content, and are left out where the present model is compared with itself."
    unit = "traces" if not seen.none("traces") else "different contents"
    return (
        f"A task is what recurs in {K_TASK} {unit}, not sessions. How far the present model agrees with itself can't "
        "be measured and is taken as perfect; how often a session repeats a step stays unknown."
    )


def _users(seen: Seen) -> str:
    if not seen.none("users"):
        return f"A task that names some users shows a phrase only if {K_SHOW} of these share it."
    unit = next((name for name in ("sessions", "traces") if not seen.none(name)), "contents")
    return f"A phrase is shown once {K_SHOW} {unit} share it, since users can't be counted."


def _traces(_seen: Seen) -> str:
    return "A trace would stand in for the missing session."


def _steps(seen: Seen) -> str:
    if not seen.none("steps"):
        return "These calls find their call site by the text that prompts share."
    return "Call sites are told apart by the text that prompts share; a step that shares little stays unassigned."


def _services(seen: Seen) -> str:
    named = "" if not seen.none("services") else ", and named after their file"
    return f"Applications are told apart by shared sessions and text{named}."


def _times(seen: Seen) -> str:
    lower = "count one grade lower"
    if seen.none("times"):
        return (
            "No month: savings are per 1,000 calls. Probes split sessions by a hash instead of by time and "
            f"{lower}; spend is at today's prices."
        )
    share = f"A task with times on under {100 * TIMED_SHARE:.0f} % of its calls is not split by time; probes {lower}."
    if seen.priced_timed is not None and seen.priced_timed < MIN_TIMED_SHARE:
        return f"No month, since under {100 * MIN_TIMED_SHARE:.0f} % of the priced calls carry a time. {share}"
    return f"They are in no month. {share}"


def _latency(_seen: Seen) -> str:
    return "The report tells no response times for them."


def _tools(_seen: Seen) -> str:
    return "They use a tool, but the log does not list those on offer: call sites are told by text alone."


def _nothing(_seen: Seen) -> None:
    return None


def window_cost(month: Month) -> str | None:
    """Return what too short a window costs; None where it is long enough, or the log has no times."""
    if month.start is None or round(month.days) >= MIN_INTERVAL_DAYS:
        return None
    if round(month.days) < MIN_DAYS:
        return f"No month: savings are per 1,000 calls. A month needs {MIN_DAYS} days, its range {MIN_INTERVAL_DAYS}."
    return f"A month, but no range for it: that needs {MIN_INTERVAL_DAYS} days."


WINDOW_WEIGHT = {"no month": 30.0, "no range": 12.0}

_HAS_TOOL_CALL = pl.col("tool_calls").list.len() > 0
_LOGGED = pl.col("input_tokens").is_not_null() & pl.col("output_tokens").is_not_null() & ~pl.col("tokens_estimated")


def _has(column: str) -> pl.Expr:
    return pl.col(column).is_not_null()


FIELDS = (
    Field("succeeded", "not failed", pl.col("status") != "error", 90, _succeeded),
    Field("prompts", "prompt", pl.col("message_ids").list.len().fill_null(0) > 0, 100, _prompts),
    Field("answers", "answer", _has("answer_id") | _HAS_TOOL_CALL, 60, _answers),
    Field("tools", "tools offered", pl.col("tool_names_offered").list.len() > 0, 4, _tools),
    Field("tool_calls", "tool calls", _HAS_TOOL_CALL, 0, _nothing),
    Field("tokens", "tokens", _LOGGED, 20, _tokens),
    Field("cached_tokens", "cached tokens", _has("cached_tokens"), 6, _cached, _LOGGED & pl.col("may_cache")),
    Field("reasoning_tokens", "reasoning", _has("reasoning_tokens"), 3, _reasoning, _LOGGED & pl.col("may_think")),
    Field("model", "model", _has("model") | _has("model_requested"), 45, _model),
    Field("price", "price", _has("runrate_nusd"), 40, _price),
    Field("sessions", "session", _has("session_id"), 25, _sessions),
    Field("traces", "trace", _has("trace_id"), 1, _traces),
    Field("users", "user", _has("user_id"), 2, _users),
    Field("steps", "declared step", _has("step"), 8, _steps),
    Field("services", "service", _has("service"), 3, _services),
    Field("times", "start time", _has("started_at"), 30, _times),
    Field("latency", "latency", _has("latency_ms"), 2, _latency),
)
"""In the order of the page. ``may_cache`` and ``may_think`` tell whether the call's model has such tokens at all."""
