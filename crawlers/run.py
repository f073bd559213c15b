"""Crawls providers, each in a fresh process of its own: one broken provider costs one provider.

The parent imports neither scrapy nor duckdb. It hands each child a JSON job on standard input (the only way a
secret travels), reads JSON events from its standard output, and survives a child that crashes, is killed or
hangs. Providers that share a host are never crawled at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from crawlers.child import Child, sweep
from crawlers.discover import SPIDERS, SpiderCard, find_card
from crawlers.replay import find_run_folders
from crawlers.scrapy_settings import WireLimits, user_agent
from warehouse.errors import GpufareError, UnknownNameError
from warehouse.run_folder import read_run_folder

SOFT_SHARE = 0.85

FEWEST_TO_GIVE_UP = 6
UNREACHABLE = ("(no network?)", "could not be reached")


@dataclass(frozen=True, slots=True)
class CrawlOptions:
    """How to crawl.

    Attributes:
        concurrency: children side by side.
        time_limit_seconds: overall limit of one provider; its child is killed then. At 85 % of it the child
            ends by itself and keeps what it has as a partial run.
        contact, project_url: for the User-Agent.
        limits: what a child may do on the wire.
        environment: the child's whole environment beyond what Python needs: proxies and certificate files.
        choices: options by provider (see `PriceSpider.options`); a replay takes those of its recording.
        switched_off: source ids (``aws:spot``) that are not asked.
        spiders: folder of the spiders.
        log_level: what children write to the parent's log.
    """

    concurrency: int = 3
    time_limit_seconds: float = 1800.0
    contact: str = ""
    project_url: str = ""
    limits: WireLimits = field(default_factory=WireLimits)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    switched_off: frozenset[str] = frozenset()
    spiders: Path = SPIDERS
    log_level: str = "WARNING"


@dataclass(frozen=True, slots=True)
class CrawlResult:
    """How one provider's crawl (or replay) went.

    Attributes:
        state: good, partial, held or failed.
        reason: one line; None where the state is good.
        folder: the run folder that was written, None where there is none.
        offers: records written (offers and exchange rates).
        rejected: rows that were refused as untrue.
        requests: sent, robots.txt and repeats included.
        seconds: wall clock.
        replay_of: the run folder that was replayed, None for a live crawl.
    """

    provider: str
    state: str
    reason: str | None = None
    folder: Path | None = None
    offers: int = 0
    rejected: int = 0
    requests: int = 0
    seconds: float = 0.0
    replay_of: Path | None = None


@dataclass(frozen=True, slots=True)
class CrawlEvent:
    """Progress of one provider: `kind` is started, progress or finished; `total`: jobs of the whole crawl."""

    provider: str
    kind: str
    answers: int = 0
    offers: int = 0
    result: CrawlResult | None = None
    total: int = 0


OnEvent = Callable[[CrawlEvent], None]


@dataclass(frozen=True, slots=True)
class _Job:
    card: SpiderCard
    replay: Path | None = None

    @property
    def hosts(self) -> frozenset[str]:
        """Names that no other running job may share; a replay asks no host."""
        return frozenset() if self.replay else self.card.hosts | {self.card.provider}


def crawl(
    providers: Sequence[str],
    *,
    home: Path,
    now: datetime,
    secrets: Mapping[str, str] | None = None,
    replay: Sequence[Path] = (),
    on_event: OnEvent | None = None,
    options: CrawlOptions | None = None,
    stop: threading.Event | None = None,
) -> list[CrawlResult]:
    """Crawl providers into ``<home>/runs``; with `replay`, read run folders instead of the network.

    Args:
        providers: names of spiders. With `replay`: only these, or all where it is empty.
        home: folder that holds ``runs``.
        now: the clock of a live crawl (a replay's is its recording's).
        secrets: credentials by environment name; each child gets those its spider names, no others.
        replay: run folders, or folders with run folders below them.
        on_event: called from several threads, one call at a time.
        options: limits and identity.
        stop: set it to end early: children are killed, their runs fail as interrupted.

    Returns:
        One result per job, in the order asked for. A child's fault is a failed result, never an exception.

    Raises:
        UnknownNameError: a provider is not known.
        RunFolderError: a path given to `replay` holds no run folder.
    """
    options = options or CrawlOptions()
    jobs, results = _plan(providers, replay, options)
    return _Crawl(home, now, secrets or {}, options, on_event, stop or threading.Event()).run(jobs, results)


def _plan(
    providers: Sequence[str], replay: Sequence[Path], options: CrawlOptions
) -> tuple[dict[int, _Job], dict[int, CrawlResult]]:
    """Jobs, and the results of those that cannot even start, by their place in the order."""
    cards = {name: find_card(name, options.spiders) for name in dict.fromkeys(providers)}
    if not replay:
        return dict(enumerate(_Job(card) for card in cards.values())), {}
    jobs: dict[int, _Job] = {}
    results: dict[int, CrawlResult] = {}
    for place, path in enumerate(find_run_folders(replay)):
        try:
            name = read_run_folder(path).provider
            if not providers or name in cards:
                jobs[place] = _Job(find_card(name, options.spiders), path)
        except UnknownNameError:
            results[place] = CrawlResult(name, "failed", f"no spider is named {name!r}", replay_of=path)
        except GpufareError as error:
            if not providers or path.parent.name in cards:
                results[place] = CrawlResult(path.parent.name, "failed", str(error), replay_of=path)
    return jobs, results


def _switched_off(card: SpiderCard, names: frozenset[str]) -> list[str]:
    """The sources of one spider that are not asked; ``aws:aws`` is the main source alone."""
    main = [card.provider] if f"{card.provider}:{card.provider}" in names else []
    return sorted(names & card.parts) + main


def _no_network(results: Iterable[CrawlResult]) -> bool:
    """The first sources could not even be reached, all of them: asking the others would only take time."""
    asked = [result for result in results if result.replay_of is None]
    lost = [result for result in asked if any(sign in (result.reason or "") for sign in UNREACHABLE)]
    return len(lost) == len(asked) >= FEWEST_TO_GIVE_UP


class _Crawl:
    """One call of `crawl`: what runs now, and what waits for a free place or a free host."""

    def __init__(
        self,
        home: Path,
        now: datetime,
        secrets: Mapping[str, str],
        options: CrawlOptions,
        on_event: OnEvent | None,
        stop: threading.Event,
    ) -> None:
        self.runs, self.now, self.secrets, self.options = home / "runs", now, secrets, options
        self._on_event, self._event_lock = on_event, threading.Lock()
        self._stop, self._children = stop, set[Child]()
        self._total, self._began = 0, time.monotonic()
        self._children_lock = threading.Lock()

    def run(self, jobs: dict[int, _Job], results: dict[int, CrawlResult]) -> list[CrawlResult]:
        """Run all jobs; give the results in order."""
        self._total = len(jobs) + len(results)
        for result in results.values():
            self._tell(CrawlEvent(result.provider, "finished", result=result))
        waiting, running = dict(jobs), dict[Future[CrawlResult], tuple[int, _Job]]()
        pool = ThreadPoolExecutor(self.options.concurrency, thread_name_prefix="crawl")
        try:
            while waiting or running:
                for place in self._startable(waiting, [job for _, job in running.values()]):
                    job = waiting.pop(place)
                    running[pool.submit(self._one, job)] = (place, job)
                for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    place, _ = running.pop(future)
                    results[place] = future.result()
                if waiting and _no_network(results.values()):
                    results |= {place: self._not_asked(job) for place, job in waiting.items()}
                    waiting.clear()
                if self._stop.is_set():
                    self._kill_all()
        except BaseException:
            self._stop.set()
            self._kill_all()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [results[place] for place in sorted(results)]

    def _not_asked(self, job: _Job) -> CrawlResult:
        reason = f"not asked: the first {FEWEST_TO_GIVE_UP} sources could not be reached (no network?)"
        result = CrawlResult(job.card.provider, "failed", reason)
        self._tell(CrawlEvent(job.card.provider, "finished", result=result))
        return result

    def _startable(self, waiting: dict[int, _Job], running: list[_Job]) -> list[int]:
        """Jobs that may start now: a place is free and no running job shares a host."""
        busy = frozenset[str]().union(*(job.hosts for job in running))
        free, chosen = self.options.concurrency - len(running), list[int]()
        for place, job in waiting.items():
            if len(chosen) < free and not job.hosts & busy:
                chosen.append(place)
                busy |= job.hosts
        return chosen

    def _one(self, job: _Job) -> CrawlResult:
        name, started = job.card.provider, time.monotonic()
        self._tell(CrawlEvent(name, "started"))
        try:
            result = self._child(job)
        except OSError as error:
            result = CrawlResult(name, "failed", f"the crawl process could not be started ({error.strerror})")
        if not result.seconds:
            result = replace(result, seconds=round(time.monotonic() - started, 3))
        result = replace(result, replay_of=job.replay)
        self._tell(CrawlEvent(name, "finished", offers=result.offers, result=result))
        return result

    def _child(self, job: _Job) -> CrawlResult:
        """Run one child to its end, however that comes."""
        provider = job.card.provider
        sweep(self.runs / provider)
        with self._children_lock:
            if self._stop.is_set():
                return CrawlResult(provider, "failed", "interrupted before it started")
            child = Child(provider, self.options.environment, self.options.time_limit_seconds)
            self._children.add(child)
        try:
            found = child.work(
                self._order(job), lambda *counts: self._tell(CrawlEvent(provider, "progress", *counts))
            )
        finally:
            with self._children_lock:
                self._children.discard(child)
            sweep(self.runs / provider)
        if found is None:
            reason = "interrupted" if self._stop.is_set() else child.obituary(self.secrets.values())
            return CrawlResult(provider, "failed", reason)
        folder = found.pop("folder")
        return CrawlResult(provider, folder=Path(folder) if folder else None, **found)

    def _order(self, job: _Job) -> dict[str, Any]:
        """The job as the child reads it. A replay gets no secret at all."""
        options, live = self.options, job.replay is None
        limits = replace(
            options.limits,
            soft_limit_seconds=min(
                options.limits.soft_limit_seconds, SOFT_SHARE * options.time_limit_seconds
            ),
        )
        return {
            "provider": job.card.provider,
            "spiders": str(options.spiders),
            "runs": str(self.runs),
            "now": self.now.isoformat(),
            "clock": (self.now + timedelta(seconds=time.monotonic() - self._began)).isoformat(),
            "version": program_version(),
            "secrets": {name: self.secrets[name] for name in job.card.credential if self.secrets.get(name)}
            if live
            else {},
            "chosen": dict(options.choices.get(job.card.provider, {})) if live else {},
            "switched_off": _switched_off(job.card, options.switched_off) if live else [],
            "agent": user_agent(program_version(), options.project_url, options.contact),
            "limits": asdict(limits),
            "replay": str(job.replay) if job.replay else None,
            "log_level": options.log_level,
        }

    def _tell(self, event: CrawlEvent) -> None:
        if self._on_event:
            with self._event_lock:
                self._on_event(replace(event, total=self._total))

    def _kill_all(self) -> None:
        with self._children_lock:
            for child in self._children:
                child.kill()


def program_version() -> str:
    """Version of the installed package; "0" where it runs from a plain checkout."""
    try:
        return version("gpufare")
    except PackageNotFoundError:
        return "0"
