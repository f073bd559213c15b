"""The matched price index of one market, from a panel of offers: pure arithmetic, no database.

The main index is a time-product dummy over a rolling window: log price = offer effect + day effect, fitted by
least squares. Only offers seen on several days of the window say anything, so an offer that comes or goes
moves nothing. Each provider has the same weight on each day, however many offers it lists. A new day is put
behind the published days by the mean splice, so no published value is ever revised.

Prices stay in the provider's own currency: what a currency is worth is part of the offer's effect, so an
exchange rate never moves the index.

References: time-product dummy: Summers (1973); de Haan, Hendriks and Scholz, "Price measurement using scanner
data: time-product dummy versus time dummy hedonic indexes", Review of Income and Wealth 67 (2021). Mean
splice: Diewert and Fox, "Substitution bias in multilateral methods for CPI construction" (2017), section on
linking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOW_DAYS = 91
FEWEST_PROVIDERS, FEWEST_MATCHED = 3, 5
REVIEW_MOVE = 0.10
"""R16: fewer providers or matched offers than this are not published; a larger move in a day waits."""
REVIEW_GAP_DAYS = 7
"""A move counts as "in a day" where the day before it lies at most this far back: sources may be weekly."""
Z90 = 1.2815515655446004
"""The 90th percentile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Offers of one market by day.

    Attributes:
        days: day numbers (proleptic ordinals), ascending, shape (D,).
        log_price: natural logarithm of the price, NaN where the offer does not count, shape (N, D).
        provider: number of each offer's provider, ascending, shape (N,).
        provider_names: by number.
        log_usd: log of USD per GPU-hour on the same cells, for the levels; None where levels are not asked
            for.
        asked: whether anything was seen of a provider on a day, shape (P, D); None: always. An offer has left
            where its provider answered without it, not where nobody asked.
    """

    days: Ints
    log_price: Floats
    provider: Ints
    provider_names: tuple[str, ...]
    log_usd: Floats | None = None
    asked: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class WindowFit:
    """Day effects of one window.

    Attributes:
        linked: which days of the window are linked to the last one by matched offers, shape (T,).
        effect: log day effects, mean 0 over the linked days, NaN elsewhere, shape (T,).
        influence: how far each provider alone moves each effect, shape (T, P); its squares add up to the
            variance of a bootstrap over providers.
        matched: offers of the last day seen on another linked day.
        providers: how many providers these are of.
    """

    linked: NDArray[np.bool_]
    effect: Floats
    influence: Floats
    matched: int
    providers: int


@dataclass(slots=True)
class IndexSeries:
    """The index of one market by day; arrays of shape (D,).

    Attributes:
        days: day numbers.
        log_index: log of the index against the segment's first day; NaN where nothing links the day.
        segment: grows by one where a day cannot be linked to any earlier one.
        log_jevons: log of the chained Jevons index, same base.
        matched, providers: what the day's value rests on.
        offers, entries, exits: offers that count on the day, and those that came and went since the day
            before.
        influence: (D, P) of each provider on `log_index`.
        cheapest_usd, median_usd: levels, USD per GPU-hour (NaN without `log_usd`).
        suppressed: reason by day, "" where the value may be published.
    """

    days: Ints
    log_index: Floats
    segment: Ints
    log_jevons: Floats
    matched: Ints
    providers: Ints
    offers: Ints
    entries: Ints
    exits: Ints
    influence: Floats
    cheapest_usd: Floats
    median_usd: Floats
    suppressed: list[str]


def carried(days: Ints, values: Floats, hold_days: Ints) -> tuple[Floats, Ints]:
    """Each price stands until the next one of its offer, at most `hold_days` (per offer, calendar days).

    Returns the filled matrix and the column each cell was taken from (0 where it is NaN). Nothing is filled
    backwards: a day's panel never depends on a later day.
    """
    seen = ~np.isnan(values)
    columns = np.where(seen, np.arange(len(days)), -1)
    taken = np.maximum.accumulate(columns, axis=1)
    age = days[None, :] - days[np.maximum(taken, 0)]
    holds = (taken >= 0) & (age <= hold_days[:, None])
    taken = np.where(holds, taken, 0)
    filled = np.where(holds, np.take_along_axis(values, taken, axis=1), np.nan)
    return filled, taken


def provider_weights(present: NDArray[np.bool_], provider: Ints) -> Floats:
    """Weight of each offer on each day: 1 / (offers of its provider that day), 0 where it is absent.

    So each provider that is there weighs 1 on each day. Shapes (N, T), `provider` ascending.
    """
    starts = np.flatnonzero(np.diff(provider, prepend=-1))
    counts = np.add.reduceat(present, starts, axis=0, dtype=np.float64)
    sizes = np.diff(np.append(starts, len(provider)))
    return np.where(present, 1.0 / np.maximum(np.repeat(counts, sizes, axis=0), 1.0), 0.0)


def fit_window(log_price: Floats, provider: Ints, providers: int) -> WindowFit | None:
    """Time-product dummy on one window; None where no offer of the last day was seen before.

    Minimises sum of w_it (y_it - a_i - d_t)^2 over offer effects a and day effects d, with `provider_weights`
    as w. With a taken out, d solves (diag(sum_i w) - W' diag(1/sum_t w) W) d = sum_i w (y - mean_i y); the
    matrix has one null direction per set of linked days, which the mean-0 constraint takes out.

    Args:
        log_price: (N, T), NaN where absent.
        provider: (N,), ascending.
        providers: how many provider numbers there are.
    """
    present = ~np.isnan(log_price)
    rows = present.sum(axis=1) >= 2
    if not rows.all():
        log_price, present, provider = log_price[rows], present[rows], provider[rows]
    y, owner = np.where(present, log_price, 0.0), provider
    if not len(owner) or not present[:, -1].any():
        return None
    weight = provider_weights(present, owner)
    total = weight.sum(axis=1)
    mean = (weight * y).sum(axis=1) / total
    centred = np.where(present, y - mean[:, None], 0.0)
    matrix = np.diag(weight.sum(axis=0)) - weight.T @ (weight / total[:, None])
    right = (weight * centred).sum(axis=0)
    linked = _linked_to_last(matrix)
    if linked.sum() < 2:
        return None
    grounded = matrix[np.ix_(linked, linked)] + 1.0 / linked.sum()
    inverse = np.linalg.inv(grounded)
    solved = inverse @ right[linked]
    effect = np.full(len(linked), np.nan)
    effect[linked] = solved - solved.mean()
    shift = np.nan_to_num(effect)
    offer_effect = mean - weight @ shift / total
    residual = np.where(present, y - offer_effect[:, None] - shift, 0.0)
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    scores = np.zeros((len(linked), providers))
    scores[:, owner[starts]] = np.add.reduceat(weight * residual, starts, axis=0).T
    influence = np.zeros((len(linked), providers))
    influence[linked] = inverse @ scores[linked]
    last = present[:, -1]
    return WindowFit(linked, effect, influence, int(last.sum()), len(set(owner[last].tolist())))


def _linked_to_last(matrix: Floats) -> NDArray[np.bool_]:
    """Days that offers link to the last one, directly or over other days."""
    touches = np.abs(matrix) > 1e-12
    reached = touches[-1].copy()
    reached[-1] = touches[-1, -1]
    while True:
        wider = touches[reached].any(axis=0) | reached
        if (wider == reached).all():
            return np.asarray(reached, dtype=np.bool_)
        reached = wider


def index_series(panel: Panel, *, window_days: int = WINDOW_DAYS) -> IndexSeries:
    """The rolling time-product dummy with mean splice, chained Jevons, churn, levels and R16's suppression.

    A day's value is the mean over all earlier days s of its window of I_s * exp(d_t - d_s) (mean splice, in
    logs). A day on which no price and no offer differs from the day before has that day's value, as least
    squares would give it. A day with fewer providers or offers than R16 asks for is no link of the chain. A
    day that no matched offer links to an earlier value begins a new segment at 0.
    """
    count, size = len(panel.days), len(panel.provider_names)
    result = _empty_series(panel, size)
    present = ~np.isnan(panel.log_price)
    _churn(result, panel, present)
    _levels(result, panel, present)
    seen_before = np.zeros((len(present), count + 1), dtype=np.int32)
    np.cumsum(present, axis=1, out=seen_before[:, 1:])
    starts = np.flatnonzero(np.diff(panel.provider, prepend=-1))
    listing = np.maximum.reduceat(present, starts, axis=0).sum(axis=0)
    for day in range(count):
        first = int(np.searchsorted(panel.days, panel.days[day] - window_days + 1))
        rows = seen_before[:, day + 1] - seen_before[:, first] >= 2
        followed = rows & present[:, day]
        result.matched[day] = int(followed.sum())
        result.providers[day] = len(set(panel.provider[followed].tolist()))
        if listing[day] < FEWEST_PROVIDERS or result.offers[day] < FEWEST_MATCHED:
            continue
        if day and _same_column(panel.log_price, present, day) and _carry_value(result, day):
            continue
        fit = fit_window(panel.log_price[rows, first : day + 1], panel.provider[rows], size)
        _splice(result, fit, first, day)
    _chain_jevons(result, panel, present)
    _suppress(result)
    return result


def change(series: IndexSeries, day: int, earlier: int) -> tuple[float, float, float]:
    """Log change of the index between two positions, and its 80 % band (low, high).

    The band is that of a bootstrap over providers taken to its limit: the variance of the change is the sum
    over providers of squared influences, times P / (P - 1), with Student's t on P - 1 degrees of freedom for
    the few providers there are.
    """
    move = float(series.log_index[day] - series.log_index[earlier])
    parts = series.influence[day] - series.influence[earlier]
    active = max(2, int(min(series.providers[day], series.providers[earlier])))
    width = student_90(active - 1) * math.sqrt(float((parts**2).sum()) * active / (active - 1))
    return move, move - width, move + width


def student_90(degrees: int) -> float:
    """The 90th percentile of Student's t; exact for 1 and 2 degrees, else the series of Abramowitz and Stegun
    26.7.5 to the third order, within 0.3 %."""
    if degrees <= 1:
        return 3.0776835371752536
    if degrees == 2:
        return 1.8856180831641267
    z, v = Z90, float(degrees)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def _empty_series(panel: Panel, size: int) -> IndexSeries:
    count = len(panel.days)

    def numbers() -> Ints:
        return np.zeros(count, dtype=np.int64)

    def unknown() -> Floats:
        return np.full(count, np.nan)

    return IndexSeries(
        days=panel.days,
        log_index=unknown(),
        segment=numbers(),
        log_jevons=unknown(),
        matched=numbers(),
        providers=numbers(),
        offers=numbers(),
        entries=numbers(),
        exits=numbers(),
        influence=np.zeros((count, size)),
        cheapest_usd=unknown(),
        median_usd=unknown(),
        suppressed=[""] * count,
    )


def _same_column(prices: Floats, present: NDArray[np.bool_], day: int) -> bool:
    if not np.array_equal(present[:, day], present[:, day - 1]):
        return False
    both = present[:, day]
    return bool(np.array_equal(prices[both, day], prices[both, day - 1]))


def _carry_value(result: IndexSeries, day: int) -> bool:
    """The day before's value for a day that is no different; False where that day has none."""
    if math.isnan(result.log_index[day - 1]):
        return False
    result.log_index[day] = result.log_index[day - 1]
    result.influence[day] = result.influence[day - 1]
    result.segment[day] = result.segment[day - 1]
    return True


