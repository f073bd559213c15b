"""Parsing archived bodies anew with today's spiders, and loading what comes out otherwise as revisions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpufare.settings import Settings

if TYPE_CHECKING:
    from crawlers.run import CrawlEvent, CrawlResult
    from warehouse.revisions import RevisableRun

UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Reparsed:
    """What came of one run.

    Attributes:
        provider, run_id: the run; of its first parse.
        state: unchanged (the new parse says the same; nothing is kept of it), or the state of the revision:
            good, partial, held (the earlier parse stays) or failed.
        offers: of the new parse. reason: one line where it is not good.
        revision: id of the new run, None where unchanged or failed.
    """

    provider: str
    run_id: str
    state: str
    offers: int
    reason: str | None = None
    revision: str | None = None


def reparse(
    settings: Settings,
    providers: Sequence[str] = (),
    *,
    since: datetime | None = None,
    now: datetime,
    on_event: Callable[[CrawlEvent], None] | None = None,
) -> tuple[list[Reparsed], int]:
    """Parse the run folders of loaded runs anew, in child processes that open no network connection.

    Args:
        settings: home and limits.
        providers: only these; empty: all.
        since: only runs observed at or after this moment.
        now: since when the revisions are known.
        on_event: progress, as in `crawlers.run.crawl`.

    Returns:
        One result a run, oldest first, and how many loaded runs have no run folder any more.
    """
    from crawlers.run import crawl
    from warehouse.revisions import revisable_runs

    runs, gone = revisable_runs(settings.home, tuple(providers), since)
    if not runs:
        return [], gone
    scratch = Path(tempfile.mkdtemp(prefix=".reparse-", dir=settings.home))
    try:
        parsed = crawl(
            sorted({run.provider for run in runs}),
            home=scratch,
            now=now,
            replay=[run.folder for run in runs],
            on_event=on_event,
        )
        return _load(settings.home, runs, parsed, now), gone
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _load(home: Path, runs: list[RevisableRun], parsed: list[CrawlResult], now: datetime) -> list[Reparsed]:
    from warehouse.ingest import ingest
    from warehouse.revisions import same_records, write_revision

    by_folder = {result.replay_of.resolve(): result for result in parsed if result.replay_of}
    results: dict[str, Reparsed] = {}
    revised: dict[str, list[tuple[RevisableRun, Path]]] = {}
    for run in runs:
        result = by_folder.get(run.folder.resolve())
        if result is None or result.folder is None:
            reason = result.reason if result else "no spider of this name is left"
            results[run.run_id] = Reparsed(run.provider, run.run_id, "failed", 0, reason)
        elif same_records(run.newest, result.folder):
            results[run.run_id] = Reparsed(run.provider, run.run_id, UNCHANGED, result.offers)
        else:
            revised.setdefault(run.origin, []).append((run, write_revision(run.folder, result.folder)))
    for origin, changed in revised.items():
        loaded = ingest(home, [folder for _, folder in changed], now=now, origin=origin)
        states = {(one.provider, one.run_id): one for one in loaded}
        for run, folder in changed:
            one = states[run.provider, folder.name]
            results[run.run_id] = Reparsed(
                run.provider, run.run_id, one.state, one.offers, one.reason, folder.name
            )
    return [results[run.run_id] for run in runs]
