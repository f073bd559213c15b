"""The service: crawls each provider when it is due, writes the report once a day, ends cleanly.

What is due follows from the run table (`crawlers.due`), not from a stored job: a provider that came due while
the service was down is crawled once at start, and then at its own interval with jitter. Two providers that
share a host never run at once; one loader at a time. Setting `stop` ends it: running crawls are killed, a
load that has begun is finished, then the scheduler is shut down.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gpufare.settings import Settings
from warehouse.errors import GpufareError

if TYPE_CHECKING:
    from crawlers.discover import SpiderCard

MISFIRE_GRACE_SECONDS = 3600
JITTER_SHARE = 0.1
JITTER_LIMIT_SECONDS = 600
RETRY_AFTER_FAILURE = timedelta(hours=1)
REPORT_JOB = "report"


@dataclass
class Service:
    """One running scheduler.

    Attributes:
        settings: see `gpufare.settings`.
        clock: gives the time (UTC).
        tell: takes one line for the log.
        stop: set it to end the service.
    """

    settings: Settings
    clock: Callable[[], datetime]
    tell: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    _load_lock: threading.Lock = field(default_factory=threading.Lock)
    _host_locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _scheduler: Any = None

    def run(self) -> None:
        """Run until `stop` is set. The bundled snapshot is loaded first where there is no market yet."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        from gpufare.sources import choose_sources

        cards, skipped = choose_sources(self.settings)
        for provider, reason in sorted(skipped.items()):
            self.tell(f"{provider} is not scheduled: {reason}")
        good, tried = self._run_times()
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(self.settings.concurrency + 1)},
            job_defaults={"misfire_grace_time": MISFIRE_GRACE_SECONDS, "coalesce": True, "max_instances": 1},
        )
        for card in cards:
            self._add(card, good, tried)
        self._add_report()
        self._scheduler.start()
        self.tell(f"scheduled {len(cards)} sources; the report is due daily at {self._report_time()} UTC")
        self.stop.wait()
        self.tell("stopping: running crawls are ended, a load that has begun is finished")
        self._scheduler.shutdown(wait=True)

    def crawl_one(self, card: SpiderCard) -> None:
        """Crawl and load one provider. Never raises: one broken provider costs one provider."""
        from gpufare.sources import crawl_sources

        with ExitStack() as held:
            for host in sorted(card.hosts):
                held.enter_context(self._host_locks[host])
            if self.stop.is_set():
                return
            try:
                results = crawl_sources(self.settings, [card.provider], now=self.clock(), stop=self.stop)
                good = self._load(results)
            except GpufareError as error:
                self.tell(f"{card.provider}: {error}")
                good = False
        if not good and card.refetch > RETRY_AFTER_FAILURE and not self.stop.is_set():
            self._scheduler.modify_job(card.provider, next_run_time=self.clock() + RETRY_AFTER_FAILURE)

    def report(self) -> None:
        """Write the site. Never raises."""
        from gpufare.source_list import read_source_list
        from reports.site import build_site

        if self.stop.is_set():
            return
        try:
            with self._load_lock:
                now = self.clock()
                sources = read_source_list(self.settings, now=now)
                result = build_site(self.settings.home, self.settings.home / "site", now=now, sources=sources)
            self.tell(f"report: {result.pages} pages at {result.path}")
        except GpufareError as error:
            self.tell(f"report: {error}")

    def _load(self, results: list[Any]) -> bool:
        from warehouse.ingest import ingest

        good = True
        for result in results:
            why = f" ({result.reason})" if result.reason else ""
            self.tell(f"{result.provider}: {result.state}, {result.offers} offers{why}")
            good = good and result.state in ("good", "partial")
        folders = [result.folder for result in results if result.folder is not None]
        if folders and not self.stop.is_set():
            with self._load_lock:
                for loaded in ingest(self.settings.home, folders, now=self.clock(), origin="live"):
                    why = f" ({loaded.reason})" if loaded.reason else ""
                    self.tell(f"{loaded.provider}: loaded as {loaded.state}, {loaded.offers} offers{why}")
                    good = good and loaded.state in ("good", "partial")
        return good

    def _add(self, card: SpiderCard, good: Mapping[str, datetime], tried: Mapping[str, datetime]) -> None:
        from apscheduler.triggers.interval import IntervalTrigger

        from crawlers.due import next_time

        now = self.clock()
        first = next_time(card, good, tried, RETRY_AFTER_FAILURE, now)
        seconds = card.refetch.total_seconds()
        self._scheduler.add_job(
            self.crawl_one,
            IntervalTrigger(
                seconds=int(seconds), jitter=int(min(seconds * JITTER_SHARE, JITTER_LIMIT_SECONDS))
            ),
            args=[card],
            id=card.provider,
            next_run_time=max(first, now),
        )

    def _add_report(self) -> None:
        from apscheduler.triggers.cron import CronTrigger

        hour, minute = self.settings.report_at
        trigger = CronTrigger(hour=hour, minute=minute, timezone="UTC")
        now = self.clock()
        index = self.settings.home / "site" / "index.html"
        due = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        due -= timedelta(days=0 if due <= now else 1)
        missed = not index.exists() or index.stat().st_mtime < due.timestamp()
        first = now if missed else trigger.get_next_fire_time(None, now)
        self._scheduler.add_job(self.report, trigger, id=REPORT_JOB, next_run_time=first)

    def _run_times(self) -> tuple[Mapping[str, datetime], Mapping[str, datetime]]:
        from gpufare.market import open_market
        from warehouse.run_times import run_times

        with open_market(self.settings, self.clock()) as market:
            return run_times(market)

    def _report_time(self) -> str:
        hour, minute = self.settings.report_at
        return f"{hour:02d}:{minute:02d}"
