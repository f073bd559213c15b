"""Predicts rows of the inference table: closed loops, offline and server runs, batches, single streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recommender.sizing import serving
from recommender.sizing.predict import images
from recommender.sizing.predict.evaluate import Mark
from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.serving_rows import (
    CLOSED,
    DISAGGREGATED,
    OFFLINE,
    PROMPT,
    SERVER,
    SINGLE,
    STATIC,
    ServedRow,
    read_rows,
)
from recommender.sizing.predict.table import Row
from recommender.sizing.serving_case import bind, stack
from recommender.sizing.serving_constants import Constants, shipped
from warehouse.units import BYTES_PER_GIB

SILICON = ("aic-silicon", "inferencex-silicon")
MAX_SEQUENCES = 2048.0  # in flight of one replica in an offline run, where nothing else limits them


def predict_points(rows: Sequence[Row], constants: Any = None) -> list[Points]:
    """Middles, one per row and in order."""
    values: Constants = shipped() if constants is None else constants
    answers: list[Points] = [unsupported("not predicted")] * len(rows)
    found = read_rows(rows)
    for n, image in images.answered(rows, values):
        found[n] = image
    for n, item in enumerate(found):
        if isinstance(item, Points):
            answers[n] = item
    served = [(n, item) for n, item in enumerate(found) if isinstance(item, ServedRow)]
    if served:
        numbers = compute([item for _, item in served], values)
        for place, (n, item) in enumerate(served):
            answers[n] = _points(item, {name: float(column[place]) for name, column in numbers.items()})
    return answers


def fit(rows: Sequence[Row], measured: Sequence[Mapping[str, str]]) -> Constants:
    """Constants fitted to these rows, of language models and of images; a fold of a cross-validation."""
    from recommender.sizing.predict.fit_inference import fit as fit_constants

    return {**fit_constants(rows, measured), **images.prefixed(images.fit(rows, measured))}


def compute(rows: Sequence[ServedRow], values: Constants) -> dict[str, Any]:
    """All quantities of all rows in one pass, as columns; which of them a row reports is told by its kind."""
    raw = stack([row.raw for row in rows])
    column = {name: np.array([getattr(row, name) for row in rows]) for name in COLUMNS}
    return compute_columns(raw, column, values)


COLUMNS = (
    *(
        "kind",
        "batch",
        "slots",
        "input_tokens",
        "output_tokens",
        "replicas",
        "equal_lengths",
        "lockstep",
        "mixed",
    ),
    *("drafts", "beams", "static", "gpus"),
)


def compute_columns(raw: Mapping[str, Any], column: Mapping[str, Any], values: Constants) -> dict[str, Any]:
    """The same from columns that were read before (a fit calls this many times)."""
    case = bind(raw, values)
    kind, into, out = column["kind"], column["input_tokens"], column["output_tokens"]
    batch = np.maximum(np.minimum(column["batch"], column["slots"]), 1.0)
    equal = column["equal_lengths"]
    waits = np.where(equal, values["waits_fixed"], values["waits_spread"]) + batch / (2 * values["rounds"])
    waits = np.where(equal, np.minimum(waits, 0.6 * (batch + 1)), waits)
    waits = np.where(column["lockstep"], (batch + 1) / 2, waits)
    drafts = column["drafts"]
    state = serving.steady_state(
        case,
        values,
        batch,
        into,
        out,
        waits=np.where(kind == CLOSED, waits, 1.0),
        accepted=np.where(drafts > 0, values["draft_tokens"], 1.0),
        drafts=drafts,
        mixed=column["mixed"],
    )
    latency = state.ttft_s + np.maximum(out - 1, 0) * state.tpot_s
    queued = np.maximum(column["batch"] - batch, 0.0) / batch * latency
    ttft = state.ttft_s + np.where(kind == CLOSED, queued, 0.0)
    apart = serving.disaggregated(
        case,
        values,
        column["batch"],
        column["slots"],
        into,
        out,
        gpus=column["gpus"],
        rounds=values["rounds"],
    )
    split = kind == DISAGGREGATED
    ttft, tpot = np.where(split, apart.ttft_s, ttft), np.where(split, apart.tpot_s, state.tpot_s)
    rate = np.where(split, apart.requests_per_s, _rate(case, values, column, batch, state))
    return {
        "ttft_ms": ttft * 1e3,
        "tpot_ms": tpot * 1e3,
        "latency_ms": (ttft + np.maximum(out - 1, 0) * tpot) * 1e3,
        "requests_s": rate,
        "output_tok_s_total": rate * out,
        "total_tok_s_total": rate * (into + out),
        "batch": batch,
    }


def _rate(
    case: Any, values: Constants, column: Mapping[str, Any], batch: Any, state: serving.SteadyState
) -> Any:
    """Requests per second of all replicas: by Little's law in a closed loop, by work elsewhere."""
    kind, into, out = column["kind"], column["input_tokens"], column["output_tokens"]
    step = serving.step_s(case, values, batch / case.pp * column["beams"], into + out / 2)
    work = out * step + batch / case.pp * state.prefill_s
    offline = batch / work * np.where(column["static"], values["static_share"], 1.0)
    offline = np.where(kind == SERVER, offline * values["server_share"], offline)
    alone = serving.prefill_alone_s(case, values, into)
    static = batch / (out * step + batch * alone / case.dp)
    single = 1 / np.maximum(out * step, 1e-12)
    closed = column["batch"] / (column["batch"] / np.maximum(state.requests_per_s, 1e-12))
    rate = np.select(
        [kind == CLOSED, kind == STATIC, kind == SINGLE, kind == PROMPT],
        [closed, static, single, 1 / alone],
        offline,
    )
    return rate * column["replicas"]


