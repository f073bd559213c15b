"""Which sources are asked, and asking them: settings meet the crawl engine here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gpufare.settings import Settings

if TYPE_CHECKING:
    from crawlers.discover import SpiderCard
    from crawlers.run import CrawlOptions, CrawlResult, OnEvent


def choose_sources(settings: Settings) -> tuple[list[SpiderCard], dict[str, str]]:
    """The sources that are crawled by default, and why each of the others is not."""
    from crawlers.discover import spider_cards
    from crawlers.due import enabled

    cards, skipped = enabled(
        spider_cards().values(),
        secrets=settings.secrets,
        switched_off=settings.switched_off,
        switched_on=settings.switched_on,
    )
    return cards, {item.provider: item.reason for item in skipped}


def crawl_options(settings: Settings) -> CrawlOptions:
    """How the engine crawls under these settings."""
    from crawlers.run import CrawlOptions

    return CrawlOptions(
        concurrency=settings.concurrency,
        contact=settings.contact,
        project_url=settings.project_url,
        environment=settings.network_environment,
    )


def crawl_sources(
    settings: Settings,
    providers: Sequence[str],
    *,
    now: datetime,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
) -> list[CrawlResult]:
    """Crawl providers into the home's run folders (see `crawlers.run.crawl`)."""
    from crawlers.run import crawl

    return crawl(
        providers,
        home=settings.home,
        now=now,
        secrets=settings.secrets,
        on_event=on_event,
        options=crawl_options(settings),
        stop=stop,
    )
