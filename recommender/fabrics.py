"""Networks between machines: which instance types can work together on one job, and how fast.

Only what a vendor states for an instance type is taken (`fabrics.csv`). For any other machine a job that
spans several is refused: a plan over an unknown network would be a guess.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib import resources

BITS_PER_BYTE = 8


@lru_cache(maxsize=1)
def fabrics() -> dict[tuple[str, str], float]:
    """(provider, folded instance type) -> GB/s of one machine, one direction, all ports together."""
    text = resources.files("recommender").joinpath("fabrics.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {
        (row["provider"], fold(row["instance_type"])): float(row["fabric_gbit_per_s"]) / BITS_PER_BYTE
        for row in rows
    }


def fold(instance_type: str) -> str:
    """Instance type in one spelling: lower case, blanks as underscores, without Azure's `Standard_`."""
    return instance_type.strip().lower().replace(" ", "_").removeprefix("standard_")


def fabric_gb_per_s(provider: str, instance_type: str | None) -> float | None:
    """Network of one machine in GB/s, None where the vendor states none."""
    return fabrics().get((provider, fold(instance_type))) if instance_type else None
