"""What share of the paper figures real software reaches: priors with a band, a basis and a source each.

All of them stand in `priors.csv`. A prior belongs to a class of hardware (one architecture with one kind of
memory) and names the parts it was measured on; for another part of the same class it is *transferred* with a
wider band, and the answer says so. Where the table has nothing the answer is None: not rated, never guessed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from warehouse.errors import ReferenceDataError
from warehouse.reference import Accelerator

TRANSFER_LOW, TRANSFER_HIGH = 0.75, 1.15  # band of a transferred prior: p10 * 0.75, p90 * 1.15
ANY = "any"
_NVIDIA_CLASSES = {
    7.0: "volta",
    7.5: "turing",
    8.0: "ampere-hbm",
    8.6: "ampere-gddr",
    8.9: "ada",
    9.0: "hopper",
    10.0: "blackwell-hbm",
    10.3: "blackwell-ultra",
    12.0: "blackwell-gddr",
}


@dataclass(frozen=True, slots=True)
class Prior:
    """One efficiency with its spread.

    Attributes:
        p10, p50, p90: low, middle and high value (for a share of peak, p90 is the fast end).
        transferred: measured on other parts of the class only; the band is widened.
        measured_on: families it was measured on.
        source: publications or suites behind it.
    """

    p10: float
    p50: float
    p90: float
    transferred: bool
    measured_on: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class _Row:
    p10: float
    p50: float
    p90: float
    measured_on: tuple[str, ...]
    source: str


def hardware_class(accelerator: Accelerator) -> str:
    """The class a prior is kept for: NVIDIA by compute capability, others by architecture."""
    if accelerator.vendor == "NVIDIA":
        capability = accelerator.compute_capability
        return _NVIDIA_CLASSES.get(capability, "other") if capability is not None else "other"
    return accelerator.architecture.split(" (")[0].lower().replace(" ", "-")


def prior(quantity: str, accelerator: Accelerator, unit: str = ANY, kind: str = ANY) -> Prior | None:
    """The prior of one quantity on one accelerator, None where it is not rated.

    Args:
        quantity: `train_mfu` (share of dense peak). Those of serving stand in `serving_bands`.
        unit: arithmetic unit (`bf16`, `fp8` ...), kind: `dense` or `moe`.
    """
    name = hardware_class(accelerator)
    for wanted in ((unit, kind), (unit, ANY), (ANY, kind), (ANY, ANY)):
        row = _table().get((quantity, name, *wanted))
        if row is not None:
            return _for_part(row, accelerator)
    return None


def _for_part(row: _Row, accelerator: Accelerator) -> Prior:
    measured = accelerator.family in row.measured_on
    if measured:
        return Prior(row.p10, row.p50, row.p90, False, row.measured_on, row.source)
    return Prior(row.p10 * TRANSFER_LOW, row.p50, row.p90 * TRANSFER_HIGH, True, row.measured_on, row.source)


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str, str, str], _Row]:
    text = resources.files("recommender.sizing").joinpath("priors.csv").read_text("utf-8")
    found: dict[tuple[str, str, str, str], _Row] = {}
    for line in csv.DictReader(text.splitlines()):
        key = (line["quantity"], line["class"], line["unit"], line["kind"])
        low, middle, high = (float(line[name]) for name in ("p10", "p50", "p90"))
        if not 0 < low <= middle <= high or key in found:
            raise ReferenceDataError(
                f"priors.csv: {key} is given twice or its p10 <= p50 <= p90 does not hold"
            )
        found[key] = _Row(low, middle, high, tuple(line["measured_on"].split()), line["source"])
    return found
