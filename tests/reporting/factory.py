"""Plans of a made-up product, built from small frames that pass every schema, for the report to render."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import polars as pl

from slmlens.reporting.summary import RunFacts, summarise
from slmlens.results import Calls, Plan, Tasks, Verdicts
from slmlens.spend.ledger import build_ledger
from slmlens.spend.months import estimate_month
from slmlens.tables import (
    ActionsTable,
    AssignmentsTable,
    AssumptionsTable,
    CallsTable,
    EvidenceTable,
    FilesTable,
    ItemsTable,
    MessagesTable,
    RejectsTable,
    SavingsTable,
    TasksTable,
    VerdictsTable,
    checked,
)

START = dt.datetime(2026, 10, 1, 8, tzinfo=dt.UTC)
USD = 1_000_000_000


@dataclass(frozen=True)
class Spec:
    """A task to make; money in dollars."""

    name: str
    n_calls: int = 40
    call_usd: float = 0.01
    action: str = "keep"
    evidence: str = "open"
    grade: str = "D"
    keep_because: str | None = None
    kind: str = "json"
    saving: tuple[float, float, float] | None = None
    per_1000: float | None = None
    break_even: float | None = None
    payback: float | None = None
    one_off: float = 4000.0
    slm: str = "Qwen3-8B"
    a: tuple[float, float, float] = (0.86, 0.93, 0.97)
    p_parity: float = 0.55
    steps: float | None = 1.2
    ceiling: tuple[float, float, float, int] | None = None
    constant: float | None = 0.31
    pilot_calls: int | None = 60
    human: bool | None = False
    skeleton: str = "Extract the fields of the invoice as JSON.\n\n<text, 12-80 words>\n\nCurrency: <one of 7 values>"
    reasons: tuple[str, ...] = ("Answers are short and of one shape.",)
    action_reasons: tuple[str, ...] = ()
    hold: str | None = None
    levers: tuple[tuple[str, float | None, str], ...] = ()
    flips: tuple[str, ...] = ()
    failures: tuple[tuple[str, int], ...] = ()
    candidates: tuple[tuple[str, bool, str], ...] = ()
    application: str = "support desk"
    step_names: tuple[str, ...] = ("extract",)
    stability: float | None = 0.97


@dataclass(frozen=True)
class Log:
    """The log around the tasks."""

    days: int = 31
    unassigned: int = 30
    unassigned_usd: float = 0.012
    unpriced: int = 0
    sampling_rate: float = 1.0
    priced: bool = True
    timed: bool = True
    prompts: bool = True
    seat: bool = False
    notes: tuple[str, ...] = ()
    file: str = "exports/october.jsonl.gz"
    model: str = "gpt-4.1"
    rejects: int = 3
    excluded: tuple[int, ...] = ()  # places of tasks that a person set aside
    total_saving: tuple[float, float, float] | None = None
    one_off: float | None = None
    false_green: dict[str, Any] | None = None
    facts: RunFacts = field(default_factory=RunFacts)


def task_id(place: int) -> str:
    return f"t-{place:06x}"


def make_plan(specs: list[Spec], log: Log | None = None) -> Plan:
    log = log or Log()
    tasks = _tasks(specs, log)
    verdicts = Verdicts(
        tasks,
        checked(VerdictsTable, _frame(VerdictsTable, [_verdict(at, s) for at, s in enumerate(specs)])),
        _frame(EvidenceTable, []),
        log.false_green,
        _assumptions(),
    )
    paying = [(at, s) for at, s in enumerate(specs) if s.action != "keep" and (s.saving or (0, 0, 1))[2] > 0]
    return Plan(
        verdicts,
        checked(SavingsTable, _frame(SavingsTable, [_saving(at, s) for at, s in enumerate(specs)])),
        checked(ActionsTable, _frame(ActionsTable, [_action(at, s) for at, s in enumerate(specs)])),
        _assumptions(),
        {
            "saving_month_nusd": None
            if log.total_saving is None
            else {end: _nusd(v) for end, v in zip(("p10", "p50", "p90"), log.total_saving, strict=True)},
            "one_off_nusd": None if log.one_off is None else _nusd(log.one_off),
            "order": [task_id(at) for at, s in sorted(paying, key=lambda pair: -(pair[1].saving or (0, 0, 0))[1])],
        },
    )


def make_summary(specs: list[Spec], log: Log | None = None) -> dict[str, Any]:
    log = log or Log()
    plan = make_plan(specs, log)
    calls = plan.tasks.calls.calls
    ledger = build_ledger(calls, plan.tasks.assignments, excluded=[task_id(at) for at in log.excluded])
    month = estimate_month(calls, sampling_rate=log.sampling_rate)
    return summarise(plan, ledger=ledger, month=month, facts=log.facts)


def _nusd(usd: float | None) -> int | None:
    return None if usd is None else round(usd * USD)


def _frame(schema: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    types = schema.create_empty().schema
    empty = {name: [] for name, dtype in types.items() if isinstance(dtype, pl.List)}
    return pl.DataFrame([{**empty, **row} for row in rows], schema=types)


def _call(call_id: str, minute: float, usd: float, spec: Spec, log: Log) -> dict[str, Any]:
    money = _nusd(usd) if log.priced else None
    return {
        "call_id": call_id,
        "source_file": log.file,
        "source_line": 1,
        "format": "openai-pairs",
        "session_id": f"s{int(minute) % 97}",
        "user_id": None,
        "trace_id": None,
        "parent_id": None,
        "step": spec.step_names[0] if spec.step_names else None,
        "service": spec.application,
        "started_at": START + dt.timedelta(minutes=minute) if log.timed else None,
        "latency_ms": 900.0 + len(spec.name),
        "ttft_ms": None,
        "provider": "openai",
        "model": log.model if log.priced else None,
        "model_requested": None,
        "message_ids": ["m1"] if log.prompts else None,
        "answer_id": "m2" if log.prompts else None,
        "prompt_key": None,
        "tool_names_offered": [],
        "response_schema": None,
        "tool_calls": [],
        "finish_reason": "stop",
        "input_tokens": 900,
        "cached_tokens": 300,
        "cache_write_tokens": None,
        "output_tokens": 120,
        "reasoning_tokens": None,
        "tokens_estimated": False,
        "batch": False,
        "billing": "seat" if log.seat else "metered",
        "spend_nusd": money,
        "price_source": None if money is None else "genai-prices",
        "runrate_nusd": None if money is None else money * 9 // 10,
        "logged_nusd": None,
        "model_assumed": False,
        "status": "ok",
        "human_facing": spec.human,
        "human_facing_reason": None,
        "corrected": None,
        "corrected_reason": None,
        "tags": [],
    }


def _tasks(specs: list[Spec], log: Log) -> Tasks:
    rows, assigned = [], []
    total_minutes = log.days * 24 * 60 - 60

    def put(call_id: str, share: float, usd: float, spec: Spec, owner: str | None) -> None:
        rows.append(_call(call_id, share * total_minutes, usd, spec, log))
        assigned.append(
            {
                "call_id": call_id,
                "task_id": owner,
                "strength": 0.9 if owner else None,
                "rule": "prompt_only" if owner else None,
                "unit_id": "u",
            }
        )

    for at, spec in enumerate(specs):
        for i in range(spec.n_calls):
            put(f"c{at}-{i}", i / max(spec.n_calls - 1, 1), spec.call_usd * (1 + (i % 7) / 13), spec, task_id(at))
    for i in range(log.unassigned):
        put(f"u{i}", i / max(log.unassigned - 1, 1), log.unassigned_usd, Spec("unassigned"), None)
    for i in range(log.unpriced):
        put(f"x{i}", i / max(log.unpriced, 1), 0.0, Spec("unpriced"), None)
        rows[-1] |= {
            "spend_nusd": None,
            "runrate_nusd": None,
            "price_source": None,
            "model": "azure-deployment-7",
        }
    n = len(rows)
    files = [
        {
            "file": log.file,
            "format": "openai-pairs",
            "records": n + log.rejects + 2,
            "calls": n,
            "parents": 0,
            "duplicates": 2,
            "rejects": log.rejects,
            "other": 0,
        }
    ]
    calls = Calls(
        checked(CallsTable, _frame(CallsTable, rows)),
        _frame(MessagesTable, []),
        _frame(RejectsTable, []),
        checked(FilesTable, _frame(FilesTable, files)),
        pl.DataFrame(),
        log.sampling_rate,
        log.notes,
    )
    table = [
        {
            "task_id": task_id(at),
            "name": s.name,
            "application": s.application,
            "call_site": f"{s.application}/{at}",
            "step_names": list(s.step_names),
            "recurrence_unit": "session",
            "n_calls": s.n_calls,
            "n_units": max(3, s.n_calls // 2),
            "n_subjects": 12,
            "steps_per_session": s.steps,
            "form": s.kind,
            "skeleton": s.skeleton,
            "stability": s.stability,
            "edited_on": None,
            "anchor": ["a"],
        }
        for at, s in enumerate(specs)
    ]
    return Tasks(
        calls,
        _frame(ItemsTable, []),
        checked(TasksTable, _frame(TasksTable, table)),
        checked(AssignmentsTable, _frame(AssignmentsTable, assigned)),
    )


def _verdict(at: int, s: Spec) -> dict[str, Any]:
    lo, mid, hi = s.a
    parity = {
        "slm": s.slm,
        "a_p50": mid,
        "a_lo90": lo,
        "a_hi90": hi,
        "a_lo80": lo + (mid - lo) / 4,
        "a_hi80": hi - (hi - mid) / 4,
        "p_parity": s.p_parity,
        "quantiles": [lo, mid, hi],
    }
    pair = s.ceiling or (None, None, None, 0)
    return {
        "task_id": task_id(at),
        "output_kind": s.kind,
        "weak_comparator": s.kind == "text",
        "n_ok": s.n_calls,
        "signals": [],
        "failures": [{"status": status, "n": n} for status, n in s.failures],
        "ceiling_pair": pair[0],
        "ceiling_lo90": pair[1],
        "ceiling_hi90": pair[2],
        "ceiling_n": pair[3],
        "ceiling_mode": None,
        "constant": s.constant,
        "a_needed": 0.9,
        "a_needed_at": [0.9],
        "swap": parity,
        "tuned": parity,
        "learnable": None,
        "null_p": None,
        "program_lo90": None,
        "repeat_share": 0.0,
        "repeats_equal": None,
        "rare_class": None,
        "rare_recall": None,
        "rare_n": None,
        "gate": None,
        "hold": s.hold,
        "grade": s.grade,
        "evidence": s.evidence,
        "time_ordered": True,
        "pilot_calls": s.pilot_calls,
        "reasons": list(s.reasons),
    }


def _saving(at: int, s: Spec) -> dict[str, Any]:
    low, mid, high = s.saving or (None, None, None)
    return {
        "task_id": task_id(at),
        "action": s.action,
        "deployment": "none" if s.action == "keep" else "hosted-base",
        "mode": "swap",
        "slm": s.slm,
        "p10_nusd": _nusd(low),
        "p50_nusd": _nusd(mid),
        "p90_nusd": _nusd(high),
        "p_npv_positive": None,
        "npv_p90_nusd": None,
        "one_off_nusd": _nusd(s.one_off),
        "payback_months": s.payback,
        "saving_per_1000_calls_nusd": _nusd(s.per_1000),
        "break_even_calls_month": s.break_even,
        "chosen": True,
    }


def _action(at: int, s: Spec) -> dict[str, Any]:
    return {
        "task_id": task_id(at),
        "evidence": s.evidence,
        "action": s.action,
        "keep_because": s.keep_because,
        "mode": "swap",
        "slm": s.slm,
        "levers": [{"name": n, "saving_month_nusd": _nusd(v), "note": note} for n, v, note in s.levers],
        "ladder": [
            _rung("cache", rests_on="no prompt came again"),
            _rung("code", serves=s.action == "code", rests_on="rules"),
            _rung(
                "small model as it is", serves=True, saving=12.0, remains=30.0, chance=0.55, rests_on="a pilot first"
            ),
            _rung("keep", serves=True, saving=0.0, remains=30.0, rests_on="what stays"),
        ],
        "candidates": [
            {
                "slm": m,
                "accepted": ok,
                "criterion": None if ok else "licence",
                "reason": why,
                **dict.fromkeys(("a_lo90", "a_hi90", "a_lo90_tuned", "a_hi90_tuned")),
                "p_parity": 0.2 if ok else None,
                "p_parity_tuned": 0.4 if ok else None,
                "figure": 78.6 if ok else None,
            }
            for m, ok, why in s.candidates
        ],
        "capability": {
            "family": "answers of a strict format",
            "benchmark": "IFEval",
            "harness": "Open LLM Leaderboard v2",
            "higher_is_better": True,
        },
        "picks": [pick for mode in ("swap", "tuned") for pick in _picks(mode)] if s.candidates else [],
        "flips": list(s.flips),
        "reasons": list(s.action_reasons),
    }


def _picks(mode: str) -> list[dict[str, Any]]:
    known = {"mode": mode, "slm": "Qwen3-8B", "p_parity": 0.42, "a_lo90": 0.6, "a_hi90": 0.97, "ties": ["Phi-4-mini"]}
    none = dict.fromkeys(("slm", "p_parity", "a_lo90", "a_hi90", "value_nusd"))
    return [
        {**none, "mode": mode, "kind": "smallest-safe", "ties": [], "note": "none reaches a chance of parity of 80 %"},
        {**known, "kind": "best-value", "value_nusd": _nusd(1200.0), "note": "highest expected net benefit"},
        {**known, "kind": "safest", "value_nusd": _nusd(1200.0), "note": "highest chance of parity, grade C"},
    ]


def _rung(
    name: str,
    *,
    rests_on: str,
    serves: bool = False,
    saving: float | None = None,
    remains: float | None = None,
    chance: float | None = None,
) -> dict[str, Any]:
    money = {"saving_month_nusd": _nusd(saving), "remains_month_nusd": _nusd(remains)}
    return {"name": name, "serves": serves, **money, "chance": chance, "rests_on": rests_on}


def _assumptions() -> pl.DataFrame:
    rows = [
        ("horizon", "12", "months", "house default", "2026-11-21", "judgement"),
        ("engineering day", "700", "USD", "house default; edit to your own rate", "2026-11-21", "judgement"),
        ("LLM price decay", "20 to 60", "% a year", "Epoch AI, LLM inference price trends", "2025-03-12", "judgement"),
        ("parity target", "0.95", "share of the ceiling", "house default", "2026-11-21", "judgement"),
        ("token prices", "genai-prices 0.2.3", "snapshot", "pydantic/genai-prices (MIT)", "2026-11-14", "fact"),
        (
            "Qwen3-8B hosted",
            "0.053 in, 0.159 out",
            "USD per million tokens",
            "median of public listings",
            "2026-11-18",
            "fact",
        ),
    ]
    names = ("name", "value", "unit", "source", "date", "kind")
    return checked(AssumptionsTable, pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows]))


CANDIDATES = (
    ("Qwen3-8B", True, "Apache-2.0, 32k window, BFCL v4 42.6"),
    ("xLAM-2-8b-fc", False, "licence forbids commercial use"),
    ("Llama-3.2-1B", False, "benchmark below the task's need"),
)


def product() -> list[Spec]:
    """Twelve tasks: some ready, some for a pilot, most kept for different reasons."""
    return [
        Spec(
            "extract JSON · invoice fields",
            260,
            0.031,
            "migrate-tune",
            "shown",
            "A",
            saving=(640, 910, 1180),
            payback=3.4,
            a=(0.951, 0.972, 0.988),
            p_parity=0.98,
            ceiling=(0.981, 0.96, 0.99, 212),
            pilot_calls=None,
            reasons=("240 graded calls of Qwen3-8B on later sessions agree in 97 %.", "Answers are JSON of 9 fields."),
            levers=(
                ("prompt caching", 120.0, "a third of the prompt never changes"),
                ("batch", 200.0, "no one waits for it"),
            ),
            flips=("Below 96,000 calls a month it stops paying.", "At agreement under 0.93 it fails on quality."),
            candidates=CANDIDATES,
            failures=(("error", 3), ("malformed", 2)),
        ),
        Spec(
            "classify ticket · 14 labels",
            420,
            0.009,
            "pilot-swap",
            "likely",
            "C",
            saving=(0, 340, 720),
            kind="label",
            per_1000=2.1,
            break_even=38000,
            payback=5.1,
            p_parity=0.83,
            a=(0.88, 0.94, 0.98),
            skeleton="Choose one label.\nLabels: <one of 14 values>\n\n<text, 3-14 words>\n\n<text, 20-300 words>",
            candidates=CANDIDATES,
            reasons=(
                "A label student trained on earlier sessions reaches 91 % on later ones; the constant answer 22 %.",
            ),
        ),
        Spec(
            "tool call · search_orders arguments",
            310,
            0.012,
            "pilot-tune",
            "open",
            "D",
            saving=(0, 180, 690),
            kind="tool_call",
            steps=6.4,
            payback=9.0,
            a=(0.71, 0.88, 0.96),
            p_parity=0.41,
            reasons=("No probe applies to these arguments.",),
            candidates=CANDIDATES,
        ),
        Spec(
            "route request · to code",
            150,
            0.004,
            "code",
            "shown",
            "A",
            saving=(11, 14, 17),
            kind="label",
            pilot_calls=None,
            reasons=("A rule of 6 lines gives the same answer in 99.6 % of later sessions.",),
        ),
        Spec(
            "answer repeated FAQ",
            90,
            0.006,
            "cache",
            "shown",
            "A",
            saving=(9, 12, 15),
            kind="text",
            pilot_calls=None,
            human=True,
            reasons=("62 % of its prompts repeat byte for byte and get an equal answer.",),
        ),
        Spec(
            "draft reply to customer",
            380,
            0.028,
            "keep",
            "unlikely",
            "C",
            "quality",
            kind="text",
            human=True,
            p_parity=0.08,
            a=(0.41, 0.58, 0.72),
            reasons=("Free text read by a person; answers differ between runs.",),
        ),
        Spec(
            "plan next agent step",
            240,
            0.044,
            "keep",
            "unlikely",
            "D",
            "quality",
            kind="json",
            steps=17.0,
            p_parity=0.11,
            a=(0.52, 0.69, 0.83),
            reasons=("Long reasoning before a short answer.",),
        ),
        Spec(
            "pick reviewer",
            130,
            0.003,
            "keep",
            "no-signal",
            "C",
            "quality",
            kind="label",
            constant=0.35,
            ceiling=(0.34, 0.29, 0.39, 160),
            reasons=("Repeated prompts get different answers as often as chance would.",),
        ),
        Spec(
            "rewrite search query",
            200,
            0.0008,
            "keep",
            "open",
            "D",
            "money",
            kind="text",
            break_even=1_200_000,
            per_1000=0.05,
        ),
        Spec(
            "summarise thread", 160, 0.011, "keep", "open", "D", "money", kind="text", break_even=310_000, per_1000=0.9
        ),
        Spec(
            "redline contract clause",
            45,
            0.052,
            "keep",
            "gated",
            "D",
            "gate",
            kind="text",
            reasons=("Set aside by policy: legal.",),
        ),
        Spec(
            "weekly digest",
            6,
            0.09,
            "keep",
            "not-enough-data",
            "D",
            "unknown",
            kind="text",
            reasons=("Six calls in three sessions.",),
        ),
    ]


FACTS = RunFacts(
    redaction={
        "counts": {"EMAIL": 1204, "PHONE": 310, "CARD": 4, "API_KEY": 2},
        "not_covered": ["Names of people inside free text.", "Account numbers of unknown form."],
    },
    decisions=[
        {
            "id": "d1",
            "op": "set_aside",
            "what": "redline contract clause",
            "by": "ana",
            "at": "2026-11-02",
            "why": "legal review",
            "status": "applied",
            "next_step": None,
            "from": "october",
        }
    ],
    method=["Made with slmlens 0.1.0, seed 7."],
)


def product_log(**changes: Any) -> Log:
    log = Log(
        sampling_rate=0.01,
        unassigned=120,
        unpriced=14,
        total_saving=(720.0, 1490.0, 2360.0),
        one_off=18_400.0,
        false_green={
            "rate": 0.01,
            "lo95": 0.0,
            "hi95": 0.04,
            "greens": 1,
            "pairs": 120,
            "tasks": 6,
            "tasks_without_probe": 5,
            "shuffles": 20,
            "missed_rate": 0.25,
            "missed_lo95": 0.05,
            "missed_hi95": 0.7,
            "planted": 4,
            "planted_missed": 1,
        },
        facts=FACTS,
    )
    return replace(log, **changes)


def many(n: int) -> list[Spec]:
    """``n`` tasks, the product's over and over, with long skeletons."""
    base = product()
    words = "Read the document below and answer in the form asked for, without comment. "
    return [
        replace(
            base[i % len(base)],
            name=f"{base[i % len(base)].name} ({i})",
            n_calls=12,
            skeleton=words * 30 + "\n<text, 12-80 words>",
        )
        for i in range(n)
    ]


