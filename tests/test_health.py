"""What doctor tells of the warehouse."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gpufare.cli.main import main
from gpufare.health import health
from tests.warehouse_runs import day, fleet, load
from warehouse.database import warehouse_path
from warehouse.migrations import back_up
from warehouse.queries import open_market


def told(home: Path, days: int = 0, hours: int = 0) -> dict[str, tuple[str, str]]:
    market = open_market(home)
    try:
        rows = health(home, market, now=day(days) + timedelta(hours=hours))
        return {what: (state, detail) for what, state, detail in rows}
    finally:
        market.close()


def test_files_format_and_last_load_are_told(tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    rows = told(tmp_path, hours=5)
    assert rows["warehouse files"][0] == "ok"
    assert "warehouse.duckdb" in rows["warehouse files"][1]
    assert "market.duckdb" in rows["warehouse files"][1]
    assert "5 hours ago" in rows["last load"][1]
    assert "3 offers" in rows["last load"][1]
    assert rows["runs"] == ("ok", "1 good")
    assert rows["warehouse backup"][0] == "none"
    assert rows["warehouse format"][1].split()[0].isdigit()


def test_a_load_of_long_ago_is_old(tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    state, detail = told(tmp_path, days=4)["last load"]
    assert state == "old"
    assert "4 days ago" in detail


def test_the_newest_copy_is_told(tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    made = back_up(warehouse_path(tmp_path), 6)
    state, detail = told(tmp_path)["warehouse backup"]
    assert state == "ok"
    assert made.name in detail


def test_doctor_prints_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    main(["--home", str(tmp_path), "doctor"])
    out = capsys.readouterr().out
    for what in ("warehouse files", "warehouse format", "warehouse backup", "last load", "runs", "disk"):
        assert what in out
