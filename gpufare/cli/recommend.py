"""Commands about workloads: recommend, size, models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.answer_text import refusal_lines, show_answer, wrapped
from gpufare.cli.context import context_of
from gpufare.cli.options import AS_OF, CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.cli.question_options import FILE, TASK, question_options, read_question
from gpufare.exit_codes import ExitCode
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from recommender import Recommendation

RECOMMEND_EXAMPLE = (
    "Example: gpufare recommend serve --model llama-3.1-8b --requests-per-second 10 --tpot-ms 50"
)
SIZE_EXAMPLE = (
    "Example: gpufare size finetune --model llama-3.1-70b --method qlora --tokens 20e6 --on a100-sxm4-80gb"
)


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


@question_options(limits=False)
def size(
    ctx: typer.Context,
    task: str | None = TASK,
    on: str = typer.Option(..., "--on", help="ACCELERATOR[:GPUS[:NODES]], for example h100-sxm5-80gb:8."),
    file: str | None = FILE,
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
) -> int:
    """Size one workload on one machine; no price."""
    from recommender import size as size_on

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    sizing = size_on(read_question(task, file, workload, {}).workload, on)
    row = sizing.row()
    if output.format == "table":
        output.text("\n".join(_size_lines(row)))
        for note in sizing.notes:
            output.message(f"note: {note}")
    else:
        output.rows([row], [], as_of=context.now, warnings=sizing.notes)
    return ExitCode.OK if sizing.fits else ExitCode.NOTHING


@question_options(limits=True)
def recommend(
    ctx: typer.Context,
    task: str | None = TASK,
    file: str | None = FILE,
    explain: int | None = typer.Option(None, "--explain", help="All steps of plan N."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> int:
    """Rank the ways to run a workload."""
    from dataclasses import replace

    from recommender import recommend as rank

    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    if explain is not None and explain < 1:
        raise UsageError(f"--explain {explain} is not the rank of a plan; the best is 1")
    job = read_question(task, file, workload, limits)
    constraints = replace(job.constraints, top=max(job.constraints.top, explain or 0))
    with context.market() as market:
        answer = rank(job.workload, constraints, market, now=context.now)
    if explain is not None and explain > len(answer.plans):
        raise UsageError(f"--explain {explain}: there are only {len(answer.plans)} plans")
    if output.format == "table":
        show_answer(output, job.workload, answer, explain, context.now)
    else:
        _print_rows(output, answer, explain, context.now)
    return ExitCode.STALE if answer.stale else ExitCode.OK


def _print_rows(output: Output, answer: Recommendation, explain: int | None, now: Any) -> None:
    rows = answer.rows()
    if explain is not None:
        rows[explain - 1]["explanation"] = answer.plans[explain - 1].explain()
    warnings = (
        [
            *answer.warnings,
            *(f"would change it: {turn.text}" for turn in answer.turns),
            *refusal_lines(answer, None),
        ]
        if output.format == "json"
        else answer.warnings
    )
    output.rows(rows, [], as_of=now, warnings=warnings)


def _size_lines(row: dict[str, Any]) -> list[str]:
    machine = f"{row['accelerator_id']} x{row['gpus_per_node']}"
    if row["nodes"] > 1:
        machine += f", {row['nodes']} machines"
    head = f"{row['task']} {row['model']} on {machine}: "
    if row["reason"] is not None:
        verdict = "does not fit" if row["fits"] is False else "cannot be sized"
        return [wrapped(head + verdict, ""), wrapped(row["reason"])]
    used, has = row["memory_per_gpu_gb"], row["memory_capacity_gb"]
    parts = {name: value for name, value in row["memory_parts_gb"].items() if value}
    layout = ", ".join(f"{name} {value}" for name, value in row["layout"].items())
    lines = [f"{head}fits, {used:.1f} of {has:.1f} GB per GPU ({row['precision']})"]
    lines += [f"  {name.replace('_', ' '):<12} {value:8.2f} GB" for name, value in parts.items()]
    lines.append(wrapped(f"layout: {layout}"))
    if row["images_per_s"] is not None:
        lines.append(f"  {row['images_per_s']:.3f} images/s, {row['seconds_per_image']:.1f} s for one alone")
        hours = row["hours"]
        lines.append(f"  {hours['p50']:,.1f} h (10-90 %: {hours['p10']:,.1f} to {hours['p90']:,.1f} h)")
    elif row["hours"] is None:
        use = "full" if row["task"] == "batch" else "80 %"
        lines.append(
            f"  {row['requests_per_s']:.2f} requests/s, {row['throughput']:,.0f} output tokens/s at "
            f"{row['concurrency']} in flight per replica and {use} use"
        )
        lines.append(f"  TTFT {row['ttft_ms']:.0f} ms, TPOT {row['tpot_ms']:.1f} ms at capacity")
        if apart := row["disaggregated"]:
            lines.append(
                f"  prefill and decoding apart (estimate): TTFT {apart['ttft_ms']:.0f} ms, TPOT "
                f"{apart['tpot_ms']:.1f} ms, {apart['requests_per_s']:.2f} requests/s per machine"
            )
        if row["machines_for_rate"] is not None:
            lines.append(f"  {row['machines_for_rate']} machine(s) for the asked rate")
    else:
        hours = row["hours"]
        lines.append(f"  {row['throughput']:,.0f} tokens/s, {row['step_s']:.3f} s per step")
        lines.append(f"  {hours['p50']:,.1f} h (10-90 %: {hours['p10']:,.1f} to {hours['p90']:,.1f} h)")
    return lines
