"""Run folders: what one crawl of one provider left behind (archive, replay input and test fixture alike).

``<root>/<provider>/<run-id>/run.json`` with the response bodies beside it, and after parsing ``parse.json``
(what the spider made of them) and the record tables (`warehouse.record_tables`). The format of ``run.json``
is fixed by the contract; `parse.json` is ours. A folder is written beside its place and renamed into it, so
a folder that exists is whole.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from warehouse.errors import RunFolderError
from warehouse.record_tables import (
    CARBON_FILE,
    FX_FILE,
    OFFERS_FILE,
    TOKENS_FILE,
    offers_schema,
    read_records,
    write_records,
)

if TYPE_CHECKING:
    from warehouse.records import Record

__all__ = [
    "CARBON_FILE",
    "FX_FILE",
    "OFFERS_FILE",
    "TOKENS_FILE",
    "Exchange",
    "ParseReport",
    "ReplayIndex",
    "RunFolder",
    "RunFolderWriter",
    "SourceReport",
    "offers_schema",
    "read_records",
    "read_run_folder",
    "write_records",
]

FORMAT = 1
GZIP_ABOVE_BYTES = 1_000_000
RENAME_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the stored answer to it. `sha256` is that of the uncompressed body."""

    method: str
    url: str
    request_body: str | None
    status: int
    headers: dict[str, str]
    body_file: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder read from disk; bodies are read on demand and verified against their hash."""

    path: Path
    provider: str
    recorded_at: datetime
    partial: bool
    source: dict[str, str]
    exchanges: tuple[Exchange, ...]

    @property
    def run_id(self) -> str:
        """Name of the folder: the run's id."""
        return self.path.name

    def body(self, exchange: Exchange) -> bytes:
        """The uncompressed body of an exchange. Raises RunFolderError where it is lost or cut short."""
        if exchange.body_file is None:
            return b""
        file = self.body_path(exchange)
        try:
            raw = file.read_bytes()
            body = gzip.decompress(raw) if file.suffix == ".gz" else raw
        except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
            raise RunFolderError(
                f"run folder {self.path}: body {exchange.body_file} cannot be read ({error}); crawl again"
            ) from None
        if exchange.sha256 and hashlib.sha256(body).hexdigest() != exchange.sha256:
            raise RunFolderError(
                f"run folder {self.path}: body {exchange.body_file} does not match its recorded sha256 "
                f"(cut short or edited, {len(body):,} bytes); crawl again or restore the file"
            )
        return body

    def body_path(self, exchange: Exchange) -> Path:
        """The file of an exchange's body. Raises RunFolderError where it lies outside of the folder."""
        file = self.path / (exchange.body_file or "")
        if file.parent.resolve() != self.path.resolve():
            raise RunFolderError(
                f"run folder {self.path}: body file {exchange.body_file!r} lies outside of it"
            )
        return file

    def body_digest(self, exchange: Exchange) -> str:
        """SHA-256 of the uncompressed body, read in pieces. Raises RunFolderError where it cannot be read."""
        file, digest = self.body_path(exchange), hashlib.sha256()
        try:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as body:
                while piece := body.read(1 << 20):
                    digest.update(piece)
        except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
            raise RunFolderError(
                f"run folder {self.path}: body {exchange.body_file} cannot be read ({error}); crawl again"
            ) from None
        return digest.hexdigest()

    def parse_report(self) -> ParseReport | None:
        """What the spider said of this run, None where it was not parsed yet."""
        file = self.path / "parse.json"
        if not file.exists():
            return None
        try:
            return ParseReport.from_json(json.loads(file.read_text("utf-8")))
        except (ValueError, TypeError, KeyError) as error:
            raise RunFolderError(f"run folder {self.path}: parse.json is not readable ({error})") from None


@dataclass(slots=True)
class SourceReport:
    """How one source of a spider fared. `state` is good, partial, held, failed or skipped."""

    source: str
    state: str = "good"
    reason: str | None = None
    offers: int = 0
    requests: int = 0


