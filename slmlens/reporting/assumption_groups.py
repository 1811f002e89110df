"""Every assumption by its subject: what a person set first, then money, models, servers, tuning and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

SET_BY_USER = "Set by the user"
OTHER = "Other"
_USER = "set by the user"
_SUBJECTS = {
    "Money and people": (
        "horizon_months",
        "discount_rate_year",
        "engineer_day_usd",
        "people_cost_factor",
        "swap_",
        "tune_days",
        "tune_month_usd",
        "code_",
        "cache_days",
        "cache_month_usd",
        "cheaper_llm_days",
        "cheaper_llm_month_usd",
        "pilot_",
        "later_rollout_share",
        "budget_weeks",
        "ask_",
        "estimate_",
        "unasked_",
        "month_spread",
    ),
    "Prices and small models": (
        "price_",
        "hosted_",
        "tokenizer_ratio",
        "slm_",
        "vendor_smaller_model",
        "window_headroom",
        "licence_gate",
        "largest_params_b",
        "memory_",
        "weight_bytes_per_param",
        "thinking_",
        "reference_params_b",
        "cache_min_share",
        "prompt_cache_",
        "chars_per_token",
        "routed_",
        "route_",
        "small_latency_factor",
    ),
    "Self-hosting": (
        "self_host_",
        "gpu_",
        "traffic_growth",
        "resample_",
        "wait_seconds",
        "time_per_output_token_ms",
        "deadline_hours",
        "utilisation_",
        "kv_",
        "adapter_",
        "prefill_",
        "throughput_",
        "bandwidth_",
    ),
    "Wrong answers and tuning": ("wrong_", "weak_wrong_", "person_hour_usd", "tune_", "train_", "retrain"),
    "Evidence": ("assess.", "prior.", "parity_correlation", "cheaper_llm_parity"),
}
"""Subject: whole names, or how names begin; the first that fits counts."""


def assumption_groups(assumptions: Sequence[Json], audience: str) -> list[dict[str, Any]]:
    """Return ``title``, ``count``, ``open`` and ``rows`` of each subject that has an assumption, each of them once.

    Those that a person set come first and are open; finance also finds the first subject open.

    :param assumptions: ``assumptions`` of a summary; their order is kept within a subject.
    """
    titles = (SET_BY_USER, *_SUBJECTS, OTHER)
    rows = {title: [entry for entry in assumptions if _title(entry) == title] for title in titles}
    filled = [title for title in titles if rows[title]]
    return [
        {
            "title": title,
            "count": len(rows[title]),
            "open": title == SET_BY_USER or (audience == "finance" and title == filled[0]),
            "rows": rows[title],
        }
        for title in filled
    ]


def _title(entry: Json) -> str:
    if entry["source"] == _USER:
        return SET_BY_USER
    return next((title for title, begins in _SUBJECTS.items() if entry["name"].startswith(begins)), OTHER)
