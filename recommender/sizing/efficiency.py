"""Classes of hardware, and what one efficiency is: a middle, a band, a basis and a source.

A class is one architecture with one kind of memory. Constants are fitted by class (`training_constants`,
`serving_constants`); what was measured on other parts only is *transferred* with a wider band, and the answer
says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.reference import Accelerator

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


def hardware_class(accelerator: Accelerator) -> str:
    """The class a prior is kept for: NVIDIA by compute capability, others by architecture."""
    if accelerator.vendor == "NVIDIA":
        capability = accelerator.compute_capability
        return _NVIDIA_CLASSES.get(capability, "other") if capability is not None else "other"
    return accelerator.architecture.split(" (")[0].lower().replace(" ", "-")
