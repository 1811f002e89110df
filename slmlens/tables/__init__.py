"""The data dictionary: every table that a run writes, with its columns, units and null meaning.

Times are UTC microseconds, money is integer nano-USD (``*_nusd``), and null always means *unknown*, never zero.
A floor hands its frames on only after :func:`checked` has validated them here.
"""

from __future__ import annotations

from slmlens.tables.checked import SchemaT, checked
from slmlens.tables.datasets import DatasetTable
from slmlens.tables.evidence import EvidenceTable, VerdictsTable
from slmlens.tables.log import CallsTable, CoverageTable, FilesTable, MessagesTable, RejectReasonsTable, RejectsTable
from slmlens.tables.money import ActionsTable, AssumptionsTable, PilotPlanTable, SavingsTable
from slmlens.tables.tasks import AssignmentsTable, DecisionsTable, ItemsTable, LineageTable, TasksTable
from slmlens.tables.words import (
    ACTIONS,
    BILLING,
    CORRECTIONS,
    DECISION_KINDS,
    DECISION_STATUSES,
    DEPLOYMENTS,
    EVIDENCE_SOURCES,
    EVIDENCE_WORDS,
    FAILURES,
    GRADES,
    KEEP_REASONS,
    LINEAGE_CHANGES,
    MODES,
    NUSD_PER_USD,
    OUTPUT_KINDS,
    PICKS,
    PRICE_SOURCES,
    RECURRENCE_UNITS,
    RULES,
    SIDES,
    STATUSES,
)

__all__ = [
    "ACTIONS",
    "BILLING",
    "CORRECTIONS",
    "DECISION_KINDS",
    "DECISION_STATUSES",
    "DEPLOYMENTS",
    "EVIDENCE_SOURCES",
    "EVIDENCE_WORDS",
    "FAILURES",
    "GRADES",
    "KEEP_REASONS",
    "LINEAGE_CHANGES",
    "MODES",
    "NUSD_PER_USD",
    "OUTPUT_KINDS",
    "PICKS",
    "PRICE_SOURCES",
    "RECURRENCE_UNITS",
    "RULES",
    "SIDES",
    "STATUSES",
    "ActionsTable",
    "AssignmentsTable",
    "AssumptionsTable",
    "CallsTable",
    "CoverageTable",
    "DatasetTable",
    "DecisionsTable",
    "EvidenceTable",
    "FilesTable",
    "ItemsTable",
    "LineageTable",
    "MessagesTable",
    "PilotPlanTable",
    "RejectReasonsTable",
    "RejectsTable",
    "SavingsTable",
    "SchemaT",
    "TasksTable",
    "VerdictsTable",
    "checked",
]
