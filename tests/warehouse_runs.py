"""Run folders made for the warehouse's tests: small, explicit, written through the project's own writer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from warehouse.ingest import LoadResult, ingest
from warehouse.records import FxRate, Offer, PriceKind, Record
from warehouse.run_folder import ParseReport, RunFolderWriter, SourceReport

DAY0 = datetime(2026, 11, 10, 6, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "title": "Cloud",
    "homepage": "https://cloud.test/",
    "kind": "list",
    "first_party": True,
    "price_kinds": ["on_demand"],
    "refetch_hours": 12.0,
    "proof": "recorded",
    "expected_offers": None,
    "price_limits_usd_per_gpu_hour": None,
    "billing_increment_seconds": 60,
    "minimum_seconds": None,
    "gpu_spellings": {},
}


def day(number: float) -> datetime:
    """A moment `number` days after the first run of these tests."""
    return DAY0 + timedelta(days=number)


def offer(name: str = "m1", price: str = "2.5", **changes: Any) -> Offer:
    """An H100 SXM machine of the provider "acme"; `changes` are fields of Offer."""
    values: dict[str, Any] = {
        "provider": "acme",
        "source": "acme",
        "source_url": "https://acme.test/prices",
        "observed_at": DAY0,
        "instance_type": name,
        "gpu_name_raw": "NVIDIA H100 SXM5 80GB",
        "gpu_count": 1.0,
        "price_kind": PriceKind.ON_DEMAND,
        "price_raw": Decimal(price),
        "price_unit": "per instance-hour",
        "currency": "USD",
    }
    return Offer(**{**values, **changes})


def fleet(count: int, price: str = "2.5", **changes: Any) -> list[Offer]:
    """`count` machines at one price."""
    return [offer(f"m{number}", price, **changes) for number in range(count)]


def write_run(
    root: Path,
    records: Iterable[Record],
    moment: datetime,
    *,
    provider: str = "acme",
    state: str = "good",
    reason: str | None = None,
    partial: bool = False,
    facts: dict[str, Any] | None = None,
    sources: dict[str, str] | None = None,
    rejected: list[dict[str, Any]] | None = None,
) -> Path:
    """A parsed run folder; offers are stamped with the run's provider and moment."""
    stamped = [
        replace(record, provider=provider, observed_at=moment)
        if isinstance(record, Offer)
        else replace(record, observed_at=moment)
        for record in records
    ]
    writer = RunFolderWriter(root, provider, moment, partial=partial, source={"origin": "test"})
    body = repr([(getattr(r, "instance_type", ""), getattr(r, "price_raw", "")) for r in stamped]).encode()
    writer.add("GET", f"https://{provider}.test/prices", None, 200, {}, body, suffix=".json")
    named = sources or dict.fromkeys(
        {r.source for r in stamped if isinstance(r, Offer)} or {provider}, "good"
    )
    report = ParseReport(
        parser_version="test",
        parsed_at=moment.isoformat(),
        state=state,
        reason=reason,
        sources=[SourceReport(name, status) for name, status in named.items()],
        rejected=rejected or [],
        rejected_count=len(rejected or []),
        facts={**FACTS, **(facts or {})},
        requests=1,
    )
    return writer.finish(report, list(stamped))


def load(home: Path, records: Iterable[Record], moment: datetime, **options: Any) -> LoadResult:
    """Write a run folder under `home` and ingest it."""
    origin = options.pop("origin", "live")
    folder = write_run(home / "runs", records, moment, **options)
    return ingest(home, [folder], now=moment, origin=origin)[0]


def ask(home: Path, query: str) -> list[dict[str, Any]]:
    """Rows of a query on the published copy."""
    from warehouse.queries import open_market, run_sql

    connection = open_market(home)
    try:
        return run_sql(connection, query)[1]
    finally:
        connection.close()


def rate(currency: str, units_per_eur: str, moment: datetime) -> FxRate:
    """A rate of that day."""
    return FxRate(
        rate_date=moment.date(),
        currency=currency,
        units_per_eur=Decimal(units_per_eur),
        source_url="https://rates.test/",
        observed_at=moment,
    )
