"""The tables that a pilot keeps in the run's folder: which calls it asks, and how each answer was graded."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables import MODES


class PilotSampleTable(dy.Schema):
    """One row a call that a pilot asks, in the order to ask; of a forgotten session none."""

    call_id = dy.String(primary_key=True)
    session = dy.Int64()  # a number inside the sample: one call a session
    position = dy.Int64(min=1)  # its place in the order; looks count places, also those of rows that are gone
    stratum = dy.Int64()
    weight = dy.Float64(min=0)  # calls of the traffic that it stands for
    later_position = dy.Int64(nullable=True, min=1)  # its place among the later sessions; null: an earlier one
    answer_class = dy.Int64()  # of the incumbent's answer, as a number
    class_share = dy.Float64(min=0, max=1)  # of the task's answers
    task_calls = dy.Int64()  # calls of the task when the sample was drawn


class PilotGradesTable(dy.Schema):
    """One row a graded answer of a small model."""

    call_id = dy.String(primary_key=True)
    slm = dy.String(primary_key=True, min_length=1)
    mode = dy.String(primary_key=True, check=lambda c: c.is_in(MODES))
    acceptable = dy.Bool()  # false as well where the model failed to answer
    why = dy.String()  # in a few words, without a value of the log


class RecordedTable(PilotSampleTable):
    """One row a call whose prompt another log holds an answer to, of those that were drawn and graded."""

    slm = dy.String(primary_key=True, min_length=1)
    mode = dy.String(primary_key=True, check=lambda c: c.is_in(MODES))
    acceptable = dy.Bool()  # false as well where the log says that the model failed
    why = dy.String()  # in a few words, without a value of the log
    rare_unreached = dy.Bool()  # of an answer class under 5 % no call has a recorded answer
    covered = dy.Float64(min=0, max=1)  # share of the task's calls that have a recorded answer of this model
