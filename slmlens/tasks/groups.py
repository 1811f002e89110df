"""The tasks while decisions are replayed: which call is in which group, and what each group is called."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import polars as pl

from slmlens.results import Tasks
from slmlens.tasks.regroup import Grouped

SEPARATOR = "/"


@dataclass(frozen=True)
class Title:
    """An id that a group may go by.

    :param units: Recurrence units of the found task or split part that it comes from: the heaviest gives the id.
    """

    task_id: str
    anchor: tuple[str, ...]
    units: int
    name: str


@dataclass(frozen=True)
class Group:
    """A task while decisions are replayed.

    :param titles: Ids it may go by.
    :param name: Name given by a person; None: the one that was found.
    :param named_by: The decision that gave it.
    :param aside: The decision that set it aside.
    :param action: What an override asks for.
    :param asked_by: That override.
    :param changed: Calls came or went.
    """

    titles: tuple[Title, ...]
    name: str | None = None
    named_by: str | None = None
    aside: str | None = None
    action: str | None = None
    asked_by: str | None = None
    changed: bool = False

    @property
    def head(self) -> Title:
        """The title it goes by: the heaviest one's, of equal ones the first by id."""
        return min(self.titles, key=lambda title: (-title.units, title.task_id))


class Groups:
    """All groups and the place of every call; each method that changes it is one step of one decision.

    :param found: The tasks before any decision.
    """

    def __init__(self, found: Tasks) -> None:
        self.found = found
        rows = found.tasks.select("task_id", "anchor", "n_units", "name").sort("task_id").rows()
        self.groups = {i: Group((Title(t, tuple(a), n, name),)) for i, (t, a, n, name) in enumerate(rows)}
        self.moved: set[str] = set()
        self._into: dict[int, int] = {}
        numbers = pl.DataFrame(
            {"leaf": [row[0] for row in rows], "node": list(self.groups)},
            schema={"leaf": pl.String, "node": pl.Int64},
        )
        self.placed = (
            found.assignments.select("call_id", unit_id=pl.coalesce("unit_id", "call_id"), leaf="task_id")
            .join(numbers, on="leaf", how="left", maintain_order="left")
            .with_columns(path=pl.lit(""))
        )

    def now(self, number: int) -> int:
        """Return the group that a group is part of by now."""
        while number in self._into:
            number = self._into[number]
        return number

    def atoms(self) -> pl.DataFrame:
        """Return ``leaf, path, node, units``: the indivisible parts, the heaviest first."""
        return (
            self.placed.drop_nulls("node")
            .group_by("leaf", "path", "node")
            .agg(units=pl.col("unit_id").n_unique())
            .sort("units", "leaf", "path", descending=[True, False, False])
        )

    def of_part(self, leaf: str, part: Iterable[str]) -> int | None:
        """Return the group that holds a part of a found task; of one split further, that of its heaviest piece."""
        wanted = SEPARATOR.join(part)
        mine = self.atoms().filter(pl.col("leaf") == leaf)
        exact = mine.filter(pl.col("path") == wanted)
        below = mine.filter(pl.col("path").str.starts_with(f"{wanted}{SEPARATOR}" if wanted else ""))
        for rows in (exact, below):
            if rows.height:
                return int(rows.item(0, "node"))
        return None

    def calls_of(self, number: int) -> pl.Series:
        """Return the calls of a group."""
        return self.placed.filter(pl.col("node") == number).get_column("call_id")

    def units_of(self, calls: pl.Series) -> int:
        """Return the recurrence units of some calls."""
        return self.placed.join(calls.to_frame(), on="call_id", how="semi").get_column("unit_id").n_unique()

    def change(self, number: int, **what: object) -> None:
        """Change what is known of a group."""
        self.groups[number] = replace(self.groups[number], **what)  # type: ignore[arg-type]

    def join(self, numbers: Collection[int]) -> int:
        """Make one group of several; what a person said of the heaviest of them that they spoke of stays true of it."""
        members = sorted(numbers, key=lambda n: (-self.groups[n].head.units, self.groups[n].head.task_id))
        kept, groups = members[0], [self.groups[n] for n in members]
        named = next((g for g in groups if g.name is not None), groups[0])
        asked = next((g for g in groups if g.asked_by is not None), groups[0])
        self.groups[kept] = Group(
            titles=tuple(title for g in groups for title in g.titles),
            name=named.name,
            named_by=named.named_by,
            aside=groups[0].aside,
            action=asked.action,
            asked_by=asked.asked_by,
            changed=True,
        )
        for number in members[1:]:
            del self.groups[number]
            self._into[number] = kept
        node = pl.col("node")
        self.placed = self.placed.with_columns(
            node=pl.when(node.is_in(members)).then(pl.lit(kept, dtype=pl.Int64)).otherwise(node)
        )
        return kept

    def divide(self, number: int, yes: pl.Series, decision_id: str, label: str) -> int:
        """Split a group; the heavier side keeps its id and its name. Return the group of the lighter side.

        :param yes: The calls on the yes side; neither side may be empty.
        :param label: Name of the lighter side.
        """
        heavy_is_yes = self.heavier_is_yes(number, yes)
        group, new = self.groups[number], max((*self.groups, *self._into)) + 1
        inside, on_yes, node = pl.col("node") == number, pl.col("call_id").is_in(yes.implode()), pl.col("node")
        step = pl.when(on_yes).then(pl.lit(f"{decision_id}:yes")).otherwise(pl.lit(f"{decision_id}:no"))
        longer = pl.when(pl.col("path") == "").then(step).otherwise(pl.col("path") + SEPARATOR + step)
        self.placed = self.placed.with_columns(
            path=pl.when(inside).then(longer).otherwise(pl.col("path")),
            node=pl.when(inside & (on_yes != heavy_is_yes)).then(pl.lit(new, dtype=pl.Int64)).otherwise(node),
        )
        heavy, light = self.units_of(self.calls_of(number)), self.units_of(self.calls_of(new))
        side = f"{decision_id}:{'no' if heavy_is_yes else 'yes'}"
        head = group.head
        self.groups[number] = replace(group, titles=(replace(head, units=heavy),), changed=True)
        title = Title(_part_id(head.task_id, side), (*head.anchor, f"split {side}"), light, label)
        self.groups[new] = replace(group, titles=(title,), name=None, named_by=None, changed=True)
        return new

    def heavier_is_yes(self, number: int, yes: pl.Series) -> bool:
        """Tell whether the yes side is the heavier one, by units, then by calls."""
        everything = self.calls_of(number)
        no = everything.filter(~everything.is_in(yes.implode()))
        return (self.units_of(yes), len(yes)) > (self.units_of(no), len(no))

    def move(self, calls: pl.Series, number: int) -> None:
        """Put calls into a group, from wherever they are."""
        atom = self.atoms().filter(pl.col("node") == number).row(0, named=True)
        going = pl.col("call_id").is_in(calls.implode()) & pl.col("node").ne_missing(number)
        calls = self.placed.filter(going).get_column("call_id")
        if calls.is_empty():
            return
        for source in self.placed.filter(going).get_column("node").drop_nulls().unique():
            self.change(source, changed=True)
        self.change(number, changed=True)
        self.moved.update(calls)
        put = {"leaf": pl.String, "path": pl.String, "node": pl.Int64}
        self.placed = self.placed.with_columns(
            pl.when(going).then(pl.lit(atom[name], dtype=kind)).otherwise(pl.col(name)).alias(name)
            for name, kind in put.items()
        )

    def name_of(self, number: int) -> str:
        """Return the name of a group."""
        group = self.groups[number]
        return group.name if group.name is not None else group.head.name

    def grouped(self) -> list[Grouped]:
        """Return the groups that hold calls, as the tables need them."""
        parts = self.atoms().group_by("node", maintain_order=True).agg(pl.col("leaf").unique(maintain_order=True))
        return [
            Grouped(
                number,
                self.groups[number].head.task_id,
                self.name_of(number),
                self.groups[number].head.anchor,
                leaves[0],
                tuple(leaves[1:]),
                self.groups[number].changed,
            )
            for number, leaves in parts.rows()
        ]


def _part_id(task_id: str, side: str) -> str:
    digest = hashlib.blake2b(f"{task_id}\x1f{side}".encode(), digest_size=5).digest()
    return "t-" + base64.b32encode(digest).decode().lower()
