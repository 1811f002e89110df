"""What a task's calls become for a trainer: one neutral record an example, of which every export is a view."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables.words import SIDES


class DatasetTable(dy.Schema):
    """One row a call with a usable answer. Placeholders are numbered inside the row: ``<EMAIL_1>``, ``<EMAIL_2>``."""

    call_id = dy.String(primary_key=True)
    unit = dy.Int64(min=0)  # recurrence unit, as a number inside the dataset: a unit is never on two sides
    leak_group = dy.Int64(min=0)  # prompts that are equal but for numbers, or nearly equal: never on two sides either
    side = dy.String(check=lambda c: c.is_in(SIDES))
    messages = dy.List(dy.Struct({"role": dy.String(), "content": dy.String()}))  # the prompt, redacted
    slot_text = dy.String()  # the prompt less its skeleton, as written
    completion = dy.String()  # the incumbent's answer in canonical form
    placeholders = dy.List(dy.Struct({"name": dy.String(), "stands_for": dy.String()}))  # of the row, and of the log
