"""What a machine costs that one owns: purchase, capital, power, hosting, upkeep and what it still sells for.

Everything that is assumed stands in `OwnershipTerms`, with where it is from; the purchase prices and the
power of servers are rows of `warehouse.reference.purchase_table`, each with source and date.
"""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.errors import UsageError
from warehouse.reference import Accelerator
from warehouse.reference.pue_table import pue
from warehouse.reference.purchase_table import PurchasePrice, purchase_price
from warehouse.units import HOURS_PER_YEAR

HOURS_OF_A_YEAR = float(HOURS_PER_YEAR)
MONTHS_OF_A_YEAR = 12.0
WATTS_PER_KW = 1000.0
# Epoch AI, "The rising costs of training frontier AI models" (arXiv:2405.21015, section 2.3 and appendix A):
SERVER_OVER_PARTS = 1.64  # a server's price over that of its accelerators
NETWORK_SHARE = 0.19  # of a cluster's price that is the network between servers
FALL_PER_YEAR = 0.14  # orders of magnitude that an accelerator's price falls in a year
DRAW_SHARE = 0.75  # mean power of a busy GPU server over its stated maximum
# DGX data sheets: 10.2 kW for eight H100 of 700 W, 14.3 kW for eight B200 of 1,000 W: 1.8 times the parts.
SERVER_POWER_OVER_PARTS = 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipTerms:
    """What owning takes besides the machine.

    Attributes:
        life_years: years of use, then it is sold (3 to 5 are usual; Epoch AI).
        capital_cost_per_year: interest on the money that it binds.
        electricity_usd_per_kwh: a16z, "Navigating the High Cost of AI Compute" (2023), takes 0.10.
        pue: facility power over machine power; the mean of the industry where none is given.
        hosting_usd_per_kw_month: space and cooling by stated maximum power, without electricity: CBRE, North
            America Data Center Trends H2 2024, mean asking rate for 250 to 500 kW.
        upkeep_share_per_year: support contracts and repairs over the purchase price; assumed.
        resale_share: of the accelerators' price at the end; None lets it fall by `FALL_PER_YEAR`.
        utilisation: share of its hours in which an owned machine has work; they bear the cost of the rest.
        price_factor: on the purchase price, for what-if questions and discounts.
    """

    life_years: float = 4.0
    capital_cost_per_year: float = 0.08
    electricity_usd_per_kwh: float = 0.10
    pue: float | None = None
    hosting_usd_per_kw_month: float = 184.06
    upkeep_share_per_year: float = 0.05
    resale_share: float | None = None
    utilisation: float = 0.7
    price_factor: float = 1.0

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"--{name.replace('_', '-')} {value:g} must be between {low:g} and {high:g}")

    @property
    def facility_factor(self) -> float:
        """PUE: the stated one, or the industry's mean."""
        return self.pue if self.pue is not None else pue("").pue

    @property
    def value_left(self) -> float:
        """Share of the accelerators' price that they still bring after `life_years`."""
        return 10.0 ** (-FALL_PER_YEAR * self.life_years) if self.resale_share is None else self.resale_share

    def sentences(self) -> list[str]:
        """What is taken, for the reader."""
        return [
            f"owned machines: {self.life_years:g} years of use, capital at {self.capital_cost_per_year:.0%}, "
            f"{self.value_left:.0%} of the accelerators' price back at the end, upkeep "
            f"{self.upkeep_share_per_year:.0%} of the price a year",
            f"electricity {self.electricity_usd_per_kwh:g} USD/kWh at PUE {self.facility_factor:.2f} and "
            f"{DRAW_SHARE:.0%} of the stated maximum; hosting {self.hosting_usd_per_kw_month:g} USD per kW "
            "and month; people's time is not counted",
        ]


_RANGES = (
    ("life_years", 0.5, 15),
    ("capital_cost_per_year", 0, 1),
    ("electricity_usd_per_kwh", 0, 5),
    ("pue", 1, 3),
    ("hosting_usd_per_kw_month", 0, 5000),
    ("upkeep_share_per_year", 0, 1),
    ("resale_share", 0, 1),
    ("utilisation", 0.01, 1),
    ("price_factor", 0.01, 100),
)


@dataclass(frozen=True, slots=True)
class OwnedMachine:
    """One server to buy.

    Attributes:
        price_usd: of the whole server, network not included. parts_usd: of its accelerators.
        power_kw: stated maximum. power_known: False where it follows from the accelerators' TDP.
        basis: the row of the price table. whole: the row is a server; else cards with a host added.
    """

    accelerator: Accelerator
    gpus: int
    price_usd: float
    parts_usd: float
    power_kw: float
    power_known: bool
    basis: PurchasePrice
    whole: bool

    def how(self) -> str:
        """Where price and power are from, in words."""
        row = self.basis
        money = (
            f"{row.item}: {row.low_usd:,.0f} to {row.high_usd:,.0f} USD ({row.condition}, {row.price_date})"
        )
        if not self.whole:
            money += f", {self.gpus} of them, times {SERVER_OVER_PARTS} for the server around them"
        power = "stated" if self.power_known else f"TDP times {SERVER_POWER_OVER_PARTS}"
        return f"{money}; {self.power_kw:.1f} kW at most ({power})"


