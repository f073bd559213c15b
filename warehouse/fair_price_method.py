"""The fair price of an offer: what the rest of the market says that such a machine costs. Pure arithmetic.

    log price per GPU-hour = level + hardware + accelerator + price kind + provider + country + continent
                             + node size + interconnect + noise

Accelerators, providers and places have effects shrunk towards 0 as far as the data tell (partial pooling:
each kind of effect has a variance of its own, estimated by EM). Under the accelerator effects lie slopes on
memory,
bandwidth and compute: an accelerator with few offers is priced by its hardware, one with many by its offers.

Every offer is judged by a fit that has not seen its provider's offers of that accelerator (ten folds), so its
own price never defends itself; the residuals of the same folds calibrate the 80 % band.

Reference: ridge regression as a mixed model and its variances by EM: Searle, Casella and McCulloch, "Variance
Components" (1992), section 8.3; the band: split conformal prediction on normalised residuals, Lei et al.,
"Distribution-free predictive inference for regression", JASA 113 (2018), section 5.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 10
EM_ROUNDS = 12
HUBER = 2.5
"""Residuals beyond this many standard deviations count less: one absurd listing must not move its peers."""
FEWEST_OFFERS = 5
"""With fewer offers of other providers than this the hardware figures speak for an accelerator."""
FEWEST_FOR_A_BAND = 20
SHRUNK = ("accelerator", "provider", "provider_kind", "country", "continent")
"""Effects whose variance is estimated. The others have the fixed, wide prior deviations of `PRIOR_SD`."""
PRIOR_SD = {"level": 10.0, "hardware": 1.0, "kind": 1.0, "size": 0.1, "interconnect": 0.2}
LEAST_SD = 0.02


@dataclass(frozen=True, slots=True)
class Offers:
    """Offers to fit, one entry per offer or per group of equal ones.

    Attributes:
        log_price: log of USD per GPU-hour.
        count: how many offers the entry stands for.
        accelerator, provider, kind, country, continent, interconnect: labels; "" where not known or stated.
        gpu_count: GPUs of the machine.
        hardware: memory (GB), bandwidth (GB/s), dense BF16 compute (TFLOPS) of one GPU, NaN where not known,
            shape (N, 3).
    """

    log_price: Floats
    count: Floats
    accelerator: Sequence[str]
    provider: Sequence[str]
    kind: Sequence[str]
    country: Sequence[str]
    continent: Sequence[str]
    interconnect: Sequence[str]
    gpu_count: Floats
    hardware: Floats


@dataclass(frozen=True, slots=True)
class FairPrices:
    """Fair prices of `Offers`, in the same order.

    Attributes:
        log_fair, log_p10, log_p90: fair price and 80 % band, log of USD per GPU-hour.
        peers: offers of the same accelerator at other providers.
        sigma: standard deviation of an offer around its fair price, log.
        effect_sd: estimated standard deviation of each kind of shrunken effect, log.
    """

    log_fair: Floats
    log_p10: Floats
    log_p90: Floats
    peers: Floats
    sigma: float
    effect_sd: dict[str, float]


@dataclass(slots=True)
class _Design:
    """Columns of the regression: values, the block each belongs to, and the prior deviation by block."""

    matrix: Floats
    blocks: dict[str, slice] = field(default_factory=dict)


def fair_prices(offers: Offers) -> FairPrices | None:
    """Fit the market and judge every offer by what the others say; None with too little to go by.

    Each group of one provider, accelerator and price kind has weight 1 in all, however many regions and sizes
    it lists, so that a cloud with 3,000 rows is one voice per accelerator.
    """
    if len(offers.log_price) < 2 * FOLDS:
        return None
    design = _design(offers)
    weight = _weights(offers)
    deviation = {**PRIOR_SD, **dict.fromkeys(SHRUNK, 0.3)}
    robust = np.ones_like(weight)
    sigma = 0.3
    for _ in range(EM_ROUNDS):
        sigma, residual = _em_step(design, offers.log_price, weight * robust, deviation, sigma)
        robust = np.minimum(1.0, HUBER * sigma / np.maximum(np.abs(residual), 1e-9))
    log_fair, spread = _left_out(design, offers, weight * robust, deviation, sigma)
    peers = _peers(offers)
    low, high = _band(offers.log_price - log_fair, spread, weight, peers < FEWEST_OFFERS)
    return FairPrices(
        log_fair=log_fair,
        log_p10=log_fair + low * spread,
        log_p90=log_fair + high * spread,
        peers=peers,
        sigma=sigma,
        effect_sd={name: deviation[name] for name in SHRUNK},
    )


def _design(offers: Offers) -> _Design:
    count = len(offers.log_price)
    parts: list[tuple[str, Floats]] = [
        ("level", np.ones((count, 1))),
        ("hardware", _hardware(offers.hardware)),
    ]
    for name in (*SHRUNK, "kind", "interconnect"):
        parts.append((name, _indicators(_labels(offers, name))))
    size = np.log2(np.clip(offers.gpu_count, 0.125, 64))
    steps = [(offers.gpu_count == number).astype(float) for number in (1, 2, 4, 8)]
    parts.append(("size", np.column_stack([size / 3, *steps])))
    design = _Design(np.concatenate([values for _, values in parts], axis=1))
    start = 0
    for name, values in parts:
        design.blocks[name] = slice(start, start + values.shape[1])
        start += values.shape[1]
    return design


def _labels(offers: Offers, name: str) -> Sequence[str]:
    if name == "provider_kind":  # one provider's spot discount is not another's
        return [f"{a}\x1f{b}" for a, b in zip(offers.provider, offers.kind, strict=True)]
    found: Sequence[str] = getattr(offers, name)
    return found


def _hardware(figures: Floats) -> Floats:
    """Logs of the figures, centred and scaled; a figure that is not known says nothing."""
    logs = np.log(figures)
    known = ~np.isnan(logs)
    counts = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, logs, 0).sum(axis=0) / counts
    centred = np.where(known, logs - centre, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / counts)
    return np.asarray(centred / np.where(scale > 0, scale, 1.0))


def _indicators(labels: Sequence[str]) -> Floats:
    """A column per label; "" has none."""
    names, position = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    columns = np.zeros((len(labels), len(names)))
    columns[np.arange(len(labels)), position] = 1.0
    return columns[:, names != ""]


def _weights(offers: Offers) -> Floats:
    groups = [
        f"{a}\x1f{b}\x1f{c}" for a, b, c in zip(offers.provider, offers.accelerator, offers.kind, strict=True)
    ]
    _, position = np.unique(np.asarray(groups), return_inverse=True)
    return np.asarray(offers.count / np.bincount(position, offers.count)[position])


def _precision(design: _Design, deviation: dict[str, float]) -> Floats:
    prior = np.empty(design.matrix.shape[1])
    for name, columns in design.blocks.items():
        prior[columns] = 1.0 / deviation[name] ** 2
    return prior


def _em_step(
    design: _Design, y: Floats, weight: Floats, deviation: dict[str, float], sigma: float
) -> tuple[float, Floats]:
    """One round: effects given the variances, then the variances (`deviation`, in place) given the
    effects.
    """
    x = design.matrix
    gram = (x * weight[:, None]).T @ x / sigma**2
    covariance = np.linalg.inv(gram + np.diag(_precision(design, deviation)))
    effects = covariance @ ((x * weight[:, None]).T @ y) / sigma**2
    residual = y - x @ effects
    for name in SHRUNK:
        columns = design.blocks[name]
        size = columns.stop - columns.start
        if size:
            spread = (effects[columns] ** 2).sum() + np.trace(covariance[columns, columns])
            deviation[name] = max(LEAST_SD, float(np.sqrt(spread / size)))
    used = float(np.trace(covariance @ gram))
    freedom = max(1.0, float(weight.sum()) - used)
    return max(LEAST_SD, float(np.sqrt((weight * residual**2).sum() / freedom))), residual


def _left_out(
    design: _Design, offers: Offers, weight: Floats, deviation: dict[str, float], sigma: float
) -> tuple[Floats, Floats]:
    """Prediction of each offer without its provider's offers of that accelerator, and its standard
    deviation.
    """
    x = design.matrix
    fold = np.array(
        [
            zlib.crc32(f"{provider}\x1f{part}".encode()) % FOLDS
            for provider, part in zip(offers.provider, offers.accelerator, strict=True)
        ]
    )
    weighted = x * weight[:, None]
    gram, right = weighted.T @ x, weighted.T @ offers.log_price
    prior = np.diag(_precision(design, deviation))
    fair, spread = np.empty(len(fold)), np.empty(len(fold))
    for number in range(FOLDS):
        out = fold == number
        if not out.any():
            continue
        left = x[out]
        covariance = np.linalg.inv((gram - weighted[out].T @ left) / sigma**2 + prior)
        effects = covariance @ (right - weighted[out].T @ offers.log_price[out]) / sigma**2
        fair[out] = left @ effects
        spread[out] = np.sqrt(sigma**2 + np.einsum("ij,jk,ik->i", left, covariance, left))
    return fair, spread


def _band(
    residual: Floats, spread: Floats, weight: Floats, by_hardware: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """10th and 90th weighted percentile of the left-out residuals in units of their own deviation, by entry.

    Accelerators that only their hardware speaks for have percentiles of their own where there are enough.
    """
    scaled = residual / spread
    low, high = (np.full(len(scaled), edge) for edge in _percentiles(scaled, weight))
    for group in (by_hardware, ~by_hardware):
        if weight[group].sum() >= FEWEST_FOR_A_BAND:
            low[group], high[group] = _percentiles(scaled[group], weight[group])
    return low, high


def _percentiles(scaled: Floats, weight: Floats) -> tuple[float, float]:
    order = np.argsort(scaled)
    cumulated = np.cumsum(weight[order]) / weight.sum()
    places = [min(int(np.searchsorted(cumulated, share)), len(order) - 1) for share in (0.1, 0.9)]
    low, high = (float(scaled[order[place]]) for place in places)
    return min(low, 0.0), max(high, 0.0)


def _peers(offers: Offers) -> Floats:
    """Offers of the same accelerator at other providers."""

    def totals(labels: list[str]) -> Any:
        _, position = np.unique(np.asarray(labels), return_inverse=True)
        return np.bincount(position, offers.count)[position]

    own = [f"{a}\x1f{b}" for a, b in zip(offers.provider, offers.accelerator, strict=True)]
    return np.asarray(totals(list(offers.accelerator)) - totals(own))
