"""What reaches stdout: one envelope for programs, safe CSV, tables that scraped text cannot break."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from gpufare.cli.output import Column, Output
from warehouse.errors import UsageError

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
COLUMNS = [Column("name", "GPU"), Column("usd", "USD/h", right=True, show=lambda value: f"{value:.2f}")]


def printed(rows: list[dict[str, object]], **flags: bool) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    Output(stdout=out, stderr=err, **flags).rows(
        rows, COLUMNS, as_of=NOW, warnings=["old"], empty="no offers"
    )
    return out.getvalue(), err.getvalue()


def test_json_is_the_contracts_envelope() -> None:
    out, err = printed([{"name": "h100", "usd": 2.0}], as_json=True)
    assert json.loads(out) == {
        "schema_version": 1,
        "as_of": "2026-11-21T09:00:00Z",
        "data": [{"name": "h100", "usd": 2.0}],
        "warnings": ["old"],
    }
    assert err == ""


@pytest.mark.parametrize("text", ['=cmd|"/c calc"!A1', "+1", "-2", "@SUM(A1)", "\t=1"])
def test_csv_runs_nothing_in_a_spreadsheet(text: str) -> None:
    out, _ = printed([{"name": text, "usd": 1.0}], as_csv=True)
    [row] = csv.DictReader(io.StringIO(out))
    assert row["name"] == "'" + text


def test_a_negative_number_stays_a_number_in_csv() -> None:
    out, _ = printed([{"name": "x", "usd": -1.5}], as_csv=True)
    assert out.splitlines()[1] == "x,-1.5"


def test_scraped_text_cannot_move_the_cursor_or_break_a_row() -> None:
    out, _ = printed([{"name": "a\x1b[2J\nb\rc\u202e", "usd": 1.0}])
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert len(out.splitlines()) == 3


def test_an_empty_table_is_a_sentence_and_stdout_stays_empty() -> None:
    out, err = printed([])
    assert out == ""
    assert err.splitlines()[0] == "no offers"


def test_columns_line_up_and_numbers_are_right() -> None:
    out, _ = printed([{"name": "h100", "usd": 2.0}, {"name": "a", "usd": 12.5}])
    assert out.splitlines() == ["GPU   USD/h", "----  -----", "h100   2.00", "a     12.50"]


def test_json_and_csv_together_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="exclude"):
        Output(as_json=True, as_csv=True)


def test_nan_never_reaches_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        printed([{"name": "x", "usd": float("nan")}], as_json=True)
