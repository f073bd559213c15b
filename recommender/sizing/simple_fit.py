"""Robust least squares of log errors with Gaussian priors on the logs of a few constants."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant: prior with log-width, bounds that are physical, and what it means."""

    name: str
    prior: float
    log_sd: float
    low: float
    high: float
    meaning: str


def fit_logs(
    constants: Sequence[Constant],
    predicted: Callable[[Mapping[str, float]], Any],
    measured: Sequence[float],
    weights: Sequence[float],
    noise: float,
    evaluations: int = 30,
) -> dict[str, float]:
    """Values of the constants that bring ln(predicted / measured) nearest to 0.

    Args:
        predicted: positive predictions of all rows for given constants.
        noise: log error of a good row; sets how much the priors weigh.
    """
    import numpy as np
    from scipy.optimize import least_squares

    priors = np.log([c.prior for c in constants])
    widths = np.array([c.log_sd for c in constants])
    bounds = np.log([c.low for c in constants]), np.log([c.high for c in constants])
    target, root = np.log(np.asarray(measured)), np.sqrt(np.asarray(weights))

    def residuals(theta: Any) -> Any:
        values = {c.name: math.exp(x) for c, x in zip(constants, theta, strict=True)}
        error = (np.log(np.asarray(predicted(values))) - target) / noise
        soft = np.sign(error) * np.sqrt(2 * (np.sqrt(1 + error**2) - 1))
        return np.concatenate([root * soft, (theta - priors) / widths])

    found = least_squares(
        residuals,
        priors,
        bounds=bounds,
        max_nfev=evaluations,
        ftol=1e-4,
        xtol=1e-4,
        diff_step=[1e-3] * len(constants),
    )
    return {c.name: math.exp(x) for c, x in zip(constants, found.x, strict=True)}


def write_values(path: Path, constants: Sequence[Constant], values: Mapping[str, float], source: str) -> None:
    """Writes a constants file: name, value, prior, bounds, meaning, source."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "value", "prior", "low", "high", "meaning", "source"])
        for c in constants:
            writer.writerow([c.name, f"{values[c.name]:.4g}", c.prior, c.low, c.high, c.meaning, source])
