"""Carbon of a plan: power of the machines, PUE of the facility, carbon intensity of the region's grid.

Operational emissions only; making the hardware is not counted. Where the grid of a region is not known there
is no figure, never one of somewhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recommender.plans import Candidate
from warehouse.database import columns_of, fetch_dicts
from warehouse.errors import NothingFoundError
from warehouse.reference import Accelerator

if TYPE_CHECKING:
    from recommender.engine import Evaluation

GRAMS_PER_KG = 1000.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Carbon intensity of the electricity of one region.

    g_co2e_per_kwh: stated by `source` for `period`. basis: "region" where it is stated for the region itself,
    else "grid zone" or "country": the (lower) median of what is stated for regions there.
    """

    g_co2e_per_kwh: float
    basis: str
    source: str
    period: str | None


@dataclass(frozen=True, slots=True)
class Carbon:
    """kg CO2e of a plan (a month of a service) with the factors it is made of."""

    kg: float
    power_kw: float
    hours: float
    pue: float
    grid: Grid

    def sentence(self) -> str:
        """In words, for the reasons."""
        return (
            f"carbon: {self.power_kw:,.2f} kW x {self.hours:,.1f} h x PUE {self.pue:.2f} x "
            f"{self.grid.g_co2e_per_kwh:,.0f} g/kWh ({self.grid.source}, {self.grid.basis}) = "
            f"{self.kg:,.3g} kg CO2e"
        )


def machine_power_kw(part: Accelerator, gpus: int) -> float | None:
    """Mean power of a busy machine, kW: the stated maximum of such a server, else 1.8 times the accelerators'
    TDP, times the share that is drawn on average. None where neither is known."""
    from recommender.ownership import DRAW_SHARE, most_power_kw_per_gpu
    from warehouse.reference.purchase_table import purchase_price

    per_gpu = most_power_kw_per_gpu(part, purchase_price(part.accelerator_id, whole=True))
    return None if per_gpu is None else per_gpu * gpus * DRAW_SHARE


def co2e_kg(power_kw: float, hours: float, facility_factor: float, g_per_kwh: float) -> float:
    """kg CO2e of `power_kw` drawn over `hours` at that PUE on that grid."""
    return power_kw * hours * facility_factor * g_per_kwh / GRAMS_PER_KG


class GridBook:
    """Carbon intensities by region, read once from the published `grid_carbon` table."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._regions: dict[tuple[str, str], dict[str, Any]] = {}
        self._zones: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._countries: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["provider"]:
                self._regions.setdefault((row["provider"], row["region"]), row)
            zone = row["grid_zone"] or (None if row["provider"] else row["region"])
            if zone:
                self._zones[zone].append(row)
            if row["country"]:
                self._countries[row["country"]].append(row)

    def grid(self, provider: str, region: str | None) -> Grid | None:
        """The intensity of that region: its own, of its grid zone, of its country; None where unknown."""
        from warehouse.regions import place

        if region is None:
            return None
        own = self._regions.get((provider, region))
        if own is not None:
            return Grid(own["g_co2e_per_kwh"], "region", own["source"], own["period"])
        where = place(provider, region)
        if where is None:
            return None
        for basis, rows in (
            ("grid zone", self._zones.get(where.grid_zone or "")),
            ("country", self._countries.get(where.country or "")),
        ):
            if rows:
                middle = sorted(row["g_co2e_per_kwh"] for row in rows)[(len(rows) - 1) // 2]
                return Grid(middle, basis, rows[0]["source"], rows[0]["period"])
        return None


def read_grids(market: Any) -> GridBook:
    """The book of a market; empty where it has no such table."""
    return GridBook(fetch_dicts(market, _GRIDS) if columns_of(market, "grid_carbon") else [])


# A region may have several sources: the operator's own statement first, then the newest.
_GRIDS = """
SELECT provider, region, source, grid_zone, country, g_co2e_per_kwh, period FROM grid_carbon
WHERE g_co2e_per_kwh IS NOT NULL
ORDER BY provider NULLS LAST, region, starts_with(source, 'google_region_carbon') DESC, observed_at DESC,
    source
"""


def within_limit(found: Evaluation, limit_kg: float, grids: GridBook) -> Evaluation:
    """Only the candidates whose carbon is known and within the limit; their groups must not span regions.

    Raises:
        NothingFoundError: none is; the text names the plan that comes nearest.
    """
    from recommender.nothing import describe

    known = [(item, plan_carbon(item, item.group.place, grids)) for item in found.allowed]
    kept = [item for item, carbon in known if carbon is not None and carbon.kg <= limit_kg]
    if kept or not known:
        return replace(found, candidates=kept)
    stated = [(carbon.kg, item) for item, carbon in known if carbon is not None]
    text = f"no plan stays within --max-co2-kg {limit_kg:g}"
    if not stated:
        raise NothingFoundError(f"{text}: the grid of none of {len(known)} plans is known")
    kg, nearest = min(stated, key=lambda pair: (pair[0], pair[1].cost.p50))
    where = f"in {nearest.group.place} with {kg:,.3g} kg CO2e"
    raise NothingFoundError(f"{text}; the cleanest: {describe(nearest)} {where}")


def plan_carbon(item: Candidate, region: str | None, grids: GridBook) -> Carbon | None:
    """Carbon of one plan in that region, None where the grid or the power is not known."""
    from warehouse.reference.pue_table import pue

    group = item.group
    found = grids.grid(group.provider, region)
    power = machine_power_kw(item.choice.part, group.gpu_count)
    if found is None or power is None:
        return None
    machines, hours = item.machines[1], item.hours.p50
    factor = pue(group.provider, region).pue
    kg = co2e_kg(power * machines, hours, factor, found.g_co2e_per_kwh)
    return Carbon(kg, power * machines, hours, factor, found)
