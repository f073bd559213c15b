"""Fits the constants of sizing to published measurements: ``python -m bench.fit_sizing [TRUTH_FOLDER]``.

Writes the serving constants and their error bands into the package, prints errors in sample and left out. The
bands are quantiles of the errors on sources, model families and (model, accelerator) pairs that were left
out of the fit, all three ways pooled. Nothing here runs when somebody sizes a workload.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from recommender.sizing import serving_constants
from recommender.sizing.predict.bands import fit_bands, predictor, with_band, write_bands
from recommender.sizing.predict.evaluate import (
    LEAVE_OUT,
    Line,
    evaluate_table,
    folds_of,
    left_out_points,
    residuals,
)
from recommender.sizing.predict.prediction import Prediction
from recommender.sizing.predict.table import Table, read_table

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
FILES = {"inference": "inference_throughput.csv"}
SIZING = Path(serving_constants.__file__).parent
PAGE = Path(__file__).resolve().parents[1] / "docs" / "inference-error.md"


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
    pooled, found = [], []
    for by in LEAVE_OUT:
        points = left_out_points(table, folds_of(table, by))
        pooled += residuals(table, points)
        found.append((f"left out by {by}", _whole(table, [with_band(point, {}) for point in points])))
        _print(*found[-1])
    bands = fit_bands(pooled)
    day = datetime.now(UTC).date().isoformat()
    write_bands(SIZING / "predict" / f"bands_{kind}.csv", bands, f"left-out errors, {day}")
    predictions = [with_band(point, bands) for point in predictor(kind).predict_points(table.rows, values)]
    found.insert(0, ("in sample", _whole(table, predictions)))
    _print(*found[0])
    by_group = [line for line in evaluate_table(table, predictions).lines if line.by in ("source", "family")]
    PAGE.write_text(page(found, by_group, len(table.rows), day), "utf-8")
    return 0


def _whole(table: Table, predictions: Sequence[Prediction]) -> list[Line]:
    return [line for line in evaluate_table(table, predictions).lines if line.by == "all"]


def _print(title: str, lines: Sequence[Line]) -> None:
    print(f"\n{title}\n{'mark':<34} {'rows':>5} {'answered':>9} {'median':>7} {'p90':>7} {'in band':>8}")
    for line in lines:
        print(f"{line.mark:<34} {line.rows:>5} {line.answered:>8.1%} ", end="")
        print(f"{line.median_error or 0:>7.1%} {line.p90_error or 0:>7.1%} {line.in_band or 0:>8.1%}")


def page(found: Sequence[tuple[str, Sequence[Line]]], groups: Sequence[Line], rows: int, day: str) -> str:
    """The page of measured errors, Markdown."""
    titles = [title for title, _ in found]
    text = [
        "# How far inference predictions are from measurements",
        "",
        f"Written by `python -m bench.fit_sizing` on {day} from {rows:,} published measurements. Errors",
        "are |predicted / measured - 1|, median. *Left out*: constants fitted without the source, the family",
        "of models or the (model, accelerator) pairs that are predicted. *In band*: measurements between p10",
        "and p90.",
        "",
        "| quantity | rows | answered | aim | " + " | ".join(titles) + " | p90 | in band |",
        "|---" * (6 + len(titles)) + "|",
    ]
    for number, line in enumerate(found[0][1]):
        medians = " | ".join(f"{lines[number].median_error or 0:.1%}" for _, lines in found)
        aim = "" if line.limit is None else f"{line.limit:.0%}"
        text.append(
            f"| {line.mark} | {line.rows:,} | {line.answered:.1%} | {aim} | {medians} | "
            f"{line.p90_error or 0:.0%} | {line.in_band or 0:.0%} |"
        )
    text += ["", "By source and by family of models, in sample:", ""]
    text += ["| quantity | group | rows | answered | median error | p90 | bias |", "|---" * 7 + "|"]
    for line in groups:
        text.append(
            f"| {line.mark} | {line.group} | {line.rows:,} | {line.answered:.0%} | "
            f"{line.median_error or 0:.1%} | {line.p90_error or 0:.0%} | {line.bias or 0:.2f} |"
        )
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
