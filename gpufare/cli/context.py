"""What every command is handed: the settings and one reading of the clock."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gpufare.settings import Settings
from warehouse.errors import UsageError


@dataclass(frozen=True, slots=True)
class Context:
    """One command's surroundings. The clock is read once, here, so that one answer has one `now`.

    With ``--as-of`` the moment asked for is `now`, and `clock` still tells the time.
    """

    settings: Settings
    now: datetime
    as_of: datetime | None = None
    clock: datetime | None = None

    def market(self) -> AbstractContextManager[Any]:
        """A read-only connection to the market: today's, or as it was known at `as_of`."""
        from gpufare.market import open_market

        return open_market(self.settings, self.clock or self.now, self.as_of)


def context_of(typer_context: Any, as_of: str | None = None) -> Context:
    """The `Context` that `gpufare.cli.main` put on typer's own, set back to a day given with ``--as-of``.

    Raises UsageError where that is no day or lies in the future.
    """
    found = typer_context.obj
    if not isinstance(found, Context):
        raise TypeError("the command was called without its context")
    if not as_of:
        return found
    moment = parse_time(as_of, "--as-of")
    if moment > found.now:
        raise UsageError(f"--as-of {as_of} lies in the future; leave it out for today's market")
    return replace(found, now=moment, as_of=moment, clock=found.now)


def parse_time(text: str, option: str) -> datetime:
    """A day or a time as UTC. Raises UsageError naming the option."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not a day or a time; write 2026-07-01 or 2026-07-01T15:00Z"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def read_clock() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)
