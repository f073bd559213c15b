"""Why a plan says what it says, in sentences for engineers and for those who pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recommender.constraints import INTERRUPTIBLE_KINDS
from recommender.demand import Fit, priors_of
from recommender.fields import BATCH
from recommender.market import EXPIRED, STALE
from recommender.plans import Candidate
from recommender.reasons_money import (
    egress,
    expected_with_interruptions,
    mixture,
    price,
    spread,
    storage,
    yearly,
)
from recommender.sizing.flops import training_flops_per_token
from recommender.sizing.hardware import link_bytes_per_s
from recommender.sizing.results import ServingFit, TrainingFit
from recommender.sizing.size_images import ImagesFit
from recommender.wording import age, gb, hours
from recommender.workload import Workload
from warehouse.units import BYTES_PER_GB, bytes_to_gib

if TYPE_CHECKING:
    from recommender.engine import Plan

MINOR_SHARE = 0.05  # parts of a step below 5 % are not worth a sentence


def reasons(plan: Plan) -> list[str]:
    """One sentence per number of the plan: memory, speed, machines, money, price, doubts."""
    workload, item = plan.workload, plan.candidate
    fit = item.choice.fit
    found = [_memory(workload, fit)]
    if isinstance(fit, TrainingFit):
        found += _training(workload, item, fit)
    elif isinstance(fit, ImagesFit):
        found += _images(workload, item, fit)
    elif workload.task == BATCH:
        found += _batch(workload, item, fit)
    else:
        found += _serving(workload, item, fit)
    found += _links(fit)
    found.append(price(plan))
    found += [text for text in (mixture(plan), expected_with_interruptions(plan)) if text]
    found += [text for text in (storage(item), egress(item)) if text]
    found.append(spread(plan))
    if plan.history is not None:
        found.append(f"availability: {plan.history.sentence()}")
    if plan.carbon is not None:
        found.append(plan.carbon.sentence())
    if workload.every_hours is not None:
        found.append(yearly(plan))
    return found + _doubts(item, plan.offer)


def _memory(workload: Workload, fit: Fit) -> str:
    parts = fit.memory
    base = "nf4 and adapters" if workload.tuning == "qlora" else fit.precision
    named = (
        (f"weights {base}", parts.weights),
        ("gradients", parts.gradients),
        ("optimizer", parts.optimizer),
        ("activations", parts.activations),
        (f"KV cache of {_in_flight(fit)} sequences", parts.kv_cache),
        ("engine reserve" if isinstance(fit, ServingFit) else "context and slack", parts.reserve),
    )
    shown = " + ".join(f"{name} {gb(value)}" for name, value in named if value > 0)
    usable = f"{gb(fit.capacity_bytes)} ({bytes_to_gib(fit.capacity_bytes):.1f} GiB)"
    return f"memory per GPU: {shown} = {gb(parts.total)} of {usable}"


def _decode(fit: ServingFit) -> str:
    bandwidth = fit.shape.accelerator.memory_bandwidth_gb_per_s or 0.0
    if fit.bound == "bandwidth":
        return (
            f"decode is bandwidth-bound: {gb(fit.read_bytes)} read per step and GPU at "
            f"{fit.priors['decode_mbu'].p50:.0%} of {bandwidth:,.0f} GB/s, step {fit.step_s * 1e3:.1f} ms"
        )
    share, ms = fit.priors["prefill_mfu"].p50, fit.step_s * 1e3
    return f"decode is compute-bound at {share:.0%} of the dense {fit.unit} peak, step {ms:.1f} ms"


def _serving(workload: Workload, item: Candidate, fit: ServingFit) -> list[str]:
    per_machine = (
        f"{fit.copies_per_node} x tensor parallel {fit.layout.tp} per machine, up to {fit.concurrency} "
        f"requests in flight each: {fit.requests_per_s_per_node:.2f} requests/s per machine at 80 % use"
    )
    needed = fit.nodes[1]
    number = f"{needed} machine" if needed == 1 else f"{needed} machines"
    load = (
        f"{number} for {workload.peak_rate:g} requests/s; then TPOT {fit.tpot_s * 1e3:.1f} ms, "
        f"TTFT {fit.ttft_s * 1e3:.0f} ms (prefill {fit.prefill_s * 1e3:.0f} ms, then scheduling and "
        f"waiting); band of times x{fit.time_factor.p10:.2f} to x{fit.time_factor.p90:.2f}"
    )
    busy = workload.rate / (fit.requests_per_s_per_node * needed)
    idle = (
        f"always on: machines are {busy:.0%} as busy on average as they are planned to be at most; the rest "
        f"of {item.cost.p50:,.0f} USD pays for idle time"
    )
    found = [_decode(fit), per_machine, load, *([idle] if busy < 0.7 else [])]
    slow = fit.tpot_s * fit.time_factor.p90 * 1e3
    if workload.tpot_ms is not None and slow > workload.tpot_ms:
        found.append(
            f"at p90 of the band TPOT would be {slow:.0f} ms: above the target of {workload.tpot_ms:g} ms"
        )
    return found


def _batch(workload: Workload, item: Candidate, fit: ServingFit) -> list[str]:
    rate = _full_rate(fit)
    per_machine = (
        f"{fit.copies_per_node} x tensor parallel {fit.layout.tp} per machine, {fit.concurrency} requests in "
        f"flight each, no latency target: {rate:.2f} requests/s per machine at full use "
        f"({rate * workload.answer_tokens:,.0f} output tokens/s)"
    )
    machines = item.machines[1]
    time = (
        f"{workload.total_requests or 0:,.4g} requests on {machines} machine{'s' * (machines > 1)} take "
        f"{hours(item.hours.p50)} ({hours(item.hours.p10)} to {hours(item.hours.p90)}), "
        f"{item.bill.setup_hours:.2f} h of start-up included"
    )
    return [_decode(fit), per_machine, time]


def _images(workload: Workload, item: Candidate, fit: ImagesFit) -> list[str]:
    wide, high = workload.pixels
    model, machines = workload.image_model, item.machines[1]
    speed = (
        f"{model.title} at {wide} x {high}, {workload.denoising_steps} steps, up to {fit.batch} at once on a "
        f"GPU: {fit.images_per_s:,.2f} images/s per machine of {fit.shape.gpus_per_node} "
        f"({fit.seconds_per_image:,.1f} s for one alone)"
    )
    time = (
        f"{workload.images or 0:,.4g} images on {machines} machine{'s' * (machines > 1)} take "
        f"{hours(item.hours.p50)} ({hours(item.hours.p10)} to {hours(item.hours.p90)}), "
        f"{item.bill.setup_hours:.2f} h of start-up included"
    )
    doubt = [f"no image rate of {fit.shape.accelerator.title}'s class is published: wide band"]
    return [speed, time, *(doubt if fit.transferred else [])]


def _in_flight(fit: Fit) -> int:
    return fit.batch if isinstance(fit, ImagesFit) else fit.layout.micro_batch


def _full_rate(fit: ServingFit) -> float:
    from recommender.sizing.serving import UTILISATION

    return fit.requests_per_s_per_node / UTILISATION


def _training(workload: Workload, item: Candidate, fit: TrainingFit) -> list[str]:
    layout, mfu = fit.layout, fit.priors["train_mfu"]
    sharding = {0: "nothing sharded", 1: "optimizer state sharded (zero 1)", 3: "fully sharded (zero 3)"}.get(
        layout.zero, f"sharded (zero {layout.zero})"
    )
    again = ", activations recomputed" if layout.recompute else ""
    lie = (
        f"layout: tensor {layout.tp} x pipeline {layout.pp} x data {layout.dp}, micro batch "
        f"{layout.micro_batch} x {fit.micro_batches}, {sharding}{again}"
    )
    shares = [
        f"{name} {part / fit.step_s:.0%}"
        for name, part in (
            ("tensor-parallel traffic", fit.tensor_s),
            ("pipeline bubble", fit.bubble_s),
            ("exposed data-parallel traffic", fit.data_s),
        )
        if part / fit.step_s >= MINOR_SHARE
    ]
    flops = training_flops_per_token(workload.architecture, workload.sequence, workload.tuning)
    speed = (
        f"{flops / 1e9:,.1f} GFLOP per token at {mfu.p50:.0%} of the dense {fit.unit} peak ({mfu.p10:.0%} to "
        f"{mfu.p90:.0%}): {fit.tokens_per_s:,.0f} tokens/s" + (f"; {', '.join(shares)}" if shares else "")
    )
    time = (
        f"{workload.tokens or 0:,.3g} tokens take {hours(item.hours.p50)} ({hours(item.hours.p10)} to "
        f"{hours(item.hours.p90)}), {item.bill.setup_hours:.2f} h of start-up and {fit.goodput:.1%} useful "
        "time included"
    )
    return [lie, speed, time]


def _links(fit: Fit) -> list[str]:
    """What the GPUs of one model copy talk over, where they have to."""
    found: list[str] = []
    if isinstance(fit, ImagesFit):
        return found
    part, shape, tp = fit.shape.accelerator, fit.shape, fit.layout.tp
    if tp > 1:
        rate = link_bytes_per_s(part, tp) / BYTES_PER_GB
        if tp > part.scale_up_domain:
            found.append(
                f"tensor parallel {tp} goes over PCIe at {rate:,.0f} GB/s (no NVLink among {tp} of these): "
                "the times above pay for it"
            )
        else:
            found.append(f"tensor parallel {tp} over {part.interconnect} at {rate:,.0f} GB/s one way")
    if shape.nodes > 1 and shape.fabric_gb_per_s:
        found.append(
            f"{shape.nodes} machines over a network of {shape.fabric_gb_per_s * 8:,.0f} Gbit/s each, as the "
            "vendor states it"
        )
    return found


def _doubts(item: Candidate, offer: dict[str, Any]) -> list[str]:
    group, part = item.group, item.choice.part
    found = []
    if item.choice.ambiguous:
        found.append(
            f"form factor not stated: sized as {part.title}, its slowest candidate ({', '.join(group.parts)})"
        )
    fit = item.choice.fit
    if fit.precision in ("bf16", "fp8", "fp4") and fit.unit != fit.precision:
        runs = "runs" if fit.precision == "bf16" else "weights are widened and run"
        found.append(f"{part.title} has no {fit.precision} rate: {runs} as {fit.unit}")
    for name, value in priors_of(item.choice.fit).items():
        if value.transferred and name in ("train_mfu", "decode_mbu"):
            on = ", ".join(value.measured_on) or "no part of this architecture"
            found.append(f"efficiency of {part.title} is transferred (measured on {on}): wider band")
    if group.term_months and item.monthly:
        found.append(f"binds for {group.term_months} month(s)")
    if group.price_kind in INTERRUPTIBLE_KINDS:
        found.append("can be interrupted at any time")
    if group.available is False:
        found.append("known to be sold out now")
    if not group.first_party and offer["origin"] != "bundled":
        found.append(f"{group.provider} resells or brokers these machines")
    if group.tier in (STALE, EXPIRED):
        found.append(f"price is {'stale' if group.tier == STALE else 'expired'}: {age(group.age_hours)} old")
    if offer["origin"] == "bundled":
        found.append("from the snapshot that ships with gpufare: compiled by a third party, not crawled")
    return found
