"""Numbers in the words of the reasons."""

from __future__ import annotations

from warehouse.units import BYTES_PER_GB


def gb(count: float) -> str:
    """Bytes as GB."""
    return f"{count / BYTES_PER_GB:.1f} GB"


def hours(value: float) -> str:
    """Hours, in days from three days on."""
    return f"{value / 24:,.1f} days" if value >= 72 else f"{value:,.1f} h"


def age(value: float) -> str:
    """Hours of age, in days from two days on."""
    return f"{value / 24:.0f} days" if value >= 48 else f"{value:.0f} h"


def usd(value: float) -> str:
    """US dollars with as many digits as anybody needs."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.2f}"


def chance(share: float) -> str:
    """A chance, never rounded to certainty."""
    if share > 0.995:
        return "over 99 %"
    return "under 1 %" if share < 0.005 else f"{share * 100:.0f} %"
