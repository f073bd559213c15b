"""Exit codes of the command line, as the contract fixes them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command says to the shell."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOTHING = 3  # nothing matches, or the workload cannot run on anything allowed
    STALE = 4  # answered, but from stale or held data
    SOURCE_FAILED = 5  # a source failed, the others went through
    INTERRUPTED = 130
