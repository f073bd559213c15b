"""Every Scrapy setting that differs from Scrapy's own, in one place, with the reason.

Facts about defaults are those of Scrapy 2.19: a remote-control server and a telnet console that listen by
default, certificates that are not verified, a queue that answers the newest request first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

AGENT_TOKEN = "gpufare"
MIB = 2**20


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What a crawl may do on the wire.

    Attributes:
        timeout_seconds: for one answer, from the request to the last byte.
        max_body_bytes: larger answers are cut off and their source fails.
        file_timeout_seconds, max_file_bytes: the same two for answers that go to disk (crawlers.large_files).
        delay_seconds: pause between two requests to a host; None: from the spider's requests_per_second.
        backoff_seconds: first pause before a request is sent again; doubles each time.
        retry_after_cap_seconds: a longer wait than this is not waited for.
        retries: how often a request is sent again.
        allow_private: may addresses outside the public internet be asked? Only for tests on one machine.
        soft_limit_seconds: after this the crawl ends with what it has, as partial.
    """

    timeout_seconds: float = 30.0
    max_body_bytes: int = 256 * MIB
    file_timeout_seconds: float = 600.0
    max_file_bytes: int = 4096 * MIB
    delay_seconds: float | None = None
    backoff_seconds: float = 2.0
    retry_after_cap_seconds: float = 120.0
    retries: int = 3
    allow_private: bool = False
    soft_limit_seconds: float = 1500.0


def user_agent(version: str, project_url: str, contact: str) -> str:
    """``gpufare/<version> (+<project URL>; <contact>)``; what is not known is left out, never invented."""
    about = "; ".join(part for part in (f"+{project_url}" if project_url else "", contact) if part)
    return f"{AGENT_TOKEN}/{version}" + (f" ({about})" if about else "")


def request_delay(requests_per_second: float, limits: WireLimits) -> float:
    """Seconds between two requests to a host. With the jitter of a fifth it is never under 1 / rate."""
    if limits.delay_seconds is not None:
        return limits.delay_seconds
    return 1.25 / min(requests_per_second, 1.0)


def live_settings(
    agent: str, requests_per_second: float, limits: WireLimits, proxy_hosts: Sequence[str] = ()
) -> dict[str, Any]:
    """Settings of a crawl over the network."""
    delay = request_delay(requests_per_second, limits)
    return {
        **common_settings(),
        "USER_AGENT": agent,
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": AGENT_TOKEN,
        "DOWNLOAD_DELAY": delay,
        "DOWNLOAD_DELAY_JITTER": 0.2,
        "CONCURRENT_REQUESTS": 8,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_START_DELAY": delay,
        "AUTOTHROTTLE_MAX_DELAY": max(30.0, delay),
        "DOWNLOAD_TIMEOUT": limits.timeout_seconds,
        "DOWNLOAD_MAXSIZE": limits.max_body_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_HANDLERS": {
            **_NO_FILES,
            "http": "crawlers.large_files.LargeFileHandler",
            "https": "crawlers.large_files.LargeFileHandler",
        },
        "GPUFARE_FILE_TIMEOUT_SECONDS": limits.file_timeout_seconds,
        "GPUFARE_FILE_MAX_BYTES": limits.max_file_bytes,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,  # off in Scrapy
        "RETRY_ENABLED": True,
        "RETRY_TIMES": limits.retries,
        "RETRY_HTTP_CODES": [429, 500, 502, 503, 504, 522, 524, 408],
        "GPUFARE_BACKOFF_SECONDS": limits.backoff_seconds,
        "GPUFARE_RETRY_AFTER_CAP_SECONDS": limits.retry_after_cap_seconds,
        "GPUFARE_ALLOW_PRIVATE": limits.allow_private,
        "GPUFARE_PROXY_HOSTS": list(proxy_hosts),
        "CLOSESPIDER_TIMEOUT": limits.soft_limit_seconds,
        "TWISTED_DNS_RESOLVER": "scrapy.resolver.CachingThreadedResolver"
        if limits.allow_private
        else "crawlers.politeness.PublicResolver",
        "DNS_TIMEOUT": 15,
        "EXTENSIONS": {
            **_NO_DOORS,
            "scrapy.extensions.throttle.AutoThrottle": None,
            "crawlers.politeness.PoliteThrottle": 0,
        },
        "DOWNLOADER_MIDDLEWARES": {
            **_MIDDLEWARES,
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            "crawlers.robots.RobotsMiddleware": 100,
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            "crawlers.politeness.PatientRetryMiddleware": 550,
            "crawlers.politeness.WireMiddleware": 860,
            "crawlers.signing.SigningMiddleware": 870,
        },
    }


def replay_settings() -> dict[str, Any]:
    """Settings of a replay: no robots, no pauses, no retries, one request at a time in the spider's order."""
    handler = "crawlers.replay.ReplayHandler"
    return {
        **common_settings(),
        "ROBOTSTXT_OBEY": False,
        "RETRY_ENABLED": False,
        "CONCURRENT_REQUESTS": 1,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_HANDLERS": {
            "http": handler,
            "https": handler,
            "data": None,
            "file": None,
            "ftp": None,
            "s3": None,
        },
        "HTTPPROXY_ENABLED": False,
        "EXTENSIONS": _NO_DOORS,
        "DOWNLOADER_MIDDLEWARES": _MIDDLEWARES,
    }


def common_settings() -> dict[str, Any]:
    """What live crawls and replays share."""
    return {
        "BOT_NAME": AGENT_TOKEN,
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,  # runs Python inside the crawler, on in Scrapy 2.19
        "COOKIES_ENABLED": False,
        "METAREFRESH_ENABLED": False,  # price lists have none; challenge pages do
        "REFERRER_POLICY": "no-referrer",
        "DEFAULT_REQUEST_HEADERS": {
            "Accept": "application/json, text/html;q=0.9, */*;q=0.8",
            "Accept-Language": "en",
        },
        "REDIRECT_MAX_TIMES": 5,
        "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",  # oldest first: a replay's order
        "URLLENGTH_LIMIT": 8000,
        "DOWNLOAD_HANDLERS": _NO_FILES,
        "ITEM_PIPELINES": {"crawlers.collector.RecordPipeline": 0},
        "SPIDER_MIDDLEWARES": {"crawlers.faults.FaultMiddleware": 1050},
        "STATS_DUMP": False,
        "LOG_ENABLED": False,  # the worker has its own handler, which redacts
        "LOG_INSTALL_ROOT_HANDLER": False,
        "LOG_LEVEL": "WARNING",
        "LOGSTATS_INTERVAL": 0,
    }


_NO_FILES: dict[str, Any] = {"file": None, "ftp": None, "s3": None, "data": None}
_MIDDLEWARES: dict[str, Any] = {
    "crawlers.archive.ArchiveMiddleware": 40,
    "crawlers.archive.ChallengeMiddleware": 570,
    "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
    "crawlers.politeness.HomeRedirectMiddleware": 600,
}
_NO_DOORS: dict[str, Any] = {
    "scrapy.extensions.telnet.TelnetConsole": None,
    "scrapy.extensions.remote_control.RemoteControl": None,
    "scrapy.extensions.feedexport.FeedExporter": None,
    "scrapy.extensions.memusage.MemoryUsage": None,
    "scrapy.extensions.logstats.LogStats": None,
}
