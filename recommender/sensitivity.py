"""What would change the answer: at which price, or at which share of our throughput, another plan wins.

Computed from the plans themselves: a price changes the machines' part of a cost in proportion, and a speed
is tried through the same pricing as the plan, so that whole machines and billing steps count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recommender.plans import Candidate
from recommender.pricing import Pricer
from recommender.what_if import at_speed, price_for_cost

SLOWEST = 0.2  # below a fifth of our throughput sizing would be wrong altogether
CLOSE = 0.002  # a threshold is found to a fifth of a per cent
SAME_PART_PLANS = 6  # plans on the winner's accelerator that could take over when it is slower than thought


@dataclass(frozen=True, slots=True)
class Overtake:
    """What it takes for one plan to overtake the first.

    Attributes:
        first_price_above: price of the first plan's machine in US dollars an hour, above which this plan is
            cheaper; own_price_below: the same for this plan's own machine. None: no price does it.
        first_throughput_below: share of the throughput that we expect of the first plan, below which this
            one is better. None: not even at a fifth of it.
    """

    first_price_above: float | None
    own_price_below: float | None
    first_throughput_below: float | None

    def row(self) -> dict[str, float | None]:
        """As a record."""
        return {
            "first_price_above_usd_per_hour": _rounded(self.first_price_above, 4),
            "own_price_below_usd_per_hour": _rounded(self.own_price_below, 4),
            "first_throughput_below_share": _rounded(self.first_throughput_below, 3),
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of the world that changes the answer: what, and who wins then. `text` is the sentence."""

    kind: str
    threshold: float
    winner: Candidate
    text: str


def overtakes(pricer: Pricer, first: Candidate, other: Candidate) -> Overtake:
    """What makes `other` beat `first`; by cost, or by time where the question ranks by it.

    All None where `other` is better already and stands behind for another reason (it can rarely be had).
    """
    if _goal(pricer, other) < _goal(pricer, first):
        return Overtake(None, None, None)
    speed = slowest_share(pricer, [first], other)
    if pricer.quickest:
        return Overtake(None, None, speed)
    return Overtake(
        price_for_cost(pricer, first, other.cost.p50), price_for_cost(pricer, other, first.cost.p50), speed
    )


def slowest_share(pricer: Pricer, firsts: Sequence[Candidate], other: Candidate) -> float | None:
    """Share of our throughput at which the best of `firsts` is no better than `other`; None below a fifth.

    All of `firsts` are slowed alike: they share an accelerator, and so an error of sizing. Slower plans are
    never better, so the threshold is found by halving.
    """

    def beaten(share: float) -> bool:
        plans = [at_speed(pricer, item, share) for item in firsts]
        alive = [plan for plan in plans if plan is not None and pricer.within_limits(plan)]
        if not alive:
            return True
        return min(_goal(pricer, plan) for plan in alive) > _goal(pricer, other) * (1 + 1e-9)

    if not beaten(SLOWEST):
        return None
    low, high = SLOWEST, 1.0
    if beaten(high):
        return high
    while high - low > CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if beaten(middle) else (low, middle)
    return high


def turns(pricer: Pricer, ranked: Sequence[Candidate]) -> list[Turn]:
    """What would change the answer, at most one sentence of each kind.

    Args:
        ranked: plans in their order; the first is the answer.
    """
    first = ranked[0]
    ranked = [first, *(item for item in ranked[1:] if _goal(pricer, item) >= _goal(pricer, first))]
    if len(ranked) < 2:
        return []
    found: list[Turn] = []
    if not pricer.quickest:
        found += _price_turn(pricer, first, ranked[1:])
    found += _speed_turn(pricer, first, ranked)
    return found


def _price_turn(pricer: Pricer, first: Candidate, others: Sequence[Candidate]) -> list[Turn]:
    """The price above which somebody else wins: the next plan of another seller or machine."""
    others = [item for item in others if name(item) != name(first)]
    if not others:
        return []
    second = min(others, key=lambda item: item.cost.p50)
    limit = price_for_cost(pricer, first, second.cost.p50)
    own = price_for_cost(pricer, second, first.cost.p50)
    if limit is None:
        return []
    now = first.group.price_usd_per_hour
    text = f"{name(second)} wins if {name(first)} costs over {limit:,.2f} USD/h ({_more(limit / now)})"
    if own is not None and own > 0:
        text += (
            f", or if its own price falls below {own:,.2f} ({_more(own / second.group.price_usd_per_hour)})"
        )
    return [Turn("price", limit, second, text)]


def _speed_turn(pricer: Pricer, first: Candidate, ranked: Sequence[Candidate]) -> list[Turn]:
    """The share of our throughput below which another accelerator wins."""
    part = first.choice.part.accelerator_id
    same = [item for item in ranked if item.choice.part.accelerator_id == part][:SAME_PART_PLANS]
    others = [item for item in ranked if item.choice.part.accelerator_id != part]
    if not others:
        return []
    best = min(others, key=lambda item: _goal(pricer, item))
    share = slowest_share(pricer, same, best)
    if share is None:
        return []
    text = f"{name(best)} wins if {part} does less than {share:.0%} of the throughput we expect of it"
    return [Turn("throughput", share, best, text)]


def name(item: Candidate) -> str:
    """Seller and machine, short."""
    group = item.group
    machine = group.instance_type or f"{group.gpu_count} x {item.choice.part.accelerator_id}"
    kind = "" if group.price_kind == "on_demand" else f" ({group.price_kind.replace('_', ' ')})"
    return f"{group.provider} {machine}{kind}"


def _goal(pricer: Pricer, item: Candidate) -> float:
    return item.speed if pricer.quickest else item.cost.p50


def _more(ratio: float) -> str:
    percent = (ratio - 1) * 100
    return f"{percent:+.0f} %" if abs(percent) >= 0.5 else "less than half a per cent away"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
