"""How often an interruptible machine is taken away: the provider's figure, what we saw, or a prior."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from recommender.sizing.results import Spread
from warehouse.database import columns_of

PRIOR_WORTH_EVENTS = 1.0  # the prior counts as much as one interruption that was seen
HOURS_OF_A_MONTH = 730.0


@dataclass(frozen=True, slots=True)
class InterruptionRate:
    """Interruptions per machine and hour, and where the figure comes from (one phrase)."""

    per_hour: Spread
    basis: str


@lru_cache(maxsize=1)
def priors() -> dict[tuple[str, str], InterruptionRate]:
    """Priors of `interruption_rates.csv` by provider and price kind; provider `*` for all others."""
    text = resources.files("recommender").joinpath("interruption_rates.csv").read_text("utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        rate = Spread(float(row["per_hour_p10"]), float(row["per_hour_p50"]), float(row["per_hour_p90"]))
        basis = "assumed for this provider" if row["provider"] != "*" else "assumed, no figure is published"
        found[row["provider"], row["price_kind"]] = InterruptionRate(rate, basis)
    return found


def prior_rate(provider: str, price_kind: str) -> InterruptionRate:
    """The prior for a provider's price kind."""
    known = priors()
    return known.get((provider, price_kind)) or known["*", price_kind]


def rate_of_monthly_share(share: float) -> float:
    """Interruptions per hour of a machine of which `share` are interrupted within a month.

    Constant hazard: share = 1 - exp(-rate x 730 h). A share of 1 or more counts as 0.99.
    """
    import math

    return -math.log1p(-min(share, 0.99)) / HOURS_OF_A_MONTH


def learn(prior: InterruptionRate, events: float, hours: float) -> InterruptionRate:
    """The prior and what was seen together.

    Gamma prior of mean `prior.p50` worth `PRIOR_WORTH_EVENTS` events: mean (w + n) / (w / p50 + T). The band
    narrows from the prior's with the root of the events known (w + n), in logs.
    """
    if hours <= 0:
        return prior
    known = PRIOR_WORTH_EVENTS + events
    middle = known / (PRIOR_WORTH_EVENTS / prior.per_hour.p50 + hours)
    share = (PRIOR_WORTH_EVENTS / known) ** 0.5
    low = (prior.per_hour.p10 / prior.per_hour.p50) ** share
    high = (prior.per_hour.p90 / prior.per_hour.p50) ** share
    seen = f"{events:,.0f} times sold out in {hours:,.0f} h of ours, joined to what is {prior.basis}"
    return InterruptionRate(Spread(middle * low, middle, middle * high), seen)


class RateBook:
    """Rates of one answer's interruptible offers: the provider's own figure, else history and a prior."""

    def __init__(self, seen: dict[tuple[str, str, str], tuple[float, float]] | None = None) -> None:
        self.seen = seen or {}

    def rate(
        self,
        provider: str,
        price_kind: str,
        part: str,
        taken_back: tuple[float, float | None] | None = None,
    ) -> InterruptionRate:
        """The rate for one part at one provider.

        Args:
            taken_back: band of the share of machines that the provider says it takes back within a month;
                the upper end may be open.
        """
        prior = prior_rate(provider, price_kind)
        if taken_back is not None:
            return stated_rate(*taken_back, prior)
        return learn(prior, *self.seen.get((provider, price_kind, part), (0.0, 0.0)))


def stated_rate(low: float, high: float | None, prior: InterruptionRate) -> InterruptionRate:
    """A provider's band of shares a month as a rate: its ends are p10 and p90, p50 their geometric mean.

    A band from nothing starts at a tenth of its end; one that is open ends where the prior does, or at four
    times its start.
    """
    if high is None:
        first = rate_of_monthly_share(low)
        last = max(4 * first, prior.per_hour.p90)
        text = f"the provider states over {low:.0%} a month"
    else:
        last = rate_of_monthly_share(high)
        first = rate_of_monthly_share(low) if low > 0 else last / 10
        text = f"the provider states {low:.0%} to {high:.0%} a month"
    return InterruptionRate(Spread(first, (first * last) ** 0.5, last), text)


_SEEN = """
WITH states AS (
    SELECT k.provider, k.price_kind, coalesce(k.accelerator_id, k.family) AS part, s.available,
        epoch(coalesce(s.valid_to, s.last_seen) - s.valid_from) / 3600.0 AS hours,
        lead(s.available) OVER (PARTITION BY s.offer_id ORDER BY s.valid_from) AS next
    FROM spans s JOIN offer_keys k USING (offer_id)
    WHERE k.price_kind IN ('spot', 'low_priority')
)
SELECT provider, price_kind, part, count(*) FILTER (next = false), sum(hours)
FROM states WHERE available AND part IS NOT NULL GROUP BY ALL
"""


def read_seen(market: Any) -> dict[tuple[str, str, str], tuple[float, float]]:
    """What our own polls say: how often a spot offer that could be had was sold out at the next look.

    A proxy: a machine that cannot be had any more is one that is likely to be taken away. Per provider,
    price kind and part: (times sold out, hours watched while available). Empty where the market has no spans.
    """
    if not (columns_of(market, "spans") and columns_of(market, "offer_keys")):
        return {}
    rows = market.execute(_SEEN).fetchall()
    return {
        (provider, kind, part): (float(n), float(hours or 0.0)) for provider, kind, part, n, hours in rows
    }
