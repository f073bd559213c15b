"""gpufare reparse: archived bodies parsed anew in child processes, kept as revisions where they differ."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpufare.cli.main import main
from tests.warehouse_runs import ask
from warehouse.revisions import same_records

FIXTURES = Path(__file__).parent / "fixtures"


def crawled(home: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run folder of a real spider, parsed from its recording and not loaded yet."""
    recording = next(iter(sorted((FIXTURES / "voltage_park").rglob("run.json")))).parent
    assert main(["--home", str(home), "crawl", "--no-load", "--replay", str(recording)]) == 0
    capsys.readouterr()
    return next(iter((home / "runs" / "voltage_park").iterdir()))


def misread(folder: Path) -> None:
    """As if the spider of that day had taken prices for a tenth more than they are."""
    file = folder / "offers.parquet"
    table = pq.read_table(file)
    wrong = [None if text is None else str(float(text) * 1.1) for text in table["price_raw"].to_pylist()]
    place = table.column_names.index("price_raw")
    pq.write_table(table.set_column(place, "price_raw", pa.array(wrong, pa.string())), file)


def test_a_mended_spider_revises_what_was_misread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = crawled(tmp_path, capsys)
    right = {row["price_raw"] for row in pq.read_table(folder / "offers.parquet").to_pylist()}
    misread(folder)
    assert main(["--home", str(tmp_path), "load"]) == 0
    capsys.readouterr()
    wrong = {
        row["price_raw"]
        for row in ask(tmp_path, "SELECT price_raw FROM offers WHERE provider = 'voltage_park'")
    }
    assert main(["--home", str(tmp_path), "reparse", "voltage_park", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["data"]
    assert (row["state"], row["revision"]) == ("good", f"{folder.name}.r2")
    revision = folder.with_name(row["revision"])
    assert not same_records(folder, revision)
    bodies = [file for file in revision.iterdir() if file.name.startswith("0")]
    assert bodies
    assert all(file.stat().st_ino == (folder / file.name).stat().st_ino for file in bodies), (
        "no disk is used twice"
    )
    now = ask(tmp_path, "SELECT price_raw FROM offers WHERE provider = 'voltage_park'")
    assert {row["price_raw"] for row in now} == {float(text) for text in right}
    assert {row["price_raw"] for row in now}.isdisjoint(wrong)
    kept = ask(tmp_path, "SELECT count(*) AS n FROM past_spans")
    assert kept[0]["n"] > 0, "what was believed before is still there"
    assert main(["--home", str(tmp_path), "reparse", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in body["data"]] == ["unchanged"]
    assert not folder.with_name(f"{folder.name}.r3").exists()
    assert list(tmp_path.glob(".reparse-*")) == []


def test_nothing_to_parse_and_unknown_names_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), "reparse"]) == 3
    assert "no loaded run with its run folder matches" in capsys.readouterr().err
    assert main(["--home", str(tmp_path), "reparse", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err
