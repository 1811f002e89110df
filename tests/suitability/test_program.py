"""The program probe finds rules that were planted, names them without values, and finds none where there is none."""

from __future__ import annotations

import datetime as dt
import json
import random

import numpy as np
import pytest

from slmlens.suitability.answers import parse_answer
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.program import run_program
from slmlens.suitability.rules import Material
from slmlens.suitability.spans import candidate_spans
from slmlens.suitability.splits import group_folds, leak_groups

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
COUNTRIES = {"United States": "US", "United Kingdom": "GB", "South Korea": "KR", "South Africa": "ZA"}
MONTHS = [dt.date(2026, month, 1).strftime("%B") for month in range(1, 13)]


def filler(rng):
    return " ".join(rng.choices(WORDS, k=5))


def program(make, n=240, seed=0):
    """What the probe says of ``n`` calls, two a session, whose prompt and answer ``make`` gives."""
    rng = random.Random(seed)
    prompts, answers = zip(*(make(rng) for _ in range(n)), strict=True)
    texts = [answer if isinstance(answer, str) else json.dumps(answer) for answer in answers]
    task = compare_task([parse_answer(text, None) for text in texts], np.arange(n) // 2)
    slots = list(prompts)
    material = Material(candidate_spans(list(prompts)), list(prompts), slots)
    return run_program(task, material, group_folds(slots, leak_groups(slots), 0))


def a_date(rng):
    return rng.randrange(2000, 2030), rng.randrange(1, 13), rng.randrange(1, 29)


def reformatted_date(rng):
    y, m, d = a_date(rng)
    return f"{filler(rng)} on {MONTHS[m - 1]} {d}, {y} {filler(rng)}", {"day": f"{y}-{m:02d}-{d:02d}"}


def day_first(rng):
    y, m, d = a_date(rng)
    return f"{filler(rng)} on {d:02d}/{m:02d}/{y} {filler(rng)}", {"day": f"{y}-{m:02d}-{d:02d}"}


def month_first(rng):
    y, m, d = a_date(rng)
    return f"{filler(rng)} on {m}/{d}/{y} {filler(rng)}", {"day": f"{y}-{m:02d}-{d:02d}"}


def digits_only(rng):
    cents = rng.randrange(10_000, 10_000_000)
    return f"{filler(rng)} of EUR {cents // 100:,}.{cents % 100:02d} {filler(rng)}", {"cents": cents}


def trimmed(rng):
    name = f"{rng.choice(WORDS)} {rng.randrange(999)}"
    return f'{filler(rng)} "{name}!" {filler(rng)}', {"title": name}


def joined(rng):
    order, lot = rng.randrange(10**5), rng.randrange(100, 999)
    return f"{filler(rng)} order {order} of lot {lot} {filler(rng)}", {"ref": f"ORD-{order}/{lot}"}


def key_of_json(rng):
    customer = f"{rng.choice(WORDS)} {rng.choice(WORDS)} {rng.randrange(99)}"
    return json.dumps({"id": rng.randrange(10**6), "customer": customer, "note": filler(rng)}), {"who": customer}


def optional(rng):
    order = rng.randrange(10**5)
    if rng.random() < 0.7:
        return f"{filler(rng)} order {order} {filler(rng)}", {"order": order}
    return filler(rng), {"order": None}


def named(rng):
    tool = rng.choice(["search_web", "run_sql", "send_mail"])
    return f"{filler(rng)} please use {tool.replace('_', ' ')} {filler(rng)}", tool


def looked_up(rng):
    country = rng.choice(sorted(COUNTRIES))
    return f"{filler(rng)}\nCountry: {country}\n{filler(rng)}", {"code": COUNTRIES[country]}


def word_decides(rng):
    word, label = rng.choice([("invoice", "billing"), ("crash", "technical"), ("charge", "billing")])
    return f"{filler(rng)} {word} {filler(rng)}", {"intent": label}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (reformatted_date, "copied: date no. 1, as yyyy-mm-dd"),
        (day_first, "copied: date no. 1, as yyyy-mm-dd"),
        (month_first, "copied: date no. 1, month first, as yyyy-mm-dd"),
        (digits_only, "copied: number no. 1, digits only"),
        (trimmed, "copied: quotation no. 1, trimmed"),
        (joined, "made of: number no. 1, as written and number no. 2, as written, with fixed text"),
        (key_of_json, "copied:"),
        (optional, "where there is none, always the same"),
        (named, "known answers that the prompt names"),
        (looked_up, "looked up from:"),
        (word_decides, "decided by a few words of the prompt"),
        (lambda rng: (filler(rng), {"answer": "OK"}), "always the same"),
    ],
)
def test_a_planted_rule_is_found_and_named_without_values(make, words):
    found = program(make)
    (rule,) = found.rules.values()
    assert found.lower.value > 0.97
    assert (found.null_p < 0.01) is not found.constant, "a constant is no better than chance, whatever it reaches"
    assert words in rule
    assert not any(country in rule for country in COUNTRIES)


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: (f"{filler(rng)} {rng.randrange(10**6)}", {"x": rng.randrange(10**6)}),
        lambda rng: (filler(rng), rng.choice(["billing", "refund", "technical"])),
        lambda rng: (f"{filler(rng)} number {rng.randrange(9)} or {rng.randrange(9)}", {"n": rng.randrange(9)}),
    ],
)
def test_where_answers_are_chance_no_rule_is_better_than_chance(make):
    found = [program(make, seed=seed) for seed in range(5)]
    assert np.mean([one.lower.value for one in found]) < 0.4
    assert np.mean([one.null_p for one in found]) > 0.15


def test_every_field_has_a_rule_of_its_own():
    def both(rng):
        prompt, answer = digits_only(rng)
        return prompt, answer | {"currency": "EUR", "luck": rng.randrange(10**6)}

    found = program(both)
    assert found.rules["currency"] == "always the same"
    assert found.rules["cents"] == "copied: number no. 1, digits only"
    assert found.lower.value < 0.1, "one field that no rule gives spoils the whole answer"


def test_a_rule_that_lists_answers_is_no_rule_for_values_that_do_not_recur():
    """Names, dates and amounts in another form are copied or nothing: a table would only know them by heart."""
    found = program(lambda rng: (reformatted_date(rng)[0], {"x": f"{rng.randrange(10**6):,}"}))
    assert "looked up" not in found.rules["x"]


def test_dates_are_read_in_every_usual_form_and_impossible_ones_are_none():
    texts = ["2026-03-09", "March 9, 2026", "9th of", "9 Mar 2026", "09.03.2026", "99/99/2026"]
    spans = candidate_spans(texts)
    assert spans["date no. 1, as yyyy-mm-dd"] == ["2026-03-09"] * 2 + [""] + ["2026-03-09"] * 2 + [""]
    assert spans["date no. 1, month first, as yyyy-mm-dd"][4] == "2026-09-03"
