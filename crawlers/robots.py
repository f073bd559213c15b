"""robots.txt, obeyed for every waiter.

Scrapy 2.14 to 2.19 hands one shared Deferred to all requests that wait for a host's robots.txt; the first
waiter gets the rules, the others get None, which reads as "allowed". Here each waiter has its own future.

Missing file (4xx): allowed. Server error or no answer: not fetched, with the reason (RFC 9309, 2.3.1.4); the
retry middleware has waited and asked again by then. Crawl-delay is applied to the host.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest
from scrapy.http.request import NO_CALLBACK
from scrapy.utils.misc import build_from_crawler

from crawlers.politeness import apply_crawl_delay

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from scrapy.robotstxt import RobotParser

logger = logging.getLogger(__name__)


class RobotsMiddleware(RobotsTxtMiddleware):
    """Replaces Scrapy's middleware at its place (100)."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._answers: dict[str, RobotParser | str | None] = {}
        self._waiters: dict[str, list[asyncio.Future[RobotParser | str | None]]] = {}

    async def robot_parser(self, request: Request) -> RobotParser | None:
        """The rules of the request's host, None where there are none.

        Raises:
            IgnoreRequest: the rules exist or may exist, but could not be read.
        """
        root = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
        answer = self._answers[root] if root in self._answers else await self._wait(root)
        if isinstance(answer, str):
            raise IgnoreRequest(answer)
        return answer

    async def _wait(self, root: str) -> RobotParser | str | None:
        if root in self._waiters:
            future: asyncio.Future[RobotParser | str | None] = asyncio.get_running_loop().create_future()
            self._waiters[root].append(future)
            return await future
        self._waiters[root] = []
        try:
            answer = await self._fetch(root)
        except Exception as error:
            answer = _why_unknown(urlsplit(root).netloc, error)
        self._answers[root] = answer
        for future in self._waiters.pop(root):
            if not future.done():
                future.set_result(answer)
        return answer

    async def _fetch(self, root: str) -> RobotParser | str | None:
        ask = Request(
            f"{root}/robots.txt",
            priority=self.DOWNLOAD_PRIORITY,
            meta={"dont_obey_robotstxt": True},
            callback=NO_CALLBACK,
        )
        engine = self.crawler.engine
        assert engine is not None, "a request is processed only while the engine runs"
        response: Response = await engine.download_async(ask)
        if response.status == 429 or response.status >= 500:
            raise IgnoreRequest(f"HTTP {response.status}")
        if not 200 <= response.status < 300:
            return None
        rules: RobotParser = build_from_crawler(self._parserimpl, self.crawler, response.body)
        agent = self._robotstxt_useragent or self._default_useragent
        if delay := rules.crawl_delay(agent):
            apply_crawl_delay(self.crawler, urlsplit(root).hostname or "", delay)
        return rules


def _why_unknown(host: str, error: Exception) -> str:
    """Why nothing is fetched from a host whose rules could not be read."""
    text = " ".join(str(error).split())[:120] or type(error).__name__
    if isinstance(error, IgnoreRequest):
        return f"robots.txt of {host} could not be read ({text}): nothing is fetched there"
    if isinstance(error, CannotResolveHostError):
        return f"the name {host} was not found (no network?)"
    return f"{host} could not be reached ({text})"
