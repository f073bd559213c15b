"""Which sources are asked, and asking them: settings meet the crawl engine here."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gpufare.settings import Settings
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from crawlers.discover import SpiderCard
    from crawlers.run import CrawlOptions, CrawlResult, OnEvent


def choose_sources(settings: Settings) -> tuple[list[SpiderCard], dict[str, str]]:
    """The sources that are crawled by default, and why each of the others is not.

    Raises:
        UsageError: the configuration names a source or an option that there is not.
    """
    from crawlers.discover import spider_cards
    from crawlers.due import enabled

    check_choices(settings)
    cards, skipped = enabled(
        spider_cards().values(),
        secrets=settings.secrets,
        switched_off=settings.switched_off,
        switched_on=settings.switched_on,
    )
    return cards, {item.provider: item.reason for item in skipped}


def check_choices(settings: Settings) -> None:
    """Hold the switches and options of the configuration against the spiders.

    Raises:
        UsageError: a name in ``off``, ``on`` or ``options`` that no spider has; a misspelt switch would
            otherwise leave a source on.
    """
    if not (settings.switched_off or settings.switched_on or settings.options):
        return
    from crawlers.discover import spider_cards

    cards = spider_cards()
    parts = {part for card in cards.values() for part in (*card.parts, f"{card.provider}:{card.provider}")}
    for key, names, known in (
        ("off", settings.switched_off, {*cards, *parts}),
        ("on", settings.switched_on, {*cards}),
        ("options", settings.options, {*cards}),
    ):
        for name in sorted(names):
            if name not in known:
                raise UsageError(
                    f"configuration key {key} names {name!r}, which is no source{_near(name, known)}"
                )
    for provider, chosen in settings.options.items():
        options = cards[provider].options
        for name, value in chosen.items():
            if name not in options:
                has = f"it has {', '.join(options)}" if options else "it has none"
                raise UsageError(f"configuration key options.{provider}.{name}: no such option; {has}")
            if not isinstance(value, list):
                raise UsageError(
                    f"configuration key options.{provider}.{name} must be a list of texts, found {value!r}"
                )


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "; gpufare providers --all lists them"


def crawl_options(settings: Settings) -> CrawlOptions:
    """How the engine crawls under these settings."""
    from crawlers.run import CrawlOptions

    return CrawlOptions(
        concurrency=settings.concurrency,
        contact=settings.contact,
        project_url=settings.project_url,
        environment=settings.network_environment,
        choices=settings.options,
        switched_off=settings.switched_off,
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
