"""Revisions: the bodies of a run parsed anew, as a run folder of its own beside the first (``<run id>.r2``).

The bodies are hard links, so a revision costs the disk only its records. Loading it supersedes the parse
before it; nothing of that one is deleted, here or in the warehouse.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.database import fetch, memory_connection, open_market
from warehouse.load import REVISION_NAME, glob_escape
from warehouse.record_tables import CARBON_FILE, FX_FILE, OFFERS_FILE, TOKENS_FILE
from warehouse.run_folder import read_run_folder

if TYPE_CHECKING:
    import duckdb

RECORD_FILES = (OFFERS_FILE, FX_FILE, TOKENS_FILE, CARBON_FILE)
UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class RevisableRun:
    """A loaded run whose bodies are still there.

    Attributes:
        provider, run_id: of the first parse. origin: live or replay. observed_at: when its prices were true.
        folder: of the first parse. newest: folder of the newest parse.
    """

    provider: str
    run_id: str
    origin: str
    observed_at: datetime
    folder: Path
    newest: Path


def revisable_runs(
    home: Path, providers: tuple[str, ...] = (), since: datetime | None = None
) -> tuple[list[RevisableRun], int]:
    """Loaded runs with a run folder, oldest first, and how many have none any more.

    Args:
        providers: only these; empty: all. since: only runs observed at or after this.
    """
    query = (
        "SELECT DISTINCT provider, coalesce(revises, run_id) AS run_id, origin, observed_at FROM runs "
        "WHERE origin IN ('live', 'replay') AND ($since::TIMESTAMPTZ IS NULL OR observed_at >= $since) "
        "AND (len($providers::VARCHAR[]) = 0 OR list_contains($providers, provider)) "
        "ORDER BY observed_at, provider"
    )
    connection = open_market(home)
    try:
        _, rows = fetch(connection, query, {"since": since, "providers": list(providers)})
    finally:
        connection.close()
    found, gone = [], 0
    for provider, run_id, origin, observed_at in rows:
        folder = home / "runs" / provider / run_id
        if not (folder / "run.json").exists():
            gone += 1
            continue
        found.append(RevisableRun(provider, run_id, origin, observed_at, folder, _parses(folder)[-1][1]))
    return found, gone


def same_records(old: Path, new: Path) -> bool:
    """True where two parses of the same bodies say the same, in any order; a column only one has is empty."""
    before, after = read_run_folder(old).parse_report(), read_run_folder(new).parse_report()
    if (
        before is None
        or after is None
        or (before.state, before.rejected_count) != (after.state, after.rejected_count)
    ):
        return False
    connection = memory_connection()
    try:
        return all(_same_table(connection, old / name, new / name) for name in RECORD_FILES)
    finally:
        connection.close()


def write_revision(first: Path, parsed: Path) -> Path:
    """Put a new parse beside the first one as its next revision. Returns the new run folder.

    Args:
        first: run folder of the first parse; its bodies and run.json are taken.
        parsed: run folder with the new records.
    """
    number = _parses(first)[-1][0] + 1
    target = first.with_name(f"{first.name}.r{number}")
    scratch = first.with_name(f"{UNFINISHED}{target.name}-{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        for file in first.iterdir():
            if file.name not in (*RECORD_FILES, "parse.json") and file.is_file():
                _link(file, scratch / file.name)
        for name in (*RECORD_FILES, "parse.json"):
            if (parsed / name).exists():
                shutil.copyfile(parsed / name, scratch / name)
        scratch.rename(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return target


def _parses(first: Path) -> list[tuple[int, Path]]:
    """All parses of a run with their numbers, oldest first."""
    found = [(1, first)]
    for folder in first.parent.glob(f"{glob_escape(Path(first.name))}.r*"):
        named = REVISION_NAME.fullmatch(folder.name)
        if named and named[1] == first.name and (folder / "run.json").exists():
            found.append((int(named[2]), folder))
    return sorted(found)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _same_table(connection: duckdb.DuckDBPyConnection, old: Path, new: Path) -> bool:
    if not old.exists() and not new.exists():
        return True
    if not old.exists() or not new.exists():
        only = old if old.exists() else new
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [glob_escape(only)]).fetchone()
        return counted == (0,)
    query = (
        "SELECT count(*) FROM (SELECT * EXCLUDE (filename), count(*) FILTER (filename = $old) AS before, "
        "count(*) FILTER (filename = $new) AS after "
        "FROM read_parquet([$old_file, $new_file], union_by_name = true, filename = true) "
        "GROUP BY ALL HAVING before <> after)"
    )
    given = {"old": str(old), "new": str(new), "old_file": glob_escape(old), "new_file": glob_escape(new)}
    return connection.execute(query, given).fetchone() == (0,)
