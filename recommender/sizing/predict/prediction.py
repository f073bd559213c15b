"""What a prediction is, and how it is written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recommender.sizing.predict.table import Row
from recommender.sizing.results import Spread

OK = "ok"
QUANTITIES = (
    *("tokens_per_s_per_gpu", "samples_per_s", "tflops_per_gpu", "step_time_s", "time_to_train_s"),
    *(
        "mem_peak_gib",
        "gpu_hours",
        "output_tok_s_total",
        "total_tok_s_total",
        "requests_s",
        "images_s",
        "it_s",
    ),
    *("ttft_ms", "tpot_ms", "latency_ms", "mem_gib"),
)


@dataclass(frozen=True, slots=True)
class Points:
    """Middles of one row, before the band.

    Attributes:
        status: `ok` or `unsupported: reason`.
        values: quantity -> p50.
        band: class whose errors give the band, from general to special, parts split by "/":
            ``dense/hopper/trtllm``. A class with few measurements leans on its parent.
        fits: does it run in memory; None where the question is not asked.
        wider: the log-width of the band is multiplied by this, above 1 where nothing like it was measured.
    """

    status: str = OK
    values: dict[str, float] = field(default_factory=dict)
    band: str = ""
    fits: bool | None = None
    wider: float = 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """Answer for one row: `status`, quantity -> spread, and whether it fits in memory (None: not asked)."""

    status: str
    values: dict[str, Spread]
    fits: bool | None = None

    @property
    def answered(self) -> bool:
        """Has numbers."""
        return self.status == OK


def unsupported(reason: str) -> Points:
    """The answer of a row that cannot be predicted; one line that names what is missing."""
    return Points(status="unsupported: " + " ".join(reason.split()))


def write_out(path: Path, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
    """Writes OUT.csv: `id`, `status`, and `pred_X` with `_p10` and `_p90` of each quantity that occurs."""
    used = [name for name in QUANTITIES if any(name in found.values for found in predictions)]
    columns = [f"pred_{name}{end}" for name in used for end in ("", "_p10", "_p90")]
    if any(found.fits is not None for found in predictions):
        columns += ["pred_fits", "pred_fits_p10", "pred_fits_p90"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "status", *columns], lineterminator="\n")
        writer.writeheader()
        for row, found in zip(rows, predictions, strict=True):
            writer.writerow({"id": row.text("id"), "status": found.status, **_cells(found)})


def _cells(found: Prediction) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, spread in found.values.items():
        for end, value in (("", spread.p50), ("_p10", spread.p10), ("_p90", spread.p90)):
            cells[f"pred_{name}{end}"] = f"{value:.6g}"
    if found.fits is not None:
        cells |= dict.fromkeys(("pred_fits", "pred_fits_p10", "pred_fits_p90"), str(found.fits))
    return cells
