"""The house rules: floors, sizes, what importing costs, and files that must not drift apart."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

import slmlens as sl

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "slmlens"
FLOORS = (
    "errors",
    "tables",
    "results",
    "logs",
    "curation",
    "spend",
    "tasks",
    "suitability",
    "savings",
    "specialists",
    "refinement",
    "reporting",
    "reviewing",
)
ROOF = {
    "pilots",
    "run",
    "settings",
    "stages",
    "deciding",
    "succession",
    "cli",
    "cli_options",
    "forgetting",
    "backtesting",
    "revaluing",
    "lab",
    "models_page",
    "sample",
    "__init__",
    "_version",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def floor_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path) -> set[str]:
    """Modules of ours that a module imports, at its top or inside its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slmlens"):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("slmlens")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_floor_imports_only_floors_above_it(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in ROOF or own.startswith("sample"):
        return
    for module in imports(path):
        other = floor_of(module)
        assert other in FLOORS or other == "_version", f"{own} imports {module}, which belongs to no floor"
        assert other == "_version" or FLOORS.index(other) <= FLOORS.index(own), f"{own} imports {module} below it"


def at_once(path: Path) -> set[str]:
    """Modules of ours that are loaded when a module is, packages included, but for those that it is in."""
    loaded: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slmlens"):
            whole = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
            loaded |= {".".join(name.split(".")[:upto]) for name in whole for upto in range(1, name.count(".") + 2)}
    return {one for one in loaded if one in NAMED and not f"{dotted(path)}.".startswith(f"{one}.")}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMED = {dotted(path): path for path in MODULES}


def test_imports_go_one_way_so_that_any_module_can_be_loaded_first() -> None:
    TopologicalSorter({name: at_once(path) for name, path in NAMED.items()}).prepare()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_has_one_subject_and_at_most_400_lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text)), "the module says nothing of its subject"


def test_importing_slmlens_loads_no_frame_library() -> None:
    code = "import sys, slmlens; print([m for m in ('polars', 'numpy', 'dataframely', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists_is_documented_and_there_are_at_most_twenty_two() -> None:
    names = [n for n in sl.__all__ if n != "__version__"]
    assert len(names) <= 22
    for name in names:
        assert getattr(sl, name).__doc__, name


def test_the_readme_names_every_public_name_command_option_and_setting() -> None:
    from dataclasses import fields

    import typer

    from slmlens.cli import app

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    wanted = [f"sl.{name}" for name in sl.__all__ if name != "__version__"]
    wanted += [field.name for field in fields(sl.Settings)]
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        wanted.append(f"slmlens {name}")
        wanted += [o for p in command.params for o in (*p.opts, *p.secondary_opts) if o in {"--no-text", "--no-redact"}]
        flags = {"--text", "--redact", "--help"}
        wanted += [o for p in command.params for o in p.opts if o.startswith("--") and o not in flags]
    assert [name for name in wanted if name not in readme] == []


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=~! ]", requirement, maxsplit=1)[0].lower()


def test_environment_yml_holds_the_same_packages_as_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {name_of(r) for r in [*project["dependencies"], *extras["transformers"], *extras["prices"]]}
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    listed = [d for d in environment["dependencies"] if isinstance(d, str)]
    by_pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert {name_of(d) for d in [*listed, *by_pip]} - {"python", "pip"} == wanted


def test_environment_yml_has_the_card_and_says_of_each_line_why() -> None:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    for package in ("jupyterlab", "pandas", "polars", "hdbscan", "umap-learn", "sentence-transformers", "plotly"):
        assert re.search(rf"^  - {package}\b.*#", text, re.MULTILINE), package
    for line in text.splitlines():
        if re.match(r"\s+- (?!conda-forge)[a-z]", line) and not line.rstrip().endswith("pip:"):
            assert "#" in line, line


def test_no_path_of_one_machine_stands_in_the_tree() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yml", ".ipynb"} and path.is_file():
            assert not re.search(r"/(work|farm)/(?!\w+ing)", path.read_text(encoding="utf-8")), name
