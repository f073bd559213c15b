"""What hardware reaches in training, per class: largest matrix products, the network between machines.

`training_hardware.csv` holds shares of the dense peak that the largest matrix products reach, with sources.
A class without a row of its own takes that of its kind (`transferred`), with a wider band.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recommender.sizing.efficiency import hardware_class
from recommender.sizing.precision import dense_tflops
from warehouse.reference import Accelerator
from warehouse.units import BYTES_PER_GB

OTHER_KINDS = "other"


@dataclass(frozen=True, slots=True)
class HardwareRate:
    """One class of hardware.

    Attributes:
        name: class as in `efficiency.hardware_class`.
        matmul16, matmul8, matmul4: share of the dense peak that the largest matrix products reach in 16, 8
            and 4 bit.
        network_gb_per_s: usual network of one GPU between machines where a measurement does not state it.
        transferred: no measurement of this class is known.
    """

    name: str
    matmul16: float
    matmul8: float
    matmul4: float
    network_gb_per_s: float
    transferred: bool
    source: str

    def matmul(self, unit: str) -> float:
        """Share for one arithmetic unit."""
        return {"fp8": self.matmul8, "fp4": self.matmul4}.get(unit, self.matmul16)


def hardware_rate(accelerator: Accelerator) -> HardwareRate:
    """The class row of an accelerator, that of `other` where there is none."""
    table = _table()
    return table.get(hardware_class(accelerator)) or table[OTHER_KINDS]


def training_unit(accelerator: Accelerator, wanted: str) -> tuple[str, float] | None:
    """(unit, FLOP/s) that a training step of this format runs on; None where the part has no rate for it.

    `bf16` runs as fp16 where there is no bf16 (Volta, Turing); a narrower format is never replaced by a
    wider one.
    """
    units = {"bf16": ("bf16", "fp16"), "fp16": ("fp16", "bf16")}.get(wanted, (wanted,))
    for unit in units:
        rate = accelerator.dense_tf32_tflops if unit == "tf32" else dense_tflops(accelerator, unit)
        if rate:
            return unit, rate * 1e12
    return None


def network_bytes_per_s(accelerator: Accelerator) -> float:
    """Usual network of one GPU between machines, one direction."""
    return hardware_rate(accelerator).network_gb_per_s * BYTES_PER_GB


@lru_cache(maxsize=1)
def _table() -> dict[str, HardwareRate]:
    text = resources.files("recommender.sizing").joinpath("training_hardware.csv").read_text("utf-8")
    return {
        line["class"]: HardwareRate(
            line["class"],
            float(line["matmul16"]),
            float(line["matmul8"]),
            float(line["matmul4"]),
            float(line["network_gb_per_s"]),
            line["transferred"] == "yes",
            line["source"],
        )
        for line in csv.DictReader(text.splitlines())
    }
