"""What accelerators and servers cost to buy, and what a server draws: the buy side of rent or buy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from warehouse.errors import ReferenceDataError
from warehouse.reference import accelerators, optional_float, read_table

TABLE = "purchase_prices.csv"
CONDITIONS = ("list", "street", "launch", "used", "estimate")
"""What kind of figure a price is: the seller's list, what buyers pay, the price on the first day,
second-hand, or what an analyst takes for granted where the vendor states nothing."""
INCLUDES = ("card", "module", "baseboard", "server", "rack")
WHOLE = ("server", "rack")
"""What runs as it is bought; cards, modules and baseboards still need a host."""


@dataclass(frozen=True, slots=True)
class PurchasePrice:
    """One published price.

    Attributes:
        item: what is sold, for people.
        accelerator_id: the accelerators in it.
        gpu_count: how many of them.
        low_usd, high_usd: the price without tax, alike where one figure is stated; None where only the power
            is known.
        includes: one of `INCLUDES`.
        condition: one of `CONDITIONS`, None without a price.
        price_source, price_date: where it was read, and the month it holds for ("2026-04"); None without
            a price.
        power_kw: the most that the whole server or rack draws, kW; None where not stated.
        power_source: where that was read.
        read_on: the day of reading.
        notes: what a reader of the figure should know.
    """

    item: str
    accelerator_id: str
    gpu_count: int
    low_usd: float | None
    high_usd: float | None
    includes: str
    condition: str | None
    price_source: str | None
    price_date: str | None
    power_kw: float | None
    power_source: str | None
    read_on: date
    notes: str

    @property
    def purchase_price_usd(self) -> float | None:
        """The middle of the stated range, USD for the whole item."""
        if self.low_usd is None or self.high_usd is None:
            return None
        return (self.low_usd + self.high_usd) / 2

    @property
    def purchase_price_usd_per_gpu(self) -> float | None:
        """The same for one of its accelerators."""
        total = self.purchase_price_usd
        return None if total is None else total / self.gpu_count

    @property
    def power_kw_per_gpu(self) -> float | None:
        """Power of the whole item over its accelerators, kW."""
        return None if self.power_kw is None else self.power_kw / self.gpu_count


@lru_cache(maxsize=1)
def purchase_prices() -> tuple[PurchasePrice, ...]:
    """All rows in the order of the table. Raises ReferenceDataError with the line and the cell to correct."""
    return tuple(_row(line, row) for line, row in read_table(TABLE))


def purchase_price(accelerator_id: str, *, whole: bool = False) -> PurchasePrice | None:
    """The newest price of that part, None where none is known.

    Args:
        accelerator_id: the part.
        whole: only what runs as it is bought (`WHOLE`); without it a single card or module goes first, and
            new goes before used.
    """
    known = [
        row for row in purchase_prices() if row.accelerator_id == accelerator_id and row.low_usd is not None
    ]
    kept = [row for row in known if (row.includes in WHOLE) == whole] or ([] if whole else known)
    return max(kept, key=lambda row: (row.condition != "used", row.price_date or ""), default=None)


def _row(line: int, row: dict[str, str]) -> PurchasePrice:
    try:
        found = PurchasePrice(
            item=row["item"],
            accelerator_id=row["accelerator_id"],
            gpu_count=int(row["gpu_count"]),
            low_usd=optional_float(row["low_usd"]),
            high_usd=optional_float(row["high_usd"]),
            includes=row["includes"],
            condition=row["condition"] or None,
            price_source=row["price_source"] or None,
            price_date=row["price_date"] or None,
            power_kw=optional_float(row["power_kw"]),
            power_source=row["power_source"] or None,
            read_on=date.fromisoformat(row["read_on"]),
            notes=row["notes"],
        )
        _check(found)
    except (KeyError, ValueError) as error:
        raise ReferenceDataError(f"{TABLE} line {line}: {error}; correct the cell") from None
    return found


def _check(row: PurchasePrice) -> None:
    if row.accelerator_id not in accelerators():
        raise ValueError(f"accelerator_id {row.accelerator_id!r} is not in accelerators.csv")
    if row.includes not in INCLUDES:
        raise ValueError(f"includes {row.includes!r} is not one of {', '.join(INCLUDES)}")
    if row.gpu_count < 1:
        raise ValueError(f"gpu_count {row.gpu_count} is not 1 or more")
    low, high = row.low_usd, row.high_usd
    if (low is None) != (high is None) or (low is not None and high is not None and not 0 < low <= high):
        raise ValueError(f"low_usd {low} and high_usd {high} are not a range")
    told = (row.condition in CONDITIONS, row.price_source is not None, row.price_date is not None)
    if set(told) != {low is not None}:
        raise ValueError("condition, price_source and price_date go with a price: give all or none")
    if (row.power_kw is None) != (row.power_source is None):
        raise ValueError("power_source goes with power_kw: give both or neither")
