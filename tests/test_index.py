"""The published index: from runs to `index_days`, never revised, and what the command line prints of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import main
from tests.test_migrations import old_warehouse
from tests.warehouse_runs import ask, day, offer, rate, write_run
from warehouse.database import open_market, open_warehouse
from warehouse.errors import UnknownNameError
from warehouse.index import index_days, latest
from warehouse.ingest import ingest, ingest_bundled
from warehouse.price_history import price_series

CLOUDS = ("acme", "bravo", "carol", "delta")


def write(
    home: Path, number: float, factor: float, *, clouds: tuple[str, ...] = CLOUDS, **changes: Any
) -> list[Path]:
    """A run of each cloud, with two machines at levels of its own times `factor`."""
    folders = []
    for place, cloud in enumerate(clouds):
        prices = [f"{(2 + place) * scale * factor:.6f}" for scale in (1, 1.5)]
        offers = [offer(f"m{scale}", price, **changes) for scale, price in enumerate(prices)]
        folders.append(write_run(home / "runs", offers, day(number + place / 100), provider=cloud))
    return folders


def crawl(home: Path, runs: list[tuple[float, float]], **changes: Any) -> None:
    """Runs of all clouds at (day, factor), loaded at once."""
    folders = [folder for number, factor in runs for folder in write(home, number, factor, **changes)]
    assert {result.state for result in ingest(home, folders, now=day(runs[-1][0] + 0.1))} == {"good"}


def values(home: Path, scope: str = "accelerator") -> dict[date, float | None]:
    rows = ask(home, f"SELECT day, index_value FROM index_days WHERE scope = '{scope}' ORDER BY day")
    return {row["day"]: row["index_value"] for row in rows}


def test_follows_prices_from_run_to_run(tmp_path: Path) -> None:
    crawl(tmp_path, [(0, 1.0), (1, 1.0), (2, 1.04), (3, 1.04)])
    for scope in ("accelerator", "family"):
        found = list(values(tmp_path, scope).values())
        assert found[0] is None  # nothing is matched on the first day
        assert found[1:] == pytest.approx([100, 104])  # a mass move (R6) counts from the run that confirms it
    row = ask(tmp_path, "SELECT * FROM index_days WHERE scope = 'family' ORDER BY day DESC LIMIT 1")[0]
    assert (row["name"], row["price_kind"], row["providers"], row["matched_offers"]) == (
        "h100",
        "on_demand",
        4,
        8,
    )
    assert (row["entries"], row["exits"], row["suppressed_reason"]) == (0, 0, None)
    assert row["jevons"] == pytest.approx(104)
    assert row["cheapest_usd_per_gpu_hour"] == pytest.approx(2.08)


def test_days_that_are_published_stay_as_they_are(tmp_path: Path) -> None:
    seen: dict[date, float | None] = {}
    for number, factor in enumerate((1.0, 1.01, 0.99, 1.03, 1.02)):
        crawl(tmp_path, [(number, factor)], clouds=CLOUDS[: 3 + number % 2])
        found = values(tmp_path)
        assert {moment: found[moment] for moment in seen} == seen
        seen = found


def test_an_exchange_rate_moves_no_index(tmp_path: Path) -> None:
    folders = []
    for number, dollar in enumerate(("1.10", "1.25", "1.40")):
        rates, facts = [rate("USD", dollar, day(number))], {"kind": "reference"}
        folders.append(write_run(tmp_path / "runs", rates, day(number - 0.01), provider="bank", facts=facts))
        folders += write(tmp_path, number, 1.0, currency="EUR")
    ingest(tmp_path, folders, now=day(3))
    assert list(values(tmp_path).values())[1:] == pytest.approx([100, 100])


def test_held_rows_floors_and_slices_do_not_count(tmp_path: Path) -> None:
    crawl(tmp_path, [(0, 1.0), (1, 1.0)], is_floor=True)
    assert values(tmp_path) == {}


def test_a_list_price_counts_for_three_days_without_being_seen(tmp_path: Path) -> None:
    crawl(tmp_path, [(0, 1.0), (1, 1.0)])
    crawl(tmp_path, [(3, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)], clouds=CLOUDS[:1])
    rows = ask(tmp_path, "SELECT day, offers, providers FROM index_days WHERE scope = 'family' ORDER BY day")
    assert [row["offers"] for row in rows] == [8, 8, 8, 8, 2, 2]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bundled")
    ingest_bundled(home, now=day(0))
    return home


def test_the_bundled_history_gives_an_index(bundled: Path) -> None:
    connection = open_market(bundled)
    news = latest(connection, gpu="h100", kind="on_demand", now=day(0))
    connection.close()
    first = news.answers[0]
    assert (first.scope, first.name) == ("family", "h100")
    assert first.providers >= 3
    assert first.p10 <= first.index_value <= first.p90
    assert [change.horizon_days for change in first.changes] == [7, 30, 90, 365]
    assert any(change.percent is not None for change in first.changes)


def test_every_value_keeps_r16(bundled: Path) -> None:
    broken = ask(
        bundled,
        "SELECT * FROM index_days WHERE (index_value IS NULL) = (suppressed_reason IS NULL) "
        "OR (index_value IS NOT NULL AND (providers < 3 OR matched_offers < 5 OR p10 > index_value + 1e-9 "
        "OR p90 < index_value - 1e-9))",
    )
    assert broken == []
    assert ask(bundled, "SELECT count(*) AS n FROM index_days WHERE index_value IS NOT NULL")[0]["n"] > 100
    assert (
        ask(bundled, "SELECT count(*) AS n FROM index_days WHERE suppressed_reason IS NOT NULL")[0]["n"] > 100
    )


def test_until_an_earlier_day(bundled: Path) -> None:
    connection = open_market(bundled)
    now = latest(connection, gpu="h100", kind="on_demand", now=day(0)).answers[0]
    then = latest(connection, gpu="h100", kind="on_demand", now=day(0), until=day(-90)).answers[0]
    days = index_days(connection, gpu="h100", kind="on_demand", until=day(-90).date())
    with pytest.raises(UnknownNameError):
        index_days(connection, gpu="h100", kind="no such kind")
    connection.close()
    assert then.day < now.day
    assert max(row["day"] for row in days) <= day(-90).date()
    by_day = {row["day"]: row for row in days if row["name"] == "h100"}
    assert by_day[then.day]["index_value"] == then.index_value


def test_a_warehouse_made_before_the_index_gets_its_table(tmp_path: Path) -> None:
    old_warehouse(tmp_path)
    with open_warehouse(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM core_compiled_prices").fetchone() == (0,)


def test_market_level_holds_each_provider_for_ten_days(bundled: Path) -> None:
    connection = open_market(bundled)
    series = price_series(connection, gpu="h100", kind="on_demand")
    connection.close()
    market, own = series[0], series[1:]
    assert market.provider is None
    assert {line.price_kind for line in series} == {"on_demand"}
    day_of = market.points[-1]
    near = [
        max((p for p in line.points if p.day <= day_of.day), key=lambda p: p.day)
        for line in own
        if any(0 <= (day_of.day - p.day).days <= 10 for p in line.points)
    ]
    assert day_of.providers == len(near)
    assert day_of.cheapest_usd_per_gpu_hour == min(p.cheapest_usd_per_gpu_hour for p in near)


def run(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["--home", str(home), *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_commands_print_tables_json_and_csv(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["index", "--gpu", "h100"],
        ["index", "--gpu", "h100", "--days"],
        ["history", "--gpu", "h100", "--since", "2025-06-01"],
        ["history", "--gpu", "h100", "--since", "2025-06-01", "--by", "provider"],
        ["fair", "--gpu", "h100"],
    ):
        code, out, _ = run(bundled, capsys, *words)
        assert code in (0, 4), words
        assert "h100" in out or words[0] == "history"
        code, out, _ = run(bundled, capsys, *words, "--json")
        rows = json.loads(out)["data"]
        assert rows, words
        code, out, _ = run(bundled, capsys, *words, "--csv")
        assert out.splitlines()[0].split(",") == list(rows[0])


def test_index_says_its_band_counts_and_age(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(bundled, capsys, "index", "--gpu", "h100", "--kind", "on_demand", "--json")
    row = json.loads(out)["data"][0]
    assert code == 4  # the bundled market is old
    for horizon in (7, 30, 90, 365):
        assert {f"change_{horizon}d_percent{end}" for end in ("", "_p10", "_p90")} <= set(row)
    assert {"p10", "p90", "providers", "matched_offers", "entries_30d", "exits_30d", "jevons"} <= set(row)
    assert any("older than 14 days" in line for line in json.loads(out)["warnings"])
    code, _, err = run(bundled, capsys, "index", "--gpu", "p100")
    assert code == 3
    assert "3 providers" in err


def test_changes_and_availability_without_any(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(bundled, capsys, "changes")
    assert (code, "nothing changed" in err) == (3, True)
    code, _, err = run(bundled, capsys, "availability", "--gpu", "h100")
    assert (code, "unknown is not counted" in err) == (3, True)


@pytest.mark.parametrize(
    "words",
    [
        ["changes", "--change", "moved"],
        ["changes", "--limit", "0"],
        ["availability", "--window", "3"],
        ["history", "--gpu", "h100", "--by", "month"],
        ["index", "--as-of", "2999-01-01"],
        ["index", "--gpu", "h100", "--kind", "bogus"],
        ["fair", "--verdict", "bargain"],
    ],
)
def test_bad_input_is_one_line(bundled: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = run(bundled, capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_commands_on_a_market_with_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, factor in enumerate((1.0, 1.0, 1.05, 1.05)):  # the last one confirms the mass move
        folders = write(tmp_path, number - 12, factor, available=number != 1)
        ingest(tmp_path, folders, now=day(number - 12))
    code, out, _ = run(tmp_path, capsys, "changes", "--since", "2026-10-01")
    assert code == 0
    assert "repriced" in out
    assert "sold_out" in out
    then = ["--as-of", day(-10.5).isoformat(), "--json"]
    code, out, _ = run(tmp_path, capsys, "changes", "--since", "2026-10-01", *then)
    assert {row["change"] for row in json.loads(out)["data"]} == {"sold_out"}
    code, out, _ = run(tmp_path, capsys, "availability", "--json", "--as-of", day(-10.5).isoformat())
    rows = json.loads(out)["data"]
    assert code == 0
    assert {row["share"] for row in rows if row["window_days"] == 30} == {1 / 2}
