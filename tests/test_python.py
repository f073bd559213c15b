"""gpufare.open(): the examples of docs/python.md, and what the methods give and refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gpufare
from tests.warehouse_runs import day, fleet, load, offer
from warehouse.errors import UsageError, WarehouseError

DOCS = Path(__file__).parent.parent / "docs" / "python.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    gpufare.open(folder).close()
    return folder


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_page_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    monkeypatch.setenv("GPUFARE_HOME", str(home))
    exec(compile(EXAMPLES[number], str(DOCS), "exec"), {})
    assert capsys.readouterr().out.count("\n") >= 1


def test_rows_and_frames_hold_the_same(tmp_path: Path) -> None:
    load(tmp_path, fleet(3, "2"), day(0))
    with gpufare.open(tmp_path, now=day(1)) as market:
        found = market.offers(gpu="h100")
        frame = found.df()
    assert [row["price_usd_per_gpu_hour"] for row in found] == [2.0, 2.0, 2.0]
    assert list(frame["price_usd_per_gpu_hour"]) == [2.0, 2.0, 2.0]
    assert str(frame["observed_at"].dt.tz) == "UTC"


def test_as_of_takes_text_days_and_moments(tmp_path: Path) -> None:
    load(tmp_path, [offer("a", "2")], day(0))
    load(tmp_path, [offer("a", "3")], day(2))
    for as_of in ("2026-11-11", day(1), day(1).date()):
        with gpufare.open(tmp_path, as_of=as_of, now=day(5)) as market:
            assert [row["price_per_hour"] for row in market.offers()] == [2.0]
            best = market.recommend({"task": "serve", "model": "llama-3.1-8b"}, top=1).rows()[0]
            assert best["offer"]["price_per_hour"] == 2.0
    with pytest.raises(UsageError, match="lies in the future"):
        gpufare.open(tmp_path, as_of="2999-01-01")
    with pytest.raises(UsageError, match="is not a day or a time"):
        gpufare.open(tmp_path, as_of="yesterday")


def test_what_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    load(tmp_path, fleet(1), day(0))
    with gpufare.open(tmp_path) as market:
        with pytest.raises(UsageError, match="'colour' is no filter; known: available"):
            market.offers(colour="red")
        with pytest.raises(UsageError, match="'fast' is no constraint"):
            market.recommend({"task": "serve", "model": "llama-3.1-8b"}, fast=True)
        with pytest.raises(UsageError, match="'gpu' is no workload field"):
            market.recommend({"task": "serve", "gpu": "h100"})
        with pytest.raises(UsageError, match="read-only"):
            market.sql("DROP TABLE offers")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "market.duckdb").write_text("no database")
    with pytest.raises(WarehouseError, match="not a readable gpufare file"):
        gpufare.open(tmp_path / "broken")