@dataclass(frozen=True, slots=True)
class OwnedCost:
    """What one owned server costs a year, US dollars, by part."""

    capital: float
    power: float
    hosting: float
    upkeep: float

    @property
    def running(self) -> float:
        """All but the purchase."""
        return self.power + self.hosting + self.upkeep

    @property
    def total(self) -> float:
        """All of it."""
        return self.capital + self.running


def owned_machines(part: Accelerator, sizes: tuple[int, ...] = (1, 2, 4, 8)) -> list[OwnedMachine]:
    """Servers of that part whose price is known: a whole server as sold, else cards in a host.

    Cards, modules and baseboards are priced with `SERVER_OVER_PARTS`; modules and baseboards are sold in
    eights only. Nothing where neither a price nor a power figure is known.
    """
    found = []
    whole = purchase_price(part.accelerator_id, whole=True)
    single = purchase_price(part.accelerator_id)
    if whole is not None and whole.purchase_price_usd is not None:
        machine = _machine(part, whole.gpu_count, whole, whole=True)
        found += [machine] if machine else []
    elif single is not None and single.purchase_price_usd_per_gpu is not None:
        counts = sizes if single.includes == "card" else (8,)
        found += [m for count in counts if (m := _machine(part, count, single, whole=False))]
    return found


def _machine(part: Accelerator, gpus: int, row: PurchasePrice, *, whole: bool) -> OwnedMachine | None:
    each = row.purchase_price_usd_per_gpu
    if each is None:
        return None
    per_gpu = most_power_kw_per_gpu(part, row)
    if per_gpu is None:
        return None
    known = row.power_kw_per_gpu
    price = each * gpus * (1.0 if whole else SERVER_OVER_PARTS)
    parts = price / SERVER_OVER_PARTS
    return OwnedMachine(part, gpus, price, parts, per_gpu * gpus, known is not None, row, whole)


def most_power_kw_per_gpu(part: Accelerator, row: PurchasePrice | None) -> float | None:
    """Stated maximum power of a server per accelerator, kW: of the row, else 1.8 times the part's TDP; None
    where neither is known."""
    if row is not None and row.power_kw_per_gpu is not None:
        return row.power_kw_per_gpu
    return None if part.tdp_w is None else part.tdp_w / WATTS_PER_KW * SERVER_POWER_OVER_PARTS


def capital_usd_per_year(price_usd: float, value_left_usd: float, years: float, rate: float) -> float:
    """Yearly payment that buys a machine, US dollars.

    The annuity of the price less the present value of what it is sold for:
    ``(P - R / (1 + r)^n) r / (1 - (1 + r)^-n)``; ``(P - R) / n`` without interest.

    Args:
        price_usd: P, at the start. value_left_usd: R, got back after `years`.
        years: n, of use. rate: r, interest a year as a share.
    """
    if rate == 0:
        return (price_usd - value_left_usd) / years
    growth = float((1 + rate) ** years)
    return (price_usd - value_left_usd / growth) * rate / (1 - 1 / growth)


def electricity_usd(power_kw: float, hours: float, usd_per_kwh: float, facility_factor: float = 1.0) -> float:
    """US dollars of electricity for `power_kw` drawn over `hours`; `facility_factor` is the PUE."""
    return power_kw * hours * usd_per_kwh * facility_factor


def owned_cost(machine: OwnedMachine, terms: OwnershipTerms, *, networked: bool = False) -> OwnedCost:
    """US dollars a year of one owned server that is always on.

    networked: it works with others on one job, so its share of the network between them is bought too
    (`NETWORK_SHARE` of the cluster's price, not sold again).
    """
    price = machine.price_usd * terms.price_factor
    whole = price / (1 - NETWORK_SHARE) if networked else price
    left = machine.parts_usd * terms.price_factor * terms.value_left
    return OwnedCost(
        capital=capital_usd_per_year(whole, left, terms.life_years, terms.capital_cost_per_year),
        power=electricity_usd(
            machine.power_kw * DRAW_SHARE,
            HOURS_OF_A_YEAR,
            terms.electricity_usd_per_kwh,
            terms.facility_factor,
        ),
        hosting=terms.hosting_usd_per_kw_month * machine.power_kw * MONTHS_OF_A_YEAR,
        upkeep=terms.upkeep_share_per_year * whole,
    )


def break_even_utilisation(owned_usd_per_year: float, rented_usd_per_hour: float) -> float:
    """Share of the year's hours from which an owned machine is cheaper than the same one rented by the hour.

    Above 1: renting is cheaper even around the clock.
    """
    return owned_usd_per_year / (rented_usd_per_hour * HOURS_OF_A_YEAR)


def payback_months(
    price_usd: float, rented_usd_per_month: float, running_usd_per_month: float
) -> float | None:
    """Months after which what is not paid in rent has paid the purchase; None where it never does."""
    saved = rented_usd_per_month - running_usd_per_month
    return price_usd / saved if saved > 0 else None
