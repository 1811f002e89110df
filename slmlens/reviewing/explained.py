"""How one prompt became a task, step by step, as small tables. Every word shown is one that enough people share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.reporting.grid import Excerpt, Grid, Words
from slmlens.reporting.text import counted, ends, percent, shorten
from slmlens.results import Tasks
from slmlens.tasks.corpus import Corpus, build_corpus, salted
from slmlens.tasks.holes import words_of
from slmlens.tasks.prompts import PARTS, Prompts, declared, prompts_of
from slmlens.tasks.shingles import I64, U64, WIDTH
from slmlens.tasks.skeletons import UNASSIGNED, Node, sites_of
from slmlens.tasks.taskset import TaskSet, place_print

_PART = re.compile(r"^\[(system|first|last)\] ", re.MULTILINE)
_HOLE = re.compile(r"<[^<>\n]{1,80}>")
_SHINGLES = 8
_PHRASE_CHARS = 90
_TEXT_CHARS = 1200
_NONE = "No task of this log has a text that enough people or sessions share to be shown."


@dataclass(frozen=True)
class Run:
    """Words in a row that the prompts of a task share.

    :param part: Part of the prompt they stand in, an index of ``PARTS``.
    :param words: The words, case folded.
    :param windows: Hash of the five words around each word, as the corpus knows it.
    """

    part: int
    words: tuple[str, ...]
    windows: U64


@dataclass(frozen=True)
class Explained:
    """A log's corpus and trees, and the task that serves as the example.

    :param tasks: The tasks.
    :param task_id: The example: the first readable task of the tree that tells most steps apart; None: there is none.
    :param place: The key of that tree in the task set.
    :param prompts: Distinct prompts.
    :param corpus: Their recurring shingles.
    """

    tasks: Tasks
    task_id: str | None
    place: str | None
    prompts: Prompts
    corpus: Corpus

    @property
    def task_set(self) -> TaskSet:
        """The rule that places calls."""
        task_set: TaskSet = self.tasks.task_set
        return task_set

    @property
    def tree(self) -> Node:
        """The example's tree."""
        return self.task_set.trees[self.place or ""]

    def rows(self) -> I64:
        """Return the prompts that went into the example's tree."""
        partitions = self.prompts.variants.get_column("partition").to_list()
        known = {name: place_print(*declared(name)) for name in set(partitions)}
        return np.flatnonzero(np.array([known[name] == self.place for name in partitions]))

    def names_below(self, node: Node) -> list[str]:
        """Return the names of the tasks at or below a node of a tree."""
        names = dict(self.tasks.tasks.select("task_id", "name").rows())
        ids = [self.task_set.task_of_site.get(site.site) for site in sites_of(node)]
        return list(dict.fromkeys(names[i] for i in ids if i in names))


def explain(tasks: Tasks, *, k_task: int = 3) -> Explained:
    """Return what the tables below are made of.

    :param tasks: Tasks as ``discover_tasks`` returns them; people's decisions are left out of account.
    :param k_task: Recurrence units that make a task.
    """
    tasks = tasks.found or tasks
    prompts = prompts_of(tasks.calls, k_task=k_task)
    corpus = build_corpus(tasks.calls, prompts, k_task=k_task)
    readable = [i for i, text in tasks.tasks.select("task_id", "skeleton").rows() if any(True for _ in runs_of(text))]
    task_set: TaskSet = tasks.task_set
    for place, tree in sorted(task_set.trees.items(), key=lambda item: (-len(sites_of(item[1])), item[0])):
        below = {task_set.task_of_site.get(site.site) for site in sites_of(tree)}
        example = next((task_id for task_id in readable if task_id in below), None)
        if example is not None:
            return Explained(tasks, example, place, prompts, corpus)
    return Explained(tasks, None, None, prompts, corpus)


def runs_of(skeleton: str) -> Iterator[Run]:
    """Return the runs of shared words of a skeleton, in order, those of five words and more."""
    pieces = _PART.split(skeleton)
    for part, text in zip(pieces[1::2], pieces[2::2], strict=True):
        for words in words_of(_HOLE.split(text)):
            if len(words.words) >= WIDTH:
                code = PARTS.index(part)
                yield Run(code, words.words, salted(words.windows, code))


def example_text(explained: Explained) -> Excerpt | Words:
    """Return the text that the prompts of the example share, shortened in the middle."""
    if explained.task_id is None:
        return Words(_NONE)
    row = explained.tasks.tasks.row(by_predicate=pl.col("task_id") == explained.task_id, named=True)
    return Excerpt(f"{row['name']}\n\n{ends(row['skeleton'], _TEXT_CHARS)}")


