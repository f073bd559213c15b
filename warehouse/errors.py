"""Errors that people read: one line saying what is wrong and what to do next.

Every error that may reach a person derives from `GpufareError`. Its text is complete: the command line
prints it as it is and adds nothing. The front door maps each class to an exit code.
"""

from __future__ import annotations


class GpufareError(Exception):
    """Something went wrong that a person can act on; `str(error)` is the line to show."""


class UsageError(GpufareError):
    """The question is not well formed: an unknown name, a contradictory or malformed option (exit 2)."""


class UnknownNameError(UsageError):
    """A provider, accelerator or model that we do not know. Carries the nearest known names."""

    def __init__(self, kind: str, name: str, near: list[str] | tuple[str, ...] = (), hint: str = "") -> None:
        self.kind, self.name, self.near = kind, name, tuple(near)
        shown = name if len(name) <= 80 else name[:77] + "..."
        parts = [f"unknown {kind} {shown!r}"]
        if near:
            parts.append("did you mean " + ", ".join(near) + "?")
        if hint:
            parts.append(hint)
        super().__init__("; ".join(parts))


class NothingFoundError(GpufareError):
    """A well formed question to which nothing in the market or the model answers (exit 3)."""


class RecordError(ValueError):
    """A record that cannot be true was refused; the text repeats the offending field and value."""


class RunFolderError(GpufareError):
    """A run folder is missing, corrupt, cut short or of an unknown format."""


class WarehouseError(GpufareError):
    """The warehouse cannot be opened, is newer than this program, or is held by another loader."""


class WarehouseBusyError(WarehouseError):
    """Another loader holds the warehouse; it will be free again."""


class OlderCopyError(WarehouseError):
    """The published copy was made by an older gpufare; the warehouse behind it can make it anew."""


class ReferenceDataError(GpufareError):
    """A bundled reference table is not well formed."""
