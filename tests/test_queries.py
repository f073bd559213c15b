"""Questions to the published copy: filters, ages and states, as-of, errors, and the locked-down SQL."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.warehouse_runs import ask, day, load, offer, rate
from warehouse import queries
from warehouse.errors import UnknownNameError, UsageError, WarehouseError
from warehouse.offer_rows import COLUMNS, CONTRACT_COLUMNS, offer_state
from warehouse.queries import OfferAnswer, OfferFilter, open_market
from warehouse.records import PriceKind


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three providers: a list of GPU machines in two regions, an ambiguous one, a marketplace of old rows."""
    folder = tmp_path_factory.mktemp("market")
    sxm, a100 = "NVIDIA H100 SXM5 80GB", "NVIDIA A100-SXM4-80GB"
    rows = [
        offer("h1", "2.5", region="us-east-1", interconnect="NVLink", available=True),
        offer("h8", "22", gpu_count=8.0, region="eu-central-1", interconnect="NVLink", available=False),
        offer("a8", "12", gpu_name_raw=a100, gpu_count=8.0, region="eu-central-1"),
        offer("h1", "1.1", price_kind=PriceKind.SPOT, region="us-east-1"),
        offer("h1", "1.5", price_kind=PriceKind.RESERVED, term_months=12, region="us-east-1"),
        offer("floor", "0.9", is_floor=True, gpu_name_raw=sxm),
        offer("soon", "0.8", effective_from=day(30).date()),
    ]
    load(folder, rows, day(0), provider="aws")
    open_rows = [
        offer("x", "1.4", gpu_name_raw="A100", gpu_memory_gb=80.0),
        offer("y", "9", gpu_count=4.0),
    ]
    load(folder, open_rows, day(0), provider="beta")
    machines = [offer(f"v{i}", "1.9", offer_key=f"k{i}") for i in range(3)]
    load(folder, machines, day(-20), provider="vast", facts={"kind": "marketplace"})
    load(
        folder,
        [rate("USD", "1.2", day(-40)), rate("USD", "1.1", day(0))],
        day(0),
        provider="ecb_fx",
        facts={"kind": "reference"},
    )
    return folder


def find(home: Path, now: datetime | None = None, **asked: Any) -> OfferAnswer:
    connection = open_market(home)
    try:
        return queries.offers(connection, OfferFilter(**asked), now=now or day(0) + timedelta(hours=1))
    finally:
        connection.close()


def names(answer: OfferAnswer) -> list[str]:
    return [f"{row['provider']}/{row['instance_type']}/{row['price_kind']}" for row in answer.rows]


def test_rows_have_the_contracts_columns_first_and_exactly(home: Path) -> None:
    row = find(home, gpu="h100", limit=1).rows[0]
    assert tuple(row) == COLUMNS
    assert COLUMNS[: len(CONTRACT_COLUMNS)] == CONTRACT_COLUMNS
    assert row["observed_at"].tzinfo is UTC


def test_prices_come_cheapest_first_and_floors_last(home: Path) -> None:
    answer = find(home, gpu="h100")
    assert names(answer) == [
        "aws/h1/spot",
        "aws/h1/reserved",
        "beta/y/on_demand",
        "aws/h1/on_demand",
        "aws/h8/on_demand",
        "aws/floor/on_demand",
    ]
    assert answer.total == 6


def test_an_announced_price_is_not_offered_before_its_day(home: Path) -> None:
    assert "aws/soon/on_demand" not in names(find(home))
    assert "aws/soon/on_demand" in names(find(home, now=day(31)))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"gpu": "a100-sxm4-80gb"}, {"aws/a8/on_demand", "beta/x/on_demand"}),
        ({"gpu": "a100-pcie-80gb"}, {"beta/x/on_demand"}),
        ({"gpu": "a100"}, {"aws/a8/on_demand", "beta/x/on_demand"}),
        ({"gpus": 8}, {"aws/a8/on_demand", "aws/h8/on_demand"}),
        ({"provider": "beta"}, {"beta/x/on_demand", "beta/y/on_demand"}),
        ({"region": "eu-central-1"}, {"aws/a8/on_demand", "aws/h8/on_demand"}),
        ({"country": "de"}, {"aws/a8/on_demand", "aws/h8/on_demand"}),
        ({"continent": "north america", "kinds": "spot,reserved"}, {"aws/h1/spot", "aws/h1/reserved"}),
        ({"kinds": ("reserved",), "term_months": 12}, {"aws/h1/reserved"}),
        (
            {"max_price": 1.4, "kinds": "on_demand,spot"},
            {"aws/h1/spot", "beta/x/on_demand", "aws/floor/on_demand"},
        ),
        ({"available": True}, {"aws/h1/on_demand"}),
        ({"interconnect": "nvlink"}, {"aws/h1/on_demand", "aws/h8/on_demand"}),
        ({"min_memory_gb": 90}, set()),
    ],
)
def test_filters(home: Path, asked: dict[str, Any], expected: set[str]) -> None:
    assert set(names(find(home, **asked))) == expected


