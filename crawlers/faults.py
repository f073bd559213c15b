"""What a callback raises is never silent: the source is held, with the words of the fault and its place."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from crawlers.parsing import ShapeError

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawlers.price_spider import PriceSpider

logger = logging.getLogger(__name__)


class FaultMiddleware:
    """Spider middleware next to the spider (position 1050). `PriceSpider` guards its own requests already;
    this catches what is raised outside of them: in `requests`, and in callbacks of requests made by hand."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> FaultMiddleware:
        """Built by Scrapy."""
        return cls(crawler)

    async def process_start(self, start: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Pass the first requests on; a fault while they are made holds the spider's first source."""
        try:
            async for item in start:
                yield item
        except Exception as error:
            self._hold(error, self._spider.name, "requests")

    def process_spider_exception(self, response: Response, exception: Exception) -> list[Any] | None:
        """Hold the source whose answer could not be parsed; an HTTP error is a lost request."""
        source = response.meta.get("source", self._spider.name)
        lost = getattr(exception, "response", None)
        if lost is not None:
            self._spider.failed(f"{response.url.split('?')[0]}: HTTP {lost.status}", source)
            return []
        callback = response.request.callback if response.request else None
        self._hold(exception, source, getattr(callback, "__name__", "parse"))
        return []

    def _hold(self, error: Exception, source: str, where: str) -> None:
        if isinstance(error, ShapeError):
            self._spider.held(str(error), source)
            return
        logger.error("%s failed in %s", source, where, exc_info=error)
        self._spider.held(f"{type(error).__name__}: {error} in {where}", source)

    @property
    def _spider(self) -> PriceSpider:
        return self._crawler.spider  # type: ignore[return-value]
