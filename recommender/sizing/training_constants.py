"""The fitted constants of a training step: what they mean, their physical bounds, pooling, and the fit.

``training_constants.csv`` holds value, prior and bounds of each. `pace_KIND`, stacks and hardware classes are
factors on kernel time of a kind of software, one stack, one class of hardware; they multiply, and the fit
pulls each towards 1 (partial pooling), so that a stack or a class never seen gets its kind.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

KINDS = ("tuned", "framework", "script")
NOISE = 0.10  # log error of a good row; sets how much priors weigh against measurements


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant: prior with log-width, bounds that are physical, and what it means."""

    name: str
    prior: float
    log_sd: float
    low: float
    high: float
    meaning: str


PHYSICAL = (
    Constant("gemm", 0.85, 0.15, 0.4, 1.0, "matrix products as share of the largest ones' rate"),
    Constant("grouped", 0.6, 0.5, 0.15, 1.0, "grouped products of routed experts as share of dense ones"),
    Constant("attention", 0.5, 0.3, 0.1, 1.0, "attention core as share of the largest 16-bit products' rate"),
    Constant(
        "attention_tuned",
        0.6,
        0.3,
        0.1,
        1.0,
        "the same in vendor-tuned stacks (fused kernels of 2024 and later)",
    ),
    Constant(
        "traffic", 1.0, 0.4, 0.2, 4.0, "factor on the memory traffic of norms, activations and residuals"
    ),
    Constant("cast", 0.3, 0.6, 0.01, 2.0, "extra traffic of 8-bit formats, twice that for 4 bit"),
    Constant("logits", 1.0, 0.6, 0.1, 5.0, "factor on the traffic of logits and loss"),
    Constant("dequantise", 1.0, 0.6, 0.1, 20.0, "passes over frozen 4-bit weights to widen them"),
    Constant("layer_us", 60.0, 0.6, 5.0, 1000.0, "fixed microseconds per layer and pass"),
    Constant(
        "tensor_exposed", 0.6, 0.4, 0.05, 2.0, "share of tensor-parallel time that compute does not hide"
    ),
    Constant("overlap", 2.0, 0.6, 0.1, 20.0, "how well data-parallel traffic hides"),
    Constant(
        "context_loss", 0.2, 0.5, 0.01, 1.0, "compute lost to exchange and imbalance of context parallel"
    ),
    Constant("dispatch_exposed", 0.5, 0.8, 0.05, 3.0, "share of expert dispatch that compute does not hide"),
    Constant("permute", 1.0, 0.6, 0.1, 10.0, "passes over routed copies: permute, pad, combine"),
    Constant("moe_layer_us", 150.0, 1.0, 5.0, 3000.0, "fixed microseconds per mixture layer and pass"),
    Constant(
        "expert_us", 20.0, 1.0, 0.5, 500.0, "fixed microseconds per local expert, mixture layer and pass"
    ),
    Constant("adam", 1.3, 0.4, 0.5, 5.0, "factor on the optimizer's memory traffic"),
    Constant("step_ms", 20.0, 0.8, 0.5, 500.0, "fixed milliseconds per optimizer step"),
    Constant("evaluation", 0.06, 0.5, 0.005, 0.3, "evaluations and start-up in audited times to a target"),
    Constant("dense_progress", 0.04, 0.5, 0.001, 0.3, "yearly gain of dense kernels, logarithmic"),
    Constant("moe_progress", 0.3, 0.5, 0.01, 1.0, "yearly gain of mixture kernels, logarithmic"),
    Constant(
        "pace_framework", 1.05, 0.15, 0.7, 2.5, "kernel time of research frameworks against tuned stacks"
    ),
    Constant("pace_script", 1.1, 0.15, 0.7, 3.0, "kernel time of fine-tuning scripts against tuned stacks"),
    Constant(
        "launch_framework", 2.0, 0.5, 0.5, 10.0, "fixed cost of research frameworks against tuned stacks"
    ),
    Constant("launch_script", 5.0, 0.5, 0.5, 20.0, "fixed cost of fine-tuning scripts against tuned stacks"),
)
STACK_LOG_SD = 0.12  # stacks of one kind differ by about this much
CLASS_LOG_SD = 0.12  # classes of hardware, beyond what their matrix products reach


