"""CPU time of the simulation of 100 tasks in 4,000 futures: ``python -m benchmarks.montecarlo``.

The simulation is what draws: the shared factors, every option of every task, its row, and the sums of the plan.
Reading, pricing and choosing among the small models are not in it.
"""

from __future__ import annotations

import time

import numpy as np

from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.catalogue import SmallModel, small_models
from slmlens.savings.montecarlo import Setting, draw_shared
from slmlens.savings.options import best_by_action, task_options
from slmlens.savings.savings_rows import savings_rows
from slmlens.savings.totals import plan_money
from slmlens.savings.valuing import Valued
from slmlens.savings.volumes import Volume
from slmlens.spend.months import estimate_month
from slmlens.suitability.decide import Decision
from slmlens.tables import CallsTable

TASKS = 100
DRAWS = 4000
RUNS = 5


def main() -> None:
    """Print the least CPU time of five runs; other load on the machine makes it longer, never shorter."""
    model = next(model for model in small_models() if model.name == "Qwen3-8B")
    simulate(2, model)
    seconds = min(simulate(TASKS, model) for _ in range(RUNS))
    print(f"{TASKS} tasks x {DRAWS:,} draws: {seconds:.2f} s of CPU time, the least of {RUNS} runs")


def simulate(tasks: int, model: SmallModel) -> float:
    """Return the CPU seconds of one simulation."""
    started = time.process_time()
    assumptions = load_assumptions()
    month = estimate_month(CallsTable.create_empty())
    setting = Setting(assumptions, draw_shared(assumptions, month, seed=0, draws=DRAWS), 0)
    valued = [_valued(at, model, setting) for at in range(tasks)]
    savings_rows(valued, setting)
    plan_money([task.chosen for task in valued], setting.shared, known=True)
    return time.process_time() - started


def _valued(at: int, model: SmallModel, setting: Setting) -> Valued:
    volume, verdict = _volume(at), _verdict(at)
    options = task_options(volume, verdict, [model], ("gpt-4.1-mini", 1_000_000.0), setting)
    chosen = best_by_action(options)["migrate-tune"]
    decision = Decision("migrate-tune", mode="tuned")
    return Valued(volume, verdict, options, chosen, decision, candidates=[], capability=None, picks=[], overruled=None)


def _volume(at: int) -> Volume:
    return Volume(
        task_id=f"t{at}",
        calls=1000,
        units=200,
        billed_calls=1000,
        priced_calls=1000,
        spend_nusd=2_000_000_000,
        call_nusd=2e6 + 1e5 * at,
        input_tokens=900.0 + 50 * at,
        cached_tokens=100.0,
        output_tokens=120.0,
        p99_tokens=2000.0,
        tools=False,
        machine_only=1.0,
        billed_month=1e6,
        model="gpt-4.1",
        steps_per_session=1.0,
    )


def _verdict(at: int) -> dict[str, object]:
    quantiles = np.linspace(0.5 + 0.004 * at, 0.999, 101).tolist()
    return {
        "gate": None,
        "program_lo90": 0.995,
        "repeat_share": 0.3,
        "repeats_equal": 1.0,
        "ceiling_pair": 0.98,
        "weak_comparator": False,
        "a_needed": 0.931,
        "swap": {"slm": "Qwen3-8B", "quantiles": quantiles, "p_parity": 0.5},
        "tuned": {"slm": "Qwen3-8B", "quantiles": quantiles, "p_parity": 0.5},
    }


if __name__ == "__main__":
    main()
