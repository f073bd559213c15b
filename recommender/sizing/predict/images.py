"""Predicts image rows of the inference table: images/s and denoising iterations/s."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from recommender.sizing.diffusion import ImageModel, image_models, resolve_image_model
from recommender.sizing.image_rates import (
    CONSTANTS,
    CONTROLNET_SHARE,
    ImageSoftware,
    image_class,
    image_constants,
    images_per_s,
    iteration_s,
)
from recommender.sizing.predict.lookup import part_of
from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.table import Row, as_number
from recommender.sizing.simple_fit import fit_logs
from warehouse.reference import Accelerator

PREFIX = "image_"
MLPERF_STEPS, MLPERF_SIDE = 20, 1024  # SDXL in MLPerf inference v4.0 and later: 20 Euler steps


def is_image_row(row: Row) -> bool:
    """Does the row ask for images (a diffusion model)?"""
    return resolve_image_model(row.text("model")) is not None


def counted(row: Row, _: Mapping[str, str]) -> bool:
    """Rows that are judged: not MLPerf's open division, where models are pruned and steps left out."""
    return is_image_row(row) and "open" not in row.text("measured_kind").lower()


def answered(rows: Sequence[Row], constants: Mapping[str, float]) -> list[tuple[int, Points]]:
    """(place, answer) of the image rows among `rows`; `constants` of the whole table, ours with a prefix."""
    places = [n for n, row in enumerate(rows) if is_image_row(row)]
    own = {name.removeprefix(PREFIX): v for name, v in constants.items() if name.startswith(PREFIX)}
    return list(zip(places, predict_points([rows[n] for n in places], own or None), strict=True))


def prefixed(constants: Mapping[str, float]) -> dict[str, float]:
    """Image constants as they stand beside those of serving."""
    return {f"{PREFIX}{name}": value for name, value in constants.items()}


def predict_points(rows: Sequence[Row], constants: Any = None) -> list[Points]:
    """Middles, one per row and in order."""
    found = constants or image_constants()
    return [_predict(row, found) for row in rows]


def _predict(row: Row, c: Mapping[str, float]) -> Points:
    part = part_of(row)
    name = resolve_image_model(row.text("model"))
    if part is None:
        return unsupported(
            f"accelerator {row.text('accelerator') or row.text('accel_raw') or 'blank'!r} is not known"
        )
    if name is None:
        return unsupported(f"image model {row.text('model')!r} is not known")
    model = image_models()[name]
    found = _values(row, model, part, c)
    if found is None:
        return unsupported(f"{part.title}: no dense 16-bit rate is known for it")
    return Points(values=found, band=f"images/{image_class(part) or 'ampere'}")


def _values(
    row: Row, model: ImageModel, part: Accelerator, c: Mapping[str, float]
) -> dict[str, float] | None:
    software = software_of(row)
    side = MLPERF_SIDE if software.engine else model.default_pixels
    extra = CONTROLNET_SHARE if "controlnet" in row.text("model").lower() else 0.0
    batch = row.number("concurrency_or_batch")
    if batch and not software.engine:
        seconds = iteration_s(model, part, batch, (side, side), software, c, extra)
        if seconds is None:
            return None
        return {"it_s": 1 / seconds, "images_s": batch / seconds / model.default_steps}
    rate = images_per_s(
        model, part, (side, side), MLPERF_STEPS if software.engine else model.default_steps, software, c
    )
    return None if rate is None else {"images_s": rate * (row.count("n_accel") or 1)}


def software_of(row: Row) -> ImageSoftware:
    """How the denoiser ran, from engine, scenario, date and kind of measurement."""
    engine, date = row.text("engine").lower(), row.text("date").lower()
    audited = "mlperf" in row.text("measured_kind").lower() or "mlperf" in row.text("source_group").lower()
    rounds = {"v4.0": 0.25, "v4.1": 0.7, "v5.0": 1.25, "v5.1": 1.7, "v6.0": 2.2}
    return ImageSoftware(
        compiled=audited or bool(re.search(r"(?<!no )compile|tensorrt|xformers", engine)),
        engine=audited or "tensorrt" in engine,
        newer="nightly" in engine,
        years=rounds.get(date, 0.5 if audited else 0.0),
        online=row.text("scenario").lower() == "server",
    )


def fit(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Constants from the image rows; the two kinds of measurement weigh alike."""
    chosen: list[tuple[Row, str, float]] = []
    for row, values in zip(rows, measured, strict=True):
        if not is_image_row(row) or part_of(row) is None or "open" in row.text("measured_kind").lower():
            continue
        for quantity in ("it_s", "images_s"):
            truth = as_number(values.get(quantity, ""))
            if truth and quantity in _predict(row, image_constants()).values:
                chosen.append((row, quantity, truth))
                break
    if not chosen:
        return {constant.name: constant.prior for constant in CONSTANTS}
    audited = sum(1 for _, quantity, _ in chosen if quantity == "images_s") or 1
    weights = [
        min(1.0, 60 / audited) if q == "images_s" else min(1.0, 60 / max(1, len(chosen) - audited))
        for _, q, _ in chosen
    ]

    def predicted(c: Mapping[str, float]) -> list[float]:
        return [_predict(row, c).values[quantity] for row, quantity, _ in chosen]

    return fit_logs(CONSTANTS, predicted, [truth for _, _, truth in chosen], weights, noise=0.15)
