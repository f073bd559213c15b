"""Replay: answers requests from a run folder in the contract's order; opens no connection at all.

`ReplayHandler` takes the place of Scrapy's http and https download handlers, so redirects, parsing and
archiving run as they do live. A miss is a 404 with the header `REPLAY_MISS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import RunFolderError

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from warehouse.run_folder import RunFolder

REPLAY_PREFIX = "replay of "


class ReplayHandler:
    """Scrapy download handler over a recording."""

    lazy = False

    def __init__(self, crawler: Crawler) -> None:
        from crawlers.collector import run_of

        self._run = run_of(crawler)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> ReplayHandler:
        """Built by Scrapy."""
        return cls(crawler)

    async def download_request(self, request: Request) -> Response:
        """The recorded answer, or a 404. A body that is cut short makes the whole run fail."""
        from scrapy.http import Headers, Response
        from scrapy.responsetypes import responsetypes

        from crawlers.price_spider import REPLAY_MISS

        index, redactor = self._run.index, self._run.redactor
        if index is None:
            raise RunFolderError("a replay was asked for without a recording")
        sent = request.body.decode("utf-8", "replace") or None
        exchange = index.find(request.method, redactor.url(request.url), redactor.request_body(sent))
        if exchange is None:
            return Response(request.url, status=404, headers={REPLAY_MISS: "1"}, request=request)
        try:
            if request.meta.get("to_file"):
                from crawlers.large_files import adopted

                return adopted(request, index.folder, exchange, self._run)
            body = index.folder.body(exchange)
        except RunFolderError as error:
            self._run.fail(error)
            raise
        headers = Headers(exchange.headers)
        kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
        return kind(request.url, status=exchange.status, headers=headers, body=body, request=request)

    async def close(self) -> None:
        """Nothing is open."""


def replay_source(folder: RunFolder) -> dict[str, str]:
    """The `source` of a run folder that is read from another: where it came from, same licence and fidelity.

    A replay of a replay names the first recording, so that it gets the same run id.
    """
    origin = folder.source.get("origin", "")
    if not origin.startswith(REPLAY_PREFIX):
        origin = f"{REPLAY_PREFIX}{folder.provider}/{folder.run_id}" + (f" ({origin})" if origin else "")
    return {**folder.source, "origin": origin}


def find_run_folders(paths: Sequence[Path]) -> list[Path]:
    """Run folders in and below the given paths, sorted per path, each once.

    Raises:
        RunFolderError: a path does not exist, or holds no run folder.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise RunFolderError(f"{path} does not exist; give a run folder or a folder of run folders")
        own = [path] if (path / "run.json").exists() else _below(path)
        if not own:
            raise RunFolderError(f"{path} holds no run folder (a folder with a run.json in it)")
        found |= {folder.resolve(): None for folder in own}
    return list(found)


def _below(path: Path) -> list[Path]:
    files = sorted(path.rglob("run.json"))
    return [
        file.parent
        for file in files
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
