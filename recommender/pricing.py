"""From sized kinds of machine to priced plans: the cheapest or quickest use of each group of offers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from recommender import cost
from recommender.constraints import BY_TIME, INTERRUPTIBLE_KINDS, Constraints
from recommender.data_costs import DataRates, Part, transfer_and_results
from recommender.demand import NODE_COUNTS, Choice
from recommender.fields import BATCH, TRAINING
from recommender.interruption import (
    NORMAL_P90,
    Checkpointing,
    checkpoint_interval_hours,
    extra_machines,
    paid_hours,
    wall_deviation_hours,
    wall_hours,
)
from recommender.interruption_rates import RateBook
from recommender.market import OfferGroup
from recommender.plans import (
    AVAILABILITY,
    INTERRUPTION,
    UNKNOWN_PART,
    Bill,
    Candidate,
    Floor,
    Interruptions,
    Refused,
)
from recommender.price_age import price_spread
from recommender.quantities import Quantities, quantities
from recommender.sizing.results import MEMORY, Refusal, ServingFit, Spread, TrainingFit
from recommender.workload import Workload
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

# Without a deadline the cheapest plan could run for years. Stated in every answer that leans on it.
DEFAULT_DEADLINE_HOURS = {"batch": 7 * 24.0, "images": 7 * 24.0, "finetune": 14 * 24.0, "pretrain": 90 * 24.0}
CERTAIN = Spread(1.0, 1.0, 1.0)
WORST_FACTOR = 100.0  # where the bad end would never finish, p90 says a hundred times the work
MOST_MACHINES = 100_000


def deadline_hours(workload: Workload, constraints: Constraints) -> float | None:
    """The deadline that counts: the stated one, or the default of the task; None for serving."""
    if not workload.is_job:
        return None
    if constraints.deadline_hours is not None:
        return constraints.deadline_hours
    return DEFAULT_DEADLINE_HOURS[workload.task]


class Pricer:
    """Prices groups of offers for one question. `rates`, `book`: what the world charges and interrupts."""

    def __init__(
        self,
        workload: Workload,
        constraints: Constraints,
        *,
        rates: DataRates | None = None,
        book: RateBook | None = None,
    ) -> None:
        self.workload, self.constraints = workload, constraints
        self.rates, self.book = rates or DataRates(), book or RateBook()
        self.deadline = deadline_hours(workload, constraints)
        self.budget = constraints.budget_usd
        self.quickest = constraints.objective(workload.is_job) == BY_TIME
        self._amounts: dict[float, Quantities] = {}
        self._data: dict[tuple[str, str | None], list[Part]] = {}
        self._drift: dict[tuple[int, bool, str], Spread] = {}

    @cached_property
    def regions_with_data(self) -> frozenset[str]:
        """Regions in which data of the question lies."""
        return frozenset(item.region for item in self.constraints.data_in)

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
        if not isinstance(fit, ServingFit) or self.workload.task != BATCH:
            return (0,)
        counts = set(NODE_COUNTS) if self.quickest else {1}
        if self.deadline is not None:
            setup = cost.startup_hours(self.amounts(fit).load_gb)
            left = self.deadline - setup
            need = self._batch_machine_hours(fit) / left if left > 0 else math.inf
            if need < MOST_MACHINES:
                first = max(1, math.ceil(need - 1e-9))
                counts |= {first, first + 1, math.ceil(first * 1.25)}  # room for interruptions and rounding
                counts.discard(1 if first > 1 else 0)
            else:
                counts |= {NODE_COUNTS[-1]}
        if group.available_count is not None:
            counts = {min(count, max(1, group.available_count)) for count in counts}
        return sorted(counts)

    def price(self, group: OfferGroup, choice: Choice, machines: int = 0) -> Candidate | None:
        """One plan priced; None where it would never end. `machines` counts for batches only."""
        fit = choice.fit
        if isinstance(fit, TrainingFit):
            return self._job(group, choice, fit.hours, fit.shape.nodes, together=fit.shape.nodes)
        if self.workload.task == BATCH:
            hours = self._batch_machine_hours(fit) / machines
            factor = fit.time_factor
            work = Spread(hours * factor.p10, hours * factor.p50, hours * factor.p90)
            return self._job(group, choice, work, machines, together=1)
        return self._service(group, choice, fit)

    def amounts(self, fit: ServingFit | TrainingFit) -> Quantities:
        """Data of the job on this fit."""
        weights = fit.memory.weights * max(1, fit.layout.tp * fit.layout.pp) / BYTES_PER_GB
        if isinstance(fit, TrainingFit):
            weights = self._base_weights_gb
        if weights not in self._amounts:
            self._amounts[weights] = quantities(self.workload, weights)
        return self._amounts[weights]

    @cached_property
    def _base_weights_gb(self) -> float:
        """What a training job loads: the base model; nothing where it starts from nothing."""
        if self.workload.task == "pretrain":
            return 0.0
        from recommender.sizing.memory import frozen_bytes

        workload = self.workload
        if workload.tuning == "full":
            return workload.architecture.total_parameters * 2.0 / BYTES_PER_GB
        return frozen_bytes(workload.architecture, workload.tuning, workload.number_format) / BYTES_PER_GB

    def _batch_machine_hours(self, fit: ServingFit) -> float:
        """Hours of one machine for all requests: at full use, since nobody waits for an answer."""
        from recommender.sizing.serving import UTILISATION

        rate = fit.requests_per_s_per_node / UTILISATION
        return (self.workload.total_requests or 0.0) / rate / SECONDS_PER_HOUR

    def _job(
        self, group: OfferGroup, choice: Choice, work: Spread, machines: int, *, together: int
    ) -> Candidate | None:
        amounts = self.amounts(choice.fit)
        setup = cost.startup_hours(amounts.load_gb)
        lost: Interruptions | None = None
        wall, paid = work, work
        if group.price_kind in INTERRUPTIBLE_KINDS:
            found = self._interrupted(group, choice, work, machines, together)
            if found is None:
                return None
            lost, wall_factor = found
            wall, paid = work.combined(wall_factor), work.combined(lost.paid_factor)
        hours = cost.shifted(wall, setup)
        drift = self._price_factor(group)
        billed = cost.job_cost(
            cost.shifted(paid, setup),
            machines,
            group.price_usd_per_hour,
            *cost.billing_steps(group),
            cost.paid_term_months(group),
        )
        bill = Bill(
            billed.combined(drift),
            billed.p50 / machines / group.price_usd_per_hour,
            setup,
            self._egress(group, amounts, hours.p50),
            self.rates.storage(group.provider, amounts.stored_gb, hours.p50),
            drift,
        )
        return Candidate(group, choice, (machines,) * 3, hours, bill.total, bill, lost)

    def _interrupted(
        self, group: OfferGroup, choice: Choice, work: Spread, machines: int, together: int
    ) -> tuple[Interruptions, Spread] | None:
        """What interruptions do to a job, and the factor on its wall hours; None where it never ends."""
        amounts, fit = self.amounts(choice.fit), choice.fit
        rate = self.book.rate(group.provider, group.price_kind, choice.part.accelerator_id)
        middle = rate.per_hour.p50 * together
        if isinstance(fit, ServingFit):  # a batch: only the requests in flight are lost
            in_flight = fit.ttft_capacity_s + self.workload.answer_tokens * fit.tpot_capacity_s
            save, interval = 0.0, min(work.p50, in_flight / SECONDS_PER_HOUR)
        else:
            save = cost.save_hours(amounts.checkpoint_gb / machines)
            interval = checkpoint_interval_hours(save, middle, work.p50)
        restart = cost.startup_hours(amounts.load_gb + amounts.checkpoint_gb / machines)
        how = Checkpointing(save, interval, restart, cost.REPLACEMENT_WAIT_HOURS)
        walls = [wall_hours(work.p50, value * together, how) for value in _values(rate.per_hour)]
        pays = [paid_hours(work.p50, value * together, how) for value in _values(rate.per_hour)]
        if not math.isfinite(walls[1]):
            return None
        deviation = wall_deviation_hours(work.p50, middle, how)
        walls[2] += NORMAL_P90 * deviation
        pays[2] += NORMAL_P90 * deviation
        events = middle * pays[1] * (machines / together)
        lost = Interruptions(rate, together, how, work, events, _factor(pays, work.p50))
        return lost, _factor(walls, work.p50)

    def _service(self, group: OfferGroup, choice: Choice, fit: ServingFit) -> Candidate:
        if group.price_kind not in INTERRUPTIBLE_KINDS:
            return self._month(group, choice, fit.nodes)
        lost = self._service_interrupted(group, choice, fit, fit.nodes)
        return self._month(group, choice, self._with_spares(lost, fit.nodes), lost)

    def mixed(self, item: Candidate, steady: OfferGroup, share: float) -> Candidate | None:
        """A spot service with `share` of its machines on `steady`, which is never interrupted.

        None where the floor would be everything. `item` is a plan of spot machines alone, on the same kind
        of machine.
        """
        fit, lost = item.choice.fit, item.interruptions
        if not isinstance(fit, ServingFit) or lost is None:
            return None
        floor = math.ceil(share * fit.nodes[1] - 1e-9)
        if floor >= fit.nodes[1]:
            return None
        low, middle, high = (max(0, count - floor) for count in fit.nodes)
        spot = self._with_spares(lost, (low, middle, high))
        return self._month(item.group, item.choice, spot, lost, Floor(steady, floor))

    def _with_spares(self, lost: Interruptions, machines: tuple[int, int, int]) -> tuple[int, int, int]:
        """Machines to keep so that as many as needed are there on average."""
        away = lost.how.restart_hours + lost.how.wait_hours
        low, middle, high = (
            math.ceil(extra_machines(count, value, away) - 1e-9)
            for count, value in zip(machines, _values(lost.rate.per_hour), strict=True)
        )
        return low, middle, high

    def _service_interrupted(
        self, group: OfferGroup, choice: Choice, fit: ServingFit, machines: tuple[int, int, int]
    ) -> Interruptions:
        rate = self.book.rate(group.provider, group.price_kind, choice.part.accelerator_id)
        restart = cost.startup_hours(self.amounts(fit).load_gb)
        how = Checkpointing(0.0, 0.0, restart, cost.REPLACEMENT_WAIT_HOURS)
        month = cost.HOURS_OF_A_MONTH
        events = machines[1] * rate.per_hour.p50 * month
        return Interruptions(rate, 1, how, Spread(month, month, month), events, CERTAIN)

    def _month(
        self,
        group: OfferGroup,
        choice: Choice,
        machines: tuple[int, int, int],
        lost: Interruptions | None = None,
        floor: Floor | None = None,
    ) -> Candidate:
        """A service for a month: machines always on, and the floor of a mixed plan."""
        month = cost.HOURS_OF_A_MONTH
        amounts, drift = self.amounts(choice.fit), self._price_factor(group)
        usd = cost.widened(cost.monthly_cost(machines, group.price_usd_per_hour), drift)
        if floor is not None:
            count = floor.machines
            steady = cost.monthly_cost((count, count, count), floor.group.price_usd_per_hour)
            usd = cost.added(usd, cost.widened(steady, self._price_factor(floor.group)))
            low, middle, high = machines
            machines = (low + count, middle + count, high + count)
        bill = Bill(
            usd,
            month,
            cost.startup_hours(amounts.load_gb),
            self._egress(group, amounts, month),
            self.rates.storage(group.provider, amounts.stored_gb, month),
            drift,
        )
        hours = Spread(month, month, month)
        return Candidate(group, choice, machines, hours, bill.total, bill, lost, floor, monthly=True)

    def _egress(self, group: OfferGroup, amounts: Quantities, hours: float) -> Part:
        key = (group.provider, group.place)
        if key not in self._data:
            beside = frozenset([group.place]) if group.place in self.regions_with_data else frozenset[str]()
            named = frozenset(place for place in beside if place)
            self._data[key] = self.rates.data_in(self.constraints.data_in, group.provider, named)
        return transfer_and_results(self.rates, amounts, group.provider, hours, self._data[key])

    def _price_factor(self, group: OfferGroup) -> Spread:
        key = (int(group.age_hours), group.price_kind in INTERRUPTIBLE_KINDS, group.sold_as)
        if key not in self._drift:
            self._drift[key] = price_spread(group.age_hours, group.price_kind, group.sold_as)
        return self._drift[key]

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


def _values(spread: Spread) -> tuple[float, float, float]:
    return spread.p10, spread.p50, spread.p90


def _factor(hours: Sequence[float], work: float) -> Spread:
    """Three wall times as factors on the work, in order and never infinite."""
    middle = hours[1] / work
    return Spread(min(middle, hours[0] / work), middle, max(middle, min(hours[2] / work, WORST_FACTOR)))