def _splice(result: IndexSeries, fit: WindowFit | None, first: int, day: int) -> None:
    segment = int(result.segment[:day].max()) if day else 0
    earlier = np.zeros(0, dtype=np.int64)
    if fit is not None:
        known = ~np.isnan(result.log_index[first:day]) & (result.segment[first:day] == segment)
        earlier = np.flatnonzero(fit.linked[:-1] & known)
    if fit is None or not len(earlier):
        result.log_index[day] = 0.0
        result.segment[day] = segment + bool(day and not np.isnan(result.log_index[:day]).all())
        return
    before = first + earlier
    result.segment[day] = segment
    steps = fit.effect[-1] - fit.effect[earlier]
    result.log_index[day] = float((result.log_index[before] + steps).mean())
    parts = fit.influence[-1] - fit.influence[earlier]
    result.influence[day] = (result.influence[before] + parts).mean(axis=0)


def _chain_jevons(result: IndexSeries, panel: Panel, present: NDArray[np.bool_]) -> None:
    """Day-to-day geometric means of matched price ratios, providers weighing the same, chained per
    segment.
    """
    for day in range(len(panel.days)):
        if math.isnan(result.log_index[day]):
            continue
        if (
            day == 0
            or result.segment[day] != result.segment[day - 1]
            or math.isnan(result.log_jevons[day - 1])
        ):
            earlier = np.flatnonzero(
                ~np.isnan(result.log_jevons[:day]) & (result.segment[:day] == result.segment[day])
            )
            if not len(earlier):
                result.log_jevons[day] = 0.0
                continue
            before = int(earlier[-1])
        else:
            before = day - 1
        both = present[:, day] & present[:, before]
        move = 0.0
        if both.any():
            ratios = panel.log_price[both, day] - panel.log_price[both, before]
            owners = panel.provider[both]
            sums = np.bincount(owners, ratios)
            counts = np.bincount(owners)
            move = float((sums[counts > 0] / counts[counts > 0]).mean())
        result.log_jevons[day] = result.log_jevons[before] + move


