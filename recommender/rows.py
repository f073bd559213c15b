"""A plan as the row of `recommend --json` (docs of the contract: all keys, unknown is None)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from recommender import cost
from recommender.demand import Fit
from recommender.fields import BATCH, IMAGES, SERVE
from recommender.plans import Candidate
from recommender.reasons_money import runs_per_year
from recommender.sizing.results import ServingFit, Spread, TrainingFit
from recommender.sizing.size_images import ImagesFit
from warehouse.offer_rows import CONTRACT_COLUMNS, finished_row
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from recommender.engine import Plan


def plan_row(plan: Plan) -> dict[str, Any]:
    """The contract's row of one plan."""
    item, fit = plan.candidate, plan.candidate.choice.fit
    group, lost = item.group, item.interruptions
    limit, every = plan.constraints.deadline_hours, plan.workload.every_hours
    return {
        "rank": plan.rank,
        "provider": group.provider,
        "instance_type": group.instance_type,
        "accelerator_id": item.choice.part.accelerator_id,
        "gpus_per_node": group.gpu_count,
        "nodes": item.machines[1],
        "replicas": replicas(item.machines[1], fit),
        "region": plan.offer["region"],
        "price_kind": group.price_kind,
        "term_months": group.term_months,
        "layout": layout_row(fit),
        "precision": fit.precision,
        "memory_per_gpu_gb": round(fit.memory.total / BYTES_PER_GB, 2),
        "memory_capacity_gb": round(fit.capacity_bytes / BYTES_PER_GB, 2),
        "throughput": round(throughput(plan.workload.task, plan.workload.answer_tokens, item), 1),
        "ttft_ms": round(fit.ttft_s * 1e3, 1) if isinstance(fit, ServingFit) and item.monthly else None,
        "tpot_ms": round(fit.tpot_s * 1e3, 2) if isinstance(fit, ServingFit) and item.monthly else None,
        "hours": spread_row(item.hours, 3),
        "cost_usd": spread_row(item.cost, 2),
        "usd_per_million_tokens": _per_million(plan),
        "price_usd_per_hour": round(price_per_hour(item), 4),
        "egress_usd": rounded(item.bill.egress.usd),
        "storage_usd": rounded(item.bill.storage.usd),
        "co2e_kg": None if plan.carbon is None else round(plan.carbon.kg, 3),
        "availability": availability(group.available, group.available_count),
        "pareto": plan.pareto,
        "reasons": list(plan.reasons),
        "offer": offer_row(plan.offer, plan.now),
        "cost_per": "month" if item.monthly else "job",
        "usd_per_thousand_images": _per_thousand_images(plan),
        "machines_usd": spread_row(item.bill.machines, 2),
        "billed_hours": round(item.bill.paid_hours, 3),
        "startup_hours": round(item.bill.setup_hours, 3),
        "goodput": round(fit.goodput, 4) if isinstance(fit, TrainingFit) else None,
        "interruptions": None if lost is None else round(lost.expected, 4),
        "interruption_rate_per_hour": None if lost is None else spread_row(lost.rate.per_hour, 5),
        "checkpoint_minutes": _checkpoint_minutes(item),
        "deadline_chance": None if limit is None or item.monthly else round(item.chance_within(limit), 3),
        "mix": _mix(item),
        "runs_per_year": None if every is None else round(runs_per_year(every), 2),
        "cost_usd_per_year": None if every is None else spread_row(item.cost.scaled(runs_per_year(every)), 2),
        "availability_history": None if plan.history is None else plan.history.row(),
        "beats_the_first_if": None if plan.overtake is None else plan.overtake.row(),
    }


def _per_thousand_images(plan: Plan) -> float | None:
    images = plan.workload.images
    return round(plan.candidate.cost.p50 / images * 1000, 4) if images else None


def _checkpoint_minutes(item: Candidate) -> float | None:
    lost = item.interruptions
    if lost is None or not lost.how.save_hours:
        return None
    return round(lost.how.interval_hours * 60, 1)


