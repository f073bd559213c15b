"""Large answers go to disk while they arrive, and an unchanged one is not fetched again.

A spider asks for one with ``self.get(url, parse, to_file=True)``: its response has an empty body and
``self.file(response)`` names the stored, gzipped file, which is the one the archive keeps. Such an answer
is stored as it came: it is asked for without any credential (`PriceSpider.get` sees to that), so nothing in
it can be ours, and a published price file holds nothing personal.

Scrapy keeps an answer in memory; here its reader is given a file in place of the buffer. That leans on two
private names of Scrapy 2.19; `tests/test_large_files.py` fails where a later version moves them.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler, _ScrapyAgent
from scrapy.http import Headers, Response

from crawlers.collector import CrawlRun, run_of
from crawlers.price_spider import HeldAnswer
from warehouse.errors import RunFolderError
from warehouse.run_folder import Exchange, RunFolder, read_run_folder

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler

PIECE_BYTES = 1 << 20
GZIP_LEVEL = 6
RUNS_LOOKED_AT = 10
NOT_MODIFIED = 304
LIVE = "live"


class BodyFile:
    """A body that grows on disk, gzipped, with the SHA-256 of its plain bytes.

    `write`, `truncate` and `getvalue` are what Scrapy's reader calls on its buffer.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"arriving-{os.urandom(4).hex()}.gz"
        self._raw = self.path.open("wb")
        self._gzip = gzip.GzipFile("", "wb", GZIP_LEVEL, self._raw, mtime=0)
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._gzip.write(data)
        self._hash.update(data)

    def truncate(self, size: int) -> None:
        """The answer was too large: Scrapy drops it, and the file goes with the run's scratch folder."""

    def getvalue(self) -> bytes:
        """End of the answer; nothing of it is in memory."""
        return b""

    def close(self) -> str:
        """Finish the file; its SHA-256 (of the plain bytes)."""
        self._gzip.close()
        self._raw.close()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Remove it."""
        self.close()
        self.path.unlink(missing_ok=True)


class _FileAgent(_ScrapyAgent):
    """Scrapy's agent, whose reader writes into a `BodyFile`."""

    body: BodyFile

    def _cb_bodyready(self, txresponse: Any, request: Request) -> Any:
        deliver = txresponse.deliverBody

        def deliver_to_file(reader: Any) -> None:
            reader._bodybuf = self.body
            deliver(reader)

        txresponse.deliverBody = deliver_to_file
        return super()._cb_bodyready(txresponse, request)


class LargeFileHandler(HTTP11DownloadHandler):
    """Scrapy's download handler, and for requests marked ``to_file`` one that writes to disk."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._run = run_of(crawler)
        self._archived = ArchivedBodies(self._run)
        settings = crawler.settings
        self._limits: dict[str, Any] = {
            "download_timeout": settings.getfloat("GPUFARE_FILE_TIMEOUT_SECONDS"),
            "download_maxsize": settings.getint("GPUFARE_FILE_MAX_BYTES"),
        }

    async def download_request(self, request: Request) -> Response:
        """The answer; for a large file with an empty body and its place in ``meta["body_file"]``."""
        if not request.meta.get("to_file"):
            return await super().download_request(request)
        if earlier := request.meta.pop("body_file", None):  # of an attempt that is repeated or was redirected
            Path(earlier).unlink(missing_ok=True)
        request.meta.update(self._limits)
        known = self._archived.find(request.url)
        if known is not None and request.meta.get("immutable"):
            try:
                return adopted(request, *known, self._run)
            except RunFolderError:
                return await self._fetch(request)
        if known is not None and conditions(known[1]):
            request.headers.update(conditions(known[1]))
            answer = await self._fetch(request)
            if answer.status != NOT_MODIFIED:
                return answer
            try:
                return adopted(request, *known, self._run)
            except RunFolderError:  # the archived body is damaged: fetch it whole
                for name in ("If-None-Match", "If-Modified-Since"):
                    request.headers.pop(name, None)
        return await self._fetch(request)

    async def _fetch(self, request: Request) -> Response:
        from scrapy.utils.defer import maybe_deferred_to_future

        body = BodyFile(self._run.writer.folder)
        agent = _FileAgent(
            contextFactory=self._contextFactory,
            bindAddress=self._bind_address,
            pool=self._pool,
            maxsize=self._limits["download_maxsize"],
            crawler=self._crawler,
        )
        agent.body = body
        try:
            response = await maybe_deferred_to_future(agent.download_request(request))
        except BaseException:
            body.discard()
            raise
        encoding = response.headers.get("Content-Encoding")
        if encoding and encoding != b"identity":
            body.discard()
            raise HeldAnswer(f"the file came as {encoding.decode('latin-1')[:20]} although asked for plain")
        if response.status == NOT_MODIFIED:
            body.discard()
            return response
        request.meta["body_file"], request.meta["body_sha256"] = body.path, body.close()
        return response


class ArchivedBodies:
    """Large bodies that earlier live runs of this provider archived."""

    def __init__(self, run: CrawlRun) -> None:
        self._run = run
        self._found: dict[str, tuple[RunFolder, Exchange]] | None = None

    def find(self, url: str) -> tuple[RunFolder, Exchange] | None:
        """The newest archived answer of this address."""
        if self._found is None:
            self._found = {}
            for folder in self._folders():
                for exchange in folder.exchanges:
                    if exchange.status == 200 and exchange.body_file:
                        self._found.setdefault(exchange.url, (folder, exchange))
        return self._found.get(self._run.redactor.url(url))

    def _folders(self) -> list[RunFolder]:
        home = self._run.writer.folder.parent
        newest = sorted((file.parent for file in home.glob("[!.]*/run.json")), reverse=True)
        folders = []
        for path in newest[:RUNS_LOOKED_AT]:
            try:
                folders.append(read_run_folder(path))
            except RunFolderError:
                continue  # not ours to judge: `gpufare status` shows it
        return [folder for folder in folders if folder.source.get("origin") == LIVE]


def conditions(exchange: Exchange) -> dict[str, str]:
    """Request headers that ask for an answer only where it differs from this one."""
    asked = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
    return {name: exchange.headers[header] for name, header in asked.items() if header in exchange.headers}


def adopted(request: Request, folder: RunFolder, exchange: Exchange, run: CrawlRun) -> Response:
    """An archived answer as if it had just come; its file is linked into the growing run folder.

    Raises:
        RunFolderError: the body is lost, damaged or outside of its folder.
    """
    request.meta["body_file"] = taken_over(folder, exchange, run.writer.folder)
    request.meta["body_sha256"] = exchange.sha256
    return Response(
        request.url, status=exchange.status, headers=Headers(exchange.headers), body=b"", request=request
    )


def taken_over(folder: RunFolder, exchange: Exchange, target: Path) -> Path:
    """A verified, gzipped copy (or hard link) of a stored body in another folder."""
    digest = folder.body_digest(exchange)
    if exchange.sha256 and digest != exchange.sha256:
        raise RunFolderError(
            f"run folder {folder.path}: body {exchange.body_file} does not match its recorded sha256 "
            f"(cut short or edited); crawl again or restore the file"
        )
    source = folder.body_path(exchange)
    if source.suffix == ".gz":
        path = target / f"arriving-{os.urandom(4).hex()}.gz"
        try:
            os.link(source, path)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(source, path)
        return path
    body = BodyFile(target)
    with source.open("rb") as plain:
        while piece := plain.read(PIECE_BYTES):
            body.write(piece)
    body.close()
    return body.path
