"""Fits the constants of sizing to published measurements: ``python -m bench.fit_sizing [TRUTH_FOLDER]``.

Writes the serving constants and their error bands into the package, prints errors in sample and left out. The
bands are quantiles of the errors on sources, model families and (model, accelerator) pairs that were left
out of the fit, all three ways pooled. Nothing here runs when somebody sizes a workload.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from recommender.sizing import serving_constants
from recommender.sizing.predict.bands import fit_bands, predictor, with_band, write_bands
from recommender.sizing.predict.evaluate import (
    LEAVE_OUT,
    evaluate_table,
    folds_of,
    left_out_points,
    residuals,
)
from recommender.sizing.predict.table import Table, read_table

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
FILES = {"inference": "inference_throughput.csv"}
SIZING = Path(serving_constants.__file__).parent


def main(arguments: list[str]) -> int:
    """Fit, write, print."""
    kind = "inference"
    folder = Path(arguments[0]) if arguments else TRUTH
    if not folder.exists():
        print(f"no measurements at {folder}; give the folder that holds {FILES[kind]}")
        return 0
    table = read_table(folder / FILES[kind])
    started = time.perf_counter()
    values = predictor(kind).fit(table.rows, table.measured)
    (SIZING / "serving_constants.csv").write_text(serving_constants.as_csv(values), "utf-8")
    serving_constants.constants.cache_clear()
    serving_constants.shipped.cache_clear()
    print(f"constants fitted to {len(table.rows)} rows in {time.perf_counter() - started:.0f} s")
    pooled = []
    for by in LEAVE_OUT:
        points = left_out_points(table, folds_of(table, by))
        pooled += residuals(table, points)
        _print(table, f"left out by {by}", [with_band(point, {}) for point in points])
    bands = fit_bands(pooled)
    day = datetime.now(UTC).date().isoformat()
    write_bands(SIZING / "predict" / f"bands_{kind}.csv", bands, f"left-out errors, {day}")
    _print(
        table, "in sample", [with_band(p, bands) for p in predictor(kind).predict_points(table.rows, values)]
    )
    return 0


def _print(table: Table, title: str, predictions: list[object]) -> None:
    print(f"\n{title}\n{'mark':<34} {'rows':>5} {'answered':>9} {'median':>7} {'p90':>7} {'in band':>8}")
    for line in evaluate_table(table, predictions).lines:  # type: ignore[arg-type]
        if line.by == "all" and line.median_error is not None:
            print(
                f"{line.mark:<34} {line.rows:>5} {line.answered:>8.1%} {line.median_error:>7.1%} "
                f"{line.p90_error or 0:>7.1%} {line.in_band or 0:>8.1%}"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
