"""``slmlens models``: the catalogue of small models, one of them in full, or what a run says of them on one task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from slmlens.errors import RunFolderError, SettingError
from slmlens.savings.catalogue import CELLS, SmallModel, model_named, read_catalogue, read_figures, small_models

Json = Mapping[str, Any]
_SHOWN = {
    "IFEval": "Open LLM Leaderboard v2",
    "MMLU-Pro": "Open LLM Leaderboard v2",
    "BFCL v4 live": "BFCL leaderboard",
}
"""Benchmarks of the list, each of one harness; runs in which a model was thinking stand only in its own page."""
_CELL_WORDS = {
    "params": "size",
    "context": "window",
    "licence": "licence",
    "tools": "tools",
    "kv": "cache a token",
    "price": "price",
}
_UNSURE = "?"


def models_record(name: str | None = None, *, run: Path | None = None, task: str | None = None) -> Json:
    """Return what ``slmlens models`` tells, as plain data.

    :param name: A model; its row and every figure. None: the whole catalogue, or a task of a run.
    :param run: Folder of a finished run.
    :param task: Id or whole name of a task of that run: its small models, accepted or ruled out, with their chances.
    :raises SettingError: If there is no such model or task, or one of ``run`` and ``task`` is missing.
    :raises RunFolderError: If there is no finished run.
    """
    if (run is None) != (task is None) or (name is not None and task is not None):
        raise SettingError(
            "a task needs its run, and stands without the name of a model",
            where="models",
            next_step="write `slmlens models --task ID --run RUN`, or `slmlens models NAME`",
        )
    if run is not None and task is not None:
        return _task_record(run, task)
    if name is not None:
        model = model_named(name)
        row = read_catalogue().row(by_predicate=pl.col("model") == model.name, named=True)
        return {"model": row, "figures": read_figures().filter(model=model.name).drop("model").to_dicts()}
    order = {model.name: at for at, model in enumerate(small_models())}
    rows = sorted(read_catalogue().iter_rows(named=True), key=lambda row: order[row["model"]])
    return {"models": [{**row, "figures": _listed_figures().get(row["model"], {})} for row in rows]}


def models_text(record: Json) -> str:
    """Return a record of :func:`models_record` as text for a terminal."""
    if "models" in record:
        return _list(record["models"])
    return _one(record) if "figures" in record else _task(record)


def _listed_figures() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in read_figures().filter(pl.col("thinking") == "no").iter_rows(named=True):
        if _SHOWN.get(row["benchmark"]) == row["harness"]:
            found.setdefault(row["model"], {})[row["benchmark"]] = row["value"]
    return found


def _list(rows: Sequence[Json]) -> str:
    head = ("model", "B", "window", "licence", "tools", "$/M in", "out", *_SHOWN)
    body = [_line(row) for row in rows]
    confirmed = sum("price" in (row["verified"] or "") for row in rows)
    day = max(row["price_date"] for row in rows if row["price_date"])
    notes = (
        f"{len(rows)} models. {_UNSURE}: not confirmed by a second source; -: not known, or no listed host.",
        f"Prices: median of the listed hosts, as of {day}; {confirmed} are confirmed by the installed price list.",
        "Figures: without thinking, one harness a column. `slmlens models NAME` shows a model with all of its own.",
    )
    return "\n".join([*_table([head, *body]), "", *notes])


def _line(row: Json) -> tuple[str, ...]:
    sure = (row["verified"] or "").split("+")

    def marked(cell: str, said: str) -> str:
        return said if cell in sure or not said.strip("-") else said + _UNSURE

    window = "-" if row["context_window"] is None else f"{row['context_window'] // 1024}k"
    licence = {"yes": row["licence"], "terms": f"{row['licence']} (terms)", "no": f"{row['licence']} (not commercial)"}
    price = [_price(row[name]) for name in ("usd_in_median", "usd_out_median")]
    figures = row["figures"]
    return (
        row["model"] + (" (border)" if row["size_class"] == "border" else ""),
        marked("params", f"{row['params_b']:.2g}"),
        marked("context", window),
        marked("licence", licence[row["commercial_use"]].replace("LicenseRef-", "")),
        marked("tools", row["tools"]),
        marked("price", price[0]),
        marked("price", price[1]),
        *(f"{figures[name]:g}" if name in figures else "-" for name in _SHOWN),
    )


def _price(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _one(record: Json) -> str:
    row = record["model"]
    model = model_named(row["model"])
    sure = [_CELL_WORDS[cell] for cell in CELLS if cell in model.verified]
    unsure = [_CELL_WORDS[cell] for cell in CELLS if cell not in model.verified]
    lines = [
        f"{model.name} ({row['org']})",
        f"  size       {_size(model)}",
        f"  window     {'not known' if model.context_window is None else f'{model.context_window:,} tokens'}",
        f"  licence    {row['licence']}{_use(model)}",
        f"  tools      {row['tools']}{', tuned for calls' if model.tool_tuned else ''}",
        f"  reads      {model.modalities.replace('+', ', ')}",
        f"  thinking   {model.thinking}",
        f"  released   {row['released'] or 'not known'}",
        f"  hosted     {_hosted(row)}",
        f"  facts      {row['source']}, read {row['date']}",
        f"  confirmed  {', '.join(sure) or 'none'}; not confirmed: {', '.join(unsure) or 'none'}",
        *([f"  disputed   {row['disputed']}"] if row["disputed"] else []),
        *([f"  note       {row['note']}"] if row["note"] else []),
        "",
    ]
    if not record["figures"]:
        return "\n".join([*lines, "No figure of it is in the catalogue."])
    head = ("benchmark", "value", "harness", "mode", "thinking", "stands for it", "date", "source", "trap")
    body = [
        (
            one["benchmark"],
            f"{one['value']:g} {one['unit']}",
            one["harness"],
            one["mode"],
            one["thinking"],
            {"confirmed": "third party", "vendor": "its maker", "unconfirmed": "a copy"}[one["verification"]],
            one["date"],
            one["source"],
            one["trap"] or "",
        )
        for one in record["figures"]
    ]
    return "\n".join([*lines, *_table([head, *body]), "", *_traps(model)])


def _size(model: SmallModel) -> str:
    active = f", {model.active_b:g}B at work on a token" if model.active_b != model.params_b else ""
    border = "; larger than what is offered by default" if model.border else ""
    return f"{model.params_b:g}B parameters{active}{border}"


def _use(model: SmallModel) -> str:
    return {"yes": "", "terms": ", commercial use under its terms", "no": ", no commercial use"}[model.commercial_use]


def _hosted(row: Json) -> str:
    if row["usd_in_median"] is None:
        return "by nobody that is listed: self-hosted only"
    return (
        f"${row['usd_in_median']:g}/${row['usd_out_median']:g} a million tokens in/out, median of {row['listings']} "
        f"listed ({row['price_source']}, {row['price_date']})"
    )


def _traps(model: SmallModel) -> list[str]:
    lines = ["Figures of different harnesses do not compare; a harness that can't parse a model's calls fails it."]
    if model.thinking != "no":
        lines.append("Scores while thinking cost several times the output tokens: they stand beside no price here.")
    if model.commercial_use == "no":
        lines.append("Its licence rules it out by default: read its figures as what tuning can buy.")
    return lines


def _task_record(run: Path, task: str) -> Json:
    place = run / "summary.json"
    if not place.is_file():
        raise RunFolderError(
            "there is no finished run here", where=run.name, next_step="run `slmlens run LOGS --out FOLDER` first"
        )
    tasks = json.loads(place.read_text(encoding="utf-8"))["tasks"]
    found = [one for one in tasks if task in (one["task_id"], one["name"])]
    if len(found) != 1:
        known = ", ".join(f"{one['task_id']} ({one['name'][:60]})" for one in tasks[:8])
        raise SettingError(
            f"{len(found)} tasks are called {task!r}" if found else f"the run has no task {task!r}",
            where="task",
            next_step=f"name one by its id: {known}" if known else "the run has no tasks",
        )
    fields = ("task_id", "name", "evidence", "grade", "action", "output_kind", "capability", "picks", "candidates")
    missing = [name for name in fields if name not in found[0]]
    if missing:
        raise RunFolderError(
            f"the run was made by an older version and says nothing of {', '.join(missing)}",
            where=run.name,
            next_step="run `slmlens run` on the logs again",
        )
    return {name: found[0][name] for name in fields}


def _task(record: Json) -> str:
    from slmlens.reporting.card import chances_of, ranked
    from slmlens.reporting.picks import capability_words, figure_words, pick_lines, ruled_out_words
    from slmlens.reporting.text import percent

    lines = [f"{record['name']} ({record['task_id']}): evidence {record['evidence']}, grade {record['grade']}", ""]
    for mode in ("swap", "tuned"):
        lines += [f"{one['name']}: {one['slm']}: {one['said']}" for one in pick_lines(record, mode)]
    accepted = [one for one in ranked(record["candidates"]) if one["accepted"]]
    if accepted:
        head = ("it can take", "as it is", "tuned", "measured", "remarks")
        body = []
        for one in accepted:
            chances = chances_of(one)
            said = [percent(chances[how]) if how in chances else "-" for how in ("as it is", "tuned")]
            body.append((one["slm"], *said, figure_words(record, one) or "-", one["reason"]))
        lines += ["", *_table([head, *body])]
    out = [one for one in ranked(record["candidates"]) if not one["accepted"]]
    if out:
        rows = [(one["slm"], one["criterion"], one["reason"]) for one in out]
        lines += ["", ruled_out_words(record["candidates"]), *_table([("ruled out", "by", "because"), *rows])]
    lines += ["", "Chances are of parity with the present model; chances by priors alone are weak (grade D)."]
    return "\n".join([*lines, *filter(None, [capability_words(record)])])


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines, columns aligned; the last column runs free."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
