"""What a fleet must carry: sizes of requests with their shares; the rate in time with spikes and growth."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warehouse.errors import UsageError

COLUMNS = ("input_tokens", "output_tokens", "share")
MOST_SIZES = 40
HOURS_OF_A_DAY, HOURS_OF_A_WEEK = 24, 168
# Where no file says otherwise: half of the requests are a quarter of the mean, a few are long. Assumed; the
# means stay what was asked for (0.5 x 0.25 + 0.35 x 1 + 0.12 x 2.5 + 0.03 x 7.5 = 1).
ASSUMED = ((0.25, 0.50), (1.0, 0.35), (2.5, 0.12), (7.5, 0.03))


@dataclass(frozen=True, slots=True)
class Size:
    """Requests of one size: tokens in and out, and their share of all requests (all shares sum to 1)."""

    input_tokens: int
    output_tokens: int
    share: float


def assumed_sizes(input_tokens: int, output_tokens: int) -> tuple[Size, ...]:
    """Four sizes around the given means."""
    return tuple(
        Size(max(1, round(input_tokens * factor)), max(1, round(output_tokens * factor)), share)
        for factor, share in ASSUMED
    )


def read_sizes(path: str | Path) -> tuple[Size, ...]:
    """Sizes from a CSV file with the columns input_tokens, output_tokens, share (any weights above 0).

    Raises:
        UsageError: one line that names file, line and what is wrong.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise UsageError(f"{path} has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}")
            found = [_size(row, path, line) for line, row in enumerate(rows, 2)]
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}; give a CSV file of {', '.join(COLUMNS)}"
        ) from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path} is not a CSV file; give columns {', '.join(COLUMNS)}") from None
    if not 1 <= len(found) <= MOST_SIZES:
        raise UsageError(f"{path} has {len(found)} sizes; give 1 to {MOST_SIZES}")
    total = sum(size.share for size in found)
    return tuple(Size(size.input_tokens, size.output_tokens, size.share / total) for size in found)


def _size(row: dict[str, str | None], path: Path, line: int) -> Size:
    values = []
    for name in COLUMNS:
        try:
            value = float(row[name] or "")
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{path} line {line}: {name} {row[name]!r} is not a number above 0")
        values.append(value)
    return Size(max(1, round(values[0])), max(1, round(values[1])), values[2])


def rate_over_time(
    rate: float, *, weeks: float, growth_per_week: float, spike: float, spike_hours: float
) -> list[float]:
    """Requests a second, hour by hour: `rate`, times `spike` in the first hours of each day, growing weekly.

    ``rate x (1 + growth)^(hour / 168) x (spike in the first spike_hours of a day, else 1)``
    """
    return [
        rate
        * (1 + growth_per_week) ** (hour / HOURS_OF_A_WEEK)
        * (spike if hour % HOURS_OF_A_DAY < spike_hours else 1.0)
        for hour in range(math.ceil(weeks * HOURS_OF_A_WEEK))
    ]


@dataclass(frozen=True, slots=True)
class Following:
    """What it costs to follow a demand instead of standing at its peak; US dollars over the whole trace.

    Attributes:
        peak_usd: machines for the highest hour, all the time.
        known_usd: machines follow the demand, started `delay` before each rise (the demand is known).
        late_share: share of all requests that arrive while machines still start, where it is not known.
        headroom: rate that must stand by over the rate of the hour so that none is late: the largest rise
            within the delay, 1 for none.
    """

    peak_usd: float
    known_usd: float
    late_share: float
    headroom: float


def follow(rates: Sequence[float], usd_per_hour: Sequence[float], delay_hours: float) -> Following:
    """Costs of standing at the peak and of following the demand.

    Args:
        rates: requests a second, hour by hour. usd_per_hour: what the cheapest fleet for each hour costs.
        delay_hours: from the order of a machine to its first answer: boot and loading of weights.

    Machines for a higher hour are started `delay` earlier and paid from then; machines no longer needed are
    given back at the end of their hour. Not foreseen, a rise waits for the delay: ``sum of (rise x delay) /
    sum of rates``, with a delay of at most the hour counted per hour.
    """
    rises = [max(0.0, later - rate) for rate, later in itertools.pairwise(rates)]
    steps = [max(0.0, b - a) for a, b in itertools.pairwise(usd_per_hour)]
    early = sum(steps) * delay_hours
    total = sum(rates)
    late = sum(rises) * min(1.0, delay_hours) / total if total else 0.0
    ratios = [later / rate for rate, later in itertools.pairwise(rates) if rate > 0]
    return Following(max(usd_per_hour) * len(rates), sum(usd_per_hour) + early, late, max([1.0, *ratios]))
