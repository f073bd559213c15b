"""Commands about workloads: recommend, size, models."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import PLAIN_WIDTH, Column, Output
from gpufare.exit_codes import ExitCode
from gpufare.market import open_market
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from recommender import Recommendation, Workload

TASK = typer.Argument(..., help="serve, finetune or pretrain.")
MODEL = typer.Option(None, "--model", help="Name (gpufare models), or the path of a config.json.")
PARAMS = typer.Option(None, "--params", help="Parameters instead of a model: 70e9.")
ACTIVE = typer.Option(None, "--active-params", help="Active parameters of a mixture of experts.")
PRECISION = typer.Option(None, "--precision", help="bf16, fp8, int4 ... (default: the checkpoint's own).")
RATE = typer.Option(None, "--requests-per-second", help="Mean rate to serve.")
PEAK = typer.Option(1.0, "--peak-factor", help="Peak rate over mean rate.")
INPUT = typer.Option(None, "--input-tokens", help="Mean prompt length.")
ANSWER = typer.Option(None, "--output-tokens", help="Mean answer length.")
TTFT = typer.Option(None, "--ttft-ms", help="Target for the time to the first token.")
TPOT = typer.Option(None, "--tpot-ms", help="Target for the time per output token.")
TOKENS = typer.Option(None, "--tokens", help="Tokens to train on, all epochs: 1e9.")
METHOD = typer.Option(None, "--method", help="full, lora or qlora.")
SEQ_LEN = typer.Option(None, "--seq-len", help="Tokens of a training sequence.")
BATCH = typer.Option(None, "--global-batch", help="Sequences per optimizer step.")
RECOMMEND_EXAMPLE = (
    "Example: gpufare recommend serve --model llama-3.1-8b --requests-per-second 10 --tpot-ms 50"
)
SIZE_EXAMPLE = (
    "Example: gpufare size finetune --model llama-3.1-70b --method qlora --tokens 20e6 --on a100-sxm4-80gb"
)
REFUSALS_SHOWN = 4


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("models", help="Known model architectures.")(models)
    app.command(
        "size", help="Size one workload on one machine: memory, fit, layout, speed.", epilog=SIZE_EXAMPLE
    )(size)
    app.command(
        "recommend",
        help="Ranked, explained ways to run a workload at today's prices.",
        epilog=RECOMMEND_EXAMPLE,
    )(recommend)


def models(ctx: typer.Context, as_json: bool = JSON, as_csv: bool = CSV) -> int:
    """List the model architectures that can be named."""
    from recommender.sizing.memory import kv_bytes_per_token
    from recommender.sizing.registry import hub_ids
    from recommender.sizing.registry import models as known

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    published = hub_ids()
    rows = [
        {
            "model": model.name,
            "published_as": published[model.name],
            "parameters": round(model.total_parameters),
            "active_parameters": round(model.active_parameters),
            "precision": model.native_precision,
            "kv_bytes_per_token": round(kv_bytes_per_token(model)),
            "max_context": model.max_context,
            "note": model.note or None,
            "source": model.source,
        }
        for model in known().values()
    ]
    billions = {"right": True, "show": lambda value: f"{value / 1e9:,.1f}"}
    columns = [
        Column("model", "model"),
        Column("published_as", "published as"),
        Column("parameters", "B", **billions),  # type: ignore[arg-type]
        Column("active_parameters", "active B", **billions),  # type: ignore[arg-type]
        Column("precision", "stored"),
        Column("kv_bytes_per_token", "kB/token", right=True, show=lambda value: f"{value / 1e3:,.1f}"),
        Column("max_context", "context", right=True),
    ]
    note = "any other: --model path/to/config.json, or --params 70e9 [--active-params 12e9]"
    output.rows(rows, columns, as_of=context.now, warnings=[note])
    return ExitCode.OK


def size(
    ctx: typer.Context,
    task: str = TASK,
    on: str = typer.Option(..., "--on", help="ACCELERATOR[:GPUS[:NODES]], for example h100-sxm5-80gb:8."),
    model: str | None = MODEL,
    params: float | None = PARAMS,
    active_params: float | None = ACTIVE,
    precision: str | None = PRECISION,
    requests_per_second: float | None = RATE,
    peak_factor: float = PEAK,
    input_tokens: int | None = INPUT,
    output_tokens: int | None = ANSWER,
    ttft_ms: float | None = TTFT,
    tpot_ms: float | None = TPOT,
    tokens: float | None = TOKENS,
    method: str | None = METHOD,
    seq_len: int | None = SEQ_LEN,
    global_batch: int | None = BATCH,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Size one workload on one machine; no price."""
    from recommender import Workload
    from recommender import size as size_on

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    workload = Workload(
        task=task,
        model=model,
        params=params,
        active_params=active_params,
        precision=precision,
        requests_per_second=requests_per_second,
        peak_factor=peak_factor,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        tokens=tokens,
        method=method,
        seq_len=seq_len,
        global_batch=global_batch,
    )
    sizing = size_on(workload, on)
    row = sizing.row()
    if output.format == "table":
        output.text("\n".join(_size_lines(row)))
        for note in sizing.notes:
            output.message(f"note: {note}")
    else:
        output.rows([row], [], as_of=context.now, warnings=sizing.notes)
    return ExitCode.OK if sizing.fits else ExitCode.NOTHING


