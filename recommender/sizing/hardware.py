"""One kind of machine: which accelerator, how many, how they talk. No price, no provider."""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.reference import Accelerator
from warehouse.units import BYTES_PER_GB, BYTES_PER_GIB

PCIE_GB_PER_S = 31.0  # PCIe 4.0 x16, one direction: what GPUs outside a scale-up domain share
XGMI_PEER_SHARE = 7  # MI300X and later: the stated rate is the sum over seven peers


@dataclass(frozen=True, slots=True)
class HardwareShape:
    """A machine and how many of it.

    Attributes:
        accelerator: the part.
        gpus_per_node: accelerators in one machine, whole ones.
        nodes: machines that work on one job together.
        fabric_gb_per_s: network of one machine for collective operations, one direction, all ports
            together; None where it is not known, and then `nodes` must be 1.
    """

    accelerator: Accelerator
    gpus_per_node: int
    nodes: int = 1
    fabric_gb_per_s: float | None = None

    @property
    def gpus(self) -> int:
        """Accelerators of all machines."""
        return self.gpus_per_node * self.nodes


def usable_memory_bytes(accelerator: Accelerator) -> float:
    """Memory that a program can use on one accelerator, bytes.

    The measured usable GiB where the table has them, else the label read as decimal GB, which is what
    drivers report within 1 % on data-centre parts (an 80 GB H100 shows 79.6 GiB).
    """
    if accelerator.memory_gib_usable is not None:
        return accelerator.memory_gib_usable * BYTES_PER_GIB
    return accelerator.memory_gb * BYTES_PER_GB


def link_bytes_per_s(accelerator: Accelerator, group: int) -> float:
    """Bytes a second, one direction, that one GPU of a tensor-parallel group of `group` GPUs can send.

    Within the scale-up domain that is NVLink, xGMI or ICI; beyond it, PCIe. On fully meshed xGMI a group
    of g GPUs reaches only g - 1 of seven links.
    """
    stated = accelerator.interconnect_gb_per_s
    if group > accelerator.scale_up_domain or stated is None:
        slow = PCIE_GB_PER_S if stated is None or accelerator.scale_up_domain > 1 else stated
        return min(slow, PCIE_GB_PER_S * 2) * BYTES_PER_GB
    if "mesh" in accelerator.interconnect:
        return stated * min(1.0, max(group - 1, 1) / XGMI_PEER_SHARE) * BYTES_PER_GB
    return stated * BYTES_PER_GB
