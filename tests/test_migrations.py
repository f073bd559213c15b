"""A warehouse of an older format: copied, brought forward, nothing lost."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.warehouse_runs import ask, day, load, offer
from warehouse import migrations, spans
from warehouse.database import open_warehouse, warehouse_path
from warehouse.errors import WarehouseError

_SPANS = (
    "SELECT s::VARCHAR FROM (SELECT * EXCLUDE (learnt_at, end_learnt_at) FROM core_spans) AS s ORDER BY ALL"
)
OLD = Path(__file__).parent / "warehouses" / "format_3.sql"


def old_warehouse(home: Path, *, version: int = 3) -> None:
    """A file as gpufare of that format wrote it."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{warehouse_path(home)}' AS old (STORAGE_VERSION 'v1.5.0')")
        connection.execute("USE old")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(OLD.read_text("utf-8"))
        if version == 1:
            for table in (
                "raw_token_prices",
                "raw_token_sightings",
                "raw_grid_carbon",
                "raw_carbon_sightings",
            ):
                connection.execute(f"DROP TABLE {table}")
            for table in ("raw_states", "core_spans"):
                connection.execute(f"ALTER TABLE {table} RENAME COLUMN crawler TO provider")
            connection.execute("ALTER TABLE core_price_days DROP COLUMN compiled")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(version)])


@pytest.mark.parametrize("version", [1, 3])
def test_every_observation_of_an_old_warehouse_is_still_there(tmp_path: Path, version: int) -> None:
    old_warehouse(tmp_path, version=version)
    with duckdb.connect(str(warehouse_path(tmp_path)), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        before = connection.execute(
            "SELECT s.run_no, s.state_no, b.source_url, b.body_sha256, s.accepted "
            "FROM raw_sightings AS s JOIN raw_bodies AS b USING (body_no) ORDER BY ALL"
        ).fetchall()
        found = connection.execute("SELECT s::VARCHAR FROM core_spans AS s ORDER BY ALL").fetchall()
        spans_before = sorted((text.replace("'provider':", "'crawler':"),) for (text,) in found)
    with open_warehouse(tmp_path) as connection:
        after = connection.execute(
            "SELECT s.run_no, s.state_no, p.source_url, b.body_sha256, s.accepted FROM raw_sightings AS s "
            "JOIN raw_places AS p USING (place_no) JOIN raw_bodies AS b "
            "ON b.run_no = s.run_no AND b.place_no = s.place_no ORDER BY ALL"
        ).fetchall()
        kept = connection.execute(_SPANS)
        assert sorted(kept.fetchall()) == spans_before
        learnt = connection.execute(
            "SELECT count(*) FROM core_spans "
            "WHERE learnt_at IS NULL OR (valid_to IS NULL) <> (end_learnt_at IS NULL)"
        )
        assert learnt.fetchall() == [(0,)]
        connection.execute("CREATE OR REPLACE TEMP TABLE this_run AS SELECT 'acme' AS provider")
        spans.rebuild(connection)
        again = connection.execute(_SPANS)
        assert sorted(again.fetchall()) == spans_before, "the sightings give the same spans"
        assert connection.execute("SELECT count(*) FROM core_past_spans").fetchall() == [(0,)]
    assert len(before) > 10
    assert after == before


def test_an_old_warehouse_goes_on_and_is_copied_first(tmp_path: Path) -> None:
    old_warehouse(tmp_path)
    load(tmp_path, [offer("a", "2.5"), offer("e", "2", currency="EUR")], day(6))
    rows = ask(
        tmp_path, "SELECT instance_type, price_per_hour FROM offers WHERE provider = 'acme' ORDER BY 1"
    )
    assert [(row["instance_type"], row["price_per_hour"]) for row in rows] == [("a", 2.5), ("e", 2.0)]
    copy = migrations.backup_path(warehouse_path(tmp_path), 3)
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [
            ("3",)
        ]
        assert connection.execute("SELECT count(*) FROM raw_sightings").fetchall()[0][0] > 10


def test_without_room_for_the_copy_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_warehouse(tmp_path)
    before = warehouse_path(tmp_path).read_bytes()

    def full(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrations.shutil, "copyfile", full)
    with pytest.raises(WarehouseError, match="cannot be copied before it is brought forward"):
        load(tmp_path, [offer("a", "2.5")], day(6))
    assert warehouse_path(tmp_path).read_bytes() == before
    assert list(tmp_path.glob("*.backup*")) == []


def test_only_the_newest_copies_stay(tmp_path: Path) -> None:
    path = warehouse_path(tmp_path)
    path.write_bytes(b"x")
    for version in (1, 2, 3):
        migrations.back_up(path, version)
    assert len(migrations.backups(path)) == migrations.KEPT_BACKUPS
