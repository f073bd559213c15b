"""What a plan costs: jobs and services on one group of offers, with storage, traffic and interruptions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from recommender import cost
from recommender.constraints import INTERRUPTIBLE_KINDS, Constraints
from recommender.data_costs import DataRates, Part, transfer_and_results
from recommender.demand import Choice, Fit
from recommender.fields import IMAGES, INDEPENDENT, PRETRAIN, TEXT_OUT
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
from recommender.plans import Bill, Candidate, Floor, Interruptions
from recommender.price_age import price_spread
from recommender.quantities import Quantities, quantities
from recommender.sizing.results import ServingFit, Spread, TrainingFit
from recommender.sizing.size_images import ImagesFit
from recommender.workload import Workload
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

CERTAIN = Spread(1.0, 1.0, 1.0)
WORST_FACTOR = 100.0  # where the bad end would never finish, p90 says a hundred times the work


class Biller:
    """Prices one plan at a time for one question. `rates`, `book`: what the world charges and interrupts."""

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
        self._amounts: dict[float, Quantities] = {}
        self._data: dict[tuple[str, str | None], list[Part]] = {}
        self._drift: dict[tuple[int, bool, str], Spread] = {}

    @cached_property
    def regions_with_data(self) -> frozenset[str]:
        """Regions in which data of the question lies."""
        return frozenset(item.region for item in self.constraints.data_in)

    def price(self, group: OfferGroup, choice: Choice, machines: int = 0) -> Candidate | None:
        """One plan priced; None where it would never end. `machines` counts for batches only."""
        fit = choice.fit
        if isinstance(fit, TrainingFit):
            return self._job(group, choice, fit.hours, fit.shape.nodes, together=fit.shape.nodes)
        if self.workload.task in INDEPENDENT:
            work = fit.time_factor.scaled(self.machine_hours(fit) / machines)
            return self._job(group, choice, work, machines, together=_together(fit))
        assert isinstance(fit, ServingFit)
        return self._service(group, choice, fit)

    def amounts(self, fit: Fit) -> Quantities:
        """Data of the job on this fit."""
        weights = self._base_weights_gb
        if weights not in self._amounts:
            self._amounts[weights] = quantities(self.workload, weights)
        return self._amounts[weights]

    @cached_property
    def _base_weights_gb(self) -> float:
        """What a machine loads first: the model; nothing where training starts from nothing."""
        from recommender.sizing import memory

        workload = self.workload
        if workload.task == PRETRAIN:
            return 0.0
        if workload.task == IMAGES:
            from recommender.sizing.diffusion import image_weight_bytes

            return image_weight_bytes(workload.image_model) / BYTES_PER_GB
        model = workload.architecture
        if workload.task in TEXT_OUT:
            return memory.weight_bytes(model, workload.number_format) / BYTES_PER_GB
        if workload.tuning == "full":
            return model.total_parameters * 2.0 / BYTES_PER_GB
        return memory.frozen_bytes(model, workload.tuning, workload.number_format) / BYTES_PER_GB

    def machine_hours(self, fit: ServingFit | ImagesFit) -> float:
        """Hours of one machine for a whole batch or all images: at full use, since nobody waits."""
        if isinstance(fit, ImagesFit):
            return (self.workload.images or 0.0) / fit.images_per_s / SECONDS_PER_HOUR
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
        rate = self.book.rate(group.provider, group.price_kind, choice.part.accelerator_id, group.taken_back)
        middle = rate.per_hour.p50 * together
        if not isinstance(fit, TrainingFit):  # only what is in flight is lost
            save, interval = 0.0, min(work.p50, self._in_flight_hours(fit))
        else:
            save = cost.save_hours(amounts.checkpoint_gb / machines)
            interval = checkpoint_interval_hours(save, middle, work.p50)
        restart = cost.startup_hours(amounts.load_gb + amounts.checkpoint_gb / machines)
        how = Checkpointing(save, interval, restart, cost.REPLACEMENT_WAIT_HOURS)
        walls = [wall_hours(work.p50, value * together, how) for value in _values(rate.per_hour)]
        pays = [paid_hours(work.p50, value * together, how) for value in _values(rate.per_hour)]
        if not math.isfinite(walls[1]):
            return None
        deviation = wall_deviation_hours(work.p50, middle, how) / math.sqrt(machines / together)
        walls[2] += NORMAL_P90 * deviation
        pays[2] += NORMAL_P90 * deviation
        events = middle * pays[1] * (machines / together)
        lost = Interruptions(rate, together, how, work, events, _factor(pays, work.p50))
        return lost, _factor(walls, work.p50)

    def _in_flight_hours(self, fit: ServingFit | ImagesFit) -> float:
        """Hours from the start of a request or of a batch of images to its end."""
        if isinstance(fit, ImagesFit):
            return fit.batch * fit.shape.gpus / fit.images_per_s / SECONDS_PER_HOUR
        seconds = fit.ttft_capacity_s + self.workload.answer_tokens * fit.tpot_capacity_s
        return seconds / SECONDS_PER_HOUR

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
            math.ceil(extra_machines(count, value * lost.together, away) - 1e-9)
            for count, value in zip(machines, _values(lost.rate.per_hour), strict=True)
        )
        return low, middle, high

    def _service_interrupted(
        self, group: OfferGroup, choice: Choice, fit: ServingFit, machines: tuple[int, int, int]
    ) -> Interruptions:
        rate = self.book.rate(group.provider, group.price_kind, choice.part.accelerator_id, group.taken_back)
        restart = cost.startup_hours(self.amounts(fit).load_gb)
        how = Checkpointing(0.0, 0.0, restart, cost.REPLACEMENT_WAIT_HOURS)
        month = cost.HOURS_OF_A_MONTH
        events = machines[1] * rate.per_hour.p50 * month
        return Interruptions(rate, _together(fit), how, Spread(month, month, month), events, CERTAIN)

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


def _together(fit: Fit) -> int:
    """Machines that stop when one of them goes."""
    return fit.nodes_per_replica if isinstance(fit, ServingFit) else 1


def _values(spread: Spread) -> tuple[float, float, float]:
    return spread.p10, spread.p50, spread.p90


def _factor(hours: Sequence[float], work: float) -> Spread:
    """Three wall times as factors on the work, in order and never infinite."""
    middle = hours[1] / work
    return Spread(min(middle, hours[0] / work), middle, max(middle, min(hours[2] / work, WORST_FACTOR)))
