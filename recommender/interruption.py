"""Work on machines that can be taken away: how long it takes, what it costs, whether it ends in time.

Failures are a Poisson process. A job that spans several machines stops when any one of them goes; it resumes
from its newest checkpoint after the machine is replaced. One formula, one function; hours everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from recommender.sizing.results import Spread

MOST_EXPONENT = 200.0  # beyond it the job would practically never end
NORMAL_P90 = 1.2815515655446004  # 90 % quantile of the standard normal distribution
# Quantile midpoints that stand for a distribution of which p10, p50 and p90 are known.
_MIDPOINTS = tuple((2 * k + 1) / 18 for k in range(9))


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """How a job saves and resumes.

    Attributes:
        save_hours: one checkpoint. interval_hours: work between two checkpoints.
        restart_hours: boot, image and loading, paid for. wait_hours: until a replacement is found, not paid.
    """

    save_hours: float
    interval_hours: float
    restart_hours: float
    wait_hours: float


def checkpoint_interval_hours(save_hours: float, failures_per_hour: float, work_hours: float) -> float:
    """Work between two checkpoints that loses least: tau = sqrt(2 delta M), never more than the work itself.

    Args:
        save_hours: delta, > 0. failures_per_hour: 1 / M of the whole job. work_hours: of the job.

    Source: Young 1974, eq. 7 (CACM 17(9)). First order: holds while delta is well below M.
    """
    if failures_per_hour <= 0:
        return work_hours
    return min(work_hours, math.sqrt(2 * save_hours / failures_per_hour))


def paid_hours(work_hours: float, failures_per_hour: float, how: Checkpointing) -> float:
    """Expected hours that are billed until `work_hours` of work are done: saves, lost work and restarts too.

    Of a segment L = tau + delta: ``E = exp(lambda R) (exp(lambda L) - 1) / lambda``, R the restart; times
    work / tau segments. Exact for exponential failures that may also hit saves and restarts. Infinite where
    the exponent says that it would never end.

    Source: Daly 2006, eq. 13 (FGCS 22(3)).
    """
    return _segments(work_hours, how) * _moments(failures_per_hour, how, 0.0)[0]


def wall_hours(work_hours: float, failures_per_hour: float, how: Checkpointing) -> float:
    """Expected hours from start to end: `paid_hours` and, after each failure, the wait for a replacement."""
    return _segments(work_hours, how) * _moments(failures_per_hour, how, how.wait_hours)[0]


def wall_deviation_hours(work_hours: float, failures_per_hour: float, how: Checkpointing) -> float:
    """Standard deviation of the hours of `wall_hours`; segments are independent of each other."""
    return math.sqrt(_segments(work_hours, how) * _moments(failures_per_hour, how, how.wait_hours)[1])


def _segments(work_hours: float, how: Checkpointing) -> float:
    return work_hours / how.interval_hours if how.interval_hours > 0 else 0.0


def _moments(rate: float, how: Checkpointing, wait: float) -> tuple[float, float]:
    """Mean and variance of the hours of one segment when each failure also waits.

    A first stretch of L hours without a failure ends the segment; after a failure at X < L it takes
    U(R + L), the time to the first stretch of that length. With s(x) = exp(-rate x) and K, the failures
    before it, geometric: ``U(x) = x + sum over K of (X_i + wait)``, E K = (1 - s) / s, Var K = (1 - s) / s^2.
    """
    length = how.interval_hours + how.save_hours
    if rate <= 0:
        return length, 0.0
    again = how.restart_hours + length
    if rate * again > MOST_EXPONENT:
        return math.inf, math.inf
    mean, variance = _cut_exponential(rate, again)
    kept, lost = math.exp(-rate * again), -math.expm1(-rate * again)
    stretch = again + lost / kept * (mean + wait)
    spread = lost / kept * variance + lost / kept**2 * (mean + wait) ** 2
    mean, variance = _cut_exponential(rate, length)
    kept, lost = math.exp(-rate * length), -math.expm1(-rate * length)
    failed = mean + wait + stretch
    whole = kept * length + lost * failed
    square = kept * length**2 + lost * (variance + spread + failed**2)
    return whole, max(0.0, square - whole * whole)


def _cut_exponential(rate: float, length: float) -> tuple[float, float]:
    """Mean and variance of an exponential time of this rate, given that it is below `length`."""
    if rate * length < 1e-4:  # the formula below would cancel; the limit is the uniform distribution
        return length / 2, length**2 / 12
    ratio = math.exp(-rate * length) / -math.expm1(-rate * length)
    return 1 / rate - length * ratio, max(0.0, 1 / rate**2 - length**2 * ratio * (1 + ratio))


def chance_within(
    limit_hours: float, work: Spread, failures_per_hour: Spread, save: Checkpointing, setup_hours: float = 0.0
) -> float:
    """Chance that the job ends within `limit_hours`.

    Averages over nine equally likely values of the work (sizing's own error) and three of the failure rate
    (weights 0.3, 0.4, 0.3); given both, `share_ended`.
    """
    total = 0.0
    rates = ((failures_per_hour.p10, 0.3), (failures_per_hour.p50, 0.4), (failures_per_hour.p90, 0.3))
    for share in _MIDPOINTS:
        hours = quantile(work, share)
        for rate, weight in rates:
            ended = share_ended(limit_hours - setup_hours, hours, rate, save)
            total += weight / len(_MIDPOINTS) * ended
    return total


def share_ended(limit_hours: float, work_hours: float, failures_per_hour: float, how: Checkpointing) -> float:
    """P(wall hours <= limit) of a job of exactly `work_hours` at exactly this failure rate.

    No failure at all has the chance exp(-lambda T), T the work with its saves, and takes T. The time beyond
    T, given that something failed, is taken as gamma distributed with the mean and variance that follow from
    `wall_hours` and `wall_deviation_hours`.
    """
    least = _segments(work_hours, how) * (how.interval_hours + how.save_hours)
    mean = wall_hours(work_hours, failures_per_hour, how)
    if limit_hours < least or not math.isfinite(mean):
        return 0.0
    unharmed = math.exp(-failures_per_hour * least)
    if unharmed > 1 - 1e-9:
        return 1.0
    beyond = (mean - least) / (1 - unharmed)
    square = wall_deviation_hours(work_hours, failures_per_hour, how) ** 2 + (mean - least) ** 2
    deviation = math.sqrt(max(0.0, square / (1 - unharmed) - beyond**2))
    return unharmed + (1 - unharmed) * gamma_share(limit_hours - least, beyond, deviation)


def gamma_share(value: float, mean: float, deviation: float) -> float:
    """P(X <= value) of a gamma variable with this mean and standard deviation.

    Source: Wilson and Hilferty 1931 (PNAS 17(12)): (X / mean)^(1/3) is nearly normal with mean 1 - 1 / (9 k)
    and variance 1 / (9 k), k = (mean / deviation)^2.
    """
    if value <= 0 or not math.isfinite(mean):
        return 0.0
    if deviation <= 1e-12 * mean:
        return 1.0 if value >= mean else 0.0
    ninth = deviation**2 / (9 * mean**2)
    score = ((value / mean) ** (1 / 3) - (1 - ninth)) / math.sqrt(ninth)
    return normal_share(score)


def normal_share(score: float) -> float:
    """P(Z <= score) of the standard normal distribution."""
    return 0.5 * math.erfc(-score / math.sqrt(2))


def share_below(value: float, spread: Spread) -> float:
    """P(X <= value) of a quantity known by p10, p50, p90: log-normal with a width to each side."""
    if value <= 0:
        return 0.0
    distance = math.log(value / spread.p50)
    width = math.log(spread.p90 / spread.p50) if distance > 0 else math.log(spread.p50 / spread.p10)
    if width <= 0:
        return 1.0 if distance >= 0 else 0.0
    return normal_share(NORMAL_P90 * distance / width)


def quantile(spread: Spread, share: float) -> float:
    """The value below which `share` lies of a quantity known by p10, p50, p90 (see `share_below`)."""
    score = _normal_quantile(share)
    edge = spread.p90 if score > 0 else spread.p10
    if edge <= 0:
        return spread.p50
    return spread.p50 * float((edge / spread.p50) ** (abs(score) / NORMAL_P90))


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


def extra_machines(machines: float, failures_per_hour: float, replace_hours: float) -> float:
    """Machines to keep so that on average `machines` serve, when each is away `replace_hours` per failure.

    Share of time present: 1 / (1 + q R) (alternating renewal process), so n (1 + q R).
    """
    return machines * (1 + failures_per_hour * replace_hours)
