"""From sized shapes to priced candidates: what each group of offers would do, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recommender import cost
from recommender.market import OfferGroup
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.results import Refusal, ServingFit, Spread, TrainingFit
from recommender.workload import Workload
from warehouse.reference import Accelerator, accelerators

NODE_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # machines on one training job, where the network is known
AVAILABILITY, UNKNOWN_PART = "availability", "unknown_part"

Fit = ServingFit | TrainingFit
ShapeKey = tuple[tuple[str, ...], int, float | None]


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to use a kind of machine; `ambiguous`: the part is the slowest of several candidates."""

    fit: Fit
    part: Accelerator
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of offers with the choice taken for it, priced.

    machines: by the spread of sizing for serving, the same three times for training. hours: wall hours (a
    month for serving). cost: US dollars, per month for serving.
    """

    group: OfferGroup
    choice: Choice
    machines: tuple[int, int, int]
    hours: Spread
    cost: Spread


@dataclass(frozen=True, slots=True)
class Refused:
    """Why one group of offers gives no plan."""

    group: OfferGroup
    kind: str
    reason: str


def shape_key(group: OfferGroup, workload: Workload) -> ShapeKey:
    """What sizing depends on: the parts it may be, the GPUs of a machine, and for training the network."""
    fabric = group.fabric_gb_per_s if workload.task != "serve" else None
    return group.parts, group.gpu_count, fabric


def size_shapes(workload: Workload, keys: Iterable[ShapeKey]) -> dict[ShapeKey, list[Choice | Refusal | str]]:
    """Sizes every distinct kind of machine once.

    Where the source does not settle the part, all candidates are sized and the slowest for this workload
    counts; a candidate that cannot run the job refuses the whole kind. Returns, per kind, one entry per
    number of machines; a text where a part is not in the reference table.
    """
    wanted = list(dict.fromkeys(keys))
    known = accelerators()
    shapes: dict[tuple[str, int, int, float | None], int] = {}
    for parts, gpus, fabric in wanted:
        for part in parts:
            for nodes in _node_counts(workload, fabric) if part in known else ():
                shapes.setdefault((part, gpus, nodes, fabric), len(shapes))
    answers = _size(workload, [HardwareShape(known[p], g, n, f) for p, g, n, f in shapes])
    return {
        key: [_slowest(key, nodes, shapes, answers) for nodes in _node_counts(workload, key[2])]
        for key in wanted
    }


def _node_counts(workload: Workload, fabric: float | None) -> tuple[int, ...]:
    return NODE_COUNTS if workload.task != "serve" and fabric is not None else (1,)


def _size(workload: Workload, shapes: Sequence[HardwareShape]) -> Sequence[Fit | Refusal]:
    if workload.task == "serve":
        from recommender.sizing.size_serving import size_serving

        return size_serving(serving_demand(workload), shapes)
    from recommender.sizing.size_training import size_training

    return size_training(training_demand(workload), shapes)


def serving_demand(workload: Workload) -> Any:
    """The workload as sizing's `ServingDemand`."""
    from recommender.sizing.size_serving import ServingDemand

    return ServingDemand(
        model=workload.architecture,
        precision=workload.number_format,
        requests_per_s=workload.peak_rate,
        input_tokens=workload.prompt_tokens,
        output_tokens=workload.answer_tokens,
        ttft_s=workload.ttft_ms / 1e3 if workload.ttft_ms else None,
        tpot_s=workload.tpot_ms / 1e3 if workload.tpot_ms else None,
    )


def training_demand(workload: Workload) -> Any:
    """The workload as sizing's `TrainingDemand`."""
    from recommender.sizing.size_training import TrainingDemand

    assert workload.tokens is not None
    return TrainingDemand(
        model=workload.architecture,
        precision=workload.number_format,
        method=workload.tuning,
        task=workload.task,
        tokens=workload.tokens,
        sequence=workload.sequence,
        global_batch=workload.batch,
    )


def _slowest(
    key: ShapeKey,
    nodes: int,
    shapes: dict[tuple[str, int, int, float | None], int],
    answers: Sequence[Fit | Refusal],
) -> Choice | Refusal | str:
    parts, gpus, fabric = key
    choices: list[Choice] = []
    for part in parts:
        row = shapes.get((part, gpus, nodes, fabric))
        if row is None:
            return f"{part} is not in the accelerator table"
        answer = answers[row]
        if isinstance(answer, Refusal):
            return answer
        choices.append(Choice(answer, answer.shape.accelerator, len(parts) > 1))
    return max(choices, key=lambda choice: _slowness(choice.fit))


def _slowness(fit: Fit) -> tuple[float, ...]:
    if isinstance(fit, ServingFit):
        return (-fit.requests_per_s_per_node, fit.tpot_s)
    return (fit.hours.p50,)


def price_group(
    group: OfferGroup, choices: Sequence[Choice | Refusal | str], deadline_hours: float | None
) -> Candidate | Refused:
    """The cheapest way to do the job on this group's machines within the deadline.

    Where no number of machines meets the deadline the quickest is returned; the caller checks.
    """
    priced: list[Candidate] = []
    for choice in choices:
        if isinstance(choice, Choice):
            priced.append(_price(group, choice))
    if not priced:
        return _refused(group, choices[0])
    count = group.available_count
    enough = [item for item in priced if count is None or item.machines[1] <= count]
    if not enough:
        least = min(item.machines[1] for item in priced)
        name = f"{group.provider} {group.instance_type or ''}".strip()
        text = f"{name}: needs {least} machines, {count} listed as available"
        return Refused(group, AVAILABILITY, text)
    in_time = [item for item in enough if deadline_hours is None or item.hours.p50 <= deadline_hours]
    if in_time:
        return min(in_time, key=lambda item: (item.cost.p50, item.hours.p50))
    return min(enough, key=lambda item: item.hours.p50)


def _price(group: OfferGroup, choice: Choice) -> Candidate:
    fit = choice.fit
    if isinstance(fit, ServingFit):
        month = Spread(cost.HOURS_OF_A_MONTH, cost.HOURS_OF_A_MONTH, cost.HOURS_OF_A_MONTH)
        return Candidate(
            group, choice, fit.nodes, month, cost.monthly_cost(fit.nodes, group.price_usd_per_hour)
        )
    hours = cost.job_hours(fit.hours, group.price_kind)
    machines = fit.shape.nodes
    usd = cost.job_cost(
        hours,
        machines,
        group.price_usd_per_hour,
        group.billing_increment_seconds,
        group.minimum_seconds,
        group.term_months,
    )
    return Candidate(group, choice, (machines, machines, machines), hours, usd)


def _refused(group: OfferGroup, why: Choice | Refusal | str) -> Refused:
    if isinstance(why, str):
        return Refused(group, UNKNOWN_PART, why)
    assert isinstance(why, Refusal)
    reason = why.reason
    if len(group.parts) > 1:
        reason += f" (may be any of {', '.join(group.parts)})"
    return Refused(group, why.kind, reason)
