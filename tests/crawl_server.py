"""A small provider on this machine for the crawl tests: routes, a log, and throw-away spiders."""

from __future__ import annotations

import ssl
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crawlers.run import CrawlOptions, CrawlResult, crawl
from crawlers.scrapy_settings import WireLimits

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
LIMITS = WireLimits(
    delay_seconds=0.01, backoff_seconds=0.05, retries=2, allow_private=True, timeout_seconds=5
)
JSON = {"Content-Type": "application/json"}
OFFER = b'{"name": "H100", "price": 2.5}'


@dataclass
class Answer:
    """What a route answers."""

    body: bytes = OFFER
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    slow_seconds: float = 0.0


@dataclass
class Provider:
    """A running server: its address, its routes (path -> answer or function) and what it was asked."""

    url: str
    routes: dict[str, Answer | Callable[[int], Answer]]
    asked: list[tuple[float, str, dict[str, str]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        """The paths that were asked, robots.txt left out."""
        return [path for _, path, _ in self.asked if path != "/robots.txt"]

    def times(self, path: str) -> list[float]:
        """When a path was asked (monotonic seconds)."""
        return [at for at, asked, _ in self.asked if asked == path]


@contextmanager
def provider(
    tls: tuple[Path, Path] | None = None, **routes: Answer | Callable[[int], Answer]
) -> Iterator[Provider]:
    """Serve routes on loopback; ``robots`` is /robots.txt, other names are paths. Unknown paths are 404.

    `tls`: files of certificate and key, for https under the name ``localhost``.
    """
    table = {("/robots.txt" if name == "robots" else f"/{name}"): answer for name, answer in routes.items()}
    found = Provider("", table)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            found.asked.append((time.monotonic(), path, dict(self.headers)))
            route = table.get(path, Answer(b"no such page", 404, {"Content-Type": "text/plain"}))
            answer = route if isinstance(route, Answer) else route(len(found.times(path)))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            try:
                if answer.slow_seconds:
                    self.wfile.write(answer.body[:1])
                    self.wfile.flush()
                    time.sleep(answer.slow_seconds)
                    self.wfile.write(answer.body[1:])
                else:
                    self.wfile.write(answer.body)
            except OSError:
                self.close_connection = True  # the crawler hung up, which is what the test wants

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found.url = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


PARSE = """
    def parse(self, response):
        data = self.json(response)
        yield from self.offer(response, gpu_name_raw=data["name"], gpu_count=1, price_kind="on_demand",
                              price_raw=price(data["price"]), price_unit="per gpu-hour", currency="USD")
"""


def write_spider(folder: Path, name: str, body: str, *, facts: str = "") -> Path:
    """Write a spider file into a folder of test spiders. `body`: its methods; ``parse`` is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    head = f"""
import os, time
from datetime import timedelta
import scrapy
from crawlers.parsing import ShapeError, price
from crawlers.price_spider import PriceSpider


class TestSpider(PriceSpider):
    name = "{name}"
    title = "{name.title()}"
    homepage = "https://{name}.example"
"""
    text = head + textwrap.indent(textwrap.dedent(facts), "    ") + PARSE
    text += textwrap.indent(textwrap.dedent(body), "    ")
    (folder / f"{name}.py").write_text(text, "utf-8")
    return folder


def gets(*urls: str) -> str:
    """A `requests` method that gets these addresses."""
    return (
        "def requests(self):\n    for url in " + repr(urls) + ":\n        yield self.get(url, self.parse)\n"
    )


def run(home: Path, *names: str, limits: WireLimits = LIMITS, **more: Any) -> list[CrawlResult]:
    """Crawl spiders of ``home/spiders`` into ``home``; keyword arguments go to `CrawlOptions` or `crawl`."""
    own = {key: more.pop(key) for key in ("secrets", "replay", "on_event", "stop", "now") if key in more}
    options = CrawlOptions(spiders=home / "spiders", limits=limits, **more)
    return crawl(names, home=home, **{"now": NOW, **own}, options=options)


def run_one(home: Path, name: str, **more: Any) -> CrawlResult:
    """Crawl one spider."""
    (result,) = run(home, name, **more)
    return result
