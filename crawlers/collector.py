"""What one crawl gathers: stored exchanges, records, and what stopped it. One object per child process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from crawlers.redact import Redactor
from warehouse.errors import RunFolderError
from warehouse.records import Record
from warehouse.run_folder import ParseReport, ReplayIndex, RunFolderWriter

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from crawlers.price_spider import PriceSpider

PROGRESS_EVERY_SECONDS = 0.5
_RUNS: WeakKeyDictionary[Any, CrawlRun] = WeakKeyDictionary()


class CrawlRun:
    """The state that the middlewares of one crawl share.

    Attributes:
        writer: the run folder that grows.
        redactor: takes out what must not be kept.
        index: the recording that answers instead of the network, None for a live crawl.
        records: (source, record) in the order in which the spider yielded them.
        fatal: a fault that makes the whole run worthless (a corrupt recording, a full disk).
        stopped_early: why the crawl ended before its spider was done, None where it did not.
    """

    def __init__(
        self,
        writer: RunFolderWriter,
        redactor: Redactor,
        index: ReplayIndex | None,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self.writer, self.redactor, self.index = writer, redactor, index
        self.records: list[tuple[str, Record]] = []
        self.fatal: Exception | None = None
        self.stopped_early: str | None = None
        self.answers = 0
        self._emit, self._last_progress = emit, 0.0

    def answered(self) -> None:
        """Count one stored answer and tell the parent now and then."""
        self.answers += 1
        if time.monotonic() - self._last_progress >= PROGRESS_EVERY_SECONDS:
            self._last_progress = time.monotonic()
            self._emit({"event": "progress", "answers": self.answers, "offers": len(self.records)})

    def fail(self, error: Exception) -> None:
        """Remember the first fault that makes the run worthless."""
        self.fatal = self.fatal or error

    def kept_records(self, spider: PriceSpider) -> list[Record]:
        """The records of sources that are neither held nor failed, free of credentials."""
        lost = {name for name, report in spider.reports.items() if report.state in ("held", "failed")}
        return [self._clean(record) for source, record in self.records if source not in lost]

    def clean_report(self, report: ParseReport) -> ParseReport:
        """The parse report with every text redacted."""
        text = self.redactor.text
        return replace(
            report,
            reason=report.reason and text(report.reason),
            sources=[replace(item, reason=item.reason and text(item.reason)) for item in report.sources],
            rejected=[dict(self.redactor.plain(item)) for item in report.rejected],  # type: ignore[call-overload]
        )

    def _clean(self, record: Record) -> Record:
        url = self.redactor.url(record.source_url)
        return record if url == record.source_url else replace(record, source_url=url)


def attach(crawler: Crawler, run: CrawlRun) -> None:
    """Give a crawler its run; the middlewares find it with `run_of`."""
    _RUNS[crawler] = run


def run_of(crawler: Crawler) -> CrawlRun:
    """The run of a crawler."""
    return _RUNS[crawler]


class RecordPipeline:
    """Scrapy item pipeline: collects the records that callbacks yield."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler, self._run = crawler, run_of(crawler)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RecordPipeline:
        """Built by Scrapy."""
        return cls(crawler)

    def process_item(self, item: Any) -> Any:
        """Keep a record with its source; anything else is a mistake of the spider."""
        if isinstance(item, Record):
            source = getattr(item, "source", None) or (self._crawler.spider and self._crawler.spider.name)
            self._run.records.append((str(source), item))
        else:
            logging.getLogger(__name__).error("a spider yielded a %s, not a record", type(item).__name__)
            self._run.fail(RunFolderError(f"the spider yielded a {type(item).__name__}, not a record"))
        return item
