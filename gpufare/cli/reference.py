"""Commands about accelerators: gpus, identify."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

from gpufare.cli.context import context_of
from gpufare.cli.options import AS_OF, CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode

IDENTIFY_EXAMPLE = "Example: gpufare identify 'NVIDIA A100-SXM4-80GB' 'RTX 6000'"
IDENTIFY_KEYS = {"name", "memory_gb", "provider", "count"}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("gpus", help="Accelerators: specification with sources, and the price range today.")(gpus)
    app.command("identify", help="Raw GPU name to accelerator id, with the reason.", epilog=IDENTIFY_EXAMPLE)(
        identify
    )


def gpus(
    ctx: typer.Context,
    gpu: str | None = typer.Option(None, "--gpu", help="Only this accelerator or family."),
    as_of: str | None = AS_OF,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Accelerators and what they cost."""
    from warehouse.identify import match_gpu_filter
    from warehouse.queries import gpus as query

    context = context_of(ctx, as_of)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    wanted = set(match_gpu_filter(gpu)) if gpu else None
    with context.market() as market:
        rows = [
            row for row in query(market, now=context.now) if wanted is None or row["accelerator_id"] in wanted
        ]
    money = {"right": True, "show": lambda value: f"{value:,.2f}"}
    columns = [
        Column("accelerator_id", "accelerator"),
        Column("memory_gb", "GB", right=True),
        Column("memory_bandwidth_gb_per_s", "GB/s", right=True),
        Column("dense_bf16_tflops", "bf16 TFLOPS", right=True),
        Column("dense_fp8_tflops", "fp8 TFLOPS", right=True),
        Column("tdp_w", "W", right=True),
        Column("offers", "offers", right=True),
        Column("providers", "providers", right=True),
        Column("min_usd_per_gpu_hour", "min $/h", **money),  # type: ignore[arg-type]
        Column("median_usd_per_gpu_hour", "median $/h", **money),  # type: ignore[arg-type]
    ]
    note = "rates are dense, never sparse; empty cells are not known; prices: on demand, per GPU"
    output.rows(rows, columns, as_of=context.now, warnings=[note])
    return ExitCode.OK


def identify(
    ctx: typer.Context,
    names: list[str] = typer.Argument(..., help="Raw names; '-' reads lines (text or JSON) from stdin."),  # noqa: B008
    memory_gb: float | None = typer.Option(None, "--memory-gb", help="Memory of one GPU, as evidence."),
    provider: str | None = typer.Option(None, "--provider", help="Whose spelling it is."),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Say which accelerator a name means, or which ones it may mean."""
    from warehouse.identify import identify as find

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    rows = []
    questions = _questions(names, memory_gb, provider)
    for question in questions:
        if "problem" in question:
            rows.append(_unread(question))
            output.message(f"gpufare: {question['problem']}")
            continue
        found = find(
            question["name"],
            memory_gb=question.get("memory_gb"),
            provider=question.get("provider"),
            count=question.get("count"),
        )
        rows.append(
            {
                "input": question["name"],
                "accelerator_id": found.accelerator_id,
                "partition": found.partition,
                "candidates": list(found.candidates),
                "reason": found.reason,
            }
        )
    columns = [
        Column("input", "name"),
        Column("accelerator_id", "accelerator"),
        Column("partition", "slice"),
        Column("candidates", "candidates"),
        Column("reason", "reason"),
    ]
    output.rows(rows, columns, as_of=context.now, empty="no name was given")
    if any(row["candidates"] or row["accelerator_id"] for row in rows):
        return ExitCode.OK
    return ExitCode.USAGE if any("problem" in question for question in questions) else ExitCode.NOTHING


def _questions(names: list[str], memory_gb: float | None, provider: str | None) -> list[dict[str, Any]]:
    shared = {"memory_gb": memory_gb, "provider": provider}
    questions: list[dict[str, Any]] = []
    for name in names:
        if name == "-":
            lines = ((number, line.strip()) for number, line in enumerate(sys.stdin, 1))
            questions += [_question(line, number, shared) for number, line in lines if line]
        else:
            questions.append({**shared, "name": name})
    return questions


def _question(line: str, number: int, shared: dict[str, Any]) -> dict[str, Any]:
    """One line of stdin as a question; a line that cannot be read keeps its place and says why."""
    if not line.startswith("{"):
        return {**shared, "name": line}
    try:
        question = json.loads(line)
    except ValueError as error:
        return {
            "name": line,
            "problem": f"line {number} starts like JSON but is none ({error}): {line[:60]!r}",
        }
    if not isinstance(question.get("name"), str):
        return {"name": line, "problem": f"line {number} holds no text under 'name': {line[:60]!r}"}
    try:
        memory = question.get("memory_gb")
        question["memory_gb"] = None if memory in (None, "") else float(memory)
    except (TypeError, ValueError):
        return {"name": line, "problem": f"line {number}: memory_gb must be a number: {line[:60]!r}"}
    return {**shared, **{key: value for key, value in question.items() if key in IDENTIFY_KEYS}}


def _unread(question: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"accelerator_id": None, "partition": None, "candidates": []}
    return {"input": question["name"], **empty, "reason": question["problem"]}
