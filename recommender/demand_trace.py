"""Demand by the hour: from a CSV file, or from hours of a day and days of a week."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from warehouse.errors import UsageError

HOURS_OF_A_DAY, DAYS_OF_A_WEEK, HOURS_OF_A_YEAR = 24, 7, 8760
COLUMNS = ("requests_per_second", "machines")


def read_trace(path: str | Path, column: str) -> list[float]:
    """One number an hour from a CSV file with a column `requests_per_second` or `machines`.

    From one row to 8,760 (a year); a shorter trace is repeated: 24 rows are a day, 168 a week.

    Raises:
        UsageError: no such file, no such column, or a row that is not a number of 0 or more; one line that
            names file, line and value.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            if column not in (rows.fieldnames or ()):
                raise UsageError(f"{path} has no column {column!r}; one row per hour under that heading")
            values = [_number(row[column], path, line) for line, row in enumerate(rows, 2)]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; give a CSV file, one row per hour") from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path} is not a CSV file; give one row per hour, column {column!r}") from None
    if not values:
        raise UsageError(f"{path} has no rows; give one per hour")
    if len(values) > HOURS_OF_A_YEAR:
        raise UsageError(f"{path} has {len(values):,} rows; a year has {HOURS_OF_A_YEAR:,} hours")
    return values


def _number(text: str | None, path: Path, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{path} line {line}: {text!r} is not a number of 0 or more")
    return value


def working_week(number: float, hours_per_day: float, days_per_week: float) -> list[float]:
    """A week in which `number` is needed `hours_per_day` hours on `days_per_week` days.

    Raises:
        UsageError: more hours than a day has, or days than a week.
    """
    if not 0 < hours_per_day <= HOURS_OF_A_DAY or hours_per_day != int(hours_per_day):
        raise UsageError(f"--hours-per-day {hours_per_day:g} is not a whole number from 1 to 24")
    if not 0 < days_per_week <= DAYS_OF_A_WEEK or days_per_week != int(days_per_week):
        raise UsageError(f"--days-per-week {days_per_week:g} is not a whole number from 1 to 7")
    day = [number] * int(hours_per_day) + [0.0] * (HOURS_OF_A_DAY - int(hours_per_day))
    return day * int(days_per_week) + [0.0] * HOURS_OF_A_DAY * (DAYS_OF_A_WEEK - int(days_per_week))
