"""The day in order: crawl, load and check, recommend, write the site. One broken source costs one source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpufare.exit_codes import ExitCode
from gpufare.settings import Settings

if TYPE_CHECKING:
    from crawlers.run import CrawlEvent, CrawlResult
    from warehouse.ingest import LoadResult

NOT_ASKED = "not asked:"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DayResult:
    """What a day came to.

    Attributes:
        site: where the pages are.
        crawled, loaded: what each provider and each run came to.
        skipped: sources that were not asked, with the reason.
        fresh: True where at least one source gave data that was accepted today.
        failed: providers that failed or were held.
    """

    site: Path
    pages: int
    crawled: list[CrawlResult]
    loaded: list[LoadResult]
    skipped: dict[str, str]
    failed: list[str] = field(default_factory=list)
    fresh: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """5 where some sources failed and others went through, 4 where nothing fresh came in."""
        if not self.fresh:
            return ExitCode.STALE
        return ExitCode.SOURCE_FAILED if self.failed else ExitCode.OK

    @property
    def summary(self) -> str:
        """One line that says how the day went, and why it is not perfect where it is not."""
        good = len(self.crawled) - len(self.failed)
        if not self.fresh:
            why = self.failed[0] if self.failed else "no source was asked"
            return (
                f"no source gave fresh data ({len(self.failed)} of {len(self.crawled)} failed; {why}); "
                "the site answers from what was known before and says how old it is"
            )
        if self.failed:
            why = "; ".join(self.failed)
            return f"{good} of {len(self.crawled)} sources are fresh; failed or held: {why}"
        return f"all {good} sources are fresh"


def run_day(settings: Settings, *, now: datetime, progress: Progress, out: Path | None = None) -> DayResult:
    """Run the whole day. Raises GpufareError only where no site can be written at all."""
    from gpufare.market import check_home, ensure_market, open_market
    from gpufare.source_list import read_source_list
    from gpufare.watches import check_watches, read_watches, tell_watches
    from reports.site import build_site
    from warehouse.ingest import ingest

    check_home(settings)
    watches = read_watches(settings)
    if ensure_market(settings, now):
        progress("loaded the bundled market snapshot")
    crawled, skipped = _crawl(settings, now, progress)
    unasked = [result.provider for result in crawled if (result.reason or "").startswith(NOT_ASKED)]
    if unasked:
        progress(
            f"{len(unasked)} more sources were not asked: the first ones could not be reached (no network?)"
        )
    folders = [result.folder for result in crawled if result.folder is not None]
    progress(f"loading {len(folders)} runs")
    loaded = ingest(settings.home, folders, now=now, origin="live") if folders else []
    progress("recommending and writing the site")
    sources = read_source_list(settings, now=now)
    with open_market(settings, now) as market:
        found = check_watches(settings, market, now=now, watches=watches)
    site = build_site(
        settings.home,
        out or settings.home / "site",
        now=now,
        sources=sources,
        watches=[item.record() for item in found],
        address=settings.site_url,
    )
    tell_watches(settings, found, now=now, tell=progress)
    return DayResult(
        site=site.path,
        pages=site.pages,
        crawled=crawled,
        loaded=loaded,
        skipped=skipped,
        failed=_failures(crawled, loaded),
        fresh=any(result.state in ("good", "partial") and result.offers for result in loaded),
    )


def _crawl(settings: Settings, now: datetime, progress: Progress) -> tuple[list[CrawlResult], dict[str, str]]:
    from gpufare.sources import choose_sources, crawl_sources

    cards, skipped = choose_sources(settings)
    progress(f"crawling {len(cards)} sources")

    def tell(event: CrawlEvent) -> None:
        if event.result is not None and not (event.result.reason or "").startswith(NOT_ASKED):
            why = f" ({event.result.reason})" if event.result.reason else ""
            progress(f"{event.provider}: {event.result.state}, {event.result.offers} offers{why}")

    return crawl_sources(settings, [card.provider for card in cards], now=now, on_event=tell), skipped


def _failures(crawled: list[CrawlResult], loaded: list[LoadResult]) -> list[str]:
    bad = {result.provider: result.reason for result in crawled if result.state in ("failed", "held")}
    for result in loaded:
        if result.state in ("failed", "held"):
            bad.setdefault(result.provider, result.reason)
    return [f"{provider}: {reason}" for provider, reason in sorted(bad.items())]
