"""Geometry of heat strips: one cell per day, five steps of colour, days nobody spoke for left empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEPS = 5
CELL, GAP, HEIGHT = 9, 1, 16


@dataclass(frozen=True, slots=True)
class HeatStrip:
    """A row of cells; `paths` holds one path per step of colour, lowest first, `none` the unknown days."""

    chart_id: str
    width: int
    height: int
    paths: tuple[str, ...]
    none: str
    label: str


def step_of(share: float) -> int:
    """The colour step of a share from 0 to 1: 0 only for nothing at all, the last only for all of it."""
    if share <= 0:
        return 0
    return STEPS - 1 if share >= 1 else 1 + min(STEPS - 3, int(share * (STEPS - 2)))


def heat_strip(chart_id: str, shares: Sequence[float | None], label: str) -> HeatStrip:
    """Cells for `shares` (0 to 1, None: not known), oldest first."""
    paths = [""] * STEPS
    none = ""
    for index, share in enumerate(shares):
        x = index * (CELL + GAP)
        if share is None:
            none += f"M{x + 3} 8h3"
        else:
            paths[step_of(share)] += f"M{x} 0h{CELL}v{HEIGHT}h-{CELL}z"
    return HeatStrip(chart_id, len(shares) * (CELL + GAP), HEIGHT, tuple(paths), none, label)


def price_step(value: float, cheapest: float) -> int:
    """The colour step of a price against the cheapest of its column: 4 at it, 0 at three times it or more."""
    ratio = value / cheapest
    limits = (1.1, 1.5, 2.0, 3.0)
    return STEPS - 1 - sum(ratio > limit for limit in limits)
