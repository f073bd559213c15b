"""Accelerator-hours of a whole published run: what people report, not what a benchmark would need.

Reported hours hold restarts, evaluation, waiting nodes, context extension and aborted starts. The share of
the 16-bit dense peak that 6 N D makes of them is a few factors with a reason each (``run_constants.csv``).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recommender.sizing.efficiency import hardware_class
from recommender.sizing.simple_fit import Constant
from warehouse.reference import Accelerator
from warehouse.units import SECONDS_PER_HOUR

SMALL_MODEL = 10e9  # below this, layers are too small for the large matrix products
FULL_RECOMPUTE = 50e9  # above this, runs before FlashAttention (2022) recomputed every layer
FLASH_ATTENTION = 2022.7
SMALL_MEMORY_GB = 48.0

CONSTANTS = (
    Constant("share", 0.45, 0.15, 0.2, 0.7, "share of the 16-bit dense peak of a run on A100 80 GB"),
    Constant(
        "hopper", 0.70, 0.15, 0.4, 1.1, "Hopper against A100: the same memory and network for 3x the peak"
    ),
    Constant("blackwell", 0.70, 0.15, 0.4, 1.1, "Blackwell against A100, taken as Hopper"),
    Constant("tpu_early", 0.65, 0.3, 0.2, 1.2, "TPU v2 and v3 against A100"),
    Constant("tpu", 0.90, 0.2, 0.4, 1.3, "TPU v4 and later against A100"),
    Constant("early_gpu", 0.75, 0.3, 0.2, 1.2, "Volta and before: fp16 with loss scaling, small memory"),
    Constant("other", 0.65, 0.3, 0.2, 1.2, "other vendors against A100"),
    Constant("doubling_small", 1.1, 0.05, 1.0, 1.3, "factor per e-fold of parameters below 10 B"),
    Constant("recomputed", 0.80, 0.10, 0.5, 1.0, "above 50 B before FlashAttention: every layer recomputed"),
    Constant(
        "small_memory", 0.82, 0.10, 0.5, 1.0, "cards below 48 GB: smaller micro batches, more recomputation"
    ),
    Constant(
        "calendar", 0.86, 0.12, 0.5, 1.1, "hours taken from calendar time x accelerators, idle ones included"
    ),
    Constant("mixture", 0.85, 0.15, 0.4, 1.1, "mixtures of experts against dense models"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run.

    Attributes:
        active_parameters: that a token is multiplied with. tokens: of the run, epochs included.
        year: date as a number, None where not known (then a run of today). calendar: hours come from
            calendar time.
        moe: a mixture of experts.
    """

    active_parameters: float
    tokens: float
    year: float | None
    calendar: bool
    moe: bool


def run_share(run: Run, part: Accelerator, c: Mapping[str, float]) -> float:
    """Share of the 16-bit dense peak that 6 N D makes of the reported hours."""
    share = c["share"] * c[kind_of(part)] if kind_of(part) else c["share"]
    share *= c["doubling_small"] ** min(0.0, math.log(run.active_parameters / SMALL_MODEL))
    if run.year is not None and run.year < FLASH_ATTENTION and run.active_parameters > FULL_RECOMPUTE:
        share *= c["recomputed"]
    if part.memory_gb < SMALL_MEMORY_GB and kind_of(part) == "":
        share *= c["small_memory"]
    return float(share) * (c["calendar"] if run.calendar else 1.0) * (c["mixture"] if run.moe else 1.0)


def kind_of(part: Accelerator) -> str:
    """Name of the factor of a part's class; empty for Ampere with HBM, the reference."""
    name = hardware_class(part)
    if part.vendor == "Google":
        return (
            "tpu_early" if (part.launch_year or 2020) < 2020 or part.family in ("tpu-v2", "tpu-v3") else "tpu"
        )
    if part.vendor != "NVIDIA":
        return "other"
    if name in ("hopper", "ada"):
        return "hopper"
    if name.startswith("blackwell") or part.family.startswith("rubin"):
        return "blackwell"
    return "" if name.startswith("ampere") else "early_gpu"


def run_gpu_hours(run: Run, part: Accelerator, peak: float, c: Mapping[str, float]) -> float:
    """6 N D / (peak x share), hours of one accelerator; `peak`: 16-bit dense FLOP/s."""
    return 6.0 * run.active_parameters * run.tokens / (peak * run_share(run, part, c)) / SECONDS_PER_HOUR


@lru_cache(maxsize=1)
def run_constants() -> dict[str, float]:
    """The constants that ship with the package."""
    text = resources.files("recommender.sizing").joinpath("run_constants.csv").read_text("utf-8")
    return {line["name"]: float(line["value"]) for line in csv.DictReader(text.splitlines())}
