"""Every judgement that a saving rests on: a visible default with source and date, to be edited by whoever disagrees."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from slmlens.errors import InputError, SettingError
from slmlens.savings.gpus import gpus, price_name
from slmlens.tables import AssumptionsTable, checked

Value = float | tuple[float, float, float]
Overrides = Mapping[str, float | Sequence[float]] | str | Path

_OURS = "slmlens default"
_DAY = "2026-11-22"


@dataclass(frozen=True)
class Assumption:
    """One assumption.

    :param name: Its name, as overrides write it.
    :param value: A number; or (low, most likely, high) of a triangular distribution.
    :param unit: Its unit.
    :param source: Where it is from.
    :param date: ISO day of the source.
    :param kind: ``fact`` or ``judgement``.
    """

    name: str
    value: Value
    unit: str
    source: str = _OURS
    date: str = _DAY
    kind: str = "judgement"


_DEFAULTS = (
    Assumption("horizon_months", 12, "months"),
    Assumption("discount_rate_year", 0.10, "share a year"),
    Assumption(
        "price_decline_year",
        (0.0, 0.20, 0.60),
        "share a year, of both the large and the small model's price",
        "slmlens default; list prices of a given capability have fallen by 20 to 60 % a year",
    ),
    Assumption("engineer_day_usd", 800, "USD a day"),
    Assumption("swap_days", 2, "engineer-days, once: evaluation, routing, rollback"),
    Assumption("swap_month_usd", 200, "USD a month: monitoring, a quarter of a day"),
    Assumption("tune_days", 10, "engineer-days, once: data, review, evaluation, training, routing"),
    Assumption("tune_month_usd", 200, "USD a month: monitoring, a quarter of a day"),
    Assumption("retrains_year", 4, "retrains of a fine-tune a year"),
    Assumption("retrain_days", 0.75, "engineer-days a retrain: new data, evaluation, roll-out"),
    Assumption("tune_examples", 10_000, "examples of a fine-tune, at most; never more than the log's calls"),
    Assumption("tune_epochs", 3, "passes over the examples"),
    Assumption("tune_runs", 7, "trainings until the settings are found"),
    Assumption(
        "train_peak_tflops",
        989,
        "TFLOP/s of the GPU that trains, dense 16-bit",
        "NVIDIA's figure for an H100 SXM",
        "2026-11-21",
        "fact",
    ),
    Assumption("train_peak_share", 0.3, "share of that peak which training reaches; 0.25 to 0.40 is usual"),
    Assumption(
        "train_gpu_hour_usd",
        2.25,
        "USD an hour of the GPU that trains",
        "H100 on demand, December 2025, as listed by aihardwareindex; hyperscalers ask 2 to 4 times that",
        "2026-11-21",
        "fact",
    ),
    Assumption("code_days", 3, "engineer-days, once"),
    Assumption("code_month_usd", 100, "USD a month"),
    Assumption("cache_days", 1, "engineer-days, once"),
    Assumption("cache_month_usd", 50, "USD a month"),
    Assumption("cheaper_llm_days", 1, "engineer-days, once: evaluation and a changed model name"),
    Assumption("cheaper_llm_month_usd", 100, "USD a month"),
    Assumption("pilot_days", 0.5, "engineer-days, before any of the above"),
    Assumption(
        "later_rollout_share", (0.3, 0.4, 0.6), "work on the second and each later task that moves, over the first"
    ),
    Assumption("budget_weeks", 0, "engineer-weeks there are for the plan; 0: no limit"),
    Assumption(
        "routed_share",
        (0.47, 0.80, 0.97),
        "share of a task's calls that a small model may take, where a router or a cascade splits it",
        "slmlens default; a logistic student on four sets of labels kept 0.81 to 0.99 at an agreement of 0.95, 0.47 to "
        "0.81 at 0.98, and none where 8 % of the labels were noise",
        "2026-11-21",
    ),
    Assumption("route_call_usd", 0.000002, "USD of deciding where a call goes: an embedding on a processor"),
    Assumption("small_latency_factor", 0.5, "latency of a small model over the present model's"),
    Assumption("ask_days", 0.25, "engineer-days to ask somebody: finance for commitments, a host for its price"),
    Assumption("estimate_days", 1, "engineer-days to estimate the work on a task properly"),
    Assumption("unasked_commitment_chance", 0.2, "chance that spend is prepaid where nobody said whether it is"),
    Assumption("people_cost_factor", (0.5, 1.0, 2.0), "times all people cost, shared by all tasks"),
    Assumption("person_hour_usd", 40, "USD an hour of whoever handles a wrong answer"),
    Assumption("wrong_retries", 1, "calls of the present model that each further wrong answer costs"),
    Assumption("wrong_answer_minutes", (0.5, 1.0, 3.0), "minutes of a person for a wrong answer that is handled"),
    Assumption(
        "wrong_handled_share_human",
        (0.02, 0.10, 0.20),
        "share of a small model's further wrong answers that a person has to handle, where people read the answers",
    ),
    Assumption(
        "wrong_handled_share_machine",
        (0.0, 0.01, 0.05),
        "the same where no person reads them",
    ),
    Assumption(
        "weak_wrong_share",
        (0.1, 0.3, 0.6),
        "share of the free-text answers called different that are wrong; the rest say the same in other words",
    ),
    Assumption("price_spread_listings", 0.4, "log-sd of a hosted price over its listings, where only one is known"),
    Assumption("price_spread_market", 0.2, "log-sd of all hosted prices together"),
    Assumption("hosted_tuned_price_factor", (1.0, 1.0, 2.0), "price of a hosted fine-tune over its base model"),
    Assumption(
        "tokenizer_ratio",
        (0.95, 1.0, 1.2),
        "small model's tokens over the incumbent's",
        "measured with splintr-rs 0.22 against o200k on 10.7 MB of prose, code and JSON: 0.97 to 1.21",
        "2026-11-21",
        "fact",
    ),
    Assumption("slm_output_factor", 1.0, "small model's visible output over the incumbent's; more if it thinks aloud"),
    Assumption("slm_cached_price", 1.0, "price of cached over fresh input at small-model hosts"),
    Assumption("month_spread", 0.35, "log-sd of the monthly volume where the log carries no interval"),
    Assumption("parity_correlation", 0.3, "correlation over tasks of whether a small model holds parity"),
    Assumption(
        "cheaper_llm_parity",
        1.0,
        "the vendor's smaller model holds parity whenever a small open model does as it is (1) or never (0)",
    ),
    Assumption("window_headroom", 1.25, "context window over the task's 99th percentile of tokens"),
    Assumption("licence_gate", 1, "rules out models whose licence forbids commercial use (0: it does not)"),
    Assumption("largest_params_b", 10, "billions of parameters of the largest model that is offered"),
    Assumption("memory_gb", 0, "GB of GPU or laptop memory that a model has to fit in; 0: no limit"),
    Assumption("memory_calls", 1, "calls at a time whose cache has to fit in that memory"),
    Assumption(
        "weight_bytes_per_param",
        2.0,
        "bytes a parameter: 2 at 16 bits, 0.6 at 4 bits",
        "4 bits: Q4_K_M files of Qwen3-8B, Ministral-3-8B and granite-4.2-8b take 5.0, 5.2 and 5.3 GB",
        "2026-11-21",
        "fact",
    ),
    Assumption("thinking_output_factor", (3, 6, 15), "output tokens of a model that always thinks over its answer's"),
    Assumption("reference_params_b", 8.0, "billions of parameters of the model looked for where evidence names none"),
    Assumption("cache_min_share", 0.2, "share of repeated calls from which a cache is the task's own action"),
    Assumption("prompt_cache_min_tokens", 1024, "tokens of repeated prefix from which vendors cache a prompt"),
    Assumption("prompt_cache_minutes", 5, "minutes a prompt stays cached"),
    Assumption("chars_per_token", 4.0, "characters a token, to size a repeated prefix"),
    Assumption("self_host_days", 5, "engineer-days, once: servers, roll-out, alarms"),
    Assumption("self_host_month_usd", 800, "USD a month to keep servers running, a day of an engineer"),
    Assumption("traffic_growth", 1.0, "times the log's traffic that self-hosting is sized for"),
    Assumption("resample_jitter_minutes", 30, "minutes by which the copies of a sampled log's sessions are shifted"),
    Assumption("wait_seconds", 1.0, "seconds that 95 % of the calls wait at most for a slot"),
    Assumption("time_per_output_token_ms", 50, "milliseconds an output token may take: 20 tokens a second"),
    Assumption("deadline_hours", 0, "hours that answers which no person waits for may take; from 1, work is gathered"),
    Assumption("utilisation_unknown", (0.15, 0.25, 0.35), "share of time a GPU works, where the log has no times"),
    Assumption("utilisation_gathered", (0.6, 0.75, 0.9), "share of time a GPU works on gathered work"),
    Assumption("gpu_start_minutes", 10, "minutes to start a GPU for gathered work"),
    Assumption("gpu_memory_share", 0.9, "share of a GPU's memory for weights and the cache of keys and values"),
    Assumption(
        "kv_kib_per_token",
        128,
        "KiB of GPU memory a token",
        "Llama-3.1-8B: 32 layers x 8 heads x 128 x 2 x 2 bytes; hybrids need 10 to 20 times less",
    ),
    Assumption("adapter_gb", 0.2, "GB of GPU memory an adapter of a tuned task"),
    Assumption(
        "prefill_over_decode",
        (3.7, 8.0, 20.0),
        "input tokens a second over output tokens a second",
        "low end solved from two H100 vLLM rows of different input:output; the rest a judgement",
        "2026-11-28",
    ),
    Assumption(
        "throughput_spread",
        0.42,
        "log-sd of throughput: a factor of 2 either way at 90 %",
        "Llama-3.1-8B under MLPerf 5.1: 1,276 tokens/s a GPU on H100 with vLLM, 8,114 on H200 with TensorRT-LLM",
        "2026-11-21",
    ),
    Assumption(
        "throughput_exponent_smaller",
        (0.33, 0.4, 1.0),
        "throughput ~ 1 / active parameters to this power, below 8B",
        "1.5B against 7B with vLLM: 0.33 on RTX 4090, 0.39 on H100 (gpu_throughput.csv)",
        "2026-11-21",
    ),
    Assumption(
        "throughput_exponent_larger",
        (0.7, 0.86, 1.0),
        "throughput ~ 1 / active parameters to this power, above 8B",
        "14B against 8B with vLLM: 0.86 on H100 (gpu_throughput.csv)",
        "2026-11-21",
    ),
    Assumption(
        "bandwidth_efficiency",
        0.8,
        "share of memory bandwidth at which a lone call is decoded",
        "7B to 14B with vLLM: 0.75 to 0.85 on H100 PCIe and RTX 4090 (gpu_throughput.csv)",
        "2026-11-21",
    ),
)


@dataclass(frozen=True)
class Assumptions:
    """The assumptions of one plan, by name."""

    entries: Mapping[str, Assumption]

    def central(self, name: str) -> float:
        """Return the value, or the most likely one of a distribution."""
        value = self.entries[name].value
        return value[1] if isinstance(value, tuple) else float(value)

    def triangle(self, name: str) -> tuple[float, float, float]:
        """Return (low, most likely, high); a plain number is all three."""
        value = self.entries[name].value
        return value if isinstance(value, tuple) else (float(value), float(value), float(value))

    def mean(self, name: str) -> float:
        """Return the value, or the mean of a triangular distribution."""
        return sum(self.triangle(name)) / 3

    def once_usd(self, what: str) -> float:
        """Return the one-off people cost of ``swap``, ``tune``, ``code``, ``cache``, ``cheaper_llm`` or ``pilot``."""
        return self.central(f"{what}_days") * self.central("engineer_day_usd")

    def monthly_usd(self, what: str) -> float:
        """Return the monthly people cost of ``swap``, ``tune`` (and retrains), ``code``, ``cache``, ``cheaper_llm``."""
        monitoring = self.central(f"{what}_month_usd")
        if what != "tune":
            return monitoring
        days = self.central("retrain_days") * self.central("retrains_year") / 12
        return monitoring + days * self.central("engineer_day_usd")

    def table(self) -> pl.DataFrame:
        """Return ``AssumptionsTable``."""
        rows = [
            {
                "name": entry.name,
                "value": _written(entry.value),
                "unit": entry.unit,
                "source": entry.source,
                "date": entry.date,
                "kind": entry.kind,
            }
            for entry in self.entries.values()
        ]
        return checked(AssumptionsTable, pl.DataFrame(rows))


def load_assumptions(overrides: Overrides | None = None, *, today: dt.date | None = None) -> Assumptions:
    """Return the defaults with the user's own values on top.

    :param overrides: Values by name, or the path of a YAML file of them: a number, or [low, most likely, high].
    :param today: Day that the user's own values are dated with; default: today.
    :raises SettingError: If a name is unknown or a value is no number, negative or out of order.
    :raises InputError: If the file can't be read as YAML.
    """
    entries = {entry.name: entry for entry in (*_DEFAULTS, *_gpu_prices())}
    if overrides is None:
        return Assumptions(entries)
    given = _read(Path(overrides)) if isinstance(overrides, str | Path) else overrides
    day = (today or dt.datetime.now(dt.UTC).date()).isoformat()
    for name, value in given.items():
        if name not in entries:
            near = difflib.get_close_matches(name, entries, n=1)
            hint = f"did you mean {near[0]!r}" if near else "see the assumptions table of a report for the names"
            raise SettingError(f"there is no assumption {name!r}", where="overrides", next_step=hint)
        entries[name] = replace(entries[name], value=_valid(name, value), source="set by the user", date=day)
    return Assumptions(entries)


def _gpu_prices() -> list[Assumption]:
    return [
        Assumption(
            price_name(gpu.name),
            gpu.usd_hour,
            f"USD an hour of one {gpu.name}: {gpu.price_basis}",
            gpu.price_source,
            gpu.price_date,
            "fact",
        )
        for gpu in gpus()
    ]


def _read(path: Path) -> Mapping[str, float | Sequence[float]]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise InputError("the file of assumptions can't be read as YAML", where=path.name) from cause
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(
            "the file of assumptions is no mapping", where=path.name, next_step="write 'name: value' lines"
        )
    return content


def _valid(name: str, value: object) -> Value:
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    sound = [float(n) for n in numbers if isinstance(n, int | float) and not isinstance(n, bool) and n >= 0]
    if len(sound) != len(numbers) or len(sound) not in {1, 3} or sound != sorted(sound):
        raise SettingError(
            f"the value of {name!r} is neither a number nor [low, most likely, high]: {value!r}",
            where="overrides",
            next_step="give numbers from 0 up, in rising order",
        )
    return sound[0] if len(sound) == 1 else (sound[0], sound[1], sound[2])


def _written(value: Value) -> str:
    if isinstance(value, tuple):
        return f"{value[1]:g} ({value[0]:g} to {value[2]:g})"
    return f"{value:g}"
