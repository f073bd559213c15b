"""The cheapest fleet of several kinds of machine for a mix of request sizes, as an integer programme.

The formulation of Mélange (Griggs et al. 2024, arXiv:2404.14527, section 5): each size of request is cut into
slices of its rate, every slice is served by one kind of machine, which it loads by rate over that machine's
throughput for that size; the machines bought must carry the load. Extended by a limit on the number of
sellers and by how many of a kind can be had. Solved by HiGHS through `scipy.optimize.milp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SECONDS = 10.0  # what the solver may take; the gap it stopped at is in the answer


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of machine.

    Attributes:
        usd_per_hour: of one machine. rates: requests a second that it takes of each size; 0 where it cannot.
        seller: what the limit on sellers counts. most: how many can be had, None where not known.
    """

    usd_per_hour: float
    rates: tuple[float, ...]
    seller: str
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The answer.

    Attributes:
        machines: how many of each kind. served: requests a second of each size (column) by each kind (row).
        usd_per_hour: of the whole fleet. gap: how far it may be from the optimum, a share; 0 for proven.
    """

    machines: tuple[int, ...]
    served: tuple[tuple[float, ...], ...]
    usd_per_hour: float
    gap: float


def cheapest_fleet(
    kinds: Sequence[Kind],
    demand: Sequence[float],
    *,
    slices: int | None = None,
    most_sellers: int | None = None,
) -> Fleet | None:
    """The cheapest machines that carry the demand; None where no allowed fleet can.

    Args:
        demand: requests a second of each size, >= 0.
        slices: into how many equal parts each size is cut; None lets a size be divided at will, as the
            weights of a load balancer do, which is never dearer.
        most_sellers: how many sellers the fleet may have.
    """
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not kinds:
        return None
    sizes, count = len(demand), len(kinds)
    sellers = sorted({kind.seller for kind in kinds})
    parts = slices or 1
    cells = count * sizes  # parts of size i on kind j, then machines of kind j, then sellers
    width = cells + count + len(sellers)
    upper = np.full(width, np.inf)
    rows, low, high = [], [], []

    def add(entries: dict[int, float], least: float, most: float) -> None:
        row = np.zeros(width)
        for column, value in entries.items():
            row[column] = value
        rows.append(row)
        low.append(least)
        high.append(most)

    for j, kind in enumerate(kinds):
        need = 0.0
        entries: dict[int, float] = {cells + j: -1.0}
        for i, rate in enumerate(kind.rates):
            usable = rate > 0 and demand[i] > 0
            upper[j * sizes + i] = parts if usable else 0
            if usable:
                entries[j * sizes + i] = demand[i] / parts / rate
                need += demand[i] / rate
        most = math.ceil(need - 1e-9) if kind.most is None else min(kind.most, math.ceil(need - 1e-9))
        upper[cells + j] = most
        add(entries, -np.inf, 1e-9)
        add({cells + j: 1.0, cells + count + sellers.index(kind.seller): -float(most)}, -np.inf, 0.0)
    for i in range(sizes):
        if demand[i] > 0:
            add({j * sizes + i: 1.0 for j in range(count)}, parts, parts)
    upper[cells + count :] = 1
    if most_sellers is not None:
        add({cells + count + k: 1.0 for k in range(len(sellers))}, 0, most_sellers)
    whole = np.ones(width, dtype=np.int64)
    whole[:cells] = slices is not None
    prices = np.zeros(width)
    prices[cells : cells + count] = [kind.usd_per_hour for kind in kinds]
    found = milp(
        prices,
        constraints=LinearConstraint(np.array(rows), np.array(low), np.array(high)),
        integrality=whole,
        bounds=Bounds(np.zeros(width), upper),
        options={"time_limit": SECONDS, "mip_rel_gap": 1e-6},
    )
    if found.x is None:
        return None
    machines = tuple(round(value) for value in found.x[cells : cells + count])
    served = tuple(
        tuple(max(0.0, float(found.x[j * sizes + i])) * demand[i] / parts for i in range(sizes))
        for j in range(count)
    )
    usd = sum(number * kind.usd_per_hour for number, kind in zip(machines, kinds, strict=True))
    return Fleet(machines, served, usd, float(found.mip_gap or 0.0))


def undominated(kinds: Sequence[Kind], *, across_sellers: bool) -> list[int]:
    """Places of the kinds that no other one beats in price and in every rate.

    A kind of which only so many can be had never dominates. across_sellers: a cheaper seller may take the
    place of another (not where their number is limited).
    """
    kept: list[int] = []
    order = sorted(range(len(kinds)), key=lambda j: (kinds[j].usd_per_hour, -sum(kinds[j].rates), j))
    for j in order:
        one = kinds[j]
        beaten = any(
            kinds[k].most is None
            and (across_sellers or kinds[k].seller == one.seller)
            and kinds[k].usd_per_hour <= one.usd_per_hour
            and all(a >= b for a, b in zip(kinds[k].rates, one.rates, strict=True))
            for k in kept
        )
        if not beaten and any(one.rates):
            kept.append(j)
    return sorted(kept)
