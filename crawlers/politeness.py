"""Manners and caution on the wire: Retry-After, backoff, crawl delay, redirects, no private hosts.

Scrapy reads neither Retry-After nor lets a redirect's target be judged; this module adds both. Limits are
per host, since that is what a provider's limits are per.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import random
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.exceptions import CannotResolveHostError, IgnoreRequest
from scrapy.extensions.throttle import AutoThrottle
from scrapy.resolver import CachingThreadedResolver
from twisted.internet.error import DNSLookupError

from crawlers.collector import run_of

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.core.downloader import Slot
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.base import ReactorBase
    from twisted.internet.defer import Deferred

    from crawlers.redact import Redactor

TOO_BUSY = (429, 503)
_REFUSED_NAMES: dict[str, str] = {}
_GATES: WeakKeyDictionary[Any, HostGate] = WeakKeyDictionary()


class HostGate:
    """Holds all requests to a host back until a moment; shared by the middlewares of one crawl."""

    def __init__(self) -> None:
        self._open_at: dict[str, float] = {}

    def hold(self, host: str, seconds: float) -> None:
        """Let nothing pass to `host` for `seconds` from now."""
        self._open_at[host] = max(self._open_at.get(host, 0.0), time.monotonic() + seconds)

    async def passage(self, host: str) -> None:
        """Wait until the host may be asked."""
        while (pause := self._open_at.get(host, 0.0) - time.monotonic()) > 0:
            await asyncio.sleep(pause)


def gate_of(crawler: Crawler) -> HostGate:
    """The gate of a crawler, made on first use."""
    return _GATES.setdefault(crawler, HostGate())


class WireMiddleware:
    """The last check before the wire: http(s) only, no private address, and the host's gate is open."""

    def __init__(self, crawler: Crawler) -> None:
        self._gate = gate_of(crawler)
        self._private_allowed = crawler.settings.getbool("GPUFARE_ALLOW_PRIVATE")

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> WireMiddleware:
        """Built by Scrapy."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Refuse what must not be asked; wait where the host wants us to."""
        parts = urlsplit(request.url)
        if parts.scheme not in ("http", "https"):
            raise IgnoreRequest(f"{parts.scheme}:// is not fetched")
        host = parts.hostname or ""
        if not self._private_allowed and is_private(host):
            raise IgnoreRequest(f"{host} is a private address: not fetched")
        await self._gate.passage(host)

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Give a name that resolved to a private address its own reason, before it is retried."""
        host = urlsplit(request.url).hostname or ""
        if isinstance(exception, CannotResolveHostError) and host in _REFUSED_NAMES:
            raise IgnoreRequest(f"{host} resolves to the private address {_REFUSED_NAMES[host]}: not fetched")


class PublicResolver(CachingThreadedResolver):
    """Resolves names, and treats those that lead to a private address as unknown.

    A proxy's name is exempt: its operator chose it.
    """

    def __init__(
        self, reactor: ReactorBase, cache_size: int, timeout: float, allowed: frozenset[str]
    ) -> None:
        super().__init__(reactor, cache_size, timeout)
        self._allowed = allowed

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: ReactorBase) -> PublicResolver:
        """Built by Scrapy."""
        settings = crawler.settings
        allowed = frozenset(settings.getlist("GPUFARE_PROXY_HOSTS"))
        return cls(reactor, settings.getint("DNSCACHE_SIZE"), settings.getfloat("DNS_TIMEOUT"), allowed)

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred[str]:  # noqa: N802 - Twisted's name
        """The address of a name; fails for private ones."""
        found: Deferred[str] = super().getHostByName(name, timeout)
        return found if name in self._allowed else found.addCallback(self._judge, name)

    @staticmethod
    def _judge(address: str, name: str) -> str:
        if is_private(address):
            _REFUSED_NAMES[name] = address
            raise DNSLookupError(f"{name} resolves to the private address {address}")
        return address


class HomeRedirectMiddleware(RedirectMiddleware):
    """Follows a redirect only within the same registrable domain, never from https to http.

    A robots.txt may move anywhere that is public (RFC 9309, section 2.3.1.2).
    """

    def _redirect(self, redirected: Request, request: Request, reason: Any) -> Request:
        refusal = redirect_refusal(request.url, redirected.url)
        if refusal and "dont_obey_robotstxt" not in request.meta:
            raise IgnoreRequest(refusal)
        if leaks_key(request, redirected.url, run_of(self.crawler).redactor):
            raise IgnoreRequest(f"redirects to {urlsplit(redirected.url).hostname}: a key is not sent there")
        redirected.meta.pop("download_slot", None)
        return super()._redirect(redirected, request, reason)


class PatientRetryMiddleware(RetryMiddleware):
    """Retries server errors with growing pauses and obeys Retry-After; gives up where that is too long."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._first_pause = settings.getfloat("GPUFARE_BACKOFF_SECONDS")
        self._longest_pause = settings.getfloat("GPUFARE_RETRY_AFTER_CAP_SECONDS")

    def process_response(  # type: ignore[override]  # without the deprecated spider argument
        self, request: Request, response: Response
    ) -> Request | Response:
        """Ask again later, or hand the answer on."""
        if request.meta.get("dont_retry") or response.status not in self.retry_http_codes:
            return response
        wait = retry_after_seconds(response) if response.status in TOO_BUSY else None
        if wait is not None and wait > self._longest_pause:
            return response
        again: Request | Response | None = super().process_response(request, response)
        if again is None or again is response:
            return response
        self._pause(request, wait)
        return again

    def process_exception(  # type: ignore[override]  # without the deprecated spider argument
        self, request: Request, exception: Exception
    ) -> Request | Response | None:
        """Ask again later after a failure on the wire. A name nobody knows is looked up once more only, and a
        host that does not even give its robots.txt is tried once more only."""
        hopeless = isinstance(exception, CannotResolveHostError) or request.meta.get("dont_obey_robotstxt")
        if hopeless and request.meta.get("retry_times", 0):
            return None
        again: Request | Response | None = super().process_exception(request, exception)
        if again is not None:
            self._pause(request, None)
        return again

    def _pause(self, request: Request, asked: float | None) -> None:
        tries: int = request.meta.get("retry_times", 0)
        pause = self._first_pause * 2**tries * (1 + 0.25 * random.random())
        host = urlsplit(request.url).hostname or ""
        gate_of(self.crawler).hold(host, min(pause, self._longest_pause) if asked is None else asked)


