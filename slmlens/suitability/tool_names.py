"""Tools that act on the world, told from those that only read by their names."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PART = re.compile(r"__|[./:]")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_READS = _listed(
    "analyse analyze ask browse calc calculate check classify compare compute convert count describe detect estimate "
    "evaluate extract fetch filter find forecast get glob grep identify inspect list load locate look lookup monitor "
    "parse peek predict preview query rank read recommend retrieve scan scrape search select show sort summarize think "
    "track translate validate verify view watch"
)
_ACTS = _listed(
    "activate add append apply approve archive assign authorise authorize ban bash buy cancel click close computer "
    "create debit decline delete deploy deposit disable dispatch drop edit editor email enable enroll erase "
    "exec execute fax grant insert install interpreter invest invite kill launch make mark modify move notify "
    "overwrite pay place powershell process publish python reactivate rebook reboot register reject remove rename "
    "reopen repl replace reset restart revoke rollback run save sell send set shell sms spend start stop submit "
    "subscribe suspend terminal terminate trigger turn uninstall unsubscribe update upload upsert withdraw write"
)
_ACTS_OR_NOUNS = _listed(
    "block book booking charge commit merge order pause payment post purchase push refund release reply reserve ship "
    "transfer"
)
_NOUNS_AT_THE_END = _listed("call change exchange hold lock message print put return schedule")
"""Of these the last word of a longer name is a noun: ``match_schedule``, but ``schedule_visit``."""
_LOOKED_UP = _READS | _listed(
    "availability balance code data date detail details history id info number policy price rate status time total"
)
"""A noun before one of these is what is looked up: ``order_status``, ``refund_policy``."""
_JOINS = _listed("and or then")
_HANDED_TO = _listed("agent agents assistant human humans supervisor")
_HAND_IN, _ANSWER = _listed("return submit"), _listed("answer output result submit")
_SUMS = _listed("add numbers")


def acts_on_the_world(name: str) -> bool:
    """Return whether a tool of this name changes something outside; a doubtful name counts as one that does.

    The first verb decides: ``get_order`` reads and ``create_order`` acts, as the second verb of ``find_and_delete``
    does. A noun is no act (``order_status``), nor is handing in the answer itself (``submit_answer``), handing over to
    an agent or a person (``transfer_to_human_agents``, ``escalate``) or arithmetic (``add_numbers``).

    A list of English verbs, by judgement: what a tool of another name does is not seen.
    """
    whole = name_words(name)
    if not whole or _is_no_act(whole):
        return False
    said = _first_verb(name_words(_PART.split(name)[-1]))
    return bool(_first_verb(whole) if said is None else said)


def name_words(name: str) -> list[str]:
    """Return the words of a name in lower case, whether joined by signs or by capitals."""
    return [word.lower() for word in _WORD.findall(name)]


def _is_no_act(words: list[str]) -> bool:
    first, last = words[0], words[-1]
    hands_on = (first == "transfer" and last in _HANDED_TO) or (first in _HAND_IN and last in _ANSWER)
    return hands_on or (first == "add" and last in _SUMS)


def _first_verb(words: list[str]) -> bool | None:
    """Return whether the first verb acts; None: no verb is known."""
    for at, word in enumerate(words):
        if word == "check" and words[at + 1 : at + 2] in (["in"], ["out"]):
            return True
        if word in _READS:
            rest = words[at + 1 :]
            joined = next((rest[n + 1 :] for n, between in enumerate(rest) if between in _JOINS), [])
            return bool(joined) and _acts(joined, 0)
        if _acts(words, at):
            return True
    return None


def _acts(words: list[str], at: int) -> bool:
    word, last = words[at], len(words) - 1
    if word in _ACTS:
        return True
    if word in _ACTS_OR_NOUNS or (word in _NOUNS_AT_THE_END and (at < last or last == 0)):
        return at == last or words[last] not in _LOOKED_UP
    return False
