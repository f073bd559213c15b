"""The reference jobs, asked of the recommender: the bridge from its answers to the pages' input."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from recommender import Constraints, ReferenceJob, Workload, recommend
from recommender.fields import WORKLOAD_FIELDS
from recommender.reference_jobs import reference_jobs
from reports import formatting as fmt
from reports.build_views.jobs import JobAnswer
from warehouse.errors import NothingFoundError

PLANS = 40
REFUSALS = 25


def reference_answers(con: Any, *, now: datetime) -> list[JobAnswer]:
    """Every reference job with its best plans on the market `con`; one that nothing can run says why."""
    return [_answer(con, job, now) for job in reference_jobs()]


def command_line(workload: Workload, constraints: Constraints) -> str:
    """The command that asks the same question."""
    parts = ["gpufare recommend", workload.task]
    for item in WORKLOAD_FIELDS:
        value = getattr(workload, item.name)
        if value is not None and not (item.name == "peak_factor" and value == 1):
            parts.append(f"{item.option} {value:g}" if isinstance(value, float) else f"{item.option} {value}")
    if constraints.deadline_hours is not None:
        parts.append(f"--deadline {constraints.deadline_hours:g}h")
    if constraints.budget_usd is not None:
        parts.append(f"--budget {constraints.budget_usd:g}")
    if constraints.spot_ok:
        parts.append("--spot-ok")
    return " ".join(parts)


def _answer(con: Any, job: ReferenceJob, now: datetime) -> JobAnswer:
    known: dict[str, Any] = {
        "job_id": job.id,
        "title": job.title,
        "question": job.note[:1].upper() + job.note[1:] + ".",
        "task": job.workload.task,
        "command": command_line(job.workload, job.constraints),
    }
    try:
        found = recommend(job.workload, replace(job.constraints, top=PLANS), con, now=now)
    except NothingFoundError as error:
        return JobAnswer(**known, plans=(), refusals=(str(error),))
    refusals = [f"{group.reason} ({fmt.plural(group.offers, 'offer')})" for group in found.refusals]
    if len(refusals) > REFUSALS:
        refusals[REFUSALS:] = [f"{len(refusals) - REFUSALS} more reasons, each of fewer offers."]
    warnings = [text[:1].upper() + text[1:].rstrip(".") + "." for text in found.warnings]
    ways, turns = _ways(con, job, now)
    return JobAnswer(
        **known,
        plans=found.rows(),
        refusals=refusals,
        warnings=warnings,
        ways=ways,
        break_evens=turns,
    )


def _ways(con: Any, job: ReferenceJob, now: datetime) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Rent, buy or API for one job; nothing where no way is known."""
    from recommender.decide import decide

    try:
        found = decide(job.workload, job.constraints, con, now=now)
    except NothingFoundError:
        return [], ()
    return found.rows(), found.break_evens
