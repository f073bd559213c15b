"""Power usage effectiveness: what a data centre draws for each kWh that its machines draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from warehouse.errors import ReferenceDataError
from warehouse.reference import read_table

TABLE = "pue.csv"
KINDS = ("provider", "press", "survey")
"""Who says it: the provider (or a collection of what providers published), a report on it, a survey."""


@dataclass(frozen=True, slots=True)
class Pue:
    """One figure.

    Attributes:
        provider: its id, empty for the mean of the industry.
        region: the provider's region, empty for all its data centres together.
        pue: yearly mean.
        year: the year it holds for.
        kind: one of `KINDS`.
        source, read_on: where and when it was read.
        notes: what a reader of the figure should know.
    """

    provider: str
    region: str
    pue: float
    year: int
    kind: str
    source: str
    read_on: date
    notes: str


@lru_cache(maxsize=1)
def pues() -> dict[tuple[str, str], Pue]:
    """All figures by provider and region. Raises ReferenceDataError with the line to correct."""
    found: dict[tuple[str, str], Pue] = {}
    for line, row in read_table(TABLE):
        try:
            one = Pue(
                provider=row["provider"],
                region=row["region"],
                pue=float(row["pue"]),
                year=int(row["year"]),
                kind=row["kind"],
                source=row["source"],
                read_on=date.fromisoformat(row["read_on"]),
                notes=row["notes"],
            )
            if not 1 <= one.pue < 3 or one.kind not in KINDS or (one.provider, one.region) in found:
                raise ValueError(f"pue {one.pue}, kind {one.kind!r}: out of range, or there twice")
        except (KeyError, ValueError) as error:
            raise ReferenceDataError(f"{TABLE} line {line}: {error}; correct the row") from None
        found[(one.provider, one.region)] = one
    return found


def pue(provider: str, region: str | None = None) -> Pue:
    """The closest figure: of that region, of the whole provider, of the industry."""
    table = pues()
    return table.get((provider, region or "")) or table.get((provider, "")) or table[("", "")]
