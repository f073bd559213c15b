"""A plan as the row of `recommend --json` (docs of the contract: all keys, unknown is None)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from recommender import cost
from recommender.sizing.results import ServingFit, Spread, TrainingFit
from warehouse.offer_rows import CONTRACT_COLUMNS, finished_row
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from recommender.engine import Plan


def plan_row(plan: Plan) -> dict[str, Any]:
    """The contract's row of one plan."""
    item, fit = plan.candidate, plan.candidate.choice.fit
    group = item.group
    serving = isinstance(fit, ServingFit)
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
        "throughput": round(tokens_per_s(plan.workload.answer_tokens, item.machines[1], fit), 1),
        "ttft_ms": round(fit.ttft_s * 1e3, 1) if isinstance(fit, ServingFit) else None,
        "tpot_ms": round(fit.tpot_s * 1e3, 2) if isinstance(fit, ServingFit) else None,
        "hours": spread_row(item.hours, 3),
        "cost_usd": spread_row(item.cost, 2),
        "usd_per_million_tokens": _per_million(plan),
        "price_usd_per_hour": round(group.price_usd_per_hour * item.machines[1], 4),
        "egress_usd": None,
        "storage_usd": None,
        "co2e_kg": None,
        "availability": availability(group.available, group.available_count),
        "pareto": plan.pareto,
        "reasons": list(plan.reasons),
        "offer": offer_row(plan.offer, plan.now),
        "cost_per": "month" if serving else "job",
    }


def replicas(machines: int, fit: ServingFit | TrainingFit) -> int:
    """Copies of the model that run: all that fit on the rented machines for serving, one job for training."""
    return machines * fit.copies_per_node if isinstance(fit, ServingFit) else 1


def tokens_per_s(answer_tokens: int, machines: int, fit: ServingFit | TrainingFit) -> float:
    """Serving: output tokens a second that the machines carry at the planned utilisation. Training: tokens
    a second of the whole job."""
    if isinstance(fit, TrainingFit):
        return fit.tokens_per_s
    return fit.requests_per_s_per_node * machines * answer_tokens


def layout_row(fit: ServingFit | TrainingFit) -> dict[str, Any]:
    """The contract's layout."""
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
    """US dollars per million tokens: output tokens of a month's mean load, or training tokens."""
    workload, item = plan.workload, plan.candidate
    if workload.task == "serve":
        tokens = workload.rate * workload.answer_tokens * cost.HOURS_OF_A_MONTH * SECONDS_PER_HOUR
    else:
        tokens = workload.tokens or 0.0
    value = cost.usd_per_million(item.cost.p50, tokens)
    return None if value is None else round(value, 4)
