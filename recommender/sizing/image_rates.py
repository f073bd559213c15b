"""How fast images are made: one iteration and one image on one accelerator, from few constants."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recommender.sizing.diffusion import ImageModel, image_flops, step_flops
from recommender.sizing.efficiency import hardware_class
from recommender.sizing.precision import dense_tflops
from recommender.sizing.simple_fit import Constant
from recommender.sizing.training_rates import hardware_rate
from warehouse.reference import Accelerator

CONTROLNET_SHARE = 0.35  # a copy of the encoder half beside the U-Net (arXiv 2302.05543)

CONSTANTS = (
    Constant(
        "share", 0.55, 0.25, 0.15, 1.0, "share of the largest 16-bit products' rate, compiled or TensorRT"
    ),
    Constant("eager", 1.2, 0.15, 1.0, 2.0, "time of eager execution against compiled"),
    Constant("newer", 0.95, 0.1, 0.7, 1.1, "time of a nightly build against the release it follows"),
    Constant("iteration_ms", 12.0, 0.5, 1.0, 60.0, "host time of an iteration, compiled"),
    Constant("iteration_eager_ms", 22.0, 0.5, 1.0, 120.0, "host time of an iteration, eager"),
    Constant("engine", 1.0, 0.2, 0.5, 2.0, "time of an inference engine against compiled frameworks"),
    Constant("eight_bit", 0.85, 0.15, 0.5, 1.1, "time with 8-bit matrix products where the part has them"),
    Constant("yearly", 0.80, 0.15, 0.5, 1.0, "time after a year of engine work"),
    Constant("online", 1.06, 0.05, 1.0, 1.3, "time under a latency limit against offline"),
    Constant("fast", 1.0, 0.2, 0.5, 2.0, "hopper and blackwell: time against the share above"),
    Constant("gddr", 1.0, 0.2, 0.5, 2.0, "ada, ampere and blackwell cards with GDDR"),
    Constant("limited", 1.4, 0.3, 0.7, 3.0, "cards whose power limit is below their peak (T4, L4, A2)"),
    Constant("old", 1.1, 0.2, 0.5, 2.0, "volta"),
    Constant("foreign", 1.1, 0.3, 0.4, 3.0, "accelerators of other vendors"),
)
_POWER_LIMITED = ("t4", "l4", "a2", "l2", "p4")


@dataclass(frozen=True, slots=True)
class ImageSoftware:
    """How the denoiser runs. compiled: torch.compile or an engine. engine: TensorRT or the like.

    newer: a nightly build. years: of engine work after the start of 2024. online: under a latency limit.
    """

    compiled: bool = True
    engine: bool = False
    newer: bool = False
    years: float = 0.0
    online: bool = False


def image_class(part: Accelerator) -> str:
    """Name of the factor of a part's class, empty for A100."""
    if part.vendor != "NVIDIA":
        return "foreign"
    if part.family in _POWER_LIMITED:
        return "limited"
    name = hardware_class(part)
    if name.endswith("gddr") or name in ("ada", "turing"):
        return "gddr"
    return {"ampere-hbm": "", "volta": "old"}.get(name, "fast")


def sixteen_bit_flops(part: Accelerator) -> float | None:
    """Dense 16-bit rate, FLOP/s; fp32 where there is none (Pascal); None where neither is known."""
    for unit in ("fp16", "bf16", "fp32"):
        rate = dense_tflops(part, unit)
        if rate and (unit == "fp32" or rate > 1):
            return rate * 1e12
    return None


def image_flops_per_s(part: Accelerator, software: ImageSoftware, c: Mapping[str, float]) -> float | None:
    """FLOP/s that the denoiser reaches on one accelerator at a large batch; None where no rate is known."""
    peak = sixteen_bit_flops(part)
    if peak is None:
        return None
    time = 1.0 / (c["share"] * hardware_rate(part).matmul16)
    time *= c[image_class(part)] if image_class(part) else 1.0
    if software.engine:
        time *= (
            c["engine"] * c["yearly"] ** software.years * (c["eight_bit"] if part.dense_fp8_tflops else 1.0)
        )
    elif not software.compiled:
        time *= c["eager"]
    time *= (c["newer"] if software.newer else 1.0) * (c["online"] if software.online else 1.0)
    return peak / time


def iteration_s(
    model: ImageModel,
    part: Accelerator,
    batch: float,
    pixels: tuple[int, int],
    software: ImageSoftware,
    c: Mapping[str, float],
    extra: float = 0.0,
) -> float | None:
    """Seconds of one denoising step of a batch: host and device overlap, so the root of the sum of squares of
    host time and FLOP / rate. extra: work beside the denoiser, as a share of it (ControlNet)."""
    rate = image_flops_per_s(part, software, c)
    if rate is None:
        return None
    device = batch * step_flops(model, *pixels) * (1 + extra) / rate
    host = 1e-3 * c["iteration_ms" if software.compiled else "iteration_eager_ms"]
    return math.hypot(device, host)


def images_per_s(
    model: ImageModel,
    part: Accelerator,
    pixels: tuple[int, int],
    steps: int,
    software: ImageSoftware,
    c: Mapping[str, float],
) -> float | None:
    """Images a second of one accelerator in large batches: rate / FLOP of an image."""
    rate = image_flops_per_s(part, software, c)
    return None if rate is None else rate / image_flops(model, *pixels, steps)


@lru_cache(maxsize=1)
def image_constants() -> dict[str, float]:
    """The constants that ship with the package; priors where the file lacks one."""
    file = resources.files("recommender.sizing").joinpath("image_constants.csv")
    lines = csv.DictReader(file.read_text("utf-8").splitlines()) if file.is_file() else []
    return {c.name: c.prior for c in CONSTANTS} | {line["name"]: float(line["value"]) for line in lines}