@dataclass(slots=True)
class ParseReport:
    """What a spider made of its responses; written as `parse.json`.

    Attributes:
        parser_version: version of gpufare that parsed.
        parsed_at: when (UTC ISO text).
        state: good, partial (some of it is missing), held (answered in another shape) or failed (no answer).
        reason: why the state is not good, one line.
        sources: one report per source.
        rejected: rows that were refused: ``{"reason": ..., "row": ...}`` (at most 200 kept).
        rejected_count: how many in all.
        unused_fields: input fields that were neither used nor ignored by name, with counts.
        facts: the spider's facts about the provider (see `crawlers.price_spider.ProviderFacts`).
        requests, seconds: effort.
    """

    parser_version: str
    parsed_at: str
    state: str
    reason: str | None = None
    sources: list[SourceReport] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    rejected_count: int = 0
    unused_fields: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ParseReport:
        """Build from the parsed JSON; unknown keys of newer versions are left out."""
        known = {f.name for f in fields(cls)}
        kept = {key: value for key, value in data.items() if key in known}
        kept["sources"] = [SourceReport(**source) for source in kept.get("sources", [])]
        return cls(**kept)


def read_run_folder(path: Path) -> RunFolder:
    """Read `run.json`. Raises RunFolderError where it is missing or not well formed."""
    file = path / "run.json"
    try:
        data = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise RunFolderError(f"{path} is not a run folder: it holds no run.json") from None
    except (OSError, ValueError) as error:
        raise RunFolderError(f"run folder {path}: run.json is not readable ({error})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise RunFolderError(
            f"run folder {path}: format {found!r} is not known to this version (knows {FORMAT})"
        )
    try:
        recorded_at = datetime.fromisoformat(data["recorded_at"])
        if recorded_at.tzinfo is None:
            raise ValueError("recorded_at has no time zone")
        return RunFolder(
            path=path,
            provider=str(data["provider"]),
            recorded_at=recorded_at.astimezone(UTC),
            partial=bool(data.get("partial", False)),
            source=dict(data.get("source") or {}),
            exchanges=tuple(_exchange(item) for item in data["exchanges"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(f"run folder {path}: run.json lacks or misstates {error}") from None


class ReplayIndex:
    """Answers requests from a run folder, in the contract's order; opens no connection.

    (1) the exchange of the same method, URL (query order ignored) and body; else (2) the first exchange not
    yet used with the same method, host and path; else None (the caller answers 404).
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._used: set[int] = set()

    def find(self, method: str, url: str, body: str | None) -> Exchange | None:
        """The exchange that answers this request, marked as used, or None."""
        wanted = _request_key(url)
        for index, exchange in enumerate(self.folder.exchanges):
            same = exchange.method == method and _request_key(exchange.url) == wanted
            if same and (exchange.request_body or "") == (body or ""):
                self._used.add(index)
                return exchange
        for index, exchange in enumerate(self.folder.exchanges):
            if index in self._used or exchange.method != method:
                continue
            if _request_key(exchange.url)[:2] == wanted[:2]:
                self._used.add(index)
                return exchange
        return None


class RunFolderWriter:
    """Collects the exchanges of a crawl and writes the folder whole or not at all.

    The folder grows in ``<root>/<provider>/.writing-<token>`` and is renamed by `finish`.
    """

    def __init__(
        self, root: Path, provider: str, recorded_at: datetime, *, partial: bool, source: dict[str, str]
    ) -> None:
        self.root, self.provider, self.recorded_at = root, provider, recorded_at.astimezone(UTC)
        self.partial, self.source = partial, source
        self.exchanges: list[Exchange] = []
        self._files: dict[str, str] = {}
        self._scratch = root / provider / f".writing-{os.getpid()}-{os.urandom(4).hex()}"
        self._scratch.mkdir(parents=True)

    def add(
        self,
        method: str,
        url: str,
        request_body: str | None,
        status: int,
        headers: dict[str, str],
        body: bytes,
        *,
        suffix: str,
    ) -> Exchange:
        """Store one exchange; an equal body is stored once. `suffix` is the body file's ending (".json")."""
        digest = hashlib.sha256(body).hexdigest()
        name = self._files.get(digest)
        if name is None:
            name = f"{len(self._files) + 1:04d}{suffix}"
            content = body
            if len(body) > GZIP_ABOVE_BYTES:
                name, content = name + ".gz", gzip.compress(body, 6, mtime=0)
            (self._scratch / name).write_bytes(content)
            self._files[digest] = name
        exchange = Exchange(method, url, request_body, status, headers, name, digest)
        self.exchanges.append(exchange)
        return exchange

    @property
    def folder(self) -> Path:
        """Where the run folder grows; large bodies are written here before `add_file` names them."""
        return self._scratch

    def add_file(
        self,
        method: str,
        url: str,
        status: int,
        headers: dict[str, str],
        file: Path,
        digest: str,
        *,
        suffix: str,
    ) -> Exchange:
        """Store one exchange whose gzipped body lies in `folder` already; `digest`: of the plain body."""
        name = self._files.get(digest)
        if name is None:
            name = f"{len(self._files) + 1:04d}{suffix}.gz"
            file.rename(self._scratch / name)
            self._files[digest] = name
        else:
            file.unlink()
        exchange = Exchange(method, url, None, status, headers, name, digest)
        self.exchanges.append(exchange)
        return exchange

    def run_id(self) -> str:
        """``20260701T150900Z-1a2b3c4d``: the clock, and a hash of provider, clock, origin and bodies.

        The origin is in it so that a replay never takes the place of the recording it was read from.
        """
        content = [
            self.provider,
            self.recorded_at.isoformat(),
            self.source.get("origin", ""),
            *sorted(f"{e.url} {e.sha256}" for e in self.exchanges),
        ]
        digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:8]
        return f"{self.recorded_at:%Y%m%dT%H%M%SZ}-{digest}"

    def finish(self, report: ParseReport, records: list[Record]) -> Path:
        """Write run.json, parse.json and the record tables, and rename the folder into its place.

        A folder of the same id is the same crawl: it is replaced by this newer reading of the same bytes.
        """
        payload = {
            "format": FORMAT,
            "provider": self.provider,
            "recorded_at": self.recorded_at.isoformat().replace("+00:00", "Z"),
            "partial": self.partial,
            "source": self.source,
            "exchanges": [_exchange_json(exchange) for exchange in self.exchanges],
        }
        _write_json(self._scratch / "run.json", payload)
        _write_json(self._scratch / "parse.json", asdict(report))
        write_records(self._scratch, records)
        target = self.root / self.provider / self.run_id()
        _take_place(self._scratch, target)
        return target

    def discard(self) -> None:
        """Remove the unfinished folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def _take_place(scratch: Path, target: Path) -> None:
    """Rename a finished folder into its place. Another process may be putting the same run there just now."""
    for attempt in range(RENAME_ATTEMPTS):
        aside = scratch.with_name(f"{scratch.name}-old{attempt}")
        try:
            if target.exists():
                target.rename(aside)
            scratch.rename(target)
            return
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY):
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    raise RunFolderError(f"run folder {target} is being replaced by others all the time; crawl again")


def _exchange(item: dict[str, Any]) -> Exchange:
    request, response = item["request"], item["response"]
    body = request.get("body")
    return Exchange(
        method=str(request["method"]).upper(),
        url=str(request["url"]),
        request_body=body if body is None or isinstance(body, str) else json.dumps(body),
        status=int(response["status"]),
        headers={str(key): str(value) for key, value in (response.get("headers") or {}).items()},
        body_file=response.get("body_file"),
        sha256=response.get("sha256"),
    )


def _exchange_json(exchange: Exchange) -> dict[str, Any]:
    return {
        "request": {"method": exchange.method, "url": exchange.url, "body": exchange.request_body},
        "response": {
            "status": exchange.status,
            "headers": exchange.headers,
            "body_file": exchange.body_file,
            "sha256": exchange.sha256,
        },
    }


def _request_key(url: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    parts = urlsplit(url)
    query = tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    return (parts.hostname or "").lower(), parts.path or "/", query


def _write_json(file: Path, payload: object) -> None:
    text = json.dumps(payload, ensure_ascii=False, indent=1, default=_plain)
    file.write_text(text + "\n", "utf-8")


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is not JSON")
