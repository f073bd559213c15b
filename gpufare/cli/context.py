"""What every command is handed: the settings and one reading of the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gpufare.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """One command's surroundings. The clock is read once, here, so that one answer has one `now`."""

    settings: Settings
    now: datetime


def context_of(typer_context: Any) -> Context:
    """The `Context` that `gpufare.cli.main` put on typer's own."""
    found = typer_context.obj
    if not isinstance(found, Context):
        raise TypeError("the command was called without its context")
    return found


def read_clock() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)