def price_per_hour(item: Candidate) -> float:
    """US dollars an hour of all machines of a plan."""
    floor = item.floor
    spot = item.machines[1] - (floor.machines if floor else 0)
    steady = floor.machines * floor.group.price_usd_per_hour if floor else 0.0
    return item.group.price_usd_per_hour * spot + steady


def _mix(item: Candidate) -> list[dict[str, Any]] | None:
    """The parts of a mixed plan: how many machines, how sold, at which price. None for plain plans."""
    if item.floor is None:
        return None
    groups = (
        (item.group, item.machines[1] - item.floor.machines),
        (item.floor.group, item.floor.machines),
    )
    return [
        {
            "price_kind": group.price_kind,
            "machines": count,
            "price_usd_per_hour": round(group.price_usd_per_hour, 4),
        }
        for group, count in groups
    ]


def rounded(usd: float | None) -> float | None:
    """US dollars to the cent, None where not known."""
    return None if usd is None else round(usd, 2)


def replicas(machines: int, fit: Fit) -> int:
    """Copies of the model that run: all that fit on the rented machines, one job for training."""
    if isinstance(fit, TrainingFit):
        return 1
    if isinstance(fit, ImagesFit):
        return machines * fit.shape.gpus_per_node
    return machines // fit.nodes_per_replica * fit.copies_per_node


def throughput(task: str, answer_tokens: int, item: Candidate) -> float:
    """Tokens a second of a plan: of a service and of training as `tokens_per_s`, of a batch at full use."""
    fit = item.choice.fit
    needed = fit.nodes[1] if isinstance(fit, ServingFit) and task == SERVE else item.machines[1]
    rate = tokens_per_s(answer_tokens, needed, fit)
    if task == BATCH:
        from recommender.sizing.serving import UTILISATION

        return rate / UTILISATION
    return rate


def tokens_per_s(answer_tokens: int, machines: int, fit: Fit) -> float:
    """Serving: output tokens a second that the machines carry at the planned utilisation. Training: tokens
    a second of the whole job. Images: images a second."""
    if isinstance(fit, ImagesFit):
        return fit.images_per_s * machines
    if isinstance(fit, TrainingFit):
        return fit.tokens_per_s
    return fit.requests_per_s_per_node * machines * answer_tokens


def layout_row(fit: Fit) -> dict[str, Any]:
    """The contract's layout."""
    if isinstance(fit, ImagesFit):
        whole = {"tp": 1, "pp": 1, "dp": fit.shape.gpus, "ep": 1, "micro_batch": fit.batch}
        return {**whole, "zero": 0, "recompute": False}
    layout = fit.layout
    return {
        "tp": layout.tp,
        "pp": layout.pp,
        "dp": layout.dp,
        "ep": layout.ep,
        "micro_batch": layout.micro_batch,
        "zero": layout.zero,
        "recompute": layout.recompute,
    }


def spread_row(spread: Spread, digits: int) -> dict[str, float]:
    """p10, p50, p90, rounded."""
    return {name: round(getattr(spread, name), digits) for name in ("p10", "p50", "p90")}


def availability(available: bool | None, count: int | None) -> str:
    """In words: available, available (n), not stated, sold out."""
    if available is False:
        return "sold out"
    if available is None and count is None:
        return "not stated"
    return f"available ({count})" if count is not None else "available"


def offer_row(offer: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The offer as in `offers --json`, with age and state."""
    finished = finished_row(offer, now)
    return {column: finished[column] for column in CONTRACT_COLUMNS}


def _per_million(plan: Plan) -> float | None:
    """US dollars per million tokens: output tokens of a month or a batch, or training tokens."""
    workload, item = plan.workload, plan.candidate
    if workload.task == IMAGES:
        return None
    if workload.task == BATCH:
        tokens = (workload.total_requests or 0.0) * workload.answer_tokens
    elif workload.task == SERVE:
        tokens = workload.rate * workload.answer_tokens * cost.HOURS_OF_A_MONTH * SECONDS_PER_HOUR
    else:
        tokens = workload.tokens or 0.0
    value = cost.usd_per_million(item.cost.p50, tokens)
    return None if value is None else round(value, 4)
