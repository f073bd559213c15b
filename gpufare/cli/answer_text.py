"""A recommendation as text for people: the answer first, then the table, then why."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gpufare.cli.output import PLAIN_WIDTH, Column, Output

if TYPE_CHECKING:
    from recommender import Plan, Recommendation, Workload

REFUSALS_SHOWN = 4


def show_answer(
    output: Output, workload: Workload, answer: Recommendation, explain: int | None, now: datetime
) -> None:
    """Print the answer, or all steps of one plan."""
    if explain is not None:
        plan = answer.plans[explain - 1]
        output.text(wrapped(headline(workload, answer, plan), ""))
        lines = plan.explain()
        output.text("\n".join(line if _is_title(line) else wrapped(line, "   ") for line in lines))
        return
    output.text(wrapped(headline(workload, answer, answer.plans[0]), ""))
    output.text("")
    rows = [_short(row) for row in answer.rows()]
    output.rows(rows, _columns(workload, rows), as_of=now)
    output.text("\nWhy the first:")
    output.text("\n".join(wrapped(reason) for reason in answer.plans[0].reasons))
    if answer.turns:
        output.text("\nWhat would change it:")
        output.text("\n".join(wrapped(turn.text) for turn in answer.turns))
    for line in [*refusal_lines(answer, REFUSALS_SHOWN), *(f"note: {text}" for text in answer.warnings)]:
        output.message(wrapped(line, ""))
    left = len(answer.refusals) - REFUSALS_SHOWN
    if left > 0:
        output.message(f"{left} more kinds of machine cannot run it; --json lists them")
    output.message("every step of a plan: --explain 1")


def _is_title(line: str) -> bool:
    """A numbered heading of an explanation."""
    return line[:1].isdigit() and line[1:3] == ". "


def refusal_lines(answer: Recommendation, most: int | None) -> list[str]:
    """Why other machines cannot run it, most offers first."""
    shown = answer.refusals if most is None else answer.refusals[:most]
    return [f"cannot run it: {item.reason} ({item.offers} offers)" for item in shown]


def headline(workload: Workload, answer: Recommendation, plan: Plan) -> str:
    """The answer in one sentence."""
    row = plan.row()
    machines = f"{row['nodes']} x " if row["nodes"] > 1 else ""
    where = f"{row['provider']} {row['instance_type'] or ''}".strip()
    part = f"{row['gpus_per_node']} x {row['accelerator_id']}"
    cost, kind = row["cost_usd"], row["price_kind"]
    sold = "" if kind == "on_demand" else f", {kind.replace('_', ' ')}"
    if row["mix"]:
        sold = ", " + " + ".join(f"{m['machines']} {m['price_kind'].replace('_', ' ')}" for m in row["mix"])
    place = f" in {row['region']}" if row["region"] else ""
    each = " a month" if plan.candidate.monthly else f" in {_hours(row['hours']['p50'])}"
    first = {"time": "the quickest", "cost": "the cheapest"}[answer.objective] if plan.rank == 1 else ""
    of = f"{first} of {answer.considered} ways" if first else f"rank {plan.rank} of {answer.considered}"
    return (
        f"{workload.task} {workload.model_name}: {machines}{where} ({part}{sold}){place} for "
        f"{usd(cost['p50'])} USD{each} ({usd(cost['p10'])} to {usd(cost['p90'])}); {of}."
    )


def _hours(value: float) -> str:
    return f"{value / 24:,.1f} days" if value >= 72 else f"{value:,.1f} h"


def usd(value: float) -> str:
    """US dollars, cents below a hundred."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _columns(workload: Workload, rows: list[dict[str, Any]]) -> list[Column]:
    speed = Column("speed", "TPOT" if workload.task == "serve" else "hours", right=True)
    money = "$/month" if workload.task == "serve" else "$"
    kind = [Column("kind", "kind")] if len({row["kind"] for row in rows}) > 1 else []
    chance = [Column("chance", "in time", right=True)] if any(row["chance"] for row in rows) else []
    return [
        Column("rank", "#", right=True, min_width=2),
        Column("machine", "machine"),
        Column("gpu", "GPUs"),
        Column("nodes", "n", right=True, min_width=2),
        Column("layout", "layout"),
        speed,
        *chance,
        Column("cost", money, right=True),
        Column("band", "10-90 %", right=True),
        *kind,
        Column("age", "age", right=True),
    ]


def _short(row: dict[str, Any]) -> dict[str, Any]:
    layout, cost, age = row["layout"], row["cost_usd"], row["offer"]["age_hours"]
    tpot, hours, chance = row["tpot_ms"], row["hours"]["p50"], row["deadline_chance"]
    parallel = [f"{name}{layout[name]}" for name in ("tp", "pp", "dp") if layout[name] > 1]
    wide = 18 if chance is not None else 24
    return {
        "rank": f"{row['rank']}{'*' if row['pareto'] else ''}",
        "machine": _cut(f"{row['provider']} {row['instance_type'] or ''}".strip(), wide),
        "gpu": _cut(f"{row['gpus_per_node']}x {row['accelerator_id']}", 20),
        "nodes": row["nodes"],
        "layout": " ".join(parallel) or "-",
        "speed": f"{tpot:.0f} ms" if tpot is not None else f"{hours:,.1f}",
        "chance": None if chance is None else ">99%" if chance > 0.995 else f"{chance:.0%}",
        "cost": usd(cost["p50"]),
        "band": f"{_brief(cost['p10'])}-{_brief(cost['p90'])}",
        "kind": "mixed" if row["mix"] else _KINDS.get(row["price_kind"], row["price_kind"]),
        "age": f"{age / 24:.0f}d" if age >= 48 else f"{age:.0f}h",
    }


_KINDS = {
    "on_demand": "demand",
    "low_priority": "low pr.",
    "savings_plan": "savings",
    "capacity_block": "block",
    "subscription": "monthly",
    "serverless": "per s",
}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _brief(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:,.3g}{letter}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def wrapped(text: str, mark: str = "  ") -> str:
    """Text broken at 100 columns, each paragraph with its mark."""
    return textwrap.fill(
        text,
        PLAIN_WIDTH,
        initial_indent=mark,
        subsequent_indent=mark + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
