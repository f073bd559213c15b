"""Typical jobs that the report answers every day, so that days can be compared: the files of `jobs/`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from recommender.constraints import Constraints
from recommender.workload import Workload
from warehouse.errors import UsageError


@dataclass(frozen=True, slots=True)
class ReferenceJob:
    """One job of the report. `id` is the page's name, `title` its heading, `note` who would run it."""

    id: str
    title: str
    note: str
    workload: Workload
    constraints: Constraints


@lru_cache(maxsize=1)
def reference_jobs() -> tuple[ReferenceJob, ...]:
    """The jobs, in the order of their file names: services small to large, then training."""
    from recommender.workload_file import parse_job

    folder = resources.files("recommender").joinpath("jobs")
    found = []
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".yaml"):
            continue
        job = parse_job(file.read_text("utf-8"), file.name)
        if not (job.id and job.title and job.note):
            raise UsageError(f"{file.name} needs id, title and note")
        found.append(ReferenceJob(job.id, job.title, job.note, job.workload, job.constraints))
    return tuple(found)
