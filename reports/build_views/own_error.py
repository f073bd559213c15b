"""Our own measured error: how far predictions were from measurements that the fit had not seen."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

from reports import charts
from reports import formatting as fmt
from reports.section_models import ErrorRow

EMPTY = "Our model’s own error has not been measured in this version: take its bands as an opinion."
FRONT_QUANTITIES = (
    "output_tok_s_total",
    "ttft_ms",
    "tpot_ms",
    "tokens_per_s_per_gpu",
    "gpu_hours",
    "mem_peak_gib",
)
WORDS = {
    "output_tok_s_total": "Serving: tokens a second",
    "total_tok_s_total": "Serving: tokens in and out a second",
    "requests_s": "Serving: requests a second",
    "images_s": "Images a second",
    "it_s": "Image steps a second",
    "ttft_ms": "Serving: time to the first token",
    "tpot_ms": "Serving: time per token",
    "latency_ms": "Serving: latency of an answer",
    "mem_gib": "Serving: memory",
    "tokens_per_s_per_gpu": "Training: tokens a second per GPU",
    "samples_per_s": "Training: samples a second",
    "tflops_per_gpu": "Training: TFLOPS per GPU",
    "step_time_s": "Training: time of a step",
    "time_to_train_s": "Training: time to a target",
    "gpu_hours": "Whole runs: GPU-hours",
    "mem_peak_gib": "Training: peak memory",
}
Known = tuple[str, str, float, float]


def error_rows(quantities: tuple[str, ...] | None = None, depth: int = 0) -> tuple[ErrorRow, ...]:
    """Measured / predicted, 10th to 90th percentile, by quantity and class of at most `depth` parts."""
    known = [
        row
        for row in measured_errors()
        if (quantities is None or row[0] in quantities) and _depth(row[1]) <= depth
    ]
    order = {name: index for index, name in enumerate(quantities or WORDS)}
    known.sort(key=lambda row: (order.get(row[0], len(order)), row[0], row[1]))
    labels = [f"{_words(row)}: measured was {row[2]:.2f} to {row[3]:.2f} times predicted" for row in known]
    bars = charts.range_bars([(low, 1.0, high) for _, _, low, high in known], labels)
    return tuple(_row(row, bar) for row, bar in zip(known, bars, strict=True))


def sentence() -> str:
    """The error of the two figures people act on, in one sentence."""
    found = {row[0]: row for row in measured_errors() if not row[1]}
    told = [
        f"{words} was {found[name][2]:.2f} to {found[name][3]:.2f} times what we predicted"
        for name, words in (
            ("output_tok_s_total", "serving speed"),
            ("tokens_per_s_per_gpu", "training speed"),
            ("gpu_hours", "the length of whole training runs"),
        )
        if name in found
    ]
    if not told:
        return EMPTY
    return f"On published measurements kept out of the fit, eight in ten: {fmt.sentence_list(told)}."


@lru_cache(maxsize=1)
def measured_errors() -> tuple[Known, ...]:
    """(quantity, class, low, high) of every table of left-out errors that ships with the recommender."""
    folder = resources.files("recommender").joinpath("sizing", "predict")
    if not folder.is_dir():
        return ()
    names = [file for file in folder.iterdir() if file.name.startswith("bands_")]
    files = [file for file in names if file.name.endswith(".csv")]
    found: list[Known] = []
    for file in sorted(files, key=lambda item: item.name):
        found += _read(file)
    return tuple(found)


def _read(file: Traversable) -> list[Known]:
    with file.open("r", encoding="utf-8") as text:
        return [
            (row["quantity"], row["class"] or "", float(row["low"]), float(row["high"]))
            for row in csv.DictReader(text)
        ]


def _row(row: Known, bar: charts.RangeBar) -> ErrorRow:
    return ErrorRow(
        WORDS.get(row[0], row[0].replace("_", " ")),
        row[1].replace("/", ", ").replace("_", " ") or "all",
        f"{row[2]:.2f}",
        f"{row[3]:.2f}",
        bar,
    )


def _words(row: Known) -> str:
    return f"{WORDS.get(row[0], row[0])}{', ' + row[1] if row[1] else ''}"


def _depth(name: str) -> int:
    return name.count("/") + 1 if name else 0
