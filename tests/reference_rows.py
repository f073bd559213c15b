"""Token prices and grid carbon against the expected.csv of a recording, which has its own columns there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from tests.spider_harness import Comparison
from warehouse.records import GridCarbon, Record, TokenPrice
from warehouse.units import grams_co2e_per_kwh, usd_per_million_tokens

TOLERANCE = Decimal("0.001")
Difference = Callable[[Record, dict[str, str]], list[str]]


def compare_tokens(records: Iterable[Record], expected: list[dict[str, str]]) -> Comparison:
    """Rows by provider and model; a price that is printed as 0 is expected as "not stated"."""
    found = {(r.provider, r.model): r for r in records if isinstance(r, TokenPrice)}
    return _compare(found, {(row["provider"], row["model_id"]): row for row in expected}, token_differences)


def compare_carbon(records: Iterable[Record], expected: list[dict[str, str]]) -> Comparison:
    """Rows of the newest year by region; earlier years are beyond what the file lists."""
    years = [r for r in records if isinstance(r, GridCarbon)]
    newest = max(str(record.period) for record in years)
    found = {record.region: record for record in years if record.period == newest}
    return _compare(found, {row["region"]: row for row in expected}, carbon_differences)


def token_differences(record: Record, row: dict[str, str]) -> list[str]:
    """Fields in which a token price differs from an expected row, each with both values."""
    assert isinstance(record, TokenPrice)
    unit = record.price_unit
    numbers = {
        "input": (usd_per_million_tokens(record.input_raw, unit), row["input_usd_per_mtok"]),
        "output": (usd_per_million_tokens(record.output_raw, unit), row["output_usd_per_mtok"]),
        "cached": (usd_per_million_tokens(record.cached_input_raw, unit), row["cache_read_usd_per_mtok"]),
        "context": (record.context_length, row["context_length"]),
    }
    wrong = [
        f"{name} is {got}, expected {want}" for name, (got, want) in numbers.items() if not same(got, want)
    ]
    return wrong + ([f"mode is {record.mode}"] if row["mode"] and record.mode != row["mode"] else [])


def carbon_differences(record: Record, row: dict[str, str]) -> list[str]:
    """Fields in which a carbon intensity differs from an expected row, each with both values."""
    assert isinstance(record, GridCarbon)
    numbers = {
        "intensity": (grams_co2e_per_kwh(record.intensity_raw, record.intensity_unit), row["g_co2_per_kwh"]),
        "share": (record.carbon_free_share, row["cfe"]),
    }
    return [
        f"{name} is {got}, expected {want}" for name, (got, want) in numbers.items() if not same(got, want)
    ]


def same(got: Decimal | float | None, want: str) -> bool:
    """Equal within a tolerance; an expected 0 or blank means "not stated"."""
    wanted = Decimal(want or 0)
    if got is None or not wanted:
        return got is None and not wanted
    return abs(Decimal(str(got)) / wanted - 1) <= TOLERANCE


def _compare(found: dict[Any, Record], wanted: dict[Any, dict[str, str]], differ: Difference) -> Comparison:
    missing = []
    for key, row in wanted.items():
        wrong = differ(found[key], row) if key in found else ["no such row"]
        missing += [f"{key}: {'; '.join(wrong)}"] if wrong else []
    extra = [record for key, record in found.items() if key not in wanted]
    return Comparison(len(wanted), len(wanted) - len(missing), missing, extra)  # type: ignore[arg-type]