def recommend(
    ctx: typer.Context,
    task: str = TASK,
    model: str | None = MODEL,
    params: float | None = PARAMS,
    active_params: float | None = ACTIVE,
    precision: str | None = PRECISION,
    requests_per_second: float | None = RATE,
    peak_factor: float = PEAK,
    input_tokens: int | None = INPUT,
    output_tokens: int | None = ANSWER,
    ttft_ms: float | None = TTFT,
    tpot_ms: float | None = TPOT,
    tokens: float | None = TOKENS,
    method: str | None = METHOD,
    seq_len: int | None = SEQ_LEN,
    global_batch: int | None = BATCH,
    gpu: str | None = typer.Option(None, "--gpu", help="Accelerators, separated by commas: h100,a100-80gb."),
    gpus: int | None = typer.Option(None, "--gpus", help="GPUs in the machine, exactly."),
    min_memory_gb: float | None = typer.Option(None, "--min-memory-gb", help="Memory of one GPU, at least."),
    provider: str | None = typer.Option(None, "--provider", help="Providers, separated by commas."),
    region: str | None = typer.Option(None, "--region", help="As the provider writes it."),
    country: str | None = typer.Option(None, "--country", help="Two letters: DE."),
    continent: str | None = typer.Option(None, "--continent", help="europe, north_america, asia ..."),
    kind: str | None = typer.Option(None, "--kind", help="on_demand,spot,reserved ... (default: on demand)."),
    term_months: int | None = typer.Option(None, "--term-months", help="Exactly this commitment."),
    commit_months: int = typer.Option(0, "--commit-months", help="Commitments up to this length are fine."),
    max_price: float | None = typer.Option(None, "--max-price", help="USD per GPU-hour."),
    available: bool = typer.Option(False, "--available", help="Only what the provider says can be had now."),
    interconnect: str | None = typer.Option(None, "--interconnect", help="As printed: NVLink, SXM, PCIe."),
    spot_ok: bool = typer.Option(False, "--spot-ok", help="Interruptible machines are fine."),
    budget: float | None = typer.Option(None, "--budget", help="USD for the job; per month for serve."),
    deadline: str | None = typer.Option(None, "--deadline", help="Training ends within: 36h, 10d."),
    top: int = typer.Option(10, "--top", help="Plans to show."),
    explain: int | None = typer.Option(None, "--explain", help="All steps of plan N."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Rank the ways to run a workload."""
    from recommender import Constraints, Workload
    from recommender import recommend as rank

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    workload = Workload(
        task=task,
        model=model,
        params=params,
        active_params=active_params,
        precision=precision,
        requests_per_second=requests_per_second,
        peak_factor=peak_factor,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        ttft_ms=ttft_ms,
        tpot_ms=tpot_ms,
        tokens=tokens,
        method=method,
        seq_len=seq_len,
        global_batch=global_batch,
    )
    constraints = Constraints(
        gpus=_names(gpu),
        gpu_count=gpus,
        min_memory_gb=min_memory_gb,
        providers=_names(provider),
        regions=_names(region),
        countries=_names(country),
        continents=_names(continent),
        kinds=_names(kind),
        term_months=term_months,
        commit_months=commit_months,
        max_price_usd_per_gpu_hour=max_price,
        available_only=available,
        interconnect=interconnect,
        spot_ok=spot_ok,
        budget_usd=budget,
        deadline_hours=parse_hours(deadline) if deadline else None,
        top=max(top, explain or 0),
    )
    if explain is not None and explain < 1:
        raise UsageError(f"--explain {explain} is not the rank of a plan; the best is 1")
    with open_market(context.settings, context.now) as market:
        answer = rank(workload, constraints, market, now=context.now)
    if explain is not None and explain > len(answer.plans):
        raise UsageError(f"--explain {explain}: there are only {len(answer.plans)} plans")
    if output.format == "table":
        _show(output, workload, answer, explain, context.now)
    else:
        _print_rows(output, answer, explain, context.now)
    return ExitCode.STALE if answer.stale else ExitCode.OK


def parse_hours(text: str) -> float:
    """Hours of "36h", "10d", "2w" or a bare number of hours. Raises UsageError."""
    units = {"h": 1.0, "d": 24.0, "w": 168.0}
    number, unit = (text[:-1], units[text[-1]]) if text and text[-1] in units else (text, 1.0)
    try:
        hours = float(number) * unit
    except ValueError:
        raise UsageError(f"--deadline {text!r} is not a length of time; examples: 36h, 10d") from None
    if not 0 < hours < 1e6:
        raise UsageError(f"--deadline {text!r} is not a length of time; examples: 36h, 10d")
    return hours


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _refusal_lines(answer: Recommendation, most: int | None) -> list[str]:
    shown = answer.refusals if most is None else answer.refusals[:most]
    return [f"cannot run it: {item.reason} ({item.offers} offers)" for item in shown]


def _print_rows(output: Output, answer: Recommendation, explain: int | None, now: Any) -> None:
    rows = answer.rows()
    if explain is not None:
        rows[explain - 1]["explanation"] = answer.plans[explain - 1].explain()
    warnings = (
        [*answer.warnings, *_refusal_lines(answer, None)] if output.format == "json" else answer.warnings
    )
    output.rows(rows, [], as_of=now, warnings=warnings)


def _show(output: Output, workload: Workload, answer: Recommendation, explain: int | None, now: Any) -> None:
    if explain is not None:
        output.text("\n".join(_wrapped(line) for line in answer.plans[explain - 1].explain()))
        return
    output.text(headline(workload, answer))
    output.text("")
    rows = [_short(row) for row in answer.rows()]
    output.rows(rows, _columns(workload, rows), as_of=now)
    output.text("\nWhy the first:")
    output.text("\n".join(_wrapped(reason) for reason in answer.plans[0].reasons))
    for line in [*_refusal_lines(answer, REFUSALS_SHOWN), *(f"note: {text}" for text in answer.warnings)]:
        output.message(line)
    left = len(answer.refusals) - REFUSALS_SHOWN
    if left > 0:
        output.message(
            f"{left} more kinds of machine cannot run it; --json lists them. --explain 1: all steps"
        )


def headline(workload: Workload, answer: Recommendation) -> str:
    """The answer in one sentence."""
    best = answer.plans[0].row()
    machines = f"{best['nodes']} x " if best["nodes"] > 1 else ""
    where = f"{best['provider']} {best['instance_type'] or ''}".strip()
    part = f"{best['gpus_per_node']} x {best['accelerator_id']}"
    cost = best["cost_usd"]
    each = " a month" if workload.task == "serve" else f" in {best['hours']['p50']:,.1f} h"
    return (
        f"{workload.task} {workload.architecture.name}: {machines}{where} ({part}) for {cost['p50']:,.0f} "
        f"USD{each} ({cost['p10']:,.0f} to {cost['p90']:,.0f}); {answer.considered} ways compared."
    )


def _columns(workload: Workload, rows: list[dict[str, Any]]) -> list[Column]:
    speed = Column("speed", "TPOT" if workload.task == "serve" else "hours", right=True)
    money = "$/month" if workload.task == "serve" else "$"
    kind = [Column("kind", "kind")] if len({row["kind"] for row in rows}) > 1 else []
    return [
        Column("rank", "#", right=True, min_width=2),
        Column("machine", "machine"),
        Column("gpu", "GPUs"),
        Column("nodes", "n", right=True, min_width=2),
        Column("layout", "layout"),
        speed,
        Column("cost", money, right=True),
        Column("band", "10-90 %", right=True),
        *kind,
        Column("age", "age", right=True),
    ]


def _short(row: dict[str, Any]) -> dict[str, Any]:
    layout, cost, age = row["layout"], row["cost_usd"], row["offer"]["age_hours"]
    tpot, hours = row["tpot_ms"], row["hours"]["p50"]
    parallel = [f"{name}{layout[name]}" for name in ("tp", "pp", "dp") if layout[name] > 1]
    return {
        "rank": row["rank"],
        "machine": _cut(f"{row['provider']} {row['instance_type'] or ''}".strip(), 24),
        "gpu": _cut(f"{row['gpus_per_node']}x {row['accelerator_id']}", 20),
        "nodes": row["nodes"],
        "layout": " ".join(parallel) or "-",
        "speed": f"{tpot:.0f} ms" if tpot is not None else f"{hours:,.1f}",
        "cost": f"{cost['p50']:,.0f}" if cost["p50"] >= 100 else f"{cost['p50']:,.2f}",
        "band": f"{_brief(cost['p10'])}-{_brief(cost['p90'])}",
        "kind": row["price_kind"].replace("_", " "),
        "age": f"{age / 24:.0f}d" if age >= 48 else f"{age:.0f}h",
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _brief(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:,.3g}{letter}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size_lines(row: dict[str, Any]) -> list[str]:
    machine = f"{row['accelerator_id']} x{row['gpus_per_node']}"
    if row["nodes"] > 1:
        machine += f", {row['nodes']} machines"
    head = f"{row['task']} {row['model']} on {machine}: "
    if row["reason"] is not None:
        verdict = "does not fit" if row["fits"] is False else "cannot be sized"
        return [_wrapped(head + verdict, ""), _wrapped(row["reason"])]
    used, has = row["memory_per_gpu_gb"], row["memory_capacity_gb"]
    parts = {name: value for name, value in row["memory_parts_gb"].items() if value}
    layout = ", ".join(f"{name} {value}" for name, value in row["layout"].items())
    lines = [f"{head}fits, {used:.1f} of {has:.1f} GB per GPU ({row['precision']})"]
    lines += [f"  {name.replace('_', ' '):<12} {value:8.2f} GB" for name, value in parts.items()]
    lines.append(_wrapped(f"layout: {layout}"))
    if row["hours"] is None:
        lines.append(
            f"  {row['requests_per_s']:.2f} requests/s, {row['throughput']:,.0f} output tokens/s at "
            f"{row['concurrency']} in flight per replica and 80 % use"
        )
        lines.append(f"  TTFT {row['ttft_ms']:.0f} ms, TPOT {row['tpot_ms']:.1f} ms at capacity")
        lines.append(f"  {row['machines_for_rate']} machine(s) for the asked rate")
    else:
        hours = row["hours"]
        lines.append(f"  {row['throughput']:,.0f} tokens/s, {row['step_s']:.3f} s per step")
        lines.append(f"  {hours['p50']:,.1f} h (10-90 %: {hours['p10']:,.1f} to {hours['p90']:,.1f} h)")
    return lines


def _wrapped(text: str, mark: str = "  ") -> str:
    return textwrap.fill(
        text,
        PLAIN_WIDTH,
        initial_indent=mark,
        subsequent_indent=mark + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
