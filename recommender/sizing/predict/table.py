"""Reads a measurement table: what a prediction may use, and apart from that what was measured.

Which of the four tables a file is, is told by its columns. Measured columns and `oddity` never reach a `Row`:
they are taken out here, so that no predictor can read them by accident.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.errors import UsageError

INFERENCE, TRAINING, RUNS, MEMORY = "inference", "training", "runs", "memory"
TABLE_LIMIT_BYTES = 500_000_000
_SIGNS = {  # columns that only this table has
    INFERENCE: {"scenario", "isl", "osl"},
    TRAINING: {"task", "mbs", "grad_accum"},
    RUNS: {"tokens", "epochs_in_tokens"},
    MEMORY: {"phase", "method", "micro_batch"},
}
# What was measured, and remarks about it. A prediction never sees these.
MEASURED = frozenset(
    (
        *("tokens_per_s_per_gpu", "samples_per_s", "tflops_per_gpu_reported", "mfu_reported_pct"),
        *("hfu_reported_pct", "step_time_s", "time_to_train_s", "mem_peak_gib", "gpu_hours", "wall_hours"),
        *("cost_reported_usd", "total_tok_s_total", "requests_s", "images_s", "it_s", "ttft_ms", "tpot_ms"),
        *("latency_ms", "mem_gib", "metric_value", "mem_peak_gib_per_accel", "fits", "oddity"),
    )
)
MEASURED_STARTS = ("implied_", "output_tok_s_")


@dataclass(frozen=True, slots=True)
class Row:
    """One row without what was measured.

    Attributes:
        position: 0 for the first row of the file.
        cells: column -> text as in the file; blank cells are left out.
    """

    position: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """The cell, stripped; empty where it is blank or there is no such column."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float | None:
        """The cell as a finite number, None where it is blank or no number."""
        return as_number(self.cells.get(column, ""))

    def count(self, column: str) -> int | None:
        """The cell as a positive whole number, None otherwise."""
        value = self.number(column)
        return int(value) if value is not None and value >= 1 else None


@dataclass(frozen=True, slots=True)
class Table:
    """A file of measurements.

    Attributes:
        kind: `inference`, `training`, `runs` or `memory`.
        rows: in the order of the file.
        measured: per row, column -> text of what was measured; for `evaluate` only.
    """

    kind: str
    rows: tuple[Row, ...]
    measured: tuple[Mapping[str, str], ...] = field(repr=False)


def read_table(path: Path) -> Table:
    """Read a measurement CSV.

    Raises:
        UsageError: no such file, no CSV, or the columns are those of none of the four tables.
    """
    try:
        if path.stat().st_size > TABLE_LIMIT_BYTES:
            raise UsageError(f"{path} is larger than 500 MB; split it")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            kind = detect(path, reader.fieldnames or [])
            lines = [_filled(line) for line in reader]
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}; give a CSV with the columns of a measurement table"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is not a CSV in UTF-8: {error}") from None
    hidden = [{key: text for key, text in line.items() if is_measured(key)} for line in lines]
    rows = tuple(
        Row(position, {key: text for key, text in line.items() if not is_measured(key)})
        for position, line in enumerate(lines)
    )
    return Table(kind, rows, tuple(hidden))


def detect(path: Path, columns: object) -> str:
    """Which table has these columns. Raises UsageError where it is none of the four."""
    names = set(columns) if isinstance(columns, list | tuple) else set()
    found = [kind for kind, signs in _SIGNS.items() if signs <= names and "id" in names]
    if len(found) != 1:
        known = "; ".join(f"{kind}: {', '.join(sorted(signs))}" for kind, signs in _SIGNS.items())
        raise UsageError(f"{path} has not the columns of one measurement table (id and, for {known})")
    return found[0]


def is_measured(column: str) -> bool:
    """Was this column measured (or is a remark about it)?"""
    return column in MEASURED or column.startswith(MEASURED_STARTS)


def as_number(text: str) -> float | None:
    """A finite number, None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _filled(line: Mapping[str | None, str | list[str] | None]) -> dict[str, str]:
    return {
        key: text.strip()
        for key, text in line.items()
        if key is not None and isinstance(text, str) and text.strip()
    }
