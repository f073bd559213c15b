"""Keeps the bytes: stores every final answer in the run folder, and turns challenge pages away.

`ArchiveMiddleware` is the last to see an answer before the spider: redirects are followed, retries are done,
compression is undone. It stores the answer under the address that the *spider* asked for, with one exchange
per redirect before it, so that a replay walks the same way.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crawlers.botwall import challenge
from crawlers.collector import CrawlRun, run_of
from crawlers.price_spider import REPLAY_MISS, HeldAnswer

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

KEPT_HEADERS = (
    "Content-Type",
    "Content-Language",
    "Date",
    "ETag",
    "Last-Modified",
    "Link",
    "Retry-After",
    "X-Total-Count",
)
_SUFFIXES = {
    "application/json": ".json",
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "text/x-component": ".txt",
}
_KNOWN_ENDINGS = {".json", ".html", ".xml", ".csv", ".txt", ".js", ".yaml", ".yml", ".toml", ".tsv"}
UNASKED = "dont_obey_robotstxt"


class ArchiveMiddleware:
    """Stores final answers (position 40: between the spider and everything that retries or redirects)."""

    def __init__(self, run: CrawlRun) -> None:
        self._run = run

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> ArchiveMiddleware:
        """Built by Scrapy."""
        return cls(run_of(crawler))

    def process_request(self, request: Request) -> None:
        """Remember what the spider asked for; redirects change the request's method, URL and body."""
        if UNASKED not in request.meta:
            asked = (request.method, request.url, request.body.decode("utf-8", "replace") or None)
            request.meta.setdefault("archive_asked", [asked])
            if request.meta["archive_asked"][-1] != asked:
                request.meta["archive_asked"] = [*request.meta["archive_asked"], asked]

    def process_response(self, request: Request, response: Response) -> Response:
        """Store the answer; refuse it where it is a challenge page."""
        if UNASKED in request.meta or response.headers.get(REPLAY_MISS):
            return response
        try:
            request.meta["body_sha256"] = self._store(request, response)
        except OSError as error:
            self._run.fail(error)
            raise
        self._run.answered()
        if reason := request.meta.get("archive_challenge"):
            raise HeldAnswer(reason)
        return response

    def _store(self, request: Request, response: Response) -> str | None:
        asked = request.meta["archive_asked"]
        hops = list(zip(asked, request.meta.get("redirect_reasons", ()), asked[1:], strict=False))
        for (method, url, body), status, (_, target, _) in hops:
            self._add(
                method, url, body, int(status), {"Location": self._run.redactor.url(target)}, b"", ".txt"
            )
        method, url, body = asked[-1]
        headers = kept_headers(response)
        suffix = body_suffix(headers.get("Content-Type", ""), response.url)
        if file := request.meta.get("body_file"):  # see crawlers.large_files
            digest, stored = request.meta["body_sha256"], self._run.writer
            clean = {name: self._run.redactor.text(value) for name, value in headers.items()}
            exchange = stored.add_file(
                method, self._run.redactor.url(url), response.status, clean, file, digest, suffix=suffix
            )
            request.meta["body_file"] = stored.folder / str(exchange.body_file)
            return exchange.sha256
        return self._add(method, url, body, response.status, headers, response.body, suffix)

    def _add(
        self,
        method: str,
        url: str,
        sent: str | None,
        status: int,
        headers: dict[str, str],
        body: bytes,
        suffix: str,
    ) -> str | None:
        redactor = self._run.redactor
        clean = {name: redactor.text(value) for name, value in headers.items()}
        exchange = self._run.writer.add(
            method,
            redactor.url(url),
            redactor.request_body(sent),
            status,
            clean,
            redactor.body(body),
            suffix=suffix,
        )
        return exchange.sha256


class ChallengeMiddleware:
    """Marks challenge pages before the retry middleware sees them: they are never asked again."""

    def process_response(self, request: Request, response: Response) -> Response:
        """Mark the request; `ArchiveMiddleware` stores the page and then refuses it."""
        if UNASKED not in request.meta and (reason := challenge(response)):
            request.meta["archive_challenge"], request.meta["dont_retry"] = reason, True
        return response


def kept_headers(response: Response) -> dict[str, str]:
    """The response headers that say something about the data."""
    found: dict[str, Any] = {name: response.headers.get(name) for name in KEPT_HEADERS}
    return {name: value.decode("latin-1") for name, value in found.items() if value}


def body_suffix(content_type: str, url: str) -> str:
    """Ending of a body's file, from its type, else from the address."""
    plain = content_type.split(";")[0].strip().lower()
    if plain.endswith("+json"):
        return ".json"
    if plain in _SUFFIXES and plain != "text/plain":
        return _SUFFIXES[plain]
    ending = PurePosixPath(urlsplit(url).path).suffix.lower()
    return ending if ending in _KNOWN_ENDINGS else _SUFFIXES.get(plain, ".bin")
