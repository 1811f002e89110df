"""Every threshold of the suitability stage, with its source: a judgement is a visible, editable default."""

from __future__ import annotations

from dataclasses import dataclass, fields

import polars as pl

from slmlens.errors import SettingError
from slmlens.tables import AssumptionsTable, checked

DECIDED_ON = "2026-11-21"
"""Day on which the defaults below were chosen."""

SHUFFLES = 20
"""Shuffles of a log behind its false-green rate where no other number is asked for."""


@dataclass(frozen=True)
class AssessSettings:
    """Thresholds of ``assess``.

    :param parity: Least A / C_pair that counts as parity.
    :param skill: Least (A - b) / (C_pair - b) that counts as parity.
    :param alpha: Level of the session-permutation null, after Holm over the log's tasks and fields.
    :param draws: Permutations of whole sessions behind one null.
    :param margin: What a student's lower bound must have over the constant answer before a task is called learnable.
    :param visible_gain: A null counts as "no signal" only where this gain over the constant would have been seen.
    :param min_calls: Fewest usable answers below which nothing is said.
    :param min_units: Fewest recurrence units below which nothing is said (``k_task``).
    :param show_units: Fewest units that share a value before it may be shown (``k_show``).
    :param train_share: Share of the calls, in the earlier sessions, that a probe is trained on.
    :param probe_calls: Most calls of a task that a probe looks at; larger tasks are sampled by whole units.
    :param rare_share: An answer class below this share has its own recall.
    :param rare_graded: Fewest graded examples of a rare class before its recall is said.
    :param anchor_delta: By how much a tuned SLM may fall short of the student.
    :param anchor_sd: Least standard deviation of the student as a lower anchor.
    :param larger_delta: By how much a larger tuned SLM may fall short of a smaller one that was graded.
    :param larger_sd: Standard deviation of a graded smaller SLM as a lower anchor of larger ones.
    :param slm_params_b: Size in billions of parameters that the swap prior is evaluated at.
    :param slm_released: Year of release that the swap prior is evaluated at; one later than was measured adds nothing.
    :param max_context: Largest window, in tokens, of the small models considered.
    :param window_factor: How much larger than the task's 99th percentile of input the window has to be.
    :param pilot_cap: Most pilot calls that are ever proposed for one task.
    :param shuffles: Shuffles of the whole log behind its false-green rate; 0: it is not measured.
    """

    parity: float = 0.95
    skill: float = 0.80
    alpha: float = 0.01
    draws: int = 999
    margin: float = 0.05
    visible_gain: float = 0.15
    min_calls: int = 30
    min_units: int = 3
    show_units: int = 5
    train_share: float = 0.70
    probe_calls: int = 1_000
    rare_share: float = 0.05
    rare_graded: int = 10
    anchor_delta: float = 0.02
    anchor_sd: float = 0.03
    larger_delta: float = 0.02
    larger_sd: float = 0.05
    slm_params_b: float = 8.0
    slm_released: float = 2025.0
    max_context: int = 262_144
    window_factor: float = 1.25
    pilot_cap: int = 500
    shuffles: int = 0

    def __post_init__(self) -> None:
        for name in ("parity", "skill", "alpha", "train_share", "rare_share"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise SettingError(
                    f"{name} is {value!r}, but must lie between 0 and 1 (exclusive)",
                    where=name,
                    next_step="pass a share such as 0.95",
                )
        for name in ("draws", "min_calls", "min_units", "probe_calls", "pilot_cap"):
            if getattr(self, name) < 1:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}, but must be at least 1",
                    where=name,
                    next_step="pass a positive whole number",
                )
        if self.shuffles < 0:
            raise SettingError(
                f"shuffles is {self.shuffles!r}, but must not be negative",
                where="shuffles",
                next_step="pass 20, or 0 to leave the false-green rate unmeasured",
            )


_JUDGED = "slmlens default, judgement; change it with AssessSettings"
_SOURCES: dict[str, tuple[str, str]] = {
    "parity": ("share of C_pair", "0.95 of the larger model, as in LoRA Land (arXiv 2405.00732) and BFCL comparisons"),
    "skill": ("share", _JUDGED),
    "alpha": ("p-value", "Holm 1979 over the log's tasks and fields"),
    "draws": ("permutations", "slmlens default; p below 1/draws by a t tail (after Knijnenburg et al. 2009)"),
    "margin": ("agreement", _JUDGED),
    "visible_gain": ("agreement", _JUDGED),
    "min_calls": ("calls", _JUDGED),
    "min_units": ("units", _JUDGED),
    "show_units": ("units", _JUDGED),
    "train_share": ("share", _JUDGED),
    "probe_calls": ("calls", "slmlens default: keeps a probe under a second"),
    "rare_share": ("share", _JUDGED),
    "rare_graded": ("calls", _JUDGED),
    "anchor_delta": ("agreement", _JUDGED),
    "anchor_sd": ("agreement", _JUDGED),
    "larger_delta": ("agreement", "judgement beside LoRA Land (arXiv 2405.00732) table 12: 2.5-2.7B against 6.7-8.5B"),
    "larger_sd": ("agreement", "judgement beside LoRA Land (arXiv 2405.00732) table 12: 2.5-2.7B against 6.7-8.5B"),
    "slm_params_b": ("billion parameters", _JUDGED),
    "slm_released": ("year", _JUDGED),
    "max_context": ("tokens", "Qwen3-4B-Instruct-2507 and Ministral-3-8B model cards: 256k"),
    "window_factor": ("x p99 of input", _JUDGED),
    "pilot_cap": ("calls", _JUDGED),
    "shuffles": ("shuffles", "slmlens default; 20 where the false-green rate is asked for"),
}


def assumption_rows(settings: AssessSettings, seed: int, extra: list[dict[str, str]]) -> pl.DataFrame:
    """Return ``AssumptionsTable``: the settings, the seed and ``extra`` rows (same columns), sorted by name."""
    rows = [
        {
            "name": f"assess.{field.name}",
            "value": str(getattr(settings, field.name)),
            "unit": _SOURCES[field.name][0],
            "source": _SOURCES[field.name][1],
            "date": DECIDED_ON,
            "kind": "judgement",
        }
        for field in fields(settings)
    ]
    rows.append(
        {"name": "assess.seed", "value": str(seed), "unit": "", "source": "setting", "date": DECIDED_ON, "kind": "fact"}
    )
    return checked(AssumptionsTable, pl.DataFrame([*rows, *extra]).sort("name"))