@dataclass(frozen=True, slots=True)
class Constants:
    """Values by name; `stacks` and `classes` are factors on kernel time, 1 where nothing is known.

    classic: the constants of `classic_nets`, empty for the shipped ones.
    """

    values: Mapping[str, float]
    stacks: Mapping[str, float]
    classes: Mapping[str, float]
    classic: Mapping[str, float] = field(default_factory=dict)

    def pace(self, stack: str, kind: str, hardware: str) -> float:
        """Factor on kernel time of one stack on one class of hardware."""
        return (
            self.values.get(f"pace_{kind}", 1.0)
            * self.stacks.get(stack, 1.0)
            * self.classes.get(hardware, 1.0)
        )

    def launch(self, kind: str) -> float:
        """Factor on fixed cost of one kind of software."""
        return self.values.get(f"launch_{kind}", 1.0)


def fit_constants(
    cases: Sequence[Any], log_seconds: Any, weights: Any, model: Callable[[Constants], Any]
) -> Constants:
    """Weighted robust least squares of log step time with Gaussian priors on the logs of all constants."""
    import numpy as np
    from scipy.optimize import least_squares

    stacks = sorted({case.stack for case in cases})
    classes = sorted({case.hardware for case in cases})
    priors = np.log([c.prior for c in PHYSICAL] + [1.0] * (len(stacks) + len(classes)))
    widths = np.array(
        [c.log_sd for c in PHYSICAL] + [STACK_LOG_SD] * len(stacks) + [CLASS_LOG_SD] * len(classes)
    )
    low = np.log([c.low for c in PHYSICAL] + [0.4] * (len(stacks) + len(classes)))
    high = np.log([c.high for c in PHYSICAL] + [2.5] * (len(stacks) + len(classes)))
    root = np.sqrt(weights)

    def residuals(theta: Any) -> Any:
        error = (np.log(model(_unpack(theta, stacks, classes))) - log_seconds) / NOISE
        soft = np.sign(error) * np.sqrt(2 * (np.sqrt(1 + error**2) - 1))
        return np.concatenate([root * soft, (theta - priors) / widths])

    found = least_squares(residuals, priors, bounds=(low, high), max_nfev=40, ftol=1e-4, xtol=1e-4)
    return _unpack(found.x, stacks, classes)


def _unpack(theta: Any, stacks: Sequence[str], classes: Sequence[str]) -> Constants:
    numbers = [math.exp(value) for value in theta]
    n, s = len(PHYSICAL), len(stacks)
    return Constants(
        {c.name: value for c, value in zip(PHYSICAL, numbers[:n], strict=True)},
        dict(zip(stacks, numbers[n : n + s], strict=True)),
        dict(zip(classes, numbers[n + s :], strict=True)),
    )


@lru_cache(maxsize=1)
def shipped_constants() -> Constants:
    """The constants that ship with the package; priors where the file lacks one."""
    file = resources.files("recommender.sizing").joinpath("training_constants.csv")
    lines = list(csv.DictReader(file.read_text("utf-8").splitlines())) if file.is_file() else []
    by_kind: dict[str, dict[str, float]] = {
        "constant": {c.name: c.prior for c in PHYSICAL},
        "stack": {},
        "class": {},
    }
    for line in lines:
        by_kind[line["kind"]][line["name"]] = float(line["value"])
    return Constants(by_kind["constant"], by_kind["stack"], by_kind["class"])


def write_constants(path: Path, constants: Constants, source: str) -> None:
    """Writes ``training_constants.csv``."""
    known = {c.name: c for c in PHYSICAL}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "name", "value", "prior", "low", "high", "meaning", "source"])
        for name, value in constants.values.items():
            c = known[name]
            writer.writerow(["constant", name, f"{value:.4g}", c.prior, c.low, c.high, c.meaning, source])
        for kind, values in (("stack", constants.stacks), ("class", constants.classes)):
            for name, value in sorted(values.items()):
                writer.writerow(
                    [kind, name, f"{value:.4g}", 1, 0.4, 2.5, f"kernel time of this {kind}", source]
                )
