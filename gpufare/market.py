"""Opening the market for reading: the published copy, or the bundled snapshot where there is none yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gpufare.settings import Settings


@contextmanager
def open_market(settings: Settings, now: datetime) -> Iterator[Any]:
    """A read-only, locked-down connection to the published market.

    The first command of a new home loads the snapshot that ships inside the package, so that there is
    always an answer; every answer says how old it is.
    """
    from warehouse.database import market_path
    from warehouse.database import open_market as open_copy

    if not market_path(settings.home).exists():
        from warehouse.ingest import ingest_bundled

        ingest_bundled(settings.home, now=now)
    connection = open_copy(settings.home)
    try:
        yield connection
    finally:
        connection.close()
