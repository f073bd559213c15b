"""Why a plan says what it says, in sentences for engineers and for those who pay."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from recommender import cost
from recommender.market import EXPIRED, STALE
from recommender.plans import Candidate
from recommender.sizing import memory
from recommender.sizing.efficiency import Prior
from recommender.sizing.flops import training_flops_per_token
from recommender.sizing.hardware import usable_memory_bytes
from recommender.sizing.results import ServingFit, TrainingFit
from recommender.workload import Workload
from warehouse.units import BYTES_PER_GB, bytes_to_gib

MINOR_SHARE = 0.05  # parts of a step below 5 % are not worth a sentence


def reasons(workload: Workload, item: Candidate, offer: dict[str, Any], now: datetime) -> list[str]:
    """One sentence per number of the plan: memory, speed, machines, money, price, doubts."""
    fit = item.choice.fit
    found = [_memory(workload, fit)]
    if isinstance(fit, ServingFit):
        found += _serving(workload, item, fit)
    else:
        found += _training(workload, item, fit)
    found += [_price(item, offer), *_doubts(item, offer)]
    return found


def _memory(workload: Workload, fit: ServingFit | TrainingFit) -> str:
    parts = fit.memory
    base = "nf4 and adapters" if workload.tuning == "qlora" else fit.precision
    named = (
        (f"weights {base}", parts.weights),
        ("gradients", parts.gradients),
        ("optimizer", parts.optimizer),
        ("activations", parts.activations),
        (f"KV cache of {fit.layout.micro_batch} sequences", parts.kv_cache),
        ("engine reserve" if isinstance(fit, ServingFit) else "context and slack", parts.reserve),
    )
    shown = " + ".join(f"{name} {_gb(value)}" for name, value in named if value > 0)
    usable = f"{_gb(fit.capacity_bytes)} ({bytes_to_gib(fit.capacity_bytes):.1f} GiB)"
    return f"memory per GPU: {shown} = {_gb(parts.total)} of {usable}"


def _serving(workload: Workload, item: Candidate, fit: ServingFit) -> list[str]:
    bandwidth = fit.shape.accelerator.memory_bandwidth_gb_per_s or 0.0
    mbu = fit.priors["decode_mbu"].p50
    if fit.bound == "bandwidth":
        decode = (
            f"decode is bandwidth-bound: {_gb(fit.read_bytes)} read per step and GPU at {mbu:.0%} of "
            f"{bandwidth:,.0f} GB/s, step {fit.step_s * 1e3:.1f} ms"
        )
    else:
        share = fit.priors["prefill_mfu"].p50
        ms = fit.step_s * 1e3
        decode = f"decode is compute-bound at {share:.0%} of the dense {fit.unit} peak, step {ms:.1f} ms"
    machines = item.machines[1]
    per_machine = (
        f"{fit.copies_per_node} x tensor parallel {fit.layout.tp} per machine, up to {fit.concurrency} "
        f"requests in flight each: {fit.requests_per_s_per_node:.2f} requests/s per machine at 80 % use"
    )
    number = f"{machines} machine" if machines == 1 else f"{machines} machines"
    load = (
        f"{number} for {workload.peak_rate:g} requests/s; then TPOT {fit.tpot_s * 1e3:.1f} ms, "
        f"TTFT {fit.ttft_s * 1e3:.0f} ms (prefill {fit.prefill_s * 1e3:.0f} ms, then scheduling and "
        f"waiting); band of times x{fit.time_factor.p10:.2f} to x{fit.time_factor.p90:.2f}"
    )
    targets = []
    slow = fit.tpot_s * fit.time_factor.p90 * 1e3
    if workload.tpot_ms is not None and slow > workload.tpot_ms:
        targets.append(
            f"at p90 of the band TPOT would be {slow:.0f} ms: above the target of {workload.tpot_ms:g} ms"
        )
    return [decode, per_machine, load, *targets]


def _training(workload: Workload, item: Candidate, fit: TrainingFit) -> list[str]:
    layout, mfu = fit.layout, fit.priors["train_mfu"]
    sharding = {0: "nothing sharded", 1: "optimizer state sharded (zero 1)", 3: "fully sharded (zero 3)"}[
        layout.zero
    ]
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
    hours = item.hours
    time = (
        f"{workload.tokens or 0:,.3g} tokens take {_hours(hours.p50)} ({_hours(hours.p10)} to "
        f"{_hours(hours.p90)}), {cost.SETUP_HOURS:g} h of set-up and {fit.goodput:.1%} useful time included"
    )
    return [lie, speed, time]


def _price(item: Candidate, offer: dict[str, Any]) -> str:
    group = item.group
    native = ""
    if offer["currency"] != "USD" and offer["fx_rate"]:
        day = f" of {offer['fx_date']}" if offer["fx_date"] else ""
        native = f" ({offer['price_per_hour']:,.4g} {offer['currency']} at {offer['fx_rate']:.4f}{day})"
    each = "per month" if isinstance(item.choice.fit, ServingFit) else "for the job"
    sum_text = f"{item.machines[1]} x {group.price_usd_per_hour:,.4g} USD/h{native}"
    term = (
        f", {group.term_months}-month term paid in full"
        if group.term_months and each == "for the job"
        else ""
    )
    kind = group.price_kind.replace("_", " ")
    others = f"; cheapest of {group.offers} alike" if group.offers > 1 else ""
    return (
        f"price: {sum_text} {kind}, {_place(offer)}{term} = "
        f"{item.cost.p50:,.2f} USD {each}, seen {_age(group.age_hours)} ago{others}; {offer['source_url']}"
    )


def _place(offer: dict[str, Any]) -> str:
    return f"in {offer['region']}" if offer["region"] else "region not stated"


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
    for name, value in item.choice.fit.priors.items():
        if value.transferred and name in ("train_mfu", "decode_mbu"):
            on = ", ".join(value.measured_on) or "no part of this architecture"
            found.append(f"efficiency of {part.title} is transferred (measured on {on}): wider band")
    if group.term_months and isinstance(item.choice.fit, ServingFit):
        found.append(f"binds for {group.term_months} month(s)")
    if group.price_kind in cost.INTERRUPTIBLE:
        found.append(
            "can be interrupted at any time; the rate of interruptions is not published and is assumed"
        )
    if group.available is False:
        found.append("known to be sold out now")
    if not group.first_party and offer["origin"] != "bundled":
        found.append(f"{group.provider} resells or brokers these machines")
    if group.tier in (STALE, EXPIRED):
        found.append(f"price is {'stale' if group.tier == STALE else 'expired'}: {_age(group.age_hours)} old")
    if offer["origin"] == "bundled":
        found.append("from the snapshot that ships with gpufare: compiled by a third party, not crawled")
    return found


def explain(workload: Workload, item: Candidate, offer: dict[str, Any], now: datetime) -> list[str]:
    """All steps of one plan, for `recommend --explain`."""
    model, fit = workload.architecture, item.choice.fit
    lines = [
        f"model {model.name}: {model.total_parameters / 1e9:,.2f} B parameters, "
        f"{model.active_parameters / 1e9:,.2f} B active, {model.layers} layers of {model.hidden}; "
        f"{model.source}",
        f"cache per token: {memory.kv_bytes_per_token(model, workload.number_format.kv_bytes) / 1e3:,.1f} kB",
        f"hardware {item.choice.part.title}: {_gb(usable_memory_bytes(item.choice.part))} usable, "
        f"{item.choice.part.memory_bandwidth_gb_per_s or 0:,.0f} GB/s; {item.choice.part.source}",
        *reasons(workload, item, offer, now),
    ]
    lines += [_prior_line(name, value) for name, value in fit.priors.items()]
    if isinstance(fit, TrainingFit):
        lines.append(
            f"step {fit.step_s:.3f} s = compute {fit.compute_s:.3f} + tensor {fit.tensor_s:.3f} + bubble "
            f"{fit.bubble_s:.3f} + data {fit.data_s:.3f}"
        )
    spread = item.cost
    lines.append(f"cost p10 {spread.p10:,.2f}, p50 {spread.p50:,.2f}, p90 {spread.p90:,.2f} USD")
    lines.append(f"offer seen {offer['observed_at']}, run {offer['run_id']}, body {offer['body_sha256']}")
    return lines


def _prior_line(name: str, value: Prior) -> str:
    basis = "transferred, " if value.transferred else ""
    return f"{name}: p10 {value.p10:g}, p50 {value.p50:g}, p90 {value.p90:g} ({basis}{value.source})"


def _gb(count: float) -> str:
    return f"{count / BYTES_PER_GB:.1f} GB"


def _hours(value: float) -> str:
    return f"{value / 24:,.1f} days" if value >= 72 else f"{value:,.1f} h"


def _age(hours: float) -> str:
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h"