def test_limit_keeps_the_total_and_sorting_works(home: Path) -> None:
    answer = find(home, limit=2)
    assert (len(answer.rows), answer.total) == (2, 8)
    assert names(find(home, sort="provider"))[0].startswith("aws/a8")
    assert names(find(home, sort="memory"))
    assert find(home, sort="age", include_stale=True).rows[-1]["provider"] == "vast"
    with pytest.raises(UsageError, match="cannot sort by 'colour'"):
        find(home, sort="colour")


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"provider": "awz"}, "unknown provider 'awz'; did you mean aws"),
        ({"country": "XX"}, "unknown country 'XX'"),
        ({"continent": "urope"}, "unknown continent 'urope'; did you mean europe"),
        ({"kinds": "spott"}, "unknown price kind 'spott'; did you mean spot"),
        ({"region": "eu-centrall-1"}, "unknown region 'eu-centrall-1'; did you mean eu-central-1"),
        ({"gpu": "h1000"}, "unknown"),
    ],
)
def test_an_unknown_name_is_refused_with_near_ones(home: Path, asked: dict[str, Any], line: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find(home, **asked)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("hours", "kind", "source_kind", "missing", "state"),
    [
        (0, "on_demand", "list", 0, "ok"),
        (36, "on_demand", "list", 0, "ok"),
        (37, "on_demand", "list", 0, "aging"),
        (37, "on_demand", "list", 1, "missing"),
        (73, "on_demand", "list", 1, "stale"),
        (169, "on_demand", "list", 0, "expired"),
        (3, "spot", "list", 0, "aging"),
        (13, "on_demand", "marketplace", 0, "stale"),
        (25, "spot", "list", 0, "expired"),
    ],
)
def test_states_follow_r11(hours: float, kind: str, source_kind: str, missing: int, state: str) -> None:
    assert offer_state(hours, kind, source_kind, missing) == state


def test_expired_rows_are_hidden_only_where_something_fresher_answers(home: Path) -> None:
    fresh = find(home, gpu="h100", kinds="on_demand")
    assert not [row for row in fresh.rows if row["provider"] == "vast"]
    assert any("3 expired offers are hidden" in warning for warning in fresh.warnings)
    assert not fresh.stale
    shown = find(home, gpu="h100", kinds="on_demand", include_stale=True)
    assert [row["state"] for row in shown.rows if row["provider"] == "vast"] == ["expired"] * 3
    later = find(home, now=day(10), gpu="h100", kinds="on_demand")
    assert "vast" in {row["provider"] for row in later.rows}
    assert later.stale
    assert any(warning.startswith("every price here is stale") for warning in later.warnings)


def test_as_of_answers_from_the_spans(tmp_path: Path) -> None:
    fx = [rate("USD", "1.2", day(-1)), rate("USD", "1.5", day(3))]
    load(tmp_path, fx, day(-1), provider="ecb_fx", facts={"kind": "reference"})
    load(tmp_path, [offer("a", "2"), offer("e", "2", currency="EUR")], day(0))
    load(tmp_path, [offer("a", "2.2"), offer("b", "3"), offer("e", "2", currency="EUR")], day(2))
    load(tmp_path, [offer("a", "2.2"), offer("b", "3"), offer("e", "2", currency="EUR")], day(4))

    def at(number: float) -> dict[str, tuple[float, str]]:
        rows = find(tmp_path, as_of=day(number)).rows
        return {row["instance_type"]: (round(row["price_usd_per_hour"], 4), row["state"]) for row in rows}

    assert at(1) == {"a": (2.0, "ok"), "e": (2.4, "ok")}
    assert at(3) == {"a": (2.2, "ok"), "b": (3.0, "ok"), "e": (3.0, "ok")}
    assert at(-1) == {}
    assert find(tmp_path, as_of=day(1)).rows[0]["price_raw"] == 2.0
    assert find(tmp_path, as_of=day(1), gpu="h100", country=None, limit=1).total == 2


def test_history_gives_a_day_a_row_over_providers(tmp_path: Path) -> None:
    for number, price in enumerate(("2.0", "2.2")):
        for provider, factor in (("alpha", 1.0), ("beta", 2.0)):
            rows = [offer("m1", f"{float(price) * factor:.2f}"), offer("m2", "9")]
            load(tmp_path, rows, day(number), provider=provider)
    connection = open_market(tmp_path)
    rows = queries.history(connection, gpu="h100", kind="on_demand")
    assert [(row["day"], row["providers"], row["min_usd_per_gpu_hour"]) for row in rows] == [
        (day(0).date(), 2, 2.0),
        (day(1).date(), 2, 2.2),
    ]
    assert rows[0]["median_usd_per_gpu_hour"] == pytest.approx((5.5 + 6.5) / 2)
    assert len(queries.history(connection, gpu="h100", since=day(1).date(), provider="alpha")) == 1
    assert [row["change"] for row in queries.changes(connection, since=day(1))] == ["repriced", "repriced"]
    assert queries.changes(connection, since=day(2)) == []
    connection.close()