def shingle_grid(explained: Explained) -> Grid:
    """Return the first shingles of the example, and who holds them.

    :returns: Columns ``five words in a row``, ``sessions`` (that hold it), ``prompts`` (distinct ones of the same tree)
        and ``share``: of those prompts.
    """
    columns = ("five words in a row", "sessions", "prompts", "share")
    if explained.task_id is None:
        return Grid(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), empty=_NONE)
    skeleton = explained.tasks.tasks.filter(pl.col("task_id") == explained.task_id).item(0, "skeleton")
    run = next(runs_of(skeleton))
    rows = explained.rows()
    matrix = explained.corpus.matrix[rows].tocsc()
    listed = []
    for at in range(2, min(len(run.words) - 2, 2 + _SHINGLES)):
        column = int(np.searchsorted(explained.corpus.hashes, run.windows[at]))
        known = column < len(explained.corpus.hashes) and explained.corpus.hashes[column] == run.windows[at]
        holders = rows[matrix[:, column].indices] if known else rows[:0]
        pairs = explained.corpus.pairs
        units = np.unique(pairs[np.isin(pairs[:, 1], holders), 0])
        cells = (" ".join(run.words[at - 2 : at + 3]), f"{len(units):,}", f"{len(holders):,}")
        listed.append((*cells, percent(len(holders) / max(len(rows), 1))))
    frame = pl.DataFrame(listed, schema=dict.fromkeys(columns, pl.String), orient="row")
    return Grid(frame, numbers=columns[1:], strong=columns[0], empty=_NONE)


def blocks_grid(explained: Explained) -> Grid:
    """Return the alternatives that the example's tree tells apart at its root, the core of all where there are none.

    :returns: Columns ``alternative`` (words of it that may be shown), ``phrases`` (shingles it is made of), ``prompts``
        (that hold at least the share that the rule asks for) and ``tasks``.
    """
    columns = ("alternative", "phrases", "prompts", "tasks")
    if explained.task_id is None:
        return Grid(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), empty=_NONE)
    tree, matrix = explained.tree, explained.corpus.matrix[explained.rows()]
    pairs = list(zip(tree.blocks, tree.children, strict=True)) or [(tree.core, tree)]
    listed = []
    for block, child in pairs:
        held = np.asarray(matrix[:, np.isin(explained.corpus.hashes, block)].sum(axis=1)).ravel()
        fits = int((held >= explained.task_set.contained * max(len(block), 1)).sum())
        names = explained.names_below(child)
        listed.append((_phrase(explained, names, block), f"{len(block):,}", f"{fits:,}", "; ".join(names)))
    frame = pl.DataFrame(listed, schema=dict.fromkeys(columns, pl.String), orient="row")
    return Grid(frame, numbers=("phrases", "prompts"), strong="alternative")


def _phrase(explained: Explained, names: list[str], block: U64) -> str:
    """Return the first words of a block that stand in a skeleton of its tasks."""
    shown = explained.tasks.tasks.filter(pl.col("name").is_in(names)).get_column("skeleton").to_list()
    for skeleton in shown:
        for run in runs_of(skeleton):
            at = np.flatnonzero(np.isin(run.windows, block))
            if len(at):
                return f"{shorten(' '.join(run.words[max(at[0] - 2, 0) :]), _PHRASE_CHARS)}"
    return "(not shared by enough people to be shown)"


def tree_grid(explained: Explained) -> Grid:
    """Return all trees, indented: a line a node.

    :returns: Columns ``node`` (a task's name, or how many alternatives it tells apart), ``told by`` (phrases) and
        ``calls``.
    """
    calls = dict(explained.tasks.tasks.select("name", "n_calls").rows())
    listed: list[tuple[str, str, str]] = []

    def walk(node: Node, told: str, depth: int) -> None:
        names = explained.names_below(node)
        if node.children:
            label = counted(len(node.children), "alternative")
        elif node.site != UNASSIGNED and names:
            label, told = names[0], told or f"a core of {counted(len(node.core), 'phrase')}"
        else:
            label = "no task: too few sessions share it"
        if names or node.children:
            size = f"{sum(calls[name] for name in names):,}"
            listed.append(("\u2003" * depth + label, told, size))
        for block, child in zip(node.blocks, node.children, strict=True):
            walk(child, f"a block of {counted(len(block), 'phrase')}", depth + 1)
        if node.rest is not None:
            walk(node.rest, "what is left over", depth + 1)

    for _, tree in sorted(explained.task_set.trees.items(), key=lambda item: (-len(sites_of(item[1])), item[0])):
        walk(tree, "", 0)
    frame = pl.DataFrame(listed, schema=dict.fromkeys(("node", "told by", "calls"), pl.String), orient="row")
    return Grid(frame, numbers=["calls"], strong="node", empty="Nothing recurs in this log.")


def rule_grid(tasks: Tasks) -> Grid:
    """Return how firmly the rule places the calls of each task, the least firm first.

    :returns: Columns ``task``, ``calls``, ``lowest`` and ``median``: of the share of the task's phrases that a prompt
        holds.
    """
    held = (
        tasks.assignments.drop_nulls("task_id")
        .group_by("task_id")
        .agg(calls=pl.len(), lowest=pl.col("strength").min().round(6), median=pl.col("strength").median().round(6))
        .join(tasks.tasks.select("task_id", "name"), on="task_id")
        .sort("lowest", "name")
    )
    frame = held.select(
        task="name",
        calls=pl.col("calls").cast(pl.Int64),
        lowest=pl.col("lowest").map_elements(percent, return_dtype=pl.String),
        median=pl.col("median").map_elements(percent, return_dtype=pl.String),
    )
    return Grid(frame, numbers=("calls", "lowest", "median"), strong="task", empty="There is no task.")
