"""Names of tasks without a model: what sets a call site's fixed words apart from the others', and its answer form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import regex

from slmlens.tasks.holes import Marked, fixed_runs

MAX_PHRASE_WORDS = 6
OPENING_BONUS = 1.0
"""How much more a phrase weighs at the very start of a prompt, where authors say what the step is."""
OPENING_WORDS = 30
"""Words after which that bonus has halved."""
_BREAKS = regex.compile(r"[.;:!?\n\r{}\[\]()<>|#*`\"=]")
_WEAK_EDGE = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "for",
        "from",
        "has",
        "have",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "must",
        "of",
        "on",
        "or",
        "our",
        "should",
        "so",
        "than",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "we",
        "when",
        "where",
        "which",
        "will",
        "with",
        "you",
        "your",
        "following",
        "s",
        "not",
        "no",
        "but",
        "all",
        "any",
        "each",
        "one",
        "such",
        "was",
        "new",
        "them",
        "only",
        "may",
        "make",
        "below",
        "above",
        "please",
        "user",
    ]
)
_ROLE = ("you", "are")


@dataclass(frozen=True)
class NameFacts:
    """What a name is made of.

    :param step: The declared step, if the log has one.
    :param texts: Marked prompt parts of an exemplar, the most telling part first.
    :param form: The commonest answer form.
    """

    step: str | None
    texts: Sequence[Marked]
    form: str


def task_names(facts: Sequence[NameFacts]) -> list[str]:
    """Return one name a task, no two alike: the step or a contrastive phrase, then the answer form.

    Only words that the skeleton fixes are used, so a name is as k-anonymous as the skeleton.
    """
    phrases = [_phrases(f) for f in facts]
    spread = Counter(phrase for found in phrases for phrase in {p for p, _ in found})
    ranked = [_ranked(found, spread) for found in phrases]
    names: list[str] = []
    for fact, phrases_of in zip(facts, ranked, strict=True):
        heads = [fact.step] if fact.step else []
        heads += [f"{fact.step}: {o}" if fact.step else o for o in phrases_of or _opening(fact.texts)]
        names.append(_free(heads or ["rare step"], _form_label(fact.form), names))
    return names


def _opening(texts: Sequence[Marked]) -> list[str]:
    """Return the first fixed words, for a skeleton too short or too plain for a phrase."""
    runs = [marked.words[first:last] for marked in texts for first, last in fixed_runs(marked)]
    return [" ".join(run[:MAX_PHRASE_WORDS]) for run in runs if any(word != "0" for word in run)][:1]


def _free(heads: Sequence[str], form: str, taken: Sequence[str]) -> str:
    for head in heads:
        name = f"{head} · {form}"
        if name not in taken:
            return name
    number = 2
    while f"{heads[0]} ({number}) · {form}" in taken:
        number += 1
    return f"{heads[0]} ({number}) · {form}"


def _form_label(form: str) -> str:
    return form if len(form) <= 40 else form[:39].rstrip(" ,") + "…"  # noqa: PLR2004 - fits a table cell


def _phrases(facts: NameFacts) -> list[tuple[str, float]]:
    """Return candidate phrases with a weight: earlier parts, sentence starts and roles weigh more."""
    found: dict[str, float] = {}
    for depth, marked in enumerate(facts.texts):
        for words, starts, at in _segments(marked):
            for first in range(len(words)):
                for last in range(first + 2, min(first + MAX_PHRASE_WORDS, len(words)) + 1):
                    phrase = words[first:last]
                    if not _reads_well(phrase):
                        continue
                    weight = (1.5 if first == 0 and starts else 1.0) * (1.0, 0.8, 0.6, 0.5)[min(depth, 3)]
                    weight *= 1 + OPENING_BONUS * 0.5 ** ((at + first) / OPENING_WORDS)
                    weight *= (0, 0, 0.8, 1.0, 1.1, 1.1, 1.1)[len(phrase)]
                    text = " ".join(phrase)
                    found[text] = max(found.get(text, 0.0), weight)
    return sorted(found.items())


def _reads_well(phrase: Sequence[str]) -> bool:
    if phrase[0] in _WEAK_EDGE or phrase[-1] in _WEAK_EDGE or "0" in phrase:
        return False
    return any(len(word) > 3 for word in phrase)  # noqa: PLR2004 - a phrase needs one word that carries meaning


def _segments(marked: Marked) -> list[tuple[tuple[str, ...], bool, int]]:
    """Cut the fixed runs at punctuation, role openings ("you are a") dropped.

    :returns: The words of each piece, whether it begins a sentence, and the index of its first word.
    """
    pieces: list[tuple[tuple[str, ...], bool, int]] = []
    for first, last in fixed_runs(marked):
        start, begins = first, first == 0 or _broken(marked, first)
        for at in range(first + 1, last + 1):
            if at == last or _broken(marked, at):
                words = marked.words[start:at]
                while words and begins and words[0] in (*_ROLE, "a", "an", "the", "now", "your", "task", "is", "to"):
                    words = words[1:]
                pieces.append((words, begins, start))
                start, begins = at, True
    return pieces


def _broken(marked: Marked, at: int) -> bool:
    before = marked.spans[at - 1][1] if at else 0
    return bool(_BREAKS.search(marked.text[before : marked.spans[at][0]])) if at else True


def _ranked(found: Sequence[tuple[str, float]], spread: Counter[str]) -> list[str]:
    """Order phrases by weight times rarity among the tasks; drop those that repeat a better one's words."""
    scored = sorted(found, key=lambda pw: (-pw[1] / spread[pw[0]] ** 0.5, -len(pw[0]), pw[0]))
    kept: list[str] = []
    for phrase, _ in scored[:200]:
        if not any(set(phrase.split()) <= set(other.split()) for other in kept):
            kept.append(phrase)
        if len(kept) == 8:  # noqa: PLR2004 - more are never asked for
            break
    return kept