class PoliteThrottle(AutoThrottle):
    """AutoThrottle that never goes below a host's own crawl delay."""

    def _adjust_delay(self, slot: Slot, latency: float, response: Response) -> None:
        super()._adjust_delay(slot, latency, response)
        engine = self.crawler.engine
        own = (
            engine.downloader.per_slot_settings.get(urlsplit(response.url).hostname or "", {})
            if engine
            else {}
        )
        slot.delay = max(slot.delay, own.get("delay", 0.0))


def apply_crawl_delay(crawler: Crawler, host: str, seconds: float) -> None:
    """Ask a host no more often than once in `seconds`, now and for later connections."""
    engine = crawler.engine
    if engine is None or seconds <= 0:
        return
    downloader = engine.downloader
    downloader.per_slot_settings[host] = {"delay": max(seconds, downloader._delay), "jitter": 0.0}
    if slot := downloader.slots.get(host):
        slot.delay, slot.jitter = max(slot.delay, seconds), 0.0


def retry_after_seconds(response: Response) -> float | None:
    """Seconds that the answer asks to wait (a number or an HTTP date, against the answer's own Date)."""
    text = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if text.isdigit():
        return float(text)
    until, sent = _http_date(text), _http_date((response.headers.get("Date") or b"").decode("latin-1"))
    return max(0.0, until - (time.time() if sent is None else sent)) if until is not None else None


def redirect_refusal(source: str, target: str) -> str | None:
    """Why a redirect is not followed, None where it is."""
    from_, to = urlsplit(source), urlsplit(target)
    if from_.scheme == "https" and to.scheme == "http":
        return f"redirects from https to http ({to.hostname}): not followed"
    if _registrable(from_.hostname or "") != _registrable(to.hostname or ""):
        return f"redirects to another host ({to.hostname}): not followed"
    return None


def leaks_key(request: Request, target: str, redactor: Redactor) -> bool:
    """Would following a redirect show a key (in header, address or body) to a host it is not for?"""
    if urlsplit(request.url).hostname == urlsplit(target).hostname:
        return False
    sent = request.headers.to_string().decode("latin-1")
    return redactor.holds_secret(f"{sent} {request.url} {request.body.decode('utf-8', 'replace')}")


def is_private(host: str) -> bool:
    """Is this an address (not a name) outside the public internet, or a name for one?"""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(
        (".localhost", ".local", ".internal")
    ):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return not mapped.is_global or mapped.is_multicast


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    """The public suffix list that comes with the package; nothing is downloaded or written."""
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def _registrable(host: str) -> str:
    """``example.com`` of ``api.example.com``; the host itself where it has no public suffix (an address)."""
    return _suffixes()(host).top_domain_under_public_suffix or host
