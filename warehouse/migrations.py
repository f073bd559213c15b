"""Bringing a warehouse forward to this version: a copy of the file first, then one transaction per step.

Steps only ever go forward and lose no observation. The copy lies beside the file, named after the format it
holds (``warehouse.duckdb.format-3.backup``); the newest `KEPT_BACKUPS` stay.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    import duckdb

MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: ("reference_tables",),
    3: ("crawler_column",),
    4: ("index_tables",),
    5: ("quality_tables",),
    6: ("interruption_table",),
    7: ("two_times", "past_tables", "sightings"),
}
"""SQL files under `schema` that take a warehouse from version key - 1 to version key, in one transaction."""
FRESH = (
    "tables",
    "past_tables",
    "sightings",
    "reference_tables",
    "index_tables",
    "quality_tables",
    "interruption_table",
)
"""SQL files of a new warehouse of the newest version."""
KEPT_BACKUPS = 2


def backup_path(path: Path, version: int) -> Path:
    """Where the copy of a warehouse of this version goes."""
    return path.with_name(f"{path.name}.format-{version}.backup")


def backups(path: Path) -> list[Path]:
    """Copies beside a warehouse file, newest first."""
    return sorted(path.parent.glob(f"{path.name}.format-*.backup"), key=lambda file: -file.stat().st_mtime)


def back_up(path: Path, version: int) -> Path:
    """Copy the closed file beside its place, whole or not at all. WarehouseError where there is no room.

    The file must be detached: closing a second handle of it would drop DuckDB's lock.
    """
    target = backup_path(path, version)
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        shutil.copyfile(path, unfinished)
        with unfinished.open("rb+") as handle:
            os.fsync(handle.fileno())
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise WarehouseError(
            f"{path} is of an older format and cannot be copied before it is brought forward "
            f"({error.strerror}); nothing was changed: free some space, then try again"
        ) from None
    for old in backups(path)[KEPT_BACKUPS:]:
        old.unlink(missing_ok=True)
    return target


def bring_forward(connection: duckdb.DuckDBPyConnection, found: int, wanted: int) -> None:
    """Run the steps from version `found` to `wanted`; each is whole or does not happen."""
    from warehouse.database import sql, transaction

    for version in range(found + 1, wanted + 1):
        with transaction(connection):
            for name in MIGRATIONS[version]:
                connection.execute(sql(name))
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(version)])
    connection.execute("CHECKPOINT")
