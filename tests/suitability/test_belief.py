"""One task measured again has the verdict of the stage, a stricter bar never helps, a pilot keeps its promise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.suitability.assess import assess
from slmlens.suitability.belief import OUTCOMES, Belief, belief_of, pilot_outcomes, word_of
from tests.suitability.test_assess import TOPICS, graded, tickets
from tests.suitability.trap_logs import pair, tasks_of

LOGS = {
    "learnable": lambda: tickets(sessions=1),
    "without times": lambda: tickets(timed=False),
    "chance": lambda: tickets(label=lambda _topic, rng: rng.choice(sorted(TOPICS))),
    "one answer": lambda: [pair(i, f"order {i} of client {i % 7}", "OK", f"s{i}", day=i / 20) for i in range(120)],
    "too few": lambda: tickets(12),
    "failed": lambda: [pair(i, f"order {i}", None, f"s{i}", day=i) for i in range(9)],
}


@pytest.fixture(scope="module")
def learnable() -> Belief:
    return belief_of(assess(tasks_of(tickets(sessions=1))), "task")


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("piloted", [False, True])
def test_a_task_measured_again_has_the_verdict_that_the_stage_gave(name, piloted):
    verdicts = assess(tasks_of(LOGS[name]()), probes=[graded(0.9, 60)] if piloted else [], seed=7)
    row = verdicts.verdicts.row(0, named=True)
    judged = belief_of(verdicts, "task").judged
    assert (judged.evidence, judged.chosen.grade, judged.null_p) == (row["evidence"], row["grade"], row["null_p"])
    assert judged.target.point == row["a_needed"]
    for mode, verdict in (("swap", judged.swap), ("tuned", judged.tuned)):
        if row[mode] is not None:
            assert verdict.posterior.p_parity == pytest.approx(row[mode]["p_parity"])
            assert verdict.slm == row[mode]["slm"]


SHARES = st.floats(0.05, 0.99)


@settings(max_examples=40)
@given(SHARES, SHARES, SHARES)
def test_a_stricter_bar_never_makes_parity_likelier(learnable, skill, one, other):
    low, high = sorted((one, other))
    lax, strict = learnable.at(parity=low, skill=skill), learnable.at(parity=high, skill=skill)
    assert strict.target.point >= lax.target.point
    assert strict.tuned.posterior.p_parity <= lax.tuned.posterior.p_parity + 1e-12
    assert (strict.tuned.posterior.mass == lax.tuned.posterior.mass).all(), "the belief itself stays"


def test_at_the_thresholds_of_the_run_the_verdict_is_that_of_the_run(learnable):
    again = learnable.at(parity=0.95, skill=0.80)
    assert again.evidence == learnable.judged.evidence == "likely"
    assert again.tuned.posterior.p_parity == learnable.judged.tuned.posterior.p_parity


@pytest.mark.parametrize("mode", ["swap", "tuned"])
def test_the_chances_of_a_pilot_add_up_and_more_right_answers_never_make_it_worse(learnable, mode):
    for outcome in pilot_outcomes(learnable, mode, (30, 60)):
        assert sum(outcome.chance.values()) == pytest.approx(1.0)
        least = [outcome.least[word] for word in OUTCOMES if word in outcome.least]
        assert least == sorted(least, reverse=True)
        assert outcome.least["unlikely"] == 0


@pytest.mark.parametrize("word", ["shown", "likely"])
def test_what_a_pilot_is_promised_to_give_it_gives(learnable, word):
    (outcome,) = pilot_outcomes(learnable, "swap", (120,))
    least = outcome.least[word]
    for hits, holds in ((least, True), (least - 1, False)):
        verdicts = assess(tasks_of(tickets(sessions=1)), probes=[graded(hits / 120, 120)])
        belief = belief_of(verdicts, "task")
        said = word_of(belief.seen, belief.judged, belief.judged.swap)
        assert (said in OUTCOMES[: OUTCOMES.index(word) + 1]) is holds


def test_in_a_loop_no_pilot_of_logged_prompts_ends_in_shown(learnable):
    looped = replace(learnable, seen=replace(learnable.seen, steps=3.0))
    assert "shown" in pilot_outcomes(learnable, "tuned", (240,))[0].chance
    for outcome in pilot_outcomes(looped, "tuned", (60, 240)):
        assert "shown" not in outcome.chance
        assert "shown" not in outcome.least
