"""Opening the market for reading: the published copy, or the bundled snapshot where there is none yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gpufare.settings import Settings


def check_home(settings: Settings) -> None:
    """Refuse early what could not be loaded later: a warehouse of a newer gpufare, one that is damaged.

    One that another loader holds just now is fine: it will be free when the crawl has ended.
    """
    from contextlib import suppress

    from warehouse.database import open_warehouse, warehouse_path
    from warehouse.errors import WarehouseBusyError

    if warehouse_path(settings.home).exists():
        with suppress(WarehouseBusyError), open_warehouse(settings.home):
            pass


def ensure_market(settings: Settings, now: datetime) -> bool:
    """Load the snapshot that ships inside the package where this home has no market yet; True if it did.

    Every first command does this, a first crawl too: one provider's fresh prices stand among the others' old
    ones then, and every answer says how old it is.
    """
    from warehouse.database import market_path

    if market_path(settings.home).exists():
        return False
    from warehouse.ingest import ingest_bundled

    return ingest_bundled(settings.home, now=now) is not None


@contextmanager
def open_market(settings: Settings, now: datetime, as_of: datetime | None = None) -> Iterator[Any]:
    """A read-only, locked-down connection to the published market.

    A copy that an older gpufare published is made anew from the warehouse first. With `as_of` every table
    shows what was known at that moment (`warehouse.as_of`).
    """
    connection = connect(settings, now, as_of)
    try:
        yield connection
    finally:
        connection.close()


def connect(settings: Settings, now: datetime, as_of: datetime | None = None) -> Any:
    """The connection of `open_market`; the caller closes it."""
    from warehouse.database import open_market as open_copy
    from warehouse.errors import OlderCopyError

    ensure_market(settings, now)
    try:
        connection = open_copy(settings.home)
    except OlderCopyError:
        from warehouse.ingest import republish

        republish(settings.home, now=now)
        connection = open_copy(settings.home)
    if as_of is None:
        return connection
    connection.close()
    from warehouse.as_of import open_as_of

    return open_as_of(settings.home, as_of)
