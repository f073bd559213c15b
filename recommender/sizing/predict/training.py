"""Predicts rows of the training table: tokens/s per GPU, samples/s, TFLOPS, step time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from recommender.sizing.classic_nets import CONSTANTS as CLASSIC_CONSTANTS
from recommender.sizing.classic_nets import (
    ClassicNet,
    classic_constants,
    classic_nets,
    classic_samples_per_s,
)
from recommender.sizing.flops import training_flops_per_token
from recommender.sizing.predict.evaluate import Mark, measured_value
from recommender.sizing.predict.lookup import part_of
from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.table import Row, as_number
from recommender.sizing.predict.training_rows import TrainingCase, training_case
from recommender.sizing.simple_fit import fit_logs
from recommender.sizing.training_constants import Constants, fit_constants, shipped_constants
from recommender.sizing.training_step import StepFeatures, step_parts
from warehouse.reference import Accelerator

_SAME = (
    "model",
    "accelerator",
    "n_accel",
    "precision",
    "task",
    "seq_len",
    "gbs",
    "mbs",
    "grad_accum",
    "tp",
    "pp",
    "cp",
    "ep",
    "fsdp",
    "act_ckpt",
)


_REPORTS_HARDWARE = ("full", "selective + seq parallel")
_COUNT = re.compile(r"(?i)(\d+)\s?x\s?(?=(?:[a-z]{1,6}[- ]?)?\d{2,4}|rtx|quadro|tesla)")


def _configuration(row: Row) -> str:
    return "|".join(row.text(key) for key in (*_SAME, "source_group"))


def _classic(row: Row) -> bool:
    return row.text("task") == "train-classic"


def _moe(row: Row) -> bool:
    active, total = row.number("params_active"), row.number("params_total")
    return bool(active and total and active < 0.95 * total)


MARKS = (
    Mark(
        "tokens/s per GPU",
        "tokens_per_s_per_gpu",
        lambda row, _: not _classic(row),
        0.12,
        0.95,
        _configuration,
    ),
    Mark(
        "  dense",
        "tokens_per_s_per_gpu",
        lambda row, _: not _classic(row) and not _moe(row),
        0.10,
        0.95,
        _configuration,
    ),
    Mark(
        "  MoE",
        "tokens_per_s_per_gpu",
        lambda row, _: not _classic(row) and _moe(row),
        0.18,
        0.95,
        _configuration,
    ),
    Mark("samples/s, classic nets", "samples_per_s", lambda row, _: _classic(row), 0.25, 0.80),
)


def predict_points(rows: Sequence[Row], constants: Any = None) -> list[Points]:
    """Middles, one per row and in order."""
    answers: list[Points] = [unsupported("not predicted")] * len(rows)
    cases: list[tuple[int, TrainingCase]] = []
    for n, row in enumerate(rows):
        if _classic(row):
            answers[n] = _classic_points(row, constants)
            continue
        case = training_case(row)
        if isinstance(case, str):
            answers[n] = unsupported(case)
        else:
            cases.append((n, case))
    if cases:
        found = constants or shipped_constants()
        seconds = step_seconds([case for _, case in cases], found)
        for (n, case), step in zip(cases, seconds, strict=True):
            answers[n] = _points(case, float(step))
    return answers


def _classic_points(row: Row, constants: Constants | None) -> Points:
    net, part = classic_nets().get(row.text("model").lower()), part_of(row)
    if net is None:
        return unsupported(f"network {row.text('model')!r} is not known")
    if part is None:
        return unsupported(f"accelerator {row.text('accelerator') or row.text('accel_raw')!r} is not known")
    values = (constants.classic if constants else None) or classic_constants()
    sixteen = "16" in row.text("precision") or "amp" in row.text("precision").lower()
    found = classic_samples_per_s(net, part, gpus_of(row), sixteen, values)
    if found is None:
        return unsupported(f"{part.title}: no dense rate is known for {row.text('precision') or 'fp32'}")
    return Points(values={"samples_per_s": found}, band=f"classic/{net.what.replace(' ', '-')}")


def gpus_of(row: Row) -> int:
    """GPUs of a classic run: suites write "4x_Texas_2xH100" for two GPUs of a machine with four."""
    counts = _COUNT.findall(row.text("accel_raw"))
    return int(counts[-1]) if counts else row.count("n_accel") or 1


def step_seconds(cases: Sequence[TrainingCase], constants: Constants) -> Any:
    """Seconds of one optimizer step of each case."""
    return seconds_of(cases)(constants)


def seconds_of(cases: Sequence[TrainingCase]) -> Callable[[Constants], Any]:
    """The same with the columns made once: a function of the constants alone, for the fit."""
    columns = stacked(cases)
    quality = np.array([1.0 if case.audited else 0.0 for case in cases])

    def seconds(constants: Constants) -> Any:
        features = replace(
            columns,
            pace=np.array([constants.pace(case.stack, case.stack_kind, case.hardware) for case in cases]),
            launch=np.array([constants.launch(case.stack_kind) for case in cases]),
        )
        return step_parts(features, constants.values).total * (1 + quality * constants.values["evaluation"])

    return seconds


def stacked(cases: Sequence[TrainingCase]) -> StepFeatures:
    """The features of many cases as columns."""
    return StepFeatures(
        **{
            f.name: np.array([float(getattr(case.features, f.name)) for case in cases])
            for f in fields(StepFeatures)
        }
    )


def _points(case: TrainingCase, step: float) -> Points:
    samples = case.sequences / step
    tokens = samples * case.sequence / case.gpus
    flop = training_flops_per_token(case.model, case.sequence, "full" if case.method == "full" else "lora")
    kind = "moe" if case.model.is_moe else "dense"
    return Points(
        values={
            "tokens_per_s_per_gpu": tokens,
            "samples_per_s": samples,
            "tflops_per_gpu": tokens * flop / 1e12,
            "step_time_s": step,
        },
        band=kind,
    )


def fit(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> Constants:
    """Constants from measured rows: every configuration weighs one, sources are evened out."""
    cases, truths, names, sources = [], [], [], []
    for row, values in zip(rows, measured, strict=True):
        case = None if _classic(row) else training_case(row)
        if case is None or isinstance(case, str):
            continue
        truth = measured_value(values, "tokens_per_s_per_gpu") or _implied_tokens(case, row, values)
        if truth is None:
            continue
        cases.append(case)
        truths.append(truth * case.gpus / (case.sequences * case.sequence))  # steps a second
        names.append(_configuration(row))
        sources.append(row.text("source_group"))
    classic = _fit_classic(rows, measured)
    if not cases:
        return replace(shipped_constants(), classic=classic)
    found = fit_constants(cases, np.log(1 / np.array(truths)), _weights(names, sources), seconds_of(cases))
    return replace(found, classic=classic)


def _implied_tokens(case: TrainingCase, row: Row, values: Mapping[str, str]) -> float | None:
    """tokens/s per GPU behind a reported hardware rate (Megatron-LM and its relatives print only that).

    Narayanan 2021 (arXiv 2104.04473) equation 3 counts every pass, recomputation included, with attention
    that is not causal.
    """
    if row.text("act_ckpt").lower() not in _REPORTS_HARDWARE:
        return None
    reached = as_number(values.get("tflops_per_gpu_reported", ""))
    share = as_number(values.get("hfu_reported_pct", ""))
    flops = reached * 1e12 if reached else share / 100 * case.features.peak if share else None
    if flops is None:
        return None
    f = case.features
    again = 1 if row.text("act_ckpt").lower() == "full" else 0
    work = (3 + again) * 2 * (f.dense + f.routed) + 2 * (3 + 1) * f.attention
    return float(flops / work)


def _fit_classic(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Constants of classic networks; rows of one accelerator and count weigh n^0.5 together."""
    counts: dict[str, int] = defaultdict(int)
    chosen = []
    for row, values in zip(rows, measured, strict=True):
        truth = measured_value(values, "samples_per_s") if _classic(row) else None
        if truth is not None and _classic_points(row, None).values:
            key = f"{row.text('accelerator')} {gpus_of(row)}"
            chosen.append((row, truth, key))
            counts[key] += 1
    if not chosen:
        return {c.name: c.prior for c in CLASSIC_CONSTANTS}
    cases = [_classic_case(row) for row, _, _ in chosen]

    def predicted(c: Mapping[str, float]) -> list[float]:
        return [classic_samples_per_s(*case, c) or 1.0 for case in cases]

    weights = [counts[key] ** -0.5 for _, _, key in chosen]
    return fit_logs(CLASSIC_CONSTANTS, predicted, [truth for _, truth, _ in chosen], weights, 0.2)


def _classic_case(row: Row) -> tuple[ClassicNet, Accelerator, int, bool]:
    net, part = classic_nets()[row.text("model").lower()], part_of(row)
    assert part is not None
    return net, part, gpus_of(row), "16" in row.text("precision") or "amp" in row.text("precision").lower()


def _weights(names: Sequence[str], sources: Sequence[str]) -> Any:
    """1 per configuration, and of a source with n configurations n^0.6 in all."""
    counts: dict[str, int] = defaultdict(int)
    for name in names:
        counts[name] += 1
    sizes: dict[str, float] = defaultdict(float)
    for name, source in zip(names, sources, strict=True):
        sizes[source] += 1 / counts[name]
    return np.array(
        [sizes[source] ** -0.4 / counts[name] for name, source in zip(names, sources, strict=True)]
    )
