"""Replays a run folder through a spider in one thread, without Scrapy, and compares with expected.csv.

The order of events is the engine's: requests wait in a queue, each is answered from the folder (a miss is a
404), callbacks yield records and further requests, HTTP errors go to the errback. `newest_first=True` takes
requests from the other end, which shows whether a spider depends on the order of its answers.
"""

from __future__ import annotations

import csv
import importlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import scrapy
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawlers.price_spider import REPLAY_MISS, PriceSpider
from warehouse.records import FxRate, Offer, Record
from warehouse.run_folder import Exchange, ParseReport, ReplayIndex, RunFolder, read_run_folder
from warehouse.units import price_per_instance_hour

PROJECT = Path(__file__).resolve().parent.parent
RECORDINGS = PROJECT.parent / "shared" / "recordings"
FIXTURES = PROJECT / "tests" / "fixtures"
REQUEST_LIMIT = 5_000
TERMS = {"reserved_1y": ("reserved", 12), "reserved_3y": ("reserved", 36)}
SOLD_AS = {("hot_aisle", "8x MI300X bare metal"): ("reserved", 1)}  # "one-month minimum", listed as on demand
TOLERANCE = {"vast": 0.01}
NAMED_AS = {
    "L4": "Nvidia L4 GPU",
    "A100 40GB": "Nvidia Tesla A100 GPU",
}  # gcp: label of expected.csv, SKU's text
UNNAMED = {"aws"}  # sources that name the machine type only; expected.csv has the name of its GPU


@dataclass(slots=True)
class Replayed:
    """What a spider made of a run folder."""

    records: list[Record]
    report: ParseReport
    requests: list[scrapy.Request] = field(default_factory=list)

    @property
    def offers(self) -> list[Offer]:
        return [record for record in self.records if isinstance(record, Offer)]

    @property
    def rates(self) -> list[FxRate]:
        return [record for record in self.records if isinstance(record, FxRate)]


