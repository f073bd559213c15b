"""Loading: idempotent, verbatim, in any order, with yesterday's market whole whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse_runs import ask, day, fleet, load, offer, rate, write_run
from warehouse.database import SCHEMA_VERSION, market_path, open_published, open_warehouse, warehouse_path
from warehouse.errors import RunFolderError, WarehouseError
from warehouse.ingest import ingest
from warehouse.units import price_per_instance_hour

CHILD = """
import sys, os, signal
from datetime import datetime, UTC
from pathlib import Path
from warehouse import ingest, publish
home, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
real = publish.publish
def killed(connection, home, *, now):
    def at_step(name):
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(connection, home, now=now, at_step=at_step)
ingest.publish = killed
if step == "loaded":
    ingest.publish = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if step == "inside":
    ingest.spans.extend = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
ingest.ingest(home, [folder], now=datetime.now(UTC))
"""


def prices(home: Path) -> dict[str, float]:
    rows = ask(home, "SELECT instance_type, price_usd_per_hour FROM offers")
    return {row["instance_type"]: row["price_usd_per_hour"] for row in rows}


def test_a_run_becomes_offers_with_dollars_and_proof(tmp_path: Path) -> None:
    result = load(tmp_path, [offer("m1", "20", gpu_count=8.0, region=None)], day(0))
    assert (result.state, result.offers, result.held, result.rejected) == ("good", 1, 0, 0)
    (row,) = ask(tmp_path, "SELECT * FROM offers")
    assert row["accelerator_id"] == "h100-sxm5-80gb"
    assert row["candidates"] == ["h100-sxm5-80gb"]
    assert (row["price_usd_per_hour"], row["price_usd_per_gpu_hour"]) == (20.0, 2.5)
    assert row["run_id"] == result.run_id
    assert len(row["body_sha256"] or "") in (0, 64)
    assert row["observed_at"] == row["price_since"] == day(0)
    assert row["billing_increment_seconds"] == 60


def test_the_same_run_again_changes_nothing_and_says_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", fleet(3), day(0))
    ingest(tmp_path, [folder], now=day(0))
    before = warehouse_rows(tmp_path)
    again = ingest(tmp_path, [folder], now=day(1))[0]
    assert again.already_loaded
    assert "already loaded" in again.warnings[0]
    assert again.offers == 3
    assert warehouse_rows(tmp_path) == before


def test_an_unchanged_price_adds_a_sighting_and_no_state(tmp_path: Path) -> None:
    load(tmp_path, fleet(5), day(0))
    load(tmp_path, fleet(5), day(1))
    counts = warehouse_rows(tmp_path)
    assert (counts["raw_offers"], counts["raw_states"], counts["raw_listings"]) == (5, 5, 5)
    with open_warehouse(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM raw_sightings WHERE accepted").fetchall() == [(10,)]
    (span,) = ask(tmp_path, "SELECT DISTINCT valid_from, valid_to, last_seen FROM spans")
    assert (span["valid_from"], span["valid_to"], span["last_seen"]) == (day(0), None, day(1))


def test_a_new_price_closes_the_span_and_is_a_change(tmp_path: Path) -> None:
    load(tmp_path, [offer(price="2.5")], day(0))
    load(tmp_path, [offer(price="2.75")], day(1))
    spans = ask(tmp_path, "SELECT valid_from, valid_to, price_per_hour FROM spans ORDER BY valid_from")
    assert [(s["valid_from"], s["valid_to"], s["price_per_hour"]) for s in spans] == [
        (day(0), day(1), 2.5),
        (day(1), None, 2.75),
    ]
    (change,) = ask(tmp_path, 'SELECT change, "at", old_usd_per_gpu_hour, new_usd_per_gpu_hour FROM changes')
    assert change == {
        "change": "repriced",
        "at": day(1),
        "old_usd_per_gpu_hour": 2.5,
        "new_usd_per_gpu_hour": 2.75,
    }


def test_an_older_recording_loaded_later_does_not_disturb_today(tmp_path: Path) -> None:
    load(tmp_path, [offer(price="2.5"), offer("m2", "3")], day(5))
    load(
        tmp_path, [offer(price="2.4", note="old"), offer("gone", "9")], day(1), origin="replay", partial=True
    )
    assert prices(tmp_path)["m1"] == 2.5
    (row,) = ask(tmp_path, "SELECT price_since, observed_at, note FROM offers WHERE instance_type = 'm1'")
    assert row == {"price_since": day(5), "observed_at": day(5), "note": None}
    spans = ask(
        tmp_path,
        "SELECT valid_from, valid_to FROM spans JOIN offer_keys USING (offer_id) "
        "WHERE instance_type = 'm1' ORDER BY valid_from",
    )
    assert [(s["valid_from"], s["valid_to"]) for s in spans] == [(day(1), day(5)), (day(5), None)]


def test_the_rate_of_the_day_is_kept_with_its_date(tmp_path: Path) -> None:
    load(
        tmp_path,
        [rate("USD", "1.25", day(-3)), rate("USD", "1.5", day(2))],
        day(2),
        provider="ecb_fx",
        facts={"kind": "reference"},
    )
    load(tmp_path, [offer(price="2", currency="EUR")], day(0))
    (row,) = ask(tmp_path, "SELECT price_per_hour, price_usd_per_hour, fx_rate, fx_date FROM offers")
    assert (row["price_per_hour"], row["price_usd_per_hour"], row["fx_rate"]) == (2.0, 2.5, 1.25)
    assert row["fx_date"] == day(-3).date()
    load(tmp_path, [offer(price="2", currency="EUR")], day(2))
    assert ask(tmp_path, "SELECT price_usd_per_hour FROM offers")[0]["price_usd_per_hour"] == 3.0
    (span,) = ask(tmp_path, "SELECT price_usd_per_hour, valid_to FROM spans")
    assert (span["price_usd_per_hour"], span["valid_to"]) == (2.5, None)
    assert ask(tmp_path, "SELECT * FROM changes") == []


def test_a_day_before_all_rates_takes_the_earliest_and_warns(tmp_path: Path) -> None:
    result = load(tmp_path, [offer(currency="EUR", observed_at=day(-9000))], day(-9000))
    assert result.offers == 1
    assert any("no EUR rate on or before" in warning for warning in result.warnings)


def test_tax_inside_a_price_is_taken_out(tmp_path: Path) -> None:
    load(tmp_path, [offer(price="2.4", tax_rate=0.2)], day(0))
    assert prices(tmp_path)["m1"] == pytest.approx(2.0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    price=st.decimals("0.000001", "99999", places=6),
    unit=st.sampled_from(
        [
            "per instance-hour",
            "cent per gpu-hour",
            "per gpu-second",
            "1e-4 per instance-minute",
            "per instance-month (672 h)",
            "per gpu-month",
            "per instance-term",
        ]
    ),
    count=st.sampled_from([0.25, 1.0, 3.0, 8.0]),
    term=st.sampled_from([1, 12, 36]),
)
def test_prices_per_hour_equal_the_units_module(price: Decimal, unit: str, count: float, term: int) -> None:
    from warehouse.clean import unit_factors

    factor, upfront, per_gpu, problem = unit_factors(unit, term, None, True)
    assert problem is None
    assert factor is not None
    assert upfront is not None
    got = (float(price) * factor + 7 * upfront) * (count if per_gpu else 1)
    wanted = price_per_instance_hour(price, unit, gpu_count=count, term_months=term, upfront_raw=Decimal(7))
    assert got == pytest.approx(float(wanted), rel=1e-12)


HOSTILE = [
    "'; DROP TABLE offers; --",
    '"x" OR 1=1',
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "%s {} $now ?",
    "ünïcødé ⚡ \u202e",
    "a" * 400,
    "null",
    "\\x00 {{ 7*7 }}",
]


def test_hostile_strings_pass_through_as_data(tmp_path: Path) -> None:
    from warehouse.queries import OfferFilter, offers, open_market

    rows = [offer(text, offer_key=text, note=text, interconnect=text) for text in HOSTILE]
    assert load(tmp_path, rows, day(0)).offers == len(HOSTILE)
    connection = open_market(tmp_path)
    for text in HOSTILE:
        found = offers(connection, OfferFilter(interconnect=text), now=day(0)).rows
        assert text in [row["instance_type"] for row in found]
        assert all(row["offer_key"] == row["note"] == row["instance_type"] for row in found)
    connection.close()
    unknown = [offer(f"m{number}", gpu_name_raw=text) for number, text in enumerate(HOSTILE)]
    assert load(tmp_path, unknown, day(1)).offers == 0
    waiting = ask(tmp_path, "SELECT gpu_name_raw FROM quarantine WHERE offer_id IS NOT NULL")
    assert {row["gpu_name_raw"] for row in waiting} == set(HOSTILE)


def test_a_home_whose_name_looks_like_a_pattern_or_a_quote_works(tmp_path: Path) -> None:
    home = tmp_path / "it's [a] *home*"
    assert load(home, fleet(2), day(0)).offers == 2
    assert len(prices(home)) == 2
    with pytest.raises(WarehouseError, match="question mark"):
        load(tmp_path / "what?", fleet(2), day(0))


def test_a_corrupt_folder_costs_only_itself(tmp_path: Path) -> None:
    bad = write_run(tmp_path / "runs", fleet(2), day(0))
    (bad / "offers.parquet").write_bytes((bad / "offers.parquet").read_bytes()[:200])
    good = write_run(tmp_path / "runs", fleet(2), day(1))
    gone = tmp_path / "runs" / "acme" / "nowhere"
    results = {result.run_id: result for result in ingest(tmp_path, [bad, good, gone], now=day(1))}
    assert results[good.name].offers == 2
    assert results[bad.name].state == results["nowhere"].state == "failed"
    assert "record tables are not readable" in str(results[bad.name].reason)
    assert "is not a run folder" in str(results["nowhere"].reason)
    assert "\n" not in str(results[bad.name].reason)


def test_a_folder_that_was_not_parsed_says_what_to_do(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", fleet(1), day(0))
    (folder / "parse.json").unlink()
    (result,) = ingest(tmp_path, [folder], now=day(0))
    assert "was not parsed yet; run: gpufare crawl --replay" in str(result.reason)


def test_a_table_without_a_needed_column_is_refused_by_name(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    folder = write_run(tmp_path / "runs", fleet(1), day(0))
    table = pq.read_table(folder / "offers.parquet").drop_columns(["price_unit"])
    pq.write_table(table, folder / "offers.parquet")
    (result,) = ingest(tmp_path, [folder], now=day(0))
    assert "lacks the column 'price_unit'" in str(result.reason)


def test_a_second_loader_is_refused_in_one_line(tmp_path: Path) -> None:
    load(tmp_path, fleet(1), day(0))
    script = (
        "import sys; from pathlib import Path; from warehouse.database import open_warehouse\n"
        "from warehouse.errors import WarehouseError\n"
        "try:\n"
        "    with open_warehouse(Path(sys.argv[1])): pass\n"
        "except WarehouseError as error: print(error)\n"
    )
    with open_warehouse(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
        )
    line = done.stdout.strip()
    assert str(warehouse_path(tmp_path)) in line
    assert "held by another gpufare loader; wait" in line
    assert "\n" not in line
    assert len(prices(tmp_path)) == 1


def test_a_newer_warehouse_and_a_newer_copy_are_refused_in_words(tmp_path: Path) -> None:
    load(tmp_path, fleet(1), day(0))
    for path in (warehouse_path(tmp_path), market_path(tmp_path)):
        with duckdb.connect(str(path)) as connection:
            connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(
        WarehouseError, match=rf"newer gpufare \(format 99, this one knows {SCHEMA_VERSION}\); update gpufare"
    ):
        load(tmp_path, fleet(1), day(1))
    with pytest.raises(WarehouseError, match="newer gpufare"):
        open_published(market_path(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_published_copy_is_one_line(tmp_path: Path, damage: str) -> None:
    load(tmp_path, fleet(50), day(0))
    path = market_path(tmp_path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 3], "text": b"hello " * 4000, "empty": b""}[damage])
    with pytest.raises(WarehouseError) as caught:
        ask(tmp_path, "SELECT count(*), any_value(note) FROM offers")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("step", ["inside", "loaded", "started", "built", "closed"])
def test_a_kill_at_any_point_leaves_a_whole_market(tmp_path: Path, step: str) -> None:
    load(tmp_path, fleet(3, "2.5"), day(0))
    yesterday = market_path(tmp_path).read_bytes()
    moved = [offer(f"m{i}", price) for i, price in enumerate(("2.75", "2.6", "2.65"))]  # no mass move (R6)
    folder = write_run(tmp_path / "runs", moved, day(1))
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), str(folder), step], check=False)
    assert done.returncode == -9
    assert market_path(tmp_path).read_bytes() == yesterday
    assert set(prices(tmp_path).values()) == {2.5}
    (result,) = ingest(tmp_path, [folder], now=day(1))
    assert result.already_loaded is (step != "inside")
    assert set(prices(tmp_path).values()) == {2.75, 2.6, 2.65}
    assert [file.name for file in tmp_path.glob("*building*")] == []


def test_a_disk_without_room_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    load(tmp_path, fleet(3), day(0))
    many = [offer(f"n{i}", note=os.urandom(200).hex()) for i in range(4000)]
    folder = write_run(tmp_path / "runs", many, day(1))
    script = (
        "import resource, signal, sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from warehouse.ingest import ingest; from warehouse.errors import WarehouseError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))\n"
        "try: ingest(Path(sys.argv[1]), [Path(sys.argv[2])], now=datetime.now(UTC)); print('loaded')\n"
        "except WarehouseError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(folder)], capture_output=True, text=True, check=True
    )
    assert "the disk has no room" in done.stdout
    assert done.stdout.strip().count("\n") == 0
    assert len(prices(tmp_path)) == 3
    ingest(tmp_path, [folder], now=day(1))
    assert len(prices(tmp_path)) >= 3


def test_a_reader_keeps_the_copy_it_opened(tmp_path: Path) -> None:
    load(tmp_path, fleet(1, "2.5"), day(0))
    reader = open_published(market_path(tmp_path))
    load(tmp_path, fleet(1, "2.6"), day(1))
    assert reader.execute("SELECT price_per_hour FROM offers").fetchall() == [(2.5,)]
    reader.close()
    assert prices(tmp_path) == {"m0": 2.6}


def test_read_run_refuses_a_folder_without_json(tmp_path: Path) -> None:
    from warehouse.load import read_run

    folder = write_run(tmp_path / "runs", fleet(1), day(0))
    (folder / "run.json").write_text(json.dumps({"format": 7}))
    with pytest.raises(RunFolderError, match="format 7 is not known"):
        read_run(folder, "live")


def warehouse_rows(home: Path) -> dict[str, int]:
    with open_warehouse(home) as connection:
        names = [
            row[0]
            for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = 'warehouse'"
            ).fetchall()
        ]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in names}


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["good", "partial", "partial recording"]),
        st.lists(st.sampled_from(["2.5", "2.6", "absent", "2000", "sold out"]), min_size=2, max_size=2),
    ),
    min_size=2,
    max_size=7,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=_EVENTS)
def test_spans_do_not_depend_on_the_way_they_were_built(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, list[str]]]
) -> None:
    """Extending run by run gives the spans that a rebuild from all sightings gives."""
    from warehouse import spans as module

    home = tmp_path_factory.mktemp("spans")
    folders = []
    for number, (state, machines) in enumerate(events):
        rows = [offer("anchor", "2.2")]
        for name, what in zip(("m1", "m2"), machines, strict=True):
            if what != "absent":
                price = "2.5" if what == "sold out" else what
                rows.append(offer(name, price, available=what != "sold out"))
        parsed, partial = ("partial" if state == "partial" else "good"), state == "partial recording"
        folders.append(write_run(home / "runs", rows, day(number), state=parsed, partial=partial))
    ingest(home, folders, now=day(9))
    with open_warehouse(home) as connection:
        kept = connection.execute(_SPANS).fetchall()
        connection.execute("CREATE OR REPLACE TEMP TABLE this_run AS SELECT 'acme' AS provider")
        module.rebuild(connection)
        assert connection.execute(_SPANS).fetchall() == kept
        for _, start, end in connection.execute(
            "SELECT offer_id, valid_from::VARCHAR, valid_to::VARCHAR FROM core_spans "
            "WHERE valid_to <= valid_from"
        ).fetchall():
            pytest.fail(f"span from {start} to {end}")


_SPANS = (
    "SELECT offer_id, epoch_us(valid_from), epoch_us(valid_to), epoch_us(last_seen), "
    "epoch_us(last_listed), "
    "closed_by, epoch_us(closed_at), price_per_hour, available, state_no, run_no, last_run_no, "
    "bundled FROM core_spans "
    "ORDER BY offer_id, valid_from"
)


def test_time_of_a_source_that_is_older_than_the_run_is_kept(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "runs", fleet(1), day(3))
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "offers.parquet")
    stated = pa.array([day(3) - timedelta(days=2)], table.schema.field("observed_at").type)
    table = table.set_column(table.column_names.index("observed_at"), "observed_at", stated)
    pq.write_table(table, folder / "offers.parquet")
    ingest(tmp_path, [folder], now=day(3))
    assert ask(tmp_path, "SELECT observed_at FROM offers")[0]["observed_at"] == day(1)


def test_runs_in_any_order_give_the_same_market(tmp_path: Path) -> None:
    what = [["2.5", "3"], ["2.5", None], ["2.6", None], ["2.6", None], ["2.6", "3.1"]]
    views = []
    for name, order in (("ordered", [0, 1, 2, 3, 4]), ("shuffled", [3, 0, 4, 2, 1])):
        home = tmp_path / name
        for number in order:
            rows = [offer(f"m{i}", price) for i, price in enumerate(what[number]) if price]
            load(home, [*rows, offer("anchor", "2")], day(number))
        spans = "SELECT offer_id, valid_from, valid_to, last_seen, price_per_hour, closed_by FROM spans"
        views.append(
            [
                ask(home, f"{spans} ORDER BY ALL"),
                ask(home, "SELECT * EXCLUDE (learnt_at) FROM changes ORDER BY ALL"),
            ]
        )
    assert views[0] == views[1]
    assert any(row["closed_by"] == "withdrawn" for row in views[0][0])
