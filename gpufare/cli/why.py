"""The command why: what changed an answer since an earlier day."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.answer_text import usd, wrapped
from gpufare.cli.context import context_of, parse_time
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Output
from gpufare.cli.question_options import FILE, TASK, question_options, read_question
from gpufare.exit_codes import ExitCode
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from recommender.why import Why

EXAMPLE = "Example: gpufare why serve --model llama-3.1-8b --requests-per-second 5 --since 2026-11-20"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "why",
        help="Why the answer differs from an earlier day's: price, stock, new or withdrawn offer, our model.",
        epilog=EXAMPLE,
    )(why)


@question_options(limits=True)
def why(
    ctx: typer.Context,
    task: str | None = TASK,
    file: str | None = FILE,
    since: str | None = typer.Option(None, "--since", help="The earlier day or time (default: a day ago)."),
    was: str | None = typer.Option(
        None, "--was", help="The answer that was given then: a file of recommend --json."
    ),
    as_json: bool = JSON,
    as_csv: bool = CSV,
    *,
    workload: dict[str, Any],
    limits: dict[str, Any],
) -> int:
    """Replay a question on an earlier day and compare."""
    from recommender.why import why as compare

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    given = _given(was) if was else None
    then = parse_time(since, "--since") if since else context.now - timedelta(days=1)
    if then >= context.now:
        raise UsageError(f"--since {since} lies in the future; name an earlier day")
    earlier = context_of(ctx, then.isoformat())
    job = read_question(task, file, workload, limits)
    with context.market() as today, earlier.market() as before:
        found = compare(
            job.workload,
            job.constraints,
            before,
            today,
            then=earlier.now,
            now=context.now,
            given=given,
        )
    head = _headline(found)
    if output.format == "table":
        output.text(wrapped(head, ""))
        for cause in found.causes:
            output.text(wrapped(f"{cause.kind}: {cause.text}"))
    else:
        output.rows(found.rows(), [], as_of=context.now, warnings=[head])
    if given is None:
        output.message("note: both days are answered with today's model; --was FILE compares it with then's")
    return ExitCode.STALE if found.stale else ExitCode.OK


def _headline(found: Why) -> str:
    from recommender.sensitivity import name

    new = found.now.candidate
    if found.then is None:
        return f"now {name(new)} for {usd(new.cost.p50)} USD; then nothing could run it"
    old = found.then.candidate
    what = "the same plan" if found.same_plan else f"{name(new)} instead of {name(old)}"
    if not found.causes:
        what += ", and nothing that bears on it changed"
    return f"{what}: {usd(old.cost.p50)} USD then, {usd(new.cost.p50)} USD now"


def _given(path: str) -> dict[str, Any]:
    """The first row of a saved answer. Raises UsageError."""
    try:
        body = json.loads(Path(path).read_text("utf-8"))
        row = body["data"][0]
    except OSError as error:
        raise UsageError(f"--was {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, IndexError, TypeError):
        raise UsageError(f"--was {path} is not an answer of gpufare recommend --json") from None
    if not isinstance(row, dict):
        raise UsageError(f"--was {path} is not an answer of gpufare recommend --json")
    return row