def spider_class(provider: str) -> type[PriceSpider]:
    """The one spider class of `crawlers/spiders/<provider>.py`."""
    module = importlib.import_module(f"crawlers.spiders.{provider}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, PriceSpider) and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} holds {len(found)} spiders, not one"
    return found[0]


def replay(
    path: Path, *, secrets: dict[str, str] | None = None, newest_first: bool = False, **setup: Any
) -> Replayed:
    """Run the folder's own spider over it; `setup` goes to the spider (chosen, switched_off)."""
    folder = read_run_folder(path)
    spider = spider_class(folder.provider)(
        now=folder.recorded_at, secrets=secrets, replay_partial=folder.partial, **setup
    )
    index = ReplayIndex(folder)
    records: list[Record] = []
    asked: list[scrapy.Request] = []
    queue: deque[scrapy.Request] = deque(spider.opening())
    while queue:
        request = queue.pop() if newest_first else queue.popleft()
        asked.append(request)
        assert len(asked) <= REQUEST_LIMIT, f"{folder.provider}: more than {REQUEST_LIMIT} requests"
        for result in _answer(folder, index, request):
            if isinstance(result, scrapy.Request):
                queue.append(result)
            else:
                records.append(result)
    return Replayed(records, spider.parse_report("test", len(asked)), asked)


def _answer(folder: RunFolder, index: ReplayIndex, request: scrapy.Request) -> Iterable[Any]:
    exchange = index.find(request.method, request.url, request.body.decode() or None)
    response = _response(folder, exchange, request)
    if 200 <= response.status < 300:
        return request.callback(response) or ()
    failure = Failure(HttpError(response))
    failure.request = request
    return request.errback(failure) or ()


def _response(folder: RunFolder, exchange: Exchange | None, request: scrapy.Request) -> Response:
    if exchange is None:
        return Response(request.url, status=404, headers={REPLAY_MISS: "1"}, request=request)
    if request.meta.get("to_file"):
        request.meta.update(body_file=folder.body_path(exchange), body_sha256=exchange.sha256)
        return Response(request.url, exchange.status, Headers(exchange.headers), request=request)
    headers, body = Headers(exchange.headers), folder.body(exchange)
    kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
    return kind(request.url, status=exchange.status, headers=headers, body=body, request=request)


def price_per_hour(offer: Offer) -> float:
    """Native price of the whole instance for an hour; a per-GPU price of unknown count counts as one GPU."""
    return float(
        price_per_instance_hour(
            offer.price_raw,
            offer.price_unit,
            gpu_count=offer.gpu_count or 1,
            term_months=offer.term_months,
            upfront_raw=offer.upfront_raw,
        )
    )


def read_expected(path: Path) -> list[dict[str, str]]:
    """The rows of a run folder's expected.csv."""
    with (path / "expected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass(slots=True)
class Comparison:
    """Expected rows against produced ones. `missing` names the row and what differs in the nearest one."""

    expected: int
    found: int
    missing: list[str]
    extra: list[Offer]


def compare_offers(provider: str, offers: list[Offer], expected: list[dict[str, str]]) -> Comparison:
    """Match each expected row with one produced offer; a blank expected cell matches anything."""
    wanted = [row for row in expected if row["price_kind"] != "spec"]
    left, missing, found = list(offers), [], 0
    by_name: dict[str | None, list[Offer]] = {}
    for offer in left:
        by_name.setdefault(offer.instance_type, []).append(offer)
    used: set[int] = set()
    for row in wanted:
        candidates = [o for o in by_name.get(row["instance_type_raw"], []) if id(o) not in used]
        match = next((o for o in candidates if not differences(provider, o, row)), None)
        if match is not None:
            used.add(id(match))
            found += 1
        elif "optional" not in row.get("note", ""):
            near = min(candidates, key=lambda o: len(differences(provider, o, row)), default=None)
            why = "; ".join(differences(provider, near, row)) if near else "no row of that instance type"
            missing.append(f"{provider} {row['instance_type_raw']} {row['price_kind']}: {why}")
    return Comparison(len(wanted), found, missing, [o for o in left if id(o) not in used])


def differences(provider: str, offer: Offer, row: dict[str, str]) -> list[str]:
    """Fields in which an offer differs from an expected row, each with both values."""
    kind, term = SOLD_AS.get((provider, row["instance_type_raw"])) or TERMS.get(
        row["price_kind"], (row["price_kind"], offer.term_months)
    )
    hourly = price_per_hour(offer)
    tolerance = TOLERANCE.get(provider, 0.001)
    checks: list[tuple[str, object, str, bool]] = [
        ("price_kind", offer.price_kind.value, kind, offer.price_kind.value == kind),
        ("term_months", offer.term_months, str(term), offer.term_months == term),
        (
            "price_per_hour",
            hourly,
            row["price_per_hour"],
            abs(hourly / float(row["price_per_hour"]) - 1) <= tolerance,
        ),
        (
            "gpu_name_raw",
            offer.gpu_name_raw,
            row["gpu_name_raw"],
            offer.gpu_name_raw in (row["gpu_name_raw"], NAMED_AS.get(row["gpu_name_raw"]))
            or (provider in UNNAMED and not offer.gpu_name_raw),
        ),
        ("region", offer.region, row["region"], offer.region == row["region"]),
        ("currency", offer.currency, row["currency"], offer.currency == row["currency"]),
        ("available", offer.available, row["available"], str(offer.available).lower() == row["available"]),
        (
            "gpu_count",
            offer.gpu_count,
            row["gpu_count"],
            offer.gpu_count is None or offer.gpu_count == float(row["gpu_count"] or 0),
        ),
    ]
    return [
        f"{name} is {got!r}, expected {want!r}"
        for name, got, want, same in checks
        if row.get(name, want) and not same
    ]


def edit_folder(source: Path, target: Path, edit: Callable[[int, bytes], bytes]) -> Path:
    """Copy a run folder, passing each exchange's body through `edit(index, body)`; hashes are rewritten."""
    import hashlib
    import json

    folder = read_run_folder(source)
    target.mkdir(parents=True)
    data = json.loads((source / "run.json").read_text("utf-8"))
    for number, (exchange, item) in enumerate(zip(folder.exchanges, data["exchanges"], strict=True)):
        body = edit(number, folder.body(exchange))
        name = f"edited-{number}"
        (target / name).write_bytes(body)
        item["response"] |= {"body_file": name, "sha256": hashlib.sha256(body).hexdigest()}
    (target / "run.json").write_text(json.dumps(data), "utf-8")
    return target
