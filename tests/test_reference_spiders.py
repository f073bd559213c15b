"""Single traps of the sources of token prices and grid carbon, and what `crawl --dry-run` prints of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import main
from tests.spider_harness import FIXTURES, Replayed, edit_folder, replay
from warehouse.records import GridCarbon, TokenPrice

KEYS = {"ELECTRICITYMAPS_TOKEN": "made-up-key"}


def changed(
    provider: str, tmp_path: Path, edit: Callable[[int, str], str], capture: str = "documented"
) -> Replayed:
    """A fixture with its bodies passed through `edit(number, text)`."""
    target = tmp_path / provider / capture
    folder = edit_folder(
        FIXTURES / provider / capture, target, lambda n, body: edit(n, body.decode()).encode()
    )
    return replay(folder, secrets=KEYS)


def with_exchanges(folder: Path, tmp_path: Path, edit: Callable[[list[dict[str, Any]]], object]) -> Replayed:
    """A fixture with its list of exchanges changed in place."""
    path = edit_folder(folder, tmp_path / folder.parent.name / folder.name, lambda _, body: body)
    data = json.loads((path / "run.json").read_text("utf-8"))
    edit(data["exchanges"])
    (path / "run.json").write_text(json.dumps(data), "utf-8")
    return replay(path, secrets=KEYS)


def models(result: Replayed) -> dict[str, TokenPrice]:
    return {record.model: record for record in result.records if isinstance(record, TokenPrice)}


def test_a_price_that_is_a_list_sets_its_own_row_aside(tmp_path: Path) -> None:
    result = changed("openrouter", tmp_path, lambda _, text: text.replace('"0.0000012"', '["0.0000012"]'))
    assert "acme/writer-70b" not in models(result)
    assert "acme/long-reader" in models(result)
    assert "pricing.completion" in result.report.rejected[0]["reason"]


def test_a_negative_price_other_than_the_sign_for_varies_is_refused(tmp_path: Path) -> None:
    result = changed("openrouter", tmp_path, lambda _, text: text.replace('"-1"', '"-0.5"'))
    assert "router/any" not in models(result)
    assert "input_raw -0.5" in result.report.rejected[0]["reason"]


def test_a_day_that_is_none_is_named(tmp_path: Path) -> None:
    result = changed("openrouter", tmp_path, lambda _, text: text.replace("2027-01-31", "next year"))
    assert "expiration_date" in result.report.rejected[0]["reason"]
    result = changed("litellm", tmp_path, lambda _, text: text.replace("2027-06-30", "soon"))
    assert "deprecation_date" in result.report.rejected[0]["reason"]


def test_prices_of_the_map_may_be_text(tmp_path: Path) -> None:
    result = changed("litellm", tmp_path, lambda _, text: text.replace("4e-07,", '"4e-07",'))
    assert result.report.state == "good"
    assert str(models(result)["acme_ai/writer-70b"].input_raw) == "4E-7"


def test_the_price_of_a_day_follows_the_clock(tmp_path: Path) -> None:
    for moment, expected in (("2026-04-30", "5"), ("2026-05-01", "4"), ("2027-01-02", "3")):
        target = tmp_path / moment / "genai_prices" / "documented"
        folder = edit_folder(FIXTURES / "genai_prices" / "documented", target, lambda _, body: body)
        run_json = folder / "run.json"
        data = json.loads(run_json.read_text("utf-8")) | {"recorded_at": f"{moment}T12:00:00Z"}
        run_json.write_text(json.dumps(data), "utf-8")
        assert str(models(replay(folder))["cheaper-since-may"].input_raw) == expected


def test_a_condition_nobody_knows_is_not_taken_for_a_price(tmp_path: Path) -> None:
    result = changed("genai_prices", tmp_path, lambda _, text: text.replace('"start_time"', '"weekday"'))
    assert "night-owl" not in models(result)
    assert "weekday" in result.report.rejected[0]["reason"]


def test_rows_that_slipped_or_lost_their_point_are_set_aside_by_name(tmp_path: Path) -> None:
    result = changed(
        "ccf_grid_factors", tmp_path / "slipped", lambda _, text: text.replace(",0.000009,", ",,000009,")
    )
    assert "Moon Far 2" in result.report.rejected[0]["reason"]
    result = changed(
        "ccf_grid_factors", tmp_path / "point", lambda _, text: text.replace(",0.000009,", ",000009,")
    )
    assert "9,000,000 g per kWh" in result.report.rejected[0]["reason"]
    assert len(result.records) == 5


def test_a_year_that_is_not_out_yet_is_no_fault_and_a_lost_one_is(tmp_path: Path) -> None:
    whole = replay(FIXTURES / "google_region_carbon" / "documented")
    assert [request.url[-8:] for request in whole.requests][-1] == "2025.csv"
    assert whole.report.state == "good"
    lost = with_exchanges(
        FIXTURES / "google_region_carbon" / "documented", tmp_path, lambda found: found.pop(3)
    )
    assert lost.report.state == "partial"
    assert "2022.csv" in str(lost.report.reason)


def test_an_answer_for_another_zone_than_asked_is_not_used(tmp_path: Path) -> None:
    """The service answers for the caller's own place where it does not know the zone."""
    result = changed(
        "electricitymaps",
        tmp_path,
        lambda n, text: text.replace('"XA"', '"XZ"') if n == 1 else text,
        "with_key",
    )
    assert result.report.state == "held"
    assert "asked for zone 'XA', answered for 'XZ'" in str(result.report.reason)


def test_a_zone_outside_the_plan_costs_only_itself(tmp_path: Path) -> None:
    def refuse(exchanges: list[dict[str, Any]]) -> None:
        exchanges[1]["response"]["status"] = 403

    result = with_exchanges(FIXTURES / "electricitymaps" / "with_key", tmp_path, refuse)
    assert result.report.state == "good", result.report.reason
    assert [record.region for record in result.records if isinstance(record, GridCarbon)] == ["XB-N1"]


def test_a_zone_without_an_opened_route_is_not_asked() -> None:
    asked = replay(FIXTURES / "electricitymaps" / "with_key", secrets=KEYS).requests
    assert not [request for request in asked if request.url.endswith("zone=XC")]
    assert {request.headers["auth-token"] for request in asked} == {b"made-up-key"}


@pytest.mark.parametrize(
    ("provider", "field", "value"),
    [("openrouter", "input_usd_per_mtok", 0.4), ("google_region_carbon", "g_co2e_per_kwh", 541)],
)
def test_a_dry_run_prints_them_in_one_unit(
    provider: str, field: str, value: float, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["crawl", "--replay", str(FIXTURES / provider / "documented"), "--dry-run"]
    assert main(["--home", str(tmp_path), *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][0][field] == pytest.approx(value)
    assert main(["--home", str(tmp_path), *words]) == 0
    assert f"{value:g}" in capsys.readouterr().out
    assert not (tmp_path / "warehouse.duckdb").exists()
