"""The house: who may import whom, who may read the environment, who may print, who may ask the clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("gpufare", "crawlers", "warehouse", "recommender", "reports")
MAY_IMPORT = {
    "warehouse": {"warehouse"},
    "crawlers": {"crawlers", "warehouse"},
    "recommender": {"recommender", "warehouse"},
    "reports": {"reports", "recommender", "warehouse"},
    "gpufare": set(OURS),
}
CRAWLERS_MAY_SEE = {"warehouse.records", "warehouse.run_folder", "warehouse.errors", "warehouse.units"}
ECONOMICS = {
    "warehouse.queries",
    "warehouse.database",
    "warehouse.fx",
    "recommender.cost",
    "recommender.rank",
}
FILES = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module name that a file imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "relative imports hide who needs whom"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for name in imported(ast.parse(path.read_text("utf-8"))):
        top = name.split(".")[0]
        if top in OURS:
            assert top in MAY_IMPORT[package], f"{path} imports {name}"
        assert top not in ("tests", "bench"), f"{path} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "crawlers").rglob("*.py")), ids=lambda p: p.name)
def test_crawlers_see_only_the_contract(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("warehouse"):
            assert node.module in CRAWLERS_MAY_SEE, f"{path} imports {node.module}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recommender" / "sizing").rglob("*.py")), ids=lambda p: p.name
)
def test_sizing_knows_no_price(path: Path) -> None:
    names = set(imported(ast.parse(path.read_text("utf-8"))))
    assert not names & ECONOMICS, f"{path} imports {names & ECONOMICS}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_environment_clock_and_stdout_have_one_door_each(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            dotted = f"{node.value.id}.{node.attr}"
            if dotted in ("os.environ", "os.getenv"):
                assert where in ENVIRONMENT_READERS, f"{where} reads the environment"
            if dotted in ("datetime.now", "datetime.utcnow", "date.today"):
                assert where == "gpufare/cli/context.py", f"{where} asks the clock"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert where.startswith("gpufare/cli/"), f"{where} prints"


ENVIRONMENT_READERS = {"gpufare/settings.py"}


def test_every_package_has_files() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(OURS)
