"""A shop whose agents take five steps a session: a small log for what people decide on tasks."""

from __future__ import annotations

import random
from collections.abc import Sequence

import slmlens as sl
from tests.tasks.world import Record, pair

STEPS = {
    "triage": "You are the triage agent of a shop. Answer with the intent of the ticket as JSON.",
    "summary": "Summarise the thread below for the colleague who takes over.",
    "refund": "Decide whether this customer may have a refund, and give the clause of the policy.",
    "translate": "Translate the message of the customer into plain English, keep names as they are.",
    "escalate": "Say who of the second line should take over this case and why in one line.",
}
NOUNS = ["invoice", "parcel", "courier", "screen", "login", "receipt", "warranty", "voucher"]


def shop(steps: Sequence[str] = tuple(STEPS), sessions: int = 24, seed: int = 1, start: int = 0) -> list[Record]:
    """One call a step and session, the first step most of all; every third ticket says that it is urgent."""
    rng = random.Random(seed)
    rows = []
    for at, step in enumerate(steps):
        for s in range(start, start + sessions - 3 * at):
            text = " ".join(rng.choices(NOUNS, k=6)) + (" very urgent case" if s % 3 == 0 else "")
            rows.append(pair(1000 * at + s, STEPS[step], text, session=f"s{s}", step=None))
    rows += [pair(9000 + i, "", "".join(rng.choices("bcdfg", k=9)), session="odd") for i in range(4)]
    return rows


def ids(tasks: sl.Tasks) -> dict[str, str]:
    """Step of the shop: id of its task."""
    where = dict(tasks.assignments.select("call_id", "task_id").rows())
    return {step: where[f"chatcmpl-{1000 * at + 1:05d}"] for at, step in enumerate(STEPS)}
