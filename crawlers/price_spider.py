"""The base of all spiders: a provider's facts as class attributes, and a short way to report records.

A spider is class attributes and parse methods. It says what the provider says (`warehouse.records`); it
never converts, maps or guesses. What goes wrong is reported, not swallowed:

- a row that cannot be read or cannot be true is set aside with its reason, the others go on;
- an answer with another shape raises `ShapeError`: its source is held, the others go on;
- input fields nobody used are counted and shown by `crawl --dry-run`.

Every callback runs inside `_guarded`: whatever it raises is reported on its source, nothing reaches Scrapy.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import scrapy
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response, TextResponse

from crawlers.parsing import (
    FieldMissing,
    FieldTally,
    Row,
    ShapeError,
    UnusedFields,
    ValueUnreadable,
    parse_json,
)
from crawlers.signing import Signature
from crawlers.source_states import SourceStates
from warehouse.errors import RecordError
from warehouse.records import FxRate, GridCarbon, Offer, PriceKind, TokenPrice
from warehouse.run_folder import ParseReport

REPLAY_MISS = "X-Gpufare-Replay-Miss"
R = TypeVar("R", Offer, FxRate, TokenPrice, GridCarbon)
TEXTS = ("instance_type", "gpu_name_raw", "region", "interconnect", "partition", "offer_key", "note")
SWITCHED_OFF = "switched off by the configuration"
ROW_FAULTS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a parse method raises over a value of another kind than it was written for."""
ENGINE_META = ("download_", "retry_", "redirect_", "archive_", "body_", "depth", "immutable")


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What a spider knows about its provider without asking; stored in each run's `parse.json`."""

    provider: str
    title: str
    homepage: str
    kind: str
    first_party: bool
    sources: tuple[str, ...]
    price_kinds: tuple[str, ...]
    refetch_hours: float
    expected_offers: tuple[int, int] | None
    price_limits_usd_per_gpu_hour: tuple[float, float] | None
    billing_increment_seconds: int | None
    minimum_seconds: int | None
    gpu_spellings: dict[str, str]
    credential: tuple[str, ...]
    default_on: bool
    proof: str
    terms_note: str


@dataclass(slots=True)
class Gather:
    """Several answers that only together make offers (prices here, sizes there, stock elsewhere).

    Pass it as ``gather=`` to `get` and `post`. When the last of its requests has been answered or has failed,
    `then` is called once, with what the callbacks left on the spider. A lost answer costs its own facts only.
    """

    then: Callable[[], Iterable[Any]]
    pending: int = 0


class HeldAnswer(IgnoreRequest):
    """An answer that must not be parsed (a challenge page); its source is held with this text."""


