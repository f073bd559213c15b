"""Classic networks (ResNet, SSD, BERT, Transformer-XL, Tacotron 2 ...): samples a second in training.

A sample costs floating-point operations (from the papers) and memory traffic (from one suite's rates); each
class of hardware reaches a share of both. Batches are as large as memory allows.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recommender.sizing.efficiency import hardware_class
from recommender.sizing.precision import dense_tflops
from recommender.sizing.simple_fit import Constant
from warehouse.reference import Accelerator

_CLASSES = ("volta", "ampere-gddr", "ada", "hopper", "blackwell-hbm")


@dataclass(frozen=True, slots=True)
class ClassicNet:
    """One network.

    Attributes:
        flops_per_sample: of one training step, forward and backward. work_factor: how much slower than
            the average network its arithmetic runs (layer sizes). bytes_per_sample: moved, in 16 bit.
            parameters: reduced over GPUs once a step. what: one sample is this.
    """

    name: str
    title: str
    flops_per_sample: float
    work_factor: float
    bytes_per_sample: float
    parameters: float
    what: str
    source: str


def _constants() -> tuple[Constant, ...]:
    compute = [
        Constant(f"compute_{name}", 1.0, 0.2, 0.4, 2.5, f"time of arithmetic on {name} against A100")
        for name in _CLASSES
    ]
    memory = [
        Constant(f"memory_{name}", 1.0, 0.2, 0.4, 2.5, f"time of memory traffic on {name} against A100")
        for name in _CLASSES
    ]
    shared = [
        Constant("share16", 0.55, 0.4, 0.05, 0.9, "share of the 16-bit peak"),
        Constant("share32", 0.4, 0.4, 0.05, 1.0, "share of the TF32 or fp32 peak"),
        Constant("bandwidth", 0.47, 0.2, 0.3, 1.0, "share of memory bandwidth"),
        Constant("wide_traffic", 1.4, 0.2, 1.0, 2.0, "traffic of fp32 against 16 bit"),
        Constant("linked", 0.95, 0.05, 0.6, 1.05, "efficiency of each doubling of GPUs with NVLink"),
        Constant("unlinked", 0.88, 0.1, 0.5, 1.05, "efficiency of each doubling of GPUs over PCIe"),
    ]
    return (*shared, *compute, *memory)


CONSTANTS = _constants()


def classic_samples_per_s(
    net: ClassicNet, part: Accelerator, gpus: int, sixteen_bit: bool, c: Mapping[str, float]
) -> float | None:
    """Samples a second of `gpus` GPUs: gpus * efficiency / (FLOP / rate + bytes / bandwidth).

    fp32 runs as TF32 where the part has it. None where a rate of the part is not known.
    """
    peak = compute_peak(part, sixteen_bit)
    if peak is None or part.memory_bandwidth_gb_per_s is None:
        return None
    name = hardware_class(part)
    name = {"blackwell-ultra": "blackwell-hbm", "blackwell-gddr": "ada", "turing": "volta"}.get(name, name)
    share = c["share16" if sixteen_bit else "share32"]
    work = net.flops_per_sample * net.work_factor / (peak * share) * c.get(f"compute_{name}", 1.0)
    moved = net.bytes_per_sample * (1.0 if sixteen_bit else c["wide_traffic"])
    traffic = moved / (part.memory_bandwidth_gb_per_s * 1e9 * c["bandwidth"]) * c.get(f"memory_{name}", 1.0)
    doublings = max(0, gpus.bit_length() - 1)
    together = c["linked" if part.scale_up_domain > 1 else "unlinked"] ** doublings
    return gpus * together / (work + traffic)


def compute_peak(part: Accelerator, sixteen_bit: bool) -> float | None:
    """Dense FLOP/s of the arithmetic; fp32 vectors where there is no tensor unit for it."""
    if not sixteen_bit:
        rate = part.dense_tf32_tflops or part.dense_fp32_tflops
    else:
        rate = dense_tflops(part, "fp16") or dense_tflops(part, "bf16") or part.dense_fp32_tflops
    return rate * 1e12 if rate else None


@lru_cache(maxsize=1)
def classic_nets() -> dict[str, ClassicNet]:
    """All known networks by every spelling (lower case)."""
    text = resources.files("recommender.sizing").joinpath("classic_nets.csv").read_text("utf-8")
    found: dict[str, ClassicNet] = {}
    for row in csv.DictReader(text.splitlines()):
        net = ClassicNet(
            row["name"],
            row["title"],
            float(row["flops_per_sample"]),
            float(row["work_factor"]),
            float(row["bytes_per_sample"]),
            float(row["parameters"]),
            row["what"],
            row["source"],
        )
        for spelling in (row["name"], *row["aliases"].split()):
            found[spelling.lower()] = net
    return found


@lru_cache(maxsize=1)
def classic_constants() -> dict[str, float]:
    """The constants that ship with the package; priors where the file lacks one."""
    file = resources.files("recommender.sizing").joinpath("classic_constants.csv")
    lines = csv.DictReader(file.read_text("utf-8").splitlines()) if file.is_file() else []
    return {c.name: c.prior for c in CONSTANTS} | {line["name"]: float(line["value"]) for line in lines}