def _points(item: ServedRow, numbers: Mapping[str, float]) -> Points:
    values = {name: numbers[name] for name in _REPORTED[item.kind]}
    if item.kind == SINGLE:
        values["mem_gib"] = item.memory_bytes / BYTES_PER_GIB
    return Points(values=values, band=item.band, wider=item.wider)


_RATES = ("output_tok_s_total", "total_tok_s_total", "requests_s")
_REPORTED = {
    CLOSED: ("ttft_ms", "tpot_ms", "latency_ms", *_RATES),
    DISAGGREGATED: ("ttft_ms", "tpot_ms", "latency_ms", *_RATES),
    OFFLINE: _RATES,
    SERVER: _RATES,
    STATIC: ("ttft_ms", *_RATES),
    SINGLE: ("tpot_ms", *_RATES),
    PROMPT: ("ttft_ms", "total_tok_s_total", "output_tok_s_total"),
}


def _aggregated(row: Row, measured: Mapping[str, str]) -> bool:
    return row.text("mode") == "agg"


def _disaggregated(row: Row, measured: Mapping[str, str]) -> bool:
    return row.text("mode") == "disagg"


def _rate_measured(row: Row, measured: Mapping[str, str]) -> bool:
    return (
        row.text("source_group") not in SILICON
        and row.text("mode") != "disagg"
        and not _single(row, measured)
    )


def _single(row: Row, measured: Mapping[str, str]) -> bool:
    text = row.text("scenario").lower()
    return row.number("concurrency_or_batch") == 1 and ("single stream" in text or "batch 1" in text)


MARKS = (
    Mark("TPOT, aggregated serving", "tpot_ms", _aggregated, 0.10, 0.95),
    Mark("TTFT, aggregated serving", "ttft_ms", _aggregated, 0.35, 0.95),
    Mark("output tokens/s where measured", "output_tok_s_total", _rate_measured, 0.15, 0.95),
    Mark("batch-1 decode, tokens/s", "output_tok_s_total", _single, 0.20, 0.90),
    Mark("TPOT, disaggregated", "tpot_ms", _disaggregated),
    Mark("TTFT, disaggregated", "ttft_ms", _disaggregated),
    Mark("memory of a single stream", "mem_gib", lambda row, measured: True),
    Mark("images/s", "images_s", images.counted, 0.20, 0.90),
    Mark("denoising iterations/s", "it_s", images.counted, 0.20, 0.90),
)
