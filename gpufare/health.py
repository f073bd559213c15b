"""How the warehouse of a home is doing: its files, the copies beside them, what was loaded and when.

Reads file sizes and the published copy only: the loader's file belongs to the loader, which may be at work.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def health(home: Path, market: Any, *, now: datetime) -> list[tuple[str, str, str]]:
    """What, state ("ok", "old", "none", "look") and detail of each thing worth knowing of a warehouse.

    Args:
        home: the folder of the warehouse.
        market: a connection to its published copy.
        now: the moment ages are counted to.
    """
    return [_files(home), _format(market), _backup(home, now), *_loads(market, now)]


def _files(home: Path) -> tuple[str, str, str]:
    from warehouse.database import market_path, warehouse_path

    parts, state = [], "ok"
    for path in (warehouse_path(home), market_path(home)):
        if path.exists():
            parts.append(f"{path.name} {path.stat().st_size / 1e6:.1f} MB")
        else:
            parts.append(f"{path.name} is not there")
            state = "look"
        log = path.with_name(path.name + ".wal")
        if log.exists():
            parts.append(f"{log.name} {log.stat().st_size / 1e6:.1f} MB (written back by the next load)")
    return "warehouse files", state, ", ".join(parts)


def _format(market: Any) -> tuple[str, str, str]:
    from warehouse.database import STORAGE_VERSION
    from warehouse.queries import meta

    told = meta(market)
    published = datetime.fromisoformat(told["published_at"] or "").astimezone(UTC)
    return (
        "warehouse format",
        "ok",
        f"{told['schema_version']} in DuckDB storage {STORAGE_VERSION}, "
        f"published {published:%Y-%m-%d %H:%M} UTC",
    )


def _backup(home: Path, now: datetime) -> tuple[str, str, str]:
    from warehouse.database import warehouse_path
    from warehouse.migrations import backups

    found = backups(warehouse_path(home))
    if not found:
        return "warehouse backup", "none", "no format change yet; a copy is made before each one"
    file = found[0].stat()
    when = datetime.fromtimestamp(file.st_mtime, UTC)
    return (
        "warehouse backup",
        "ok",
        f"{found[0].name}, {file.st_size / 1e6:.1f} MB, {when:%Y-%m-%d %H:%M} UTC ({_ago(when, now)})",
    )


def _loads(market: Any, now: datetime) -> list[tuple[str, str, str]]:
    """The last load that was no bundled snapshot, and the crawled runs by state."""
    from warehouse.database import fetch

    crawled = "FROM runs WHERE origin <> 'bundled'"
    last = fetch(
        market,
        f"SELECT provider, state, offers, loaded_at {crawled} ORDER BY loaded_at DESC NULLS LAST LIMIT 1",
    )[1]
    counts = fetch(market, f"SELECT state, count(*) {crawled} GROUP BY state ORDER BY state")[1]
    if not last:
        text = "only the snapshot that ships inside the package; run: gpufare crawl"
        return [("last load", "none", text), ("runs", "none", "no run was loaded")]
    provider, state, offers, loaded = last[0]
    when = f"{loaded:%Y-%m-%d %H:%M} UTC ({_ago(loaded, now)})" if loaded else "at an unknown time"
    old = loaded is not None and (now - loaded).total_seconds() > 48 * 3600
    told = ", ".join(f"{count:,} {name}" for name, count in counts)
    bad = any(name in ("held", "failed") for name, _ in counts)
    hint = "; see: gpufare quarantine list, gpufare providers" if bad else ""
    return [
        ("last load", "old" if old else "ok", f"{provider}, {state}, {offers or 0:,} offers, {when}"),
        ("runs", "look" if bad else "ok", f"{told}{hint}"),
    ]


def _ago(moment: datetime, now: datetime) -> str:
    hours = max(0.0, (now - moment).total_seconds() / 3600)
    return f"{hours:.0f} hours ago" if hours < 72 else f"{hours / 24:.0f} days ago"
