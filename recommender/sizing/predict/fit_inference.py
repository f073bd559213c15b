"""Fits the serving constants to measured rows: robust, weighted by source, held near their priors.

Residuals are logarithms of predicted / measured. A source with many rows counts less per row, so that no
campaign outvotes the others; constants that few rows touch stay at their prior.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recommender.sizing.predict.evaluate import measured_value
from recommender.sizing.predict.inference import COLUMNS, compute_columns
from recommender.sizing.predict.serving_rows import (
    CLOSED,
    OFFLINE,
    SERVER,
    SINGLE,
    STATIC,
    ServedRow,
    read_rows,
)
from recommender.sizing.predict.table import Row
from recommender.sizing.serving_case import stack
from recommender.sizing.serving_constants import Constants, constants

# Quantity -> (spread of a good prediction in logs, weight), by kind of load.
_TARGETS = {
    CLOSED: {"tpot_ms": (0.10, 1.2), "ttft_ms": (0.25, 0.5)},
    OFFLINE: {"output_tok_s_total": (0.12, 1.0)},
    SERVER: {"output_tok_s_total": (0.15, 0.6)},
    STATIC: {"output_tok_s_total": (0.15, 1.0)},
    SINGLE: {"output_tok_s_total": (0.15, 0.7)},
}
PRIOR_WEIGHT = 9.0  # what one standard deviation from a prior costs against one row at the edge of its spread
SOURCE_ROWS = 250.0  # a source with more rows than this counts like this many
EVALUATIONS = 30


def fit(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> Constants:
    """Constants that predict these rows best within their bounds."""
    from scipy.optimize import least_squares

    data = _Data(rows, measured)
    table = list(constants().values())
    centre = np.log([item.prior for item in table])
    begin = np.log([item.value for item in table])  # near the answer already; only the priors pull
    low, high = np.log([item.low for item in table]), np.log([item.high for item in table])
    spread = np.array([item.spread for item in table])

    def residuals(point: Any) -> Any:
        values = {item.name: float(value) for item, value in zip(table, np.exp(point), strict=True)}
        return np.concatenate([data.residuals(values), np.sqrt(PRIOR_WEIGHT) * (point - centre) / spread])

    found = least_squares(
        residuals,
        np.clip(begin, low + 1e-6, high - 1e-6),
        bounds=(low, high),
        max_nfev=EVALUATIONS,
        ftol=1e-4,
        xtol=1e-4,
    )
    return {item.name: float(value) for item, value in zip(table, np.exp(found.x), strict=True)}


class _Data:
    """Rows that can be predicted and were measured, as columns."""

    def __init__(self, rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> None:
        found = read_rows(rows)
        kept = [n for n, item in enumerate(found) if isinstance(item, ServedRow) and item.kind in _TARGETS]
        served = [item for n in kept if isinstance(item := found[n], ServedRow)]
        self.raw = stack([item.raw for item in served])
        self.columns = {name: np.array([getattr(item, name) for item in served]) for name in COLUMNS}
        counts = Counter(rows[n].text("source_group") for n in kept)
        share = np.array([min(1.0, SOURCE_ROWS / counts[rows[n].text("source_group")]) for n in kept])
        self.targets = []
        for quantity in ("tpot_ms", "ttft_ms", "output_tok_s_total"):
            truth = np.array([measured_value(measured[n], quantity) or np.nan for n in kept])
            scale = np.array([_TARGETS[item.kind].get(quantity, (np.nan, np.nan)) for item in served])
            use = np.isfinite(truth) & np.isfinite(scale[:, 0])
            self.targets.append(
                (quantity, use, np.log(truth[use]), scale[use, 0], np.sqrt(scale[use, 1] * share[use]))
            )

    def residuals(self, values: Constants) -> Any:
        """Robust residuals of all targets: square near zero, root of the distance far out (pseudo-Huber)."""
        numbers = compute_columns(self.raw, self.columns, values)
        parts = []
        for quantity, use, truth, scale, weight in self.targets:
            off = (np.log(numbers[quantity][use]) - truth) / scale
            parts.append(weight * np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1)))
        return np.concatenate(parts)
