"""From middles to p10-p90: how far predictions of a class were from measurements left out of the fit.

`bands_<table>.csv` holds, per quantity and class, the 10 % and 90 % quantile of measured / predicted. A
class with few measurements leans on its parent (`dense/hopper` on `dense`, that on all). `fit_bands` makes
them.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Protocol

from recommender.sizing.predict.prediction import OK, Points, Prediction
from recommender.sizing.predict.table import Row, Table
from recommender.sizing.results import Spread

POOLED_ROWS = 30.0  # measurements of its own at which a class counts as much as its parent
_ALIKE = {  # judged by nobody, as sure as what they follow from
    "total_tok_s_total": "output_tok_s_total",
    "requests_s": "output_tok_s_total",
    "latency_ms": "tpot_ms",
}
UNMEASURED = (1 / 1.6, 1.6)  # where no left-out error of the quantity is known at all
LOW, HIGH = 0.1, 0.9
Bands = dict[tuple[str, str], tuple[float, float]]
Residual = tuple[str, str, float]  # quantity, class, ln(measured / predicted)


class Predictor(Protocol):
    """What a module of one table offers."""

    def predict_points(self, rows: Sequence[Row], constants: Any = None) -> list[Points]:
        """Middles, one per row and in order; `constants` None takes the shipped ones."""


def predictor(kind: str) -> Any:
    """The module of a table (`inference`, `training`, `runs`, `memory`), imported when it is needed."""
    return import_module(f"recommender.sizing.predict.{kind}")


def predict_table(table: Table) -> list[Prediction]:
    """Predicts every row, in order, with the shipped constants and bands."""
    points = predictor(table.kind).predict_points(table.rows)
    bands = shipped_bands(table.kind)
    return [with_band(found, bands) for found in points]


def with_band(found: Points, bands: Bands) -> Prediction:
    """Puts the band of its class around every value of a row."""
    if found.status != OK:
        return Prediction(found.status, {})
    values = {}
    for name, middle in found.values.items():
        low, high = band_of(bands, _ALIKE.get(name, name), found.band)
        low, high = min(low, 1.0) ** found.wider, max(high, 1.0) ** found.wider
        values[name] = Spread(middle * low, middle, middle * high)
    return Prediction(found.status, values, found.fits)


def band_of(bands: Bands, quantity: str, name: str) -> tuple[float, float]:
    """Factors of the nearest class that is known, upwards from the special one."""
    while True:
        if (quantity, name) in bands:
            return bands[quantity, name]
        if not name:
            return UNMEASURED
        name = name.rpartition("/")[0]


def fit_bands(residuals: Iterable[Residual]) -> Bands:
    """Quantiles by class, each pulled towards its parent: (n q + k q_parent) / (n + k), in logs."""
    grouped: dict[tuple[str, str], list[float]] = defaultdict(list)
    for quantity, name, value in residuals:
        parts = name.split("/") if name else []
        for depth in range(len(parts) + 1):
            grouped[quantity, "/".join(parts[:depth])].append(value)
    logs: dict[tuple[str, str], tuple[float, float]] = {}
    for quantity, name in sorted(grouped, key=lambda key: (key[0], key[1].count("/") + bool(key[1]), key[1])):
        values = sorted(grouped[quantity, name])
        own = quantile(values, LOW), quantile(values, HIGH)
        parent = logs.get((quantity, name.rpartition("/")[0])) if name else None
        share = 1.0 if parent is None else len(values) / (len(values) + POOLED_ROWS)
        upper = parent or own
        logs[quantity, name] = tuple(share * a + (1 - share) * b for a, b in zip(own, upper, strict=True))  # type: ignore[assignment]
    return {key: (math.exp(low), math.exp(high)) for key, (low, high) in logs.items()}


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of sorted values, linear between neighbours."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@lru_cache(maxsize=8)
def shipped_bands(kind: str) -> Bands:
    """The bands that ship with the package; empty where a table has none yet."""
    file = resources.files("recommender.sizing.predict").joinpath(f"bands_{kind}.csv")
    if not file.is_file():
        return {}
    lines = csv.DictReader(file.read_text("utf-8").splitlines())
    return {(line["quantity"], line["class"]): (float(line["low"]), float(line["high"])) for line in lines}


def write_bands(path: Path, bands: Bands, source: str) -> None:
    """Writes a bands file; `source` says from which left-out errors it comes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["quantity", "class", "low", "high", "source"])
        for (quantity, name), (low, high) in sorted(bands.items()):
            writer.writerow([quantity, name, f"{low:.4g}", f"{high:.4g}", source])
