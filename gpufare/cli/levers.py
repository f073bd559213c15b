"""The command levers: what each change of a workload would save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.answer_text import usd, wrapped
from gpufare.cli.context import context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.cli.question_options import FILE, TASK, question_options, read_question
from gpufare.exit_codes import ExitCode
from gpufare.market import open_market

if TYPE_CHECKING:
    from datetime import datetime

    from recommender.levers import Lever, LeverAnswer

EXAMPLE = (
    "Example: gpufare levers serve --model llama-3.1-70b --requests-per-second 10 --tpot-ms 50 "
    "--continent europe"
)

EFFECT = typer.Option(
    None,
    "--effect",
    help="A published or measured effect, NAME=FACTOR of work per hour: distillation=2.5.",
)


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "levers",
        help="What each change would save on this workload: formats, methods, patience, place, payment.",
        epilog=EXAMPLE,
    )(levers)


@question_options(limits=True)
def levers(
    ctx: typer.Context,
    task: str | None = TASK,
    file: str | None = FILE,
    effect: list[str] | None = EFFECT,
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> int:
    """Rank the changes of one workload by what they save."""
    from recommender.lever_list import parse_effect
    from recommender.levers import levers as weigh

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    effects = [parse_effect(text) for text in effect or ()]
    job = read_question(task, file, workload, limits)
    with open_market(context.settings, context.now) as market:
        found = weigh(job.workload, job.constraints, market, now=context.now, effects=effects)
    if output.format == "table":
        _show(output, found, context.now)
    else:
        output.rows(found.rows(), [], as_of=context.now, warnings=found.warnings)
    return ExitCode.STALE if found.stale else ExitCode.OK


def _show(output: Output, found: LeverAnswer, now: datetime) -> None:
    best = found.today
    name = best.group.name if best.group.instance_type else f"{best.group.name} {_machine(best)}"
    output.text(
        wrapped(
            f"Today: {best.machines[1]} x {name} for {usd(best.cost.p50)} USD a {found.per} "
            f"({usd(best.cost.p10)} to {usd(best.cost.p90)}). What would make it cheaper:",
            "",
        )
        + "\n"
    )
    possible = [lever for lever in found.levers if lever.usd is not None]
    columns = [
        Column("lever", "change"),
        Column("usd", f"$/{found.per}", right=True),
        Column("saves", "saves", right=True),
        Column("with", "with"),
        Column("basis", "basis"),
    ]
    output.rows([_short(lever) for lever in possible], columns, as_of=now)
    if found.together is not None:
        share = f"{found.together.percent:.0f} % less"
        text = f"\nTogether ({found.together.title}): {usd(found.together.usd or 0)} USD, {share}."
        output.text(wrapped(text.strip(), ""))
    output.text("\nConditions:")
    for lever in possible:
        if (lever.saves_usd or 0) > 0 or lever.source:
            said = f" ({lever.source})" if lever.source else ""
            output.text(wrapped(f"{lever.title}: {lever.condition}{said}"))
    for lever in found.levers:
        if lever.usd is None:
            output.message(wrapped(f"{lever.title}: {lever.reason}", ""))
    for note in found.warnings:
        output.message(f"note: {note}")


def _machine(item: Any) -> str:
    return f"{item.group.gpu_count} x {item.choice.part.accelerator_id}"


def _short(lever: Lever) -> dict[str, Any]:
    percent = lever.percent or 0.0
    saves = f"{percent:.0f} %" if percent >= 0.5 else "nothing"
    if percent <= -0.5:
        saves = f"{-percent:,.0f} % dearer"
    if lever.counted:
        saves = "counted"
    what = f"{lever.seller} {lever.what}".strip()
    return {
        "lever": lever.title if len(lever.title) <= 40 else lever.title[:39] + "…",
        "usd": usd(lever.usd or 0),
        "saves": saves,
        "with": what if len(what) <= 28 else what[:27] + "…",
        "basis": {"published effect": "published", "token price": "price list"}.get(lever.basis, "computed"),
    }
