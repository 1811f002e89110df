"""The file of a saved task set: JSON, hashes as base64 of little-endian 64-bit integers; no pickle, no text of the log.

``slmlens/taskset@1`` holds the tasks (id, name, anchor, phrases, units), what half-samples say of them, a tree for each
declared place, the task of each call site, and the width of the phrases; a set made with another width is refused.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
import polars as pl

from slmlens._version import __version__
from slmlens.errors import RunFolderError
from slmlens.tables import TasksTable
from slmlens.tasks.shingles import MAX_WORDS, U64, WIDTH
from slmlens.tasks.skeletons import Node
from slmlens.tasks.tallies import SCHEMA as TALLIES
from slmlens.tasks.taskset import NAMED, RuleAgreement, TaskSet

SCHEMA = "slmlens/taskset@1"
FILE = "taskset.json"

_ALPHABET = {"width": WIDTH, "max_words": MAX_WORDS}
Json = dict[str, Any]


def dump_task_set(task_set: TaskSet) -> str:
    """Return the text of the file; equal task sets give equal texts."""
    agreement = task_set.agreement
    content = {
        "schema": SCHEMA,
        "made_with": __version__,
        "phrases": _ALPHABET,
        "contained": task_set.contained,
        "agreement": None if agreement is None else vars(agreement),
        "tasks": [
            {**row, "phrases": _packed(np.array(row["phrases"], dtype=np.uint64))}
            for row in task_set.tasks.sort("task_id").iter_rows(named=True)
        ],
        "tallies": [list(row) for row in task_set.tallies.rows()],
        "sites": {str(site): task for site, task in sorted(task_set.task_of_site.items())},
        "declared": dict(sorted(task_set.declared.items())),
        "trees": {place: _plain(tree) for place, tree in sorted(task_set.trees.items())},
    }
    return orjson.dumps(content).decode()


def load_task_set(text: str, *, where: str = FILE) -> TaskSet:
    """Return the task set of a file's text.

    :param where: Name of the file, for the error.
    :raises RunFolderError: If it is no task set, or one of another layout or another kind of phrase.
    """
    try:
        content: Json = orjson.loads(text)
        if content["schema"] != SCHEMA or content["phrases"] != _ALPHABET:
            raise _refused("the task set was made by another version of slmlens", where)
        return TaskSet(
            tasks=_tasks(content["tasks"]),
            trees={place: _node(tree) for place, tree in content["trees"].items()},
            task_of_site={int(site): task for site, task in content["sites"].items()},
            declared=content["declared"],
            contained=content["contained"],
            agreement=None if content["agreement"] is None else RuleAgreement(**content["agreement"]),
            tallies=pl.DataFrame(content.get("tallies", []), schema=TALLIES, orient="row"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise _refused("the file holds no task set", where) from cause


def _refused(what: str, where: str) -> RunFolderError:
    return RunFolderError(
        what, where=where, next_step="run the analysis of the earlier log again, then name its folder"
    )


def _tasks(rows: list[Json]) -> pl.DataFrame:
    columns = TasksTable.columns()
    return pl.DataFrame(
        [{**row, "phrases": _unpacked(row["phrases"]).tolist()} for row in rows],
        schema={name: columns[name].dtype for name in NAMED},
    )


def _plain(node: Node) -> Json:
    """Return a node as JSON; what is empty is left out."""
    found: Json = {"site": node.site, "core": _packed(node.core), "firm": _packed(node.firm)}
    if node.by_content:
        found["by_content"] = True
    if node.children:
        found["blocks"] = [_packed(block) for block in node.blocks]
        found["children"] = [_plain(child) for child in node.children]
    if node.rest is not None:
        found["rest"] = _plain(node.rest)
    return found


def _node(found: Json) -> Node:
    return Node(
        site=found["site"],
        core=_unpacked(found["core"]),
        firm=_unpacked(found["firm"]),
        by_content=found.get("by_content", False),
        blocks=tuple(_unpacked(block) for block in found.get("blocks", ())),
        children=tuple(_node(child) for child in found.get("children", ())),
        rest=_node(found["rest"]) if "rest" in found else None,
    )


def _packed(hashes: U64) -> str:
    return base64.b64encode(hashes.astype("<u8").tobytes()).decode()


def _unpacked(text: str) -> U64:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
