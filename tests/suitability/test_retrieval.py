"""Copying the nearest prompt's answer: a yardstick for near-duplicates, and none across groups of like prompts."""

from __future__ import annotations

import random

import numpy as np

from slmlens.suitability.answers import parse_answer
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.features import gram_matrix
from slmlens.suitability.retrieval import run_retrieval
from slmlens.suitability.splits import group_folds, leak_groups

WORDS = [f"{a}{b}{a}" for a in "bdfgklmn" for b in "aeiou"]


def copied(prompts, texts, per_session=2):
    answers = compare_task([parse_answer(text, None) for text in texts], np.arange(len(texts)) // per_session)
    folds = group_folds(prompts, leak_groups(prompts), 0)
    rows = np.arange(len(prompts))
    return run_retrieval(gram_matrix(prompts), answers, rows, folds, train_share=0.7, draws=199, seed=0)


def test_near_duplicates_are_copied_in_time_and_not_across_their_groups():
    wordings = [" ".join(random.Random(k).sample(WORDS, 8)) for k in range(8)]
    prompts = [f"ticket {i}: {wordings[i % 8]}" for i in range(240)]
    found = copied(prompts, [f"answer of wording {i % 8}" for i in range(240)])
    assert found.time.value == 1
    assert found.group.value == found.lower.value == 0
    assert found.null_p <= 0.01


def test_a_rule_in_the_words_is_copied_better_than_the_constant():
    rng = random.Random(0)
    keys = [rng.choice("abc") for _ in range(240)]
    prompts = [" ".join([*rng.sample(WORDS, 4), f"{key} " * 3, str(rng.randrange(10**6))]) for key in keys]
    found = copied(prompts, [f"label {key}" for key in keys])
    assert found.lower.lo90 > found.constant + 0.2


def test_chance_is_copied_no_better_than_the_constant():
    low = 0
    for seed in range(8):
        rng = random.Random(seed)
        prompts = [f"{' '.join(rng.sample(WORDS, 6))} {rng.randrange(10**6)}" for _ in range(120)]
        low += copied(prompts, [rng.choice(["yes", "no", "maybe"]) for _ in prompts]).null_p <= 0.05
    assert low <= 2


def test_free_text_counts_by_word_overlap():
    rng = random.Random(1)
    prompts = [f"order {i} {'late' if i % 2 else 'lost'} {' '.join(rng.sample(WORDS, 3))}" for i in range(120)]
    news = ["lost so here is all of your money", "late and will be with you very soon"]
    texts = [f"we are sorry that the parcel is {news[i % 2]} {i}" for i in range(120)]
    assert copied(prompts, texts).lower.value > 0.7


def test_a_single_session_has_no_later_one_to_copy_to():
    assert copied(["a b", "c d"], ["x", "y"], per_session=9) is None
