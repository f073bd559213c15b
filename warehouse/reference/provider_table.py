"""Facts of providers that no price list gives: billing steps, egress, storage, certificates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from warehouse.errors import RecordError, ReferenceDataError
from warehouse.record_checks import require_address, require_id
from warehouse.reference import optional_float, read_table

STOPPED = ("compute_stops", "billed")
"""What a stopped machine costs: its storage only, or the machine as if it ran, until it is deleted."""
TABLE = "providers.csv"


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What one provider says of itself; None (no certificates: an empty tuple) where it is not known.

    Attributes:
        provider: its id.
        billing_increment_seconds, minimum_seconds: machine time is billed in steps of, and at least.
        egress_usd_per_gb: traffic to the internet beyond what is included; 0: free; GB as the source counts.
        egress_included_gb_per_month: what an account sends without a charge.
        storage_usd_per_gb_month: the provider's plain volume or file storage.
        stopped_machine_billing: one of `STOPPED`.
        certificates: ISO 27001, SOC 2 ... as the provider claims them.
        billing_source ... certificates_source: the page that each fact was read on, None without a fact.
        read_on: the day.
        notes: what a reader of the facts should know.
    """

    provider: str
    billing_increment_seconds: int | None
    minimum_seconds: int | None
    egress_usd_per_gb: float | None
    egress_included_gb_per_month: float | None
    storage_usd_per_gb_month: float | None
    stopped_machine_billing: str | None
    certificates: tuple[str, ...]
    billing_source: str | None
    egress_source: str | None
    storage_source: str | None
    stopped_source: str | None
    certificates_source: str | None
    read_on: date
    notes: str


@lru_cache(maxsize=1)
def read_provider_facts() -> dict[str, ProviderFacts]:
    """The facts by provider id. Raises ReferenceDataError with the line and the cell to correct."""
    found: dict[str, ProviderFacts] = {}
    for line, row in read_table(TABLE):
        try:
            facts = _facts(row)
        except (KeyError, ValueError, RecordError) as error:
            raise ReferenceDataError(f"{TABLE} line {line}: {error}; correct the cell") from None
        if facts.provider in found:
            raise ReferenceDataError(f"{TABLE} line {line}: {facts.provider} is there twice; keep one row")
        found[facts.provider] = facts
    return found


def _facts(row: dict[str, str]) -> ProviderFacts:
    require_id("provider", row["provider"])
    stopped = row["stopped_machine_billing"] or None
    if stopped is not None and stopped not in STOPPED:
        raise ValueError(f"stopped_machine_billing {stopped!r} is not one of {', '.join(STOPPED)}")
    facts = ProviderFacts(
        provider=row["provider"],
        billing_increment_seconds=_seconds(row["billing_increment_seconds"]),
        minimum_seconds=_seconds(row["minimum_seconds"]),
        egress_usd_per_gb=_amount(row["egress_usd_per_gb"]),
        egress_included_gb_per_month=_amount(row["egress_included_gb_per_month"]),
        storage_usd_per_gb_month=_amount(row["storage_usd_per_gb_month"]),
        stopped_machine_billing=stopped,
        certificates=tuple(part.strip() for part in row["certificates"].split(";") if part.strip()),
        read_on=date.fromisoformat(row["read_on"]),
        notes=row["notes"],
        billing_source=row["billing_source"] or None,
        egress_source=row["egress_source"] or None,
        storage_source=row["storage_source"] or None,
        stopped_source=row["stopped_source"] or None,
        certificates_source=row["certificates_source"] or None,
    )
    _require_sources(facts)
    return facts


def _require_sources(facts: ProviderFacts) -> None:
    stated = {
        "billing": facts.billing_increment_seconds or facts.minimum_seconds,
        "egress": facts.egress_usd_per_gb is not None or facts.egress_included_gb_per_month is not None,
        "storage": facts.storage_usd_per_gb_month is not None,
        "stopped": facts.stopped_machine_billing,
        "certificates": facts.certificates,
    }
    for name, known in stated.items():
        source = getattr(facts, f"{name}_source")
        if bool(known) != bool(source):
            raise ValueError(f"{name}_source goes with the fact: give both or neither")
        if source:
            require_address(f"{name}_source", source)


def _seconds(text: str) -> int | None:
    if text and not re.fullmatch(r"[1-9]\d*", text):
        raise ValueError(f"{text!r} is not a number of seconds")
    return int(text) if text else None


def _amount(text: str) -> float | None:
    value = optional_float(text)
    if value is not None and not 0 <= value < 1e9:
        raise ValueError(f"{text!r} is not an amount of 0 or more")
    return value
