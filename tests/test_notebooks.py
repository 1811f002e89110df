"""The notebooks: thin, without outputs, and they run from a fresh kernel."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_narrates_and_stays_thin(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [c for c in cells if c.cell_type == "code"]
    assert len(cells) <= 25
    assert cells[0].source.splitlines()[0].endswith("?")
    assert [c for c in code if "parameters" in c.metadata.get("tags", [])] == code[:1]
    assert any("checks" in c.metadata.get("tags", []) for c in code)
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 10
        assert not re.search(r"^\s*(def|class|for|while) ", cell.source, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_from_a_fresh_kernel(path: Path, tmp_path: Path) -> None:
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)
    assert "all accounted for" in printed
    assert (tmp_path / "runs" / "notebook" / "report.html").is_file()