def _churn(result: IndexSeries, panel: Panel, present: NDArray[np.bool_]) -> None:
    """Offers that came and went. One that is not there while its provider is silent has not left."""
    result.offers[:] = present.sum(axis=0)
    asked = np.ones_like(present) if panel.asked is None else panel.asked[panel.provider]
    told = np.maximum.accumulate(np.where(present | asked, np.arange(present.shape[1]), 0), axis=1)
    listed = np.take_along_axis(present, told, axis=1)
    result.entries[1:] = (listed[:, 1:] & ~listed[:, :-1]).sum(axis=0)
    result.exits[1:] = (listed[:, :-1] & ~listed[:, 1:]).sum(axis=0)


def _levels(result: IndexSeries, panel: Panel, present: NDArray[np.bool_]) -> None:
    """Cheapest offer, and the median over the providers' own medians."""
    if panel.log_usd is None:
        return
    starts = np.flatnonzero(np.diff(panel.provider, prepend=-1))
    ends = np.append(starts[1:], len(panel.provider))
    for day in range(len(panel.days)):
        if day and _same_column(panel.log_usd, present, day):
            result.cheapest_usd[day] = result.cheapest_usd[day - 1]
            result.median_usd[day] = result.median_usd[day - 1]
            continue
        column = panel.log_usd[:, day]
        here = column.tolist()
        there = present[:, day].tolist()
        medians = []
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
            own = [value for value, known in zip(here[a:b], there[a:b], strict=True) if known]
            if own:
                medians.append(median(own))
        if medians:
            result.cheapest_usd[day] = math.exp(float(column[present[:, day]].min()))
            result.median_usd[day] = math.exp(median(medians))


