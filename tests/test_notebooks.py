"""The notebooks: thin, guided, without outputs, and they run from a fresh kernel on the sample and on other logs."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOW = "**How to read it.**"
NAMES = ("LOGS", "SAMPLING_RATE", "ASSUME_MODEL", "RUN")
OWN_NAMES = {"07_pilot_and_tune": ("RECORDED", "ENDPOINT", "MODEL", "TUNE_SECONDS")}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def tagged(cells: list[Any], tag: str) -> list[int]:
    return [at for at, cell in enumerate(cells) if tag in cell.metadata.get("tags", [])]


def sections(cells: list[Any]) -> dict[str, list[Any]]:
    """Cells by the heading that they stand under."""
    found: dict[str, list[Any]] = {}
    heading = "# "
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.splitlines()[0]
        found.setdefault(heading, []).append(cell)
    return found


@every_notebook
def test_a_notebook_opens_with_a_question_and_then_its_parameters(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert re.fullmatch(r"# [^\n]+\?", cells[0].source.splitlines()[0])
    assert "\n> " in cells[0].source, "it says what the reader will hold at the end"
    assert tagged(cells, "parameters") == [1]
    named = [line.split(" = ")[0] for line in cells[1].source.splitlines()]
    assert named == [*NAMES, *OWN_NAMES.get(path.stem, ())]
    assert all("  # " in line for line in cells[1].source.splitlines()), "each parameter says what it is"


@every_notebook
def test_each_step_says_why_shows_something_and_says_how_to_read_it(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    headings = sections(cells)
    assert list(headings)[-2:] == ["## Checks", "## What was written"]
    steps = [h for h in headings if re.match(r"## \d", h)]
    assert [int(h.split()[1].rstrip(".")) for h in steps] == list(range(1, len(steps) + 1))
    for heading in steps:
        own = headings[heading]
        assert own[0].cell_type == "markdown"
        assert len(own[0].source.splitlines()) > 2, f"{heading}: why?"
        assert any(cell.cell_type == "code" for cell in own), heading
        read = [cell for cell in own if cell.cell_type == "markdown" and HOW in cell.source]
        assert len(read) == 1 or heading.endswith("Do the analysis"), heading
    assert tagged(cells, "checks") == [next(i for i, c in enumerate(cells) if c.source.startswith("## Checks")) + 1]


@every_notebook
def test_a_notebook_stays_thin_and_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 25
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.get("attachments")
        assert not re.search(r"(?<![\w.])/(home|Users|tmp|mnt|root|var)/|[A-Z]:\\", cell.source), (
            "a path of one machine"
        )
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert len(cell.source.splitlines()) <= 10
            assert max(map(len, cell.source.splitlines())) <= 100, "longer lines are cut off on a laptop"
            assert not re.search(r"^\s*(def|class|for|while|lambda) ", cell.source, re.MULTILINE)


def test_every_notebook_is_in_the_readme_and_in_the_wheel_and_nothing_else_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if path.name not in readme] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert packed == {f"notebooks/{path.name}": f"slmlens/_notebooks/{path.name}" for path in NOTEBOOKS}


def executed(path: str | Path, folder: Path, *, patience: int = 600, **parameters: object) -> Any:
    """Run a notebook in a fresh kernel, with other parameters in a cell of their own after the defaults."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path if isinstance(path, Path) else ROOT / "notebooks" / f"{path}.ipynb", as_version=4)
    if parameters:
        lines = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
        notebook.cells.insert(2, nbformat.v4.new_code_cell(lines))
    NotebookClient(notebook, timeout=patience, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def shown(notebook: Any, kind: str = "text/plain") -> str:
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"] == []
    return "\n".join(
        o.get("text", "") if kind == "text/plain" and "text" in o else str(o.get("data", {}).get(kind, ""))
        for o in outputs
    )


def write_log(path: Path, calls: int, **without: bool) -> None:
    """Write a log of yes-or-no questions; ``no_prompts``, ``no_times`` and ``no_prices`` leave these out."""
    lines = []
    for i in range(calls):
        model = "our-own-7b" if without.get("no_prices") else "gpt-4o"
        answer = {"role": "assistant", "content": None if without.get("no_prompts") else ("yes", "no")[i % 3 == 0]}
        record: dict[str, Any] = {
            "session_id": f"s{i % 17}",
            "request": {"model": model},
            "response": {
                "id": f"r{i}",
                "model": model,
                "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 300 + i, "completion_tokens": 3},
            },
        }
        if not without.get("no_prompts"):
            record["request"]["messages"] = [
                {"role": "system", "content": "You tell whether a parcel is late. Answer yes or no and nothing else."},
                {"role": "user", "content": f"Parcel {i * 7919} left on day {i % 9}; kim{i}@example.org asks. Late?"},
            ]
        if not without.get("no_times"):
            record["timestamp"] = f"2026-10-{1 + i // 3:02d}T10:{i % 60:02d}:00Z"
        lines.append(json.dumps(record))
    path.write_text("\n".join([*lines, "{broken"]) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_start_here_goes_from_a_fresh_kernel_to_the_answer_on_the_sample(tmp_path: Path) -> None:
    notebook = executed("00_start_here", tmp_path)
    said = shown(notebook)
    assert "all accounted for; $51." in said
    assert "tasks carry a potential saving of" in said
    assert '"type": "treemap"' in shown(notebook, "application/vnd.plotly.v1+json").replace("'", '"')
    assert (tmp_path / "runs" / "notebook" / "report.html").is_file()


@pytest.mark.slow
def test_start_here_takes_a_log_of_fifty_calls_without_prices(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50, no_prices=True)
    said = shown(executed("00_start_here", tmp_path, LOGS="own.jsonl", RUN="here"))
    assert "50 calls, all accounted for; 50 calls on the map." in said
    assert (tmp_path / "here" / "report.html").is_file()
    assert "potential saving of" not in said


@pytest.mark.slow
def test_load_and_check_shows_what_was_refused_redacted_and_spent(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50)
    said = shown(executed("01_load_and_check", tmp_path, LOGS=["own.jsonl"]))
    assert "own.jsonl:51" in said
    assert re.search(r"e-mail addresses\s+┆ <EMAIL:…>\s+┆ 50", said)
    assert "50 calls, all accounted for; 0 without a price." in said
    assert "kim" not in said
    assert re.search(r"e-mail addresses\s+┆ \d{3}\s+┆ \d{3}\s+┆", said), "recall is measured on planted values"


@pytest.mark.slow
def test_load_and_check_takes_a_log_that_holds_neither_prompts_nor_times_nor_prices(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50, no_prompts=True, no_times=True, no_prices=True)
    said = shown(executed("01_load_and_check", tmp_path, LOGS="."))
    assert "50 calls, all accounted for; 50 without a price." in said


@pytest.mark.slow
def test_discover_tasks_shows_layers_stability_and_the_panel_and_its_tree_can_be_explained(tmp_path: Path) -> None:
    said = shown(executed("02_discover_tasks", tmp_path))
    assert "2 applications, 15 call sites, 15 tasks; 0 calls in no task." in said
    assert "15 tasks; spend in tasks $51." in said, "the panel in words"
    assert "Nothing was decided yet." in said
    assert "all accounted for; 0 decisions." in said
    assert not (tmp_path / "runs" / "notebook" / "decisions.yaml").exists()
    explained = shown(executed("91_how_tasks_are_found", tmp_path))
    assert "5 alternatives" in explained
    assert "you convert lines of the" in explained
    assert re.search(r"The kept rule gives ([\d,]+) of \1 calls the task that is shown.", explained)


@pytest.mark.slow
def test_discover_tasks_takes_a_small_log_without_prices_and_91_explains_it(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50, no_prices=True)
    said = shown(executed("02_discover_tasks", tmp_path, LOGS="own.jsonl"))
    assert "1 application, 1 call site, 1 task; 0 calls in no task." in said
    assert "50 calls, all accounted for; 0 decisions." in said
    explained = shown(executed("91_how_tasks_are_found", tmp_path, LOGS="own.jsonl"))
    assert "you tell whether a parcel" in explained
    assert "kim" not in said + explained
    assert "The kept rule gives 50 of 50 calls" in explained


@pytest.mark.slow
def test_discover_tasks_takes_a_log_in_which_nothing_can_be_found(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 20, no_prompts=True, no_times=True, no_prices=True)
    said = shown(executed("02_discover_tasks", tmp_path, LOGS="."))
    assert "0 applications, 0 call sites, 0 tasks; 20 calls in no task." in said
    assert "20 calls, all accounted for; 0 decisions." in said
    assert "No task of this log has a text" in shown(executed("91_how_tasks_are_found", tmp_path, LOGS="."))


@pytest.mark.slow
def test_estimate_suitability_goes_from_signal_to_pilot_on_the_sample(tmp_path: Path) -> None:
    notebook = executed("04_estimate_suitability", tmp_path)
    said, charts = shown(notebook), shown(notebook, "application/vnd.plotly.v1+json")
    assert "the log can't tell; a pilot would" in said
    assert re.search(r"parity 95 %, skill 80 %: (open|likely)", said), "the sliders in words"
    assert "chance of parity" in charts
    assert "What a pilot would make of" in charts
    assert "Not measured yet on this log." in said
    assert re.search(r"Tasks judged: 15; green: \d\.", said)


@pytest.mark.slow
def test_estimate_suitability_takes_a_small_log_and_one_without_answers(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50, no_prices=True)
    assert "Tasks judged: 1;" in shown(executed("04_estimate_suitability", tmp_path, LOGS="own.jsonl"))
    (tmp_path / "bare").mkdir()
    write_log(tmp_path / "bare" / "own.jsonl", 20, no_prompts=True, no_times=True, no_prices=True)
    said = shown(executed("04_estimate_suitability", tmp_path, LOGS="bare", RUN="other"))
    assert "there is nothing to estimate" in said
    assert "Tasks judged: 0;" in said


@pytest.mark.slow
def test_model_savings_goes_from_the_month_to_what_flips_the_answer_on_the_sample(tmp_path: Path) -> None:
    notebook = executed("05_model_savings", tmp_path)
    said = shown(notebook)
    assert "a month at today's prices" in said
    assert "Assumptions as in the run:" in said, "the panel in words"
    assert re.search(r"Tasks valued: 15; to act on: \d\.", said)
    assert "Bars: the cost of each day" in shown(notebook, "application/vnd.plotly.v1+json")
    assert not (tmp_path / "runs" / "notebook" / "assumptions.yaml").exists()


@pytest.mark.slow
def test_model_savings_takes_a_small_log_and_one_without_times_or_prices(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50, no_prices=True)
    assert "Tasks valued: 1;" in shown(executed("05_model_savings", tmp_path, LOGS="own.jsonl"))
    (tmp_path / "bare").mkdir()
    write_log(tmp_path / "bare" / "own.jsonl", 20, no_prompts=True, no_times=True, no_prices=True)
    said = shown(executed("05_model_savings", tmp_path, LOGS="bare", RUN="other"))
    assert "Tasks valued: 0;" in said


@pytest.mark.slow
def test_pilot_and_tune_moves_the_belief_by_a_recorded_log_and_says_that_nothing_was_tuned(tmp_path: Path) -> None:
    notebook = executed("07_pilot_and_tune", tmp_path)
    said = shown(notebook)
    assert "have a recorded answer of stand-in-8b" in said
    assert re.search(r"At 240: 9\d\.\d% acceptable", said)
    assert "After: shown, grade A" in said
    assert "Nothing was tuned: set TUNE_SECONDS" in said
    assert "Answers graded: 240; tuned: no." in said
    assert "What the answers move in" in shown(notebook, "application/vnd.plotly.v1+json")
    assert [path.name for path in (tmp_path / "runs" / "pilot" / "pilots").rglob("*.*")] == ["recorded.parquet"]


@pytest.mark.slow
def test_pilot_and_tune_takes_a_small_log_and_one_without_answers(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50, no_prices=True)
    said = shown(executed("07_pilot_and_tune", tmp_path, LOGS="own.jsonl"))
    assert "Nothing was asked." in said
    assert "fewer than 30 sessions" in said
    assert "Answers graded: 0; tuned: no." in said
    (tmp_path / "bare").mkdir()
    write_log(tmp_path / "bare" / "own.jsonl", 20, no_prompts=True, no_times=True, no_prices=True)
    assert "there is nothing to estimate" in shown(executed("07_pilot_and_tune", tmp_path, LOGS="bare", RUN="other"))


@pytest.mark.slow
@pytest.mark.models
def test_pilot_and_tune_tunes_a_real_small_model(tmp_path: Path) -> None:
    pytest.importorskip("trl")
    said = shown(executed("07_pilot_and_tune", tmp_path, patience=1800, TUNE_SECONDS=20))
    assert "tuned on" in said
    assert ("zero-shot" in said) != ("untuned it was not asked, as the time was up" in said)
    assert "Answers graded: 240; tuned: yes." in said


@pytest.mark.slow
def test_add_a_log_format_goes_from_an_unread_export_to_calls_by_a_reader_of_ones_own(tmp_path: Path) -> None:
    said = shown(executed("90_add_a_log_format", tmp_path))
    assert re.search(r"conversations\.jsonl\s+┆ not recognised", said)
    assert re.search(r"calls by the mapping\s+┆ 40", said)
    assert "79 calls, all accounted for; 0 refused." in said
    draft = (tmp_path / "our_reader.py").read_text(encoding="utf-8")
    (tmp_path / "our_reader.py").write_text(draft.replace("or []:", "or []:\n        turn['gone']"), encoding="utf-8")
    with pytest.raises(Exception, match="KeyError, line 12"):
        executed("90_add_a_log_format", tmp_path)


@pytest.mark.slow
def test_add_a_log_format_leaves_a_log_that_is_read_as_it_is(tmp_path: Path) -> None:
    write_log(tmp_path / "own.jsonl", 50)
    said = shown(executed("90_add_a_log_format", tmp_path, LOGS="own.jsonl", ASSUME_MODEL="gpt-4o"))
    assert "there is nothing to add" in said
    assert "50 calls, all accounted for; 1 refused." in said
    assert not (tmp_path / "our_reader.py").exists()