class PriceSpider(SourceStates, scrapy.Spider):
    """Subclass, set the facts, and write `requests` and parse methods.

    Class attributes (the provider's facts):
        name: spider name = provider id = file name = fixture folder.
        title, homepage: for people.
        kind: "list" (a price list), "marketplace" (each offer is stock), "serverless" or "reference".
        first_party: False for resellers and compiled catalogues.
        sources: source ids; the first is the spider's own name, others are "name:part".
        price_kinds: kinds this spider can report.
        refetch: how long an answer stays good.
        expected_offers: (low, high) offers of a whole run, None where not known yet.
        price_limits_usd_per_gpu_hour: plausible range of this source, None for the common one.
        billing_increment_seconds, minimum_seconds: how time is billed, None where not stated.
        gpu_spellings: this provider's own spelling -> accelerator id, only where it differs from the field's.
        credential: environment variables a key is read from; empty for open sources.
        needs_credential: True where nothing can be read without it (such a spider is left out by default).
        default_on: False keeps the source off until the configuration switches it on.
        proof: "recorded" (a recording was read) or "documented" (never seen an answer).
        terms_note: what is known of the provider's terms on automated access.
        ignored_fields: input fields that are of no use to us: dotted paths, separated by blanks.
        private_fields: JSON keys of this source whose values must not reach the archive, beyond the common
            ones of `crawlers.redact` (IP addresses, wallet keys, user names, tokens).
        requests_per_second: politeness limit of this host, at most 1.
        options: what the configuration may choose for this source (``[options.NAME]`` in gpufare.toml): name
            of the option -> one clause on what it does. `choice` reads them.
    """

    name: str
    title: ClassVar[str]
    homepage: ClassVar[str]
    kind: ClassVar[str] = "list"
    first_party: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ()
    price_kinds: ClassVar[tuple[str, ...]] = ("on_demand",)
    refetch: ClassVar[timedelta] = timedelta(hours=12)
    expected_offers: ClassVar[tuple[int, int] | None] = None
    price_limits_usd_per_gpu_hour: ClassVar[tuple[float, float] | None] = None
    billing_increment_seconds: ClassVar[int | None] = None
    minimum_seconds: ClassVar[int | None] = None
    gpu_spellings: ClassVar[dict[str, str]] = {}
    credential: ClassVar[tuple[str, ...]] = ()
    needs_credential: ClassVar[bool] = False
    default_on: ClassVar[bool] = True
    proof: ClassVar[str] = "documented"
    terms_note: ClassVar[str] = "terms not read"
    ignored_fields: ClassVar[str] = ""
    private_fields: ClassVar[frozenset[str]] = frozenset()
    requests_per_second: ClassVar[float] = 1.0
    options: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        *,
        now: datetime,
        secrets: dict[str, str] | None = None,
        replay_partial: bool = False,
        clock: datetime | None = None,
        chosen: Mapping[str, Any] | None = None,
        switched_off: Collection[str] = (),
        **kwargs: Any,
    ) -> None:
        """How a run is set up.

        Args:
            now: the clock (a replay's `recorded_at`).
            secrets: environment names with their values.
            replay_partial: the run replays a recording that holds only some of the answers.
            clock: the time at which the spider is made, where it had to wait for its turn; `now` where None.
            chosen: values of this spider's `options`.
            switched_off: ids of sources that are not asked.
        """
        scrapy.Spider.__init__(self, **kwargs)
        self.now = now.astimezone(UTC)
        self.secrets = secrets or {}
        self.chosen, self.switched_off = chosen or {}, frozenset(switched_off)
        self._clock = clock or self.now
        self.tallies: dict[str, FieldTally] = {}
        self._answering = self.name  # the source whose answer is being parsed
        SourceStates.__init__(self, replay_partial=replay_partial)
        self.unused = UnusedFields()
        self._started = time.monotonic()

    # -- what a spider writes ------------------------------------------------------------------------

    def requests(self) -> Iterable[scrapy.Request]:
        """The first requests. Use `self.get` and `self.post`; each names its callback and its source."""
        raise NotImplementedError

    # -- what a spider uses --------------------------------------------------------------------------

    def get(
        self,
        url: str,
        callback: Any,
        *,
        source: str | None = None,
        headers: dict[str, str] | None = None,
        optional: bool = False,
        otherwise: Iterable[str] = (),
        needs: str | None = None,
        gather: Gather | None = None,
        to_file: bool = False,
        immutable: bool = False,
        sign: Signature | None = None,
        **meta: Any,
    ) -> scrapy.Request:
        """A GET request.

        Args:
            source: the source that answers for it; the spider's own where not given.
            optional: a miss is no fault.
            otherwise: further addresses of the same answer, asked in this order where one fails.
            needs: environment variable of the key that opens it; HTTP 401 or 403 then means "skipped".
            gather: see `Gather`.
            to_file: a large answer: it goes to disk, see `file`. Only without any credential, since such an
                answer is archived as it comes.
            sign: the signature that is put on it when it is sent (see `crawlers.signing`).
            immutable: what lies at this address never changes (its version is in it): a large answer that the
                archive holds is read from there and not asked for.
            meta: anything the callback finds again in ``response.meta``.
        """
        meta |= {"optional": optional, "otherwise": tuple(otherwise), "needs": needs, "gather": gather}
        if sign is not None:
            meta["sign"] = sign
        if to_file:
            if headers or needs or sign:
                raise ValueError(f"{url}: a large answer cannot be asked for with headers or a credential")
            headers = {"Accept-Encoding": "identity"}
            meta |= {"to_file": True, "immutable": immutable}
        return self._request("GET", url, callback, None, source, headers, meta)

    def post(
        self,
        url: str,
        payload: Any,
        callback: Any,
        *,
        source: str | None = None,
        headers: dict[str, str] | None = None,
        optional: bool = False,
        needs: str | None = None,
        gather: Gather | None = None,
        **meta: Any,
    ) -> scrapy.Request:
        """A POST request with a JSON body (compact, keys sorted, so that a replay finds the same body)."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        body = json.dumps(payload, separators=(",", ":"), sort_keys=True)
        meta |= {"optional": optional, "otherwise": (), "needs": needs, "gather": gather}
        return self._request("POST", url, callback, body, source, sent, meta)

    def paged(
        self, url: str, callback: Any, *, page: int = 1, read: int = 0, **options: Any
    ) -> scrapy.Request:
        """A request for one page of a list: `url` holds ``{page}``, `options` are those of `get`.

        The callback ends with ``yield from self.next_page(...)``.
        """
        again = partial(self.paged, url, callback, page=page + 1, **options)
        return self.get(url.format(page=page), callback, page=page, read=read, again=again, **options)

    def next_page(
        self, response: Response, rows: int, *, more: bool, total: Any, what: str
    ) -> Iterator[scrapy.Request]:
        """The following page while there is `more`; at the end the rows read are compared with `total`."""
        read = response.meta["read"] + rows
        if more and rows:
            yield response.meta["again"](read=read)
        else:
            self.check_total(read, total, what, response.meta["source"])

    def json(self, response: Response) -> Any:
        """The answer as JSON with exact decimals; ShapeError where it is none."""
        if not isinstance(response, TextResponse):
            raise ShapeError(f"{response.url}: the answer is not text ({len(response.body):,} bytes)")
        return parse_json(response.text, response.url)

    def file(self, response: Response) -> Path:
        """The stored, gzipped file of a large answer (``to_file=True``)."""
        return Path(response.meta["body_file"])

    def row(self, data: Any, where: str = "answer") -> Row:
        """A JSON object whose fields are taken one by one; `where` names it in messages."""
        return Row(data, where, self.tallies.setdefault(self._answering, FieldTally()))

    def choice(self, name: str, default: Any) -> Any:
        """What the configuration chooses for an option of this spider, else `default`."""
        if name not in self.options:
            raise KeyError(f"{self.name} declares no option {name!r}")
        return self.chosen.get(name, default)

    def regions(self, known: Iterable[str], default: Iterable[str] | None = None) -> tuple[str, ...]:
        """The regions to ask: those of the option ``regions`` (["all"]: every `known` one), else `default`.

        In a replay of a recording that holds only some answers every known region is asked: a miss costs
        nothing, and which regions are in it is not known beforehand.
        """
        chosen = self.choice("regions", ["all"] if self.replay_partial or default is None else default)
        return tuple(known if list(chosen) == ["all"] else chosen)

    def each(self, items: Iterable[Any], where: str, parse: Callable[[Row], Iterable[Any]]) -> Iterator[Any]:
        """Parse rows one by one and pass on what they yield.

        A row with an unreadable value or without a needed field is set aside, and so is one over whose values
        the parse method stumbles; a field that most rows lack
        holds the source in the end (see `FieldTally`); any other ShapeError holds it at once.
        A row that yielded something is audited for unused fields (one that did not is not of our kind).
        """
        for item in items:
            found = False
            try:
                row = self.row(item, where)
            except ShapeError as error:  # not an object
                self.reject(str(error), item)
                continue
            try:
                for record in parse(row):
                    found = True
                    yield record
            except (ValueUnreadable, FieldMissing) as error:
                self.reject(str(error), row.data)
            except ROW_FAULTS as error:
                if isinstance(error, ShapeError):
                    raise
                self.logger.warning("a row of %s could not be read", self._answering, exc_info=error)
                self.reject(
                    f"{row.where}: the row cannot be read ({type(error).__name__}: {error})", row.data
                )
            if found:
                self.audit(row)

    def audit(self, row: Row) -> None:
        """Count the fields of `row` that were neither taken nor ignored."""
        self.unused.audit(row, self.ignored_fields.split())

    def offer(self, response: Response, **values: Any) -> Iterator[Offer]:
        """Yield one Offer (use ``yield from``), or set the row aside with its reason.

        provider, source, source_url, observed_at and body_sha256 are filled in, and price_kind is
        on_demand unless it is given. A `price_raw` of None
        means "no price stated": nothing is yielded, and that is no fault.
        """
        if values.get("price_raw") is None:
            return
        for field in TEXTS:
            if isinstance(values.get(field), str):
                values[field] = values[field].strip() or None
        yield from self._record(
            Offer, response, {"provider": self.name, "price_kind": PriceKind.ON_DEMAND, **values}, values
        )

    def token_price(self, response: Response, **values: Any) -> Iterator[TokenPrice]:
        """Yield one TokenPrice, or set the row aside; provider is the spider's name where not given."""
        own = {"provider": self.name, "first_party": self.first_party}
        yield from self._record(TokenPrice, response, {**own, **values}, values)

    def carbon(self, response: Response, **values: Any) -> Iterator[GridCarbon]:
        """Yield one GridCarbon, or set the row aside with its reason."""
        yield from self._record(GridCarbon, response, values, values)

    def rate(self, response: Response, **values: Any) -> Iterator[FxRate]:
        """Yield one FxRate, or set it aside with its reason."""
        yield from self._record(FxRate, response, values, values)

    def _record(
        self, kind: type[R], response: Response, filled: dict[str, Any], stated: dict[str, Any]
    ) -> Iterator[R]:
        """Yield one record with where and when it was read, or set aside what was `stated`."""
        source = response.meta.get("source", self.name) if response.request else self.name
        where = {"source_url": response.url, "observed_at": self.now, "body_sha256": body_digest(response)}
        if kind is not FxRate:
            where["source"] = source
        try:
            record = kind(**{**where, **filled})
        except RecordError as error:
            self.reject(str(error), {key: value for key, value in stated.items() if value is not None})
            return
        self.report(source).offers += 1
        yield record

    def sending_time(self) -> datetime:
        """The time of day while requests are sent: `clock` and what has passed since."""
        return self._clock + timedelta(seconds=time.monotonic() - self._started)

    def secret(self, name: str) -> str | None:
        """A credential by its environment name, None where it is not set. Never log it."""
        return self.secrets.get(name) or None

    # -- what the engine uses ------------------------------------------------------------------------

    @classmethod
    def facts(cls) -> ProviderFacts:
        """The class attributes as one record."""
        return ProviderFacts(
            provider=cls.name,
            title=cls.title,
            homepage=cls.homepage,
            kind=cls.kind,
            first_party=cls.first_party,
            sources=cls.sources or (cls.name,),
            price_kinds=cls.price_kinds,
            refetch_hours=cls.refetch.total_seconds() / 3600,
            expected_offers=cls.expected_offers,
            price_limits_usd_per_gpu_hour=cls.price_limits_usd_per_gpu_hour,
            billing_increment_seconds=cls.billing_increment_seconds,
            minimum_seconds=cls.minimum_seconds,
            gpu_spellings=dict(cls.gpu_spellings),
            credential=cls.credential,
            default_on=cls.default_on,
            proof=cls.proof,
            terms_note=cls.terms_note,
        )

    def opening(self) -> Iterator[Any]:
        """The first requests of the sources that are switched on, all made before one is sent."""
        yield from self._asked(list(self.requests()))  # a list: a `Gather` counts them before one is sent

    async def start(self) -> AsyncIterator[Any]:
        """Scrapy's entry point."""
        for request in self.opening():
            yield request

    def on_error(self, failure: Any) -> list[Any]:
        """Errback of every request: an HTTP error, a timeout, a refused redirect.

        Returns what comes next: the request's alternative address, or what a `Gather` was waiting for.
        """
        request = failure.request
        meta = request.meta
        if meta.get("otherwise"):
            first, *rest = meta["otherwise"]
            own = {key: value for key, value in meta.items() if not key.startswith(ENGINE_META)}
            again: scrapy.Request = request.replace(url=first, meta={**own, "otherwise": tuple(rest)})
            self.report(meta["source"]).requests += 1
            return [again]
        self._report_error(failure, meta.get("source", self.name))
        return list(self._answered(meta.get("gather")))

    def parse_report(self, parser_version: str, requests: int) -> ParseReport:
        """The run's report: the worst of its sources decides the state."""
        self._judge_fields()
        state, reason = self.settle(self.sources or (self.name,))
        return ParseReport(
            parser_version=parser_version,
            parsed_at=self.now.isoformat(),
            state=state,
            reason=reason,
            sources=list(self.reports.values()),
            rejected=self.rejected,
            rejected_count=self.rejected_count,
            unused_fields=dict(self.unused.most_common()),
            facts=asdict(self.facts()),
            requests=requests,
            seconds=round(time.monotonic() - self._started, 3),
        )

    # -- private -------------------------------------------------------------------------------------

    def _request(
        self,
        method: str,
        url: str,
        callback: Any,
        body: str | None,
        source: str | None,
        headers: dict[str, str] | None,
        meta: dict[str, Any],
    ) -> scrapy.Request:
        source = source or self.name
        self.report(source).requests += 1
        if meta["gather"] is not None:
            meta["gather"].pending += 1
        return scrapy.Request(
            url,
            method=method,
            body=body,
            callback=partial(self._guarded, callback),
            errback=self.on_error,
            headers=headers,
            dont_filter=True,
            meta={**meta, "source": source},
        )

    def _guarded(self, callback: Any, response: Response) -> Iterator[Any]:
        """Run a callback; what it raises is reported on its source, and a `Gather` moves on."""
        source = response.meta["source"]
        try:
            yield from self._asked(self._steps(source, lambda: callback(response)))
        except Exception as error:
            self._report_exception(error, source)
        yield from self._answered(response.meta.get("gather"))

    def _steps(self, source: str, begin: Callable[[], Iterable[Any] | None]) -> Iterator[Any]:
        """The results of a callback. Scrapy steps through several in turn: each step says whose it is."""
        self._answering = source
        results = iter(begin() or ())
        while True:
            self._answering = source
            try:
                result = next(results)
            except StopIteration:
                return
            yield result

    def _asked(self, results: Iterable[Any]) -> Iterator[Any]:
        """The results without the requests of sources that are switched off."""
        for result in results:
            source = result.meta.get("source") if isinstance(result, scrapy.Request) else None
            if source not in self.switched_off:
                yield result
                continue
            self.skipped(SWITCHED_OFF, source)
            self.report(source).requests -= 1
            yield from self._answered(result.meta.get("gather"))

    def _judge_fields(self) -> None:
        """What became of the fields over all rows: a lost one holds its source, a vanished one is told."""
        for source, tally in self.tallies.items():
            for clause in tally.lost():
                self.held(clause, source)
            for clause in tally.vanished():
                self.partial(clause, source)

    def _answered(self, gather: Gather | None) -> Iterator[Any]:
        if gather is None:
            return
        gather.pending -= 1
        if gather.pending == 0:
            try:
                yield from self._asked(self._steps(self.name, gather.then))
            except Exception as error:
                self._report_exception(error, self.name)

    def _report_exception(self, error: Exception, source: str) -> None:
        if isinstance(error, ShapeError | ValueUnreadable):
            self.held(str(error), source)
            return
        self.logger.error("parsing %s failed", source, exc_info=error)
        self.held(f"the answer could not be parsed ({type(error).__name__}: {error})", source)

    def _report_error(self, failure: Any, source: str) -> None:
        request, response = failure.request, getattr(failure.value, "response", None)
        if response is not None and response.headers.get(REPLAY_MISS) and self.replay_partial:
            self.skipped("not in this partial recording", source)
            return
        if request.meta.get("optional"):
            return
        if request.meta.get("needs") and response is not None and response.status in (401, 403):
            self.skipped(f"HTTP {response.status}: set {request.meta['needs']} to read it", source)
            return
        if isinstance(failure.value, HeldAnswer):
            self.held(f"{request.url.split('?')[0]}: {failure.value}", source)
            return
        reason = f"{request.method} {request.url.split('?')[0]}: {_what_failed(failure.value)}"
        self.lost(reason, source)


def _what_failed(error: BaseException) -> str:
    """One clause on a failed request: the status, a refusal's own words, or the error."""
    response = getattr(error, "response", None)
    if response is not None:
        wait = response.headers.get("Retry-After")
        return f"HTTP {response.status}" + (f" (asks to wait {wait.decode('latin-1')[:40]})" if wait else "")
    text = " ".join(str(error).split())[:160]
    return text if isinstance(error, IgnoreRequest) and text else f"{type(error).__name__} ({text})"


def body_digest(response: Response) -> str:
    """SHA-256 of the response body, computed once per response."""
    digest = response.meta.get("body_sha256") if response.request else None
    if digest is None:
        digest = hashlib.sha256(response.body).hexdigest()
        if response.request:
            response.meta["body_sha256"] = digest
    return str(digest)
