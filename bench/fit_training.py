"""Fits constants of training, runs, memory and images: ``python -m bench.fit_training [FOLDER] [TABLE]``.

FOLDER holds the measurement tables. Writes the constants and the bands that ship with the package: constants
from all rows, bands from errors of whole sources left out of the fit. Takes some minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from recommender.sizing import training_constants
from recommender.sizing.classic_nets import CONSTANTS as CLASSIC_CONSTANTS
from recommender.sizing.image_rates import CONSTANTS as IMAGE_CONSTANTS
from recommender.sizing.predict import images, memory, runs, training
from recommender.sizing.predict.bands import fit_bands, shipped_bands, write_bands
from recommender.sizing.predict.evaluate import residuals
from recommender.sizing.predict.prediction import Points
from recommender.sizing.predict.table import Table, read_table
from recommender.sizing.run_hours import CONSTANTS as RUN_CONSTANTS
from recommender.sizing.simple_fit import write_values

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
SIZING = Path(training_constants.__file__).parent
FILES = {"training": "training_throughput.csv", "runs": "training_runs.csv", "memory": "memory.csv"}
IMAGES = "inference_throughput.csv"
SOURCE = "fit to published measurements, bench.fit_training"


def main(arguments: list[str]) -> int:
    """Fit the named tables, all by default."""
    folder = next((Path(text) for text in arguments if Path(text).is_dir()), TRUTH)
    wanted = [name for name in arguments if name in (*FILES, "images")] or [*FILES, "images"]
    if not folder.exists():
        print(f"no measurements at {folder}; give the folder that holds {', '.join(FILES.values())}")
        return 0
    for name in wanted:
        if name == "images":
            table = read_table(folder / IMAGES)
            values = images.fit(table.rows, table.measured)
            write_values(SIZING / "image_constants.csv", IMAGE_CONSTANTS, values, SOURCE)
            _image_bands(table)
            print("images: constants written, and their bands beside those of serving")
            continue
        table = read_table(folder / FILES[name])
        fit_table(name, table)
        print(f"{name}: {len(table.rows)} rows, constants and bands written")
    return 0


def fit_table(name: str, table: Table) -> None:
    """Constants of one table from all rows, its bands from sources left out."""
    modules: dict[str, Any] = {"training": training, "runs": runs, "memory": memory}
    module = modules[name]
    constants = module.fit(table.rows, table.measured)
    if name == "training":
        training_constants.write_constants(SIZING / "training_constants.csv", constants, SOURCE)
        write_values(SIZING / "classic_constants.csv", CLASSIC_CONSTANTS, constants.classic, SOURCE)
    elif name == "runs":
        write_values(SIZING / "run_constants.csv", RUN_CONSTANTS, constants, SOURCE)
    else:
        write_values(SIZING / "memory_constants.csv", memory.CONSTANTS, constants, SOURCE)
    bands = fit_bands(residuals(table, left_out_points(module, table)))
    write_bands(SIZING / "predict" / f"bands_{name}.csv", bands, "sources left out of the fit")


def _image_bands(table: Table) -> None:
    """Errors of accelerators and sources left out, into the bands of the inference table."""
    rows = [n for n, row in enumerate(table.rows) if images.counted(row, {})]
    own = Table("inference", tuple(table.rows[n] for n in rows), tuple(table.measured[n] for n in rows))
    found = []
    for column in ("source_group", "accelerator"):
        points = left_out_points(images, own, column)
        found += [item for item in residuals(own, points) if item[0] in ("images_s", "it_s")]
    bands = {
        key: value for key, value in shipped_bands("inference").items() if key[0] not in ("images_s", "it_s")
    }
    write_bands(SIZING / "predict" / "bands_inference.csv", {**bands, **fit_bands(found)}, "left-out errors")


def left_out_points(module: Any, table: Table, column: str = "source_group") -> list[Points]:
    """Predictions of every row by constants fitted without its source (or what `column` names)."""
    groups: dict[str, list[int]] = {}
    for n, row in enumerate(table.rows):
        groups.setdefault(row.text(column) or row.text("source"), []).append(n)
    points: list[Points] = [Points(status="unsupported: not predicted")] * len(table.rows)
    for inside in groups.values():
        held = set(inside)
        kept = [n for n in range(len(table.rows)) if n not in held]
        constants = module.fit([table.rows[n] for n in kept], [table.measured[n] for n in kept])
        found = module.predict_points([table.rows[n] for n in inside], constants)
        for n, point in zip(inside, found, strict=True):
            points[n] = point
    return points


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