SCENARIOS = {
    "product": (product(), product_log()),
    "nothing pays": ([spec for spec in product() if spec.action == "keep"], Log()),
    "three days": (product(), Log(days=3)),
    "ten days": (product(), Log(days=10, total_saving=(1.0, 2.0, 3.0))),
    "no time": (product(), Log(timed=False)),
    "no price": (product(), Log(priced=False)),
    "seat plan": (product(), Log(seat=True, total_saving=(1.0, 2.0, 3.0))),
    "no prompts": ([], Log(prompts=False, notes=("Switch on X.",))),
    "no tasks": ([], Log()),
    "set aside": (product(), product_log(excluded=(0, 3))),
    "code that does not repay": (
        [
            Spec(
                "fixed answer",
                action="code",
                evidence="open",
                saving=(-158, -112, -77),
                break_even=496_000,
                per_1000=0.6,
            ),
            Spec("plan", action="keep", keep_because="quality", levers=(("batch rate", 40.0, "no one waits"),)),
        ],
        Log(total_saving=(0.0, 0.0, 0.0), one_off=0.0),
    ),
    "tiny": ([Spec("a", 3, 0.00001), Spec("b", 3, 0.00002)], Log(unassigned=2, unassigned_usd=0.00001)),
}


@cache
def scenario(name: str) -> dict[str, Any]:
    """The summary of a scenario; tests read it and don't change it."""
    return make_summary(*SCENARIOS[name])
