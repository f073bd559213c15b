"""From sized kinds of machine to priced plans: the cheapest or quickest use of each group of offers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from recommender import cost
from recommender.billing import Biller
from recommender.constraints import BY_TIME, Constraints
from recommender.data_costs import DataRates
from recommender.demand import NODE_COUNTS, Choice
from recommender.fields import INDEPENDENT, TRAINING
from recommender.interruption_rates import RateBook
from recommender.market import OfferGroup
from recommender.plans import AVAILABILITY, INTERRUPTION, UNKNOWN_PART, Candidate, Refused
from recommender.sizing.results import MEMORY, Refusal, ServingFit, TrainingFit
from recommender.workload import Workload

# Without a deadline the cheapest plan could run for years. Stated in every answer that leans on it.
DEFAULT_DEADLINE_HOURS = {"batch": 7 * 24.0, "images": 7 * 24.0, "finetune": 14 * 24.0, "pretrain": 90 * 24.0}
MOST_MACHINES = 100_000


def deadline_hours(workload: Workload, constraints: Constraints) -> float | None:
    """The deadline that counts: the stated one, or the default of the task; None for serving."""
    if not workload.is_job:
        return None
    if constraints.deadline_hours is not None:
        return constraints.deadline_hours
    return DEFAULT_DEADLINE_HOURS[workload.task]


class Pricer(Biller):
    """Finds the best plan of each group of offers for one question, within its deadline and budget."""

    def __init__(
        self,
        workload: Workload,
        constraints: Constraints,
        *,
        rates: DataRates | None = None,
        book: RateBook | None = None,
    ) -> None:
        super().__init__(workload, constraints, rates=rates, book=book)
        self.deadline = deadline_hours(workload, constraints)
        self.budget = constraints.budget_usd
        self.quickest = constraints.objective(workload.is_job) == BY_TIME

    def best(self, group: OfferGroup, choices: Sequence[Choice | Refusal | str]) -> Candidate | Refused:
        """The best way to do the job on this group's machines: cheapest, or quickest where time counts.

        The machines of a training job are 1, 2, 4 ... 256 where their network is known; those of a batch the
        same, and the fewest that meet the deadline. Where no number meets deadline and budget, the one that
        comes nearest is returned; the caller checks `within_limits`.
        """
        usable = [choice for choice in choices if isinstance(choice, Choice)]
        if not usable:
            return self._refused(group, choices[0])
        priced: list[Candidate] = []
        least = MOST_MACHINES
        for choice in usable:
            for machines in self._machine_counts(group, choice):
                item = self.price(group, choice, machines)
                if item is None:
                    continue
                least = min(least, item.machines[1])
                if group.available_count is None or item.machines[1] <= group.available_count:
                    priced.append(item)
        if priced:
            return self._choose(priced)
        if least < MOST_MACHINES:
            text = f"{group.name}: needs {least} machines, {group.available_count} listed as available"
            return Refused(group, AVAILABILITY, text)
        return Refused(group, INTERRUPTION, f"{group.name}: interrupted so often that it would not end")

    def within_limits(self, item: Candidate) -> bool:
        """Meets deadline and budget at the median."""
        if self.deadline is not None and item.hours.p50 > self.deadline:
            return False
        return self.budget is None or item.cost.p50 <= self.budget

    def _choose(self, priced: list[Candidate]) -> Candidate:
        allowed = [item for item in priced if self.within_limits(item)]
        if allowed:
            if self.quickest:
                return min(allowed, key=lambda item: (item.hours.p50, item.cost.p50))
            return min(allowed, key=lambda item: (item.cost.p50, item.hours.p50))
        in_time = [item for item in priced if self.deadline is None or item.hours.p50 <= self.deadline]
        if in_time:
            return min(in_time, key=lambda item: (item.cost.p50, item.hours.p50))
        return min(priced, key=lambda item: (item.hours.p50, item.cost.p50))

    def _machine_counts(self, group: OfferGroup, choice: Choice) -> Sequence[int]:
        """How many machines to try; one entry that is not used where sizing has settled it."""
        fit = choice.fit
        if isinstance(fit, TrainingFit) or self.workload.task not in INDEPENDENT:
            return (0,)
        counts = set(NODE_COUNTS) if self.quickest else {1}
        if self.deadline is not None:
            setup = cost.startup_hours(self.amounts(fit).load_gb)
            left = self.deadline - setup
            need = self.machine_hours(fit) / left if left > 0 else math.inf
            if need < MOST_MACHINES:
                first = max(1, math.ceil(need - 1e-9))
                counts |= {first, first + 1, math.ceil(first * 1.25)}  # room for interruptions and rounding
                counts.discard(1 if first > 1 else 0)
            else:
                counts |= {NODE_COUNTS[-1]}
        if group.available_count is not None:
            counts = {min(count, max(1, group.available_count)) for count in counts}
        step = fit.nodes_per_replica if isinstance(fit, ServingFit) else 1
        return sorted({math.ceil(count / step) * step for count in counts})

    def _refused(self, group: OfferGroup, why: Choice | Refusal | str) -> Refused:
        if isinstance(why, str):
            return Refused(group, UNKNOWN_PART, why)
        assert isinstance(why, Refusal)
        reason = why.reason
        if len(group.parts) > 1:
            reason += f" (may be any of {', '.join(group.parts)})"
        if why.kind == MEMORY and self.workload.task in TRAINING and group.fabric_gb_per_s is None:
            reason += "; several together are refused, since the network between them is not stated"
        return Refused(group, why.kind, reason)
