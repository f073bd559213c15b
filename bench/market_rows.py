"""Rows of the collected market tables, and the candidate offers that are made of them.

What the columns of the tables mean is said in the collection's own README.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]
MARKET = Path(__file__).parent.parent / "warehouse" / "market"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One observation of one origin; fields as in `warehouse.records.Offer`, `ref` names its file."""

    origin: str
    ref: str
    observed_at: datetime
    provider: str
    instance_type: str | None
    gpu_name_raw: str | None
    gpu_count: float | None
    gpu_memory_gb: float | None
    interconnect: str | None = None
    vcpus: float | None = None
    memory_gib: float | None = None
    region: str | None = None
    price_kind: str
    term_months: int | None = None
    price_raw: Decimal
    price_unit: str
    currency: str
    is_floor: bool = False
    available: bool | None = None
    offer_key: str | None = None
    note: str | None = None

    def shape(self) -> tuple[object, ...]:
        """What is sold, without how it is sold: the key under which spot and on-demand are compared."""
        name = self.instance_type and re.sub(r"[_-]", "", self.instance_type.lower())
        return (self.provider, name, self.gpu_name_raw, self.gpu_count, self.gpu_memory_gb, self.region)

    def key(self) -> tuple[object, ...]:
        """The natural key of the offer, as the warehouse forms it."""
        figures = None if self.instance_type else (self.interconnect, self.vcpus)
        own = self.offer_key or figures
        return (*self.shape(), self.price_kind, self.term_months, own)


class Refused(Exception):  # noqa: N818  a verdict, not an error
    """The row stays out; the text is the reason."""


BLANK = dict.fromkeys(("interconnect", "vcpus", "memory_gb", "region", "available", "source_url"), "")


def read_table(path: Path) -> Iterator[Row]:
    """Rows of a (gzipped) CSV; columns that a table leaves out are blank."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
    yield from (BLANK | row for row in csv.DictReader(io.StringIO(text, newline="")))


def base_candidate(row: Row, origin: str) -> Candidate:
    if origin == "vendor_pages":
        _own_page(row["source_url"])
    if row["provider"] == "packet-ai":
        raise Refused("taken from another tracker, not from the provider")
    kind, term = _kind(row["price_kind"])
    provider = _slugs().get(row["provider"])
    if provider is None:
        raise Refused(f"provider slug {row['provider']!r} is in no table")
    return Candidate(
        origin=origin,
        ref=_ref(row["source_file"]),
        observed_at=_time(row["observed_at"]),
        provider=provider,
        instance_type=row["instance_type"] or None,
        gpu_name_raw=row["gpu_model_raw"] or None,
        gpu_count=number(row["gpu_count"]),
        gpu_memory_gb=number(row["gpu_memory_gb"]),
        interconnect=row["interconnect"] or None,
        vcpus=number(row["vcpus"]),
        region=row["region"] or None,
        price_kind=kind,
        term_months=term,
        price_raw=_price(row["price_per_hour"]),
        price_unit=f"per {row['per']}-hour",
        currency=row["currency"],
    )


def _own_page(address: str) -> None:
    if address.split("/")[2] in ("raw.githubusercontent.com", "huggingface.co", "github.com"):
        raise Refused("read from a third party's file that states no licence")


_SLUGS: dict[str, str] = {}


def _slugs() -> dict[str, str]:
    if not _SLUGS:
        _SLUGS.update({row["slug"]: row["provider"] for row in read_table(MARKET / "providers.csv")})
        # Prime Intellect's upstream clouds, and two code names of it: kept only as the key of its offers.
        upstream = ("dc-gnu", "dc-roan", "dc-wildebeest", "oblivus", "primecompute")
        _SLUGS.update(dict.fromkeys(upstream, "prime_intellect"))
    return _SLUGS


def _ref(source: str) -> str:
    """The part of the origin's address that names the file or the revision."""
    if "@" in source:
        return source.rsplit("@", 1)[1]
    name = re.sub(r"^(tugot17|ccir) ", "", source.rsplit("/", 1)[-1])
    return name.removesuffix(".json")


def _kind(text: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"reserved_(\d+)m", text)
    if found:
        return "reserved", int(found[1])
    if text not in ("on_demand", "spot", "serverless", "capacity_block"):
        raise Refused(f"price kind {text!r} has no term that we can state")
    return text, None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)


def number(text: str) -> float | None:
    """A size; empty and 0 both mean not known."""
    return (float(text) if text else 0.0) or None


def _price(text: str) -> Decimal:
    """The price without the noise of binary fractions (1.1016000000000001)."""
    price = Decimal(text)
    if not price.is_finite() or price <= 0:
        raise Refused("price of 0, which means not offered")
    return round(price, 8).normalize()