def _suppress(result: IndexSeries) -> None:
    """R16. A held move is confirmed by the next day that stays near it; the held day itself stays empty."""
    for day in range(len(result.days)):
        if result.providers[day] < FEWEST_PROVIDERS:
            several = "" if result.providers[day] == 1 else "s"
            found = f"{result.providers[day]} provider{several} with matched offers"
            result.suppressed[day] = f"{found}, {FEWEST_PROVIDERS} are needed"
        elif result.matched[day] < FEWEST_MATCHED:
            result.suppressed[day] = f"{result.matched[day]} matched offers, {FEWEST_MATCHED} are needed"
        else:
            result.suppressed[day] = _review(result, day)


def _review(result: IndexSeries, day: int) -> str:
    """Why the move since the last linked day must wait, "" where it need not."""
    before = np.flatnonzero(~np.isnan(result.log_index[:day]))
    if not len(before) or result.segment[before[-1]] != result.segment[day]:
        return ""
    move = math.expm1(result.log_index[day] - result.log_index[before[-1]])
    near = result.days[day] - result.days[before[-1]] <= REVIEW_GAP_DAYS
    return f"held for review: {move:+.1%} since the day before" if near and abs(move) > REVIEW_MOVE else ""


def panel_from_rows(
    days: Ints, offers: Ints, providers: Any, log_price: Floats, log_usd: Floats, hold_days: Ints
) -> Panel:
    """A panel from one row per offer and day, each price carried as `carried` says.

    Args:
        days: day number by row.
        offers: offer number by row, 0 to N - 1.
        providers: provider by row, names or numbers.
        log_price, log_usd: by row.
        hold_days: by row; an offer has one.
    """
    names, owner_of_row = np.unique(providers, return_inverse=True)
    size = int(offers.max()) + 1
    owner = np.zeros(size, dtype=np.int64)
    owner[offers] = owner_of_row
    hold = np.zeros(size, dtype=np.int64)
    hold[offers] = hold_days
    order = np.argsort(owner, kind="stable")
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    known, column = np.unique(days, return_inverse=True)
    sparse = np.full((size, len(known)), np.nan)
    sparse[place[offers], column] = log_price
    usd = np.full((size, len(known)), np.nan)
    usd[place[offers], column] = log_usd
    asked = np.zeros((len(names), len(known)), dtype=bool)
    asked[owner_of_row, column] = True
    filled, taken = carried(known, sparse, hold[order])
    usd = np.where(np.isnan(filled), np.nan, np.take_along_axis(usd, taken, axis=1))
    return Panel(known, filled, owner[order], tuple(map(str, names.tolist())), usd, asked)