def test_providers_gpus_and_quarantine_say_where_things_stand(home: Path) -> None:
    connection = open_market(home)
    rows = {row["provider"]: row for row in queries.providers(connection, now=day(2))}
    assert (rows["aws"]["offers"], rows["aws"]["state"], rows["aws"]["age_hours"]) == (7, "good", 48.0)
    assert rows["vast"]["kind"] == "marketplace"
    assert (rows["vast"]["expired"], rows["aws"]["aging"], rows["aws"]["expired"]) == (3, 6, 1)
    parts = {row["accelerator_id"]: row for row in queries.gpus(connection, now=day(0))}
    assert parts["h100-sxm5-80gb"]["min_usd_per_gpu_hour"] == 2.25
    assert parts["h100-sxm5-80gb"]["memory_gb"] == 80
    assert parts["v100-pcie-16gb"]["min_usd_per_gpu_hour"] is None
    assert queries.quarantine(connection) == []
    with pytest.raises(UnknownNameError):
        queries.quarantine(connection, provider="nobody")
    assert queries.meta(connection)["market_date"] == day(0).isoformat()
    connection.close()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("INSERT INTO offers SELECT * FROM offers", "INSERT is refused"),
        ("DROP TABLE offers", "DROP is refused"),
        ("SET lock_configuration = false", "SET is refused"),
        ("ATTACH '/tmp/x.duckdb'", "ATTACH is refused"),
        ("COPY offers TO '/tmp/x.csv'", "COPY is refused"),
        ("INSTALL httpfs", "refused"),
        ("SELECT * FROM read_csv('/etc/passwd')", "published tables only"),
        ("SELECT * FROM '/etc/passwd'", "the query failed"),
        ("SELECT * FROM read_text('/etc/passwd')", "published tables only"),
        ("SELECT * FROM glob('/*')", "published tables only"),
        ("SELECT * FROM home", "the query failed"),
        ("SELECT 1; SELECT 2", "expected one statement, found 2"),
        ("", "expected one statement, found 0"),
        ("SELEC 1", "cannot be read"),
        ("SELECT nothing FROM offers", "the query failed"),
    ],
)
def test_sql_reads_the_published_tables_and_nothing_else(home: Path, text: str, line: str) -> None:
    connection = open_market(home)
    with pytest.raises(UsageError) as caught:
        queries.run_sql(connection, text)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    connection.close()


def test_sql_answers_with_names_rows_and_utc_times(home: Path) -> None:
    columns, rows = queries.run_sql(
        open_market(home), "SELECT 1 AS a, 2 AS a, max(observed_at) AS t FROM offers -- x"
    )
    assert columns == ["a", "a_2", "t"]
    assert rows == [{"a": 1, "a_2": 2, "t": day(0)}]
    assert len(queries.run_sql(open_market(home), "FROM offers;", limit=3)[1]) == 3
    assert queries.run_sql(open_market(home), "DESCRIBE offers")[1]


def test_the_reading_connection_cannot_be_unlocked(home: Path) -> None:
    connection = open_market(home)
    for text in (
        "SET enable_external_access = true",
        "SET autoload_known_extensions = true",
        "CREATE TABLE t (a INT)",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(text)
    connection.close()


def test_a_home_without_a_market_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"does not exist yet; run: gpufare"):
        open_market(tmp_path)


@pytest.mark.skipif(duckdb.__version__.startswith("1."), reason="DuckDB 1 imports them itself to bind values")
def test_the_reading_path_imports_duckdb_and_no_other_heavy_library(home: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from warehouse.queries import open_market, offers, OfferFilter\n"
        "con = open_market(Path(sys.argv[1])); offers(con, OfferFilter(gpu='h100'), now=datetime.now(UTC))\n"
        "print([m for m in ('numpy', 'pandas', 'pyarrow', 'scrapy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_published_column_that_readers_rely_on_is_there(home: Path) -> None:
    """The tables of docs/architecture.md, by name."""
    text = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text("utf-8")
    table = text.split("**offers**", 1)[1].split("**spans**", 1)[0]
    wanted = [
        name.strip()
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith(("| column", "|---"))
        for name in line.split("|")[1].split(",")
    ]
    assert len(wanted) > 40
    have = {row["column_name"] for row in ask(home, "DESCRIBE offers")}
    assert set(wanted) - have == set()
    for name in (
        "spans",
        "offer_keys",
        "price_days",
        "changes",
        "runs",
        "providers",
        "quarantine",
        "fx_rates",
        "meta",
    ):
        assert ask(home, f"DESCRIBE {name}")


def test_two_readers_of_one_process_share_utc_and_the_lock(home: Path) -> None:
    first = open_market(home)
    second = open_market(home)
    for connection in (first, second):
        found = connection.execute(
            "SELECT current_setting('TimeZone'), current_setting('lock_configuration')"
        )
        assert found.fetchone() == ("UTC", True)
        connection.close()
