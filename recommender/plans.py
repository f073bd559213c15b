"""A way to do the job on one group of offers, priced; or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.data_costs import Part
from recommender.demand import Choice
from recommender.interruption import Checkpointing, chance_within, share_below
from recommender.interruption_rates import InterruptionRate
from recommender.market import OfferGroup
from recommender.sizing.results import ServingFit, Spread

AVAILABILITY, UNKNOWN_PART, INTERRUPTION = "availability", "unknown_part", "interruption"


@dataclass(frozen=True, slots=True)
class Interruptions:
    """What being interrupted means for one candidate.

    Attributes:
        rate: of one machine and where it is known from. together: machines that stop when one of them goes.
        how: saves, restarts and waits. work_hours: of the job without any interruption (a month for serving).
        expected: interruptions of the whole job (of a service: a month), at the median rate.
        paid_factor: paid hours over hours without interruptions.
    """

    rate: InterruptionRate
    together: int
    how: Checkpointing
    work_hours: Spread
    expected: float
    paid_factor: Spread

    @property
    def job_rate(self) -> Spread:
        """Interruptions per hour of what stops together."""
        return self.rate.per_hour.scaled(self.together)


@dataclass(frozen=True, slots=True)
class Bill:
    """What a plan costs, US dollars; of a service, a month.

    Attributes:
        machines: machine time, with the spread of sizing, price age and interruption.
        paid_hours: per machine at the median, after rounding and minimum terms.
        setup_hours: of them, before the first useful step.
        egress, storage: the rest. price_factor: what the price may have become.
    """

    machines: Spread
    paid_hours: float
    setup_hours: float
    egress: Part
    storage: Part
    price_factor: Spread

    @property
    def total(self) -> Spread:
        """The sum; of parts whose rate is not known, what other providers' rates would make."""
        parts = (self.machines, self.egress.counted, self.storage.counted)
        return Spread(
            sum(part.p10 for part in parts), sum(part.p50 for part in parts), sum(part.p90 for part in parts)
        )


@dataclass(frozen=True, slots=True)
class Floor:
    """Machines of a mixed plan that are never interrupted: how many, from which group."""

    group: OfferGroup
    machines: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of offers with one choice for it, priced.

    Attributes:
        machines: by the spread of sizing for serving, the same three times for jobs; a floor included.
        hours: wall hours (a month for serving). cost: total US dollars, per month for serving.
        bill: its parts. interruptions: None where the machines cannot be taken away.
        floor: the on-demand part of a mixed plan. monthly: a service, whose hours are a month.
    """

    group: OfferGroup
    choice: Choice
    machines: tuple[int, int, int]
    hours: Spread
    cost: Spread
    bill: Bill
    interruptions: Interruptions | None = None
    floor: Floor | None = None
    monthly: bool = False

    @property
    def speed(self) -> float:
        """What "faster" means: wall hours of a job, seconds per output token of a service."""
        fit = self.choice.fit
        return fit.tpot_s if isinstance(fit, ServingFit) and self.monthly else self.hours.p50

    def chance_within(self, limit_hours: float) -> float:
        """Chance that a job ends within the limit, from sizing's error and from interruptions."""
        lost = self.interruptions
        if lost is None:
            return share_below(limit_hours, self.hours)
        return chance_within(limit_hours, lost.work_hours, lost.job_rate, lost.how, self.bill.setup_hours)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why one group of offers gives no plan."""

    group: OfferGroup
    kind: str
    reason: str
