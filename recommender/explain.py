"""All steps of one plan, from the response body to the dollar, for `recommend --explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender import cost, reasons
from recommender.demand import priors_of
from recommender.fields import IMAGES, TRAINING
from recommender.plans import Candidate
from recommender.reasons_money import place
from recommender.sizing import memory
from recommender.sizing.efficiency import Prior
from recommender.sizing.hardware import usable_memory_bytes
from recommender.sizing.results import TrainingFit
from recommender.wording import gb

if TYPE_CHECKING:
    from recommender.engine import Plan


def explain(plan: Plan) -> list[str]:
    """Numbered sections: the price, the model, the machine, the sizing, the bill."""
    sections = (
        ("the price, as the provider states it", _price_steps(plan)),
        ("the model", _model_steps(plan)),
        ("the machine", _machine_steps(plan)),
        ("the plan", reasons.reasons(plan)),
        ("measured efficiency behind it", _prior_steps(plan.candidate) or ["image rates: docs/method.md"]),
        ("the bill", _bill_steps(plan)),
    )
    lines = []
    for number, (title, steps) in enumerate(sections, 1):
        lines.append(f"{number}. {title}")
        lines += steps
    return lines


def _price_steps(plan: Plan) -> list[str]:
    offer, group = plan.offer, plan.candidate.group
    body = offer["body_sha256"]
    found = [
        f"source {offer['source_url']}",
        f"response body sha256 {body}, of run {offer['run_id']}"
        if body
        else f"run {offer['run_id']}; no response body is kept of it",
        f"seen {offer['observed_at']:%Y-%m-%d %H:%M} UTC, {place(offer)}; printed there as "
        f"{offer['gpu_name_raw'] or offer['instance_type']}",
    ]
    stated = offer["price_raw"]
    if stated is not None:
        found.append(f"stated: {stated:g} {offer['currency']} {offer['price_unit']}")
    hourly = f"{offer['price_per_hour']:,.6g} {offer['currency']} an hour, whole machine"
    rate = offer["fx_rate"]
    if offer["currency"] != "USD" and rate:
        hourly += f" x {rate:.6g} USD ({offer['fx_date']})"
    found.append(f"{hourly} = {group.price_usd_per_hour:,.6g} USD an hour")
    return found


def _model_steps(plan: Plan) -> list[str]:
    workload = plan.workload
    if workload.task == IMAGES:
        made = workload.image_model
        return [f"{made.title}: {made.total_parameters / 1e9:,.2f} B parameters in all parts; {made.source}"]
    model = workload.architecture
    found = [
        f"{model.name}: {model.total_parameters / 1e9:,.2f} B parameters, "
        f"{model.active_parameters / 1e9:,.2f} B active, {model.layers} layers of {model.hidden}; "
        f"{model.source}"
    ]
    if workload.task not in TRAINING:
        kilobytes = memory.kv_bytes_per_token(model, workload.number_format.kv_bytes) / 1e3
        found.append(f"cache per token: {kilobytes:,.1f} kB")
    return found


def _machine_steps(plan: Plan) -> list[str]:
    part = plan.candidate.choice.part
    return [
        f"hardware {part.title}: {gb(usable_memory_bytes(part))} usable, "
        f"{part.memory_bandwidth_gb_per_s or 0:,.0f} GB/s; {part.source}"
    ]


def _prior_steps(item: Candidate) -> list[str]:
    fit = item.choice.fit
    found = [_prior_line(name, value) for name, value in priors_of(fit).items()]
    if isinstance(fit, TrainingFit):
        found.append(
            f"step {fit.step_s:.3f} s = compute {fit.compute_s:.3f} + tensor {fit.tensor_s:.3f} + bubble "
            f"{fit.bubble_s:.3f} + data {fit.data_s:.3f}"
        )
    return found


def _prior_line(name: str, value: Prior) -> str:
    basis = "transferred, " if value.transferred else ""
    return f"{name}: p10 {value.p10:g}, p50 {value.p50:g}, p90 {value.p90:g} ({basis}{value.source})"


def _bill_steps(plan: Plan) -> list[str]:
    item = plan.candidate
    group, bill, floor = item.group, item.bill, item.floor
    found = []
    increment, minimum = cost.billing_steps(group)
    steps = f"steps of {increment} s" if increment else "steps not known, taken as exact"
    least = f", at least {minimum} s" if minimum else ""
    if not item.monthly:
        found.append(f"start-up {bill.setup_hours:.3f} h: boot {cost.BOOT_HOURS:g} h, then loading at 1 GB/s")
        found.append(f"billing: {steps}{least}; {bill.paid_hours:,.3f} h are paid per machine")
    count = item.machines[1] - (floor.machines if floor else 0)
    sums = f"{count} x {group.price_usd_per_hour:,.6g} USD/h x {bill.paid_hours:,.3f} h"
    if floor:
        sums += f" + {floor.machines} x {floor.group.price_usd_per_hour:,.6g} USD/h x the same"
    found.append(f"machines: {sums} = {bill.machines.p50:,.2f} USD")
    for name, part in (("storage", bill.storage), ("traffic", bill.egress)):
        pages = f"; {', '.join(part.sources)}" if part.sources else ""
        known = "not known" if part.usd is None else f"{part.usd:,.2f} USD"
        found.append(f"{name}: {known}: {part.how}{pages}")
    total = item.cost
    found.append(
        f"total {bill.machines.p50:,.2f} + {bill.storage.counted.p50:,.2f} + "
        f"{bill.egress.counted.p50:,.2f} = {total.p50:,.2f} USD"
    )
    found.append(f"cost p10 {total.p10:,.2f}, p50 {total.p50:,.2f}, p90 {total.p90:,.2f} USD")
    return found
