"""Records that cannot be true cannot be built, and the refusal repeats the value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.errors import RecordError
from warehouse.records import FxRate, GridCarbon, Offer, PriceKind, TokenPrice

GOOD: dict[str, Any] = {
    "provider": "somecloud",
    "source": "somecloud",
    "source_url": "https://prices.somecloud.example/v1",
    "observed_at": datetime(2026, 11, 21, 9, tzinfo=UTC),
    "price_kind": PriceKind.ON_DEMAND,
    "price_raw": Decimal("2.49"),
    "price_unit": "per gpu-hour",
    "currency": "USD",
    "gpu_name_raw": "NVIDIA H100 SXM",
    "gpu_count": 8,
}


def test_a_true_offer_is_built() -> None:
    assert Offer(**GOOD).price_kind is PriceKind.ON_DEMAND
    assert Offer(**{**GOOD, "price_kind": "spot"}).price_kind is PriceKind.SPOT


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("price_raw", Decimal(0), "price_raw 0 "),
        ("price_raw", Decimal("-1"), "price_raw -1"),
        ("price_raw", Decimal("NaN"), "price_raw NaN"),
        ("price_raw", Decimal("Infinity"), "price_raw Infinity"),
        ("price_raw", 2.49, "Decimal"),
        ("currency", "usd", "'usd'"),
        ("currency", "DOLLAR", "'DOLLAR'"),
        ("price_unit", "hourly", "'hourly'"),
        ("price_kind", "cheap", "'cheap'"),
        ("gpu_count", 0, "gpu_count 0"),
        ("gpu_count", float("nan"), "gpu_count nan"),
        ("gpu_memory_gb", -80, "gpu_memory_gb -80"),
        ("vcpus", 0, "vcpus 0"),
        ("term_months", 0, "term_months 0"),
        ("tax_rate", 19, "tax_rate 19"),
        ("available_count", -1, "available_count -1"),
        ("observed_at", datetime(2026, 11, 21), "time zone"),  # noqa: DTZ001
        ("source_url", "javascript:alert(1)", "source_url"),
        ("provider", "Some Cloud", "'Some Cloud'"),
        ("region", "", "region is blank"),
        ("gpu_name_raw", "x" * 501, "501 characters"),
        ("instance_type", "a\x00b", "control characters"),
        ("body_sha256", "abc", "'abc'"),
    ],
)
def test_an_offer_that_cannot_be_true_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(RecordError) as refused:
        Offer(**{**GOOD, field: value})
    assert said in str(refused.value)


def test_an_offer_without_any_name_is_refused() -> None:
    with pytest.raises(RecordError, match="instance_type or a gpu_name_raw"):
        Offer(**{**GOOD, "gpu_name_raw": None})


@given(st.text(st.characters(), max_size=40))
def test_a_name_is_kept_to_the_letter_or_refused_by_name(name: str) -> None:
    fine = bool(name.strip()) and all(ord(c) >= 32 or c in "\t\n" for c in name)
    fine = fine and not any(c == "\x7f" or 0xD800 <= ord(c) <= 0xDFFF for c in name)
    if fine:
        assert Offer(**{**GOOD, "gpu_name_raw": name}).gpu_name_raw == name
    else:
        with pytest.raises(RecordError, match="gpu_name_raw"):
            Offer(**{**GOOD, "gpu_name_raw": name})


def test_a_rate_of_zero_is_refused() -> None:
    values: dict[str, Any] = {
        "rate_date": date(2026, 11, 20),
        "currency": "USD",
        "source_url": "https://rates.example",
        "observed_at": GOOD["observed_at"],
    }
    assert FxRate(units_per_eur=Decimal("1.15"), **values).currency == "USD"
    with pytest.raises(RecordError, match="units_per_eur 0"):
        FxRate(units_per_eur=Decimal(0), **values)


TOKENS: dict[str, Any] = {
    "provider": "fireworks_ai",
    "source": "prices_of_all",
    "source_url": "https://prices.example/map.json",
    "observed_at": GOOD["observed_at"],
    "model": "fireworks_ai/llama-v3p1-70b",
    "input_raw": Decimal("9e-7"),
    "output_raw": Decimal("9e-7"),
    "price_unit": "USD per token",
    "context_length": 131072,
}


def test_a_token_price_may_state_one_side_only_or_say_why_there_is_none() -> None:
    assert TokenPrice(**TOKENS).first_party is False
    assert TokenPrice(**{**TOKENS, "output_raw": None}).output_raw is None
    bare = {**TOKENS, "input_raw": None, "output_raw": None}
    with pytest.raises(RecordError, match="llama-v3p1-70b"):
        TokenPrice(**bare)
    assert TokenPrice(**bare, note="a router: the price varies").input_raw is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("input_raw", Decimal(0), "input_raw 0"),
        ("output_raw", Decimal(-1), "output_raw -1"),
        ("cached_input_raw", Decimal("NaN"), "cached_input_raw NaN"),
        ("input_raw", 9e-7, "Decimal"),
        ("price_unit", "EUR per token", "'EUR per token'"),
        ("price_unit", "USD per second", "'USD per second'"),
        ("context_length", 0, "context_length 0"),
        ("model", " ", "model is blank"),
        ("provider", "", "provider is blank"),
        ("source", "Some Source", "some"),
        ("source_url", "ftp://x", "source_url"),
        ("observed_at", datetime(2026, 11, 21), "time zone"),  # noqa: DTZ001
        ("body_sha256", "abc", "'abc'"),
    ],
)
def test_a_token_price_that_cannot_be_true_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(RecordError, match=f"(?i){said}"):
        TokenPrice(**{**TOKENS, field: value})


CARBON: dict[str, Any] = {
    "source": "grid",
    "source_url": "https://grid.example/2024.csv",
    "observed_at": GOOD["observed_at"],
    "provider": "gcp",
    "region": "europe-north1",
    "intensity_raw": Decimal("39.32"),
    "intensity_unit": "gCO2eq / kWh",
    "carbon_free_share": 0.98,
    "period": "2024",
}


def test_a_grid_may_be_stated_as_free_of_carbon() -> None:
    assert GridCarbon(**{**CARBON, "intensity_raw": Decimal(0)}).intensity_raw == 0
    assert GridCarbon(**{**CARBON, "provider": None, "region": "SE-SE2", "carbon_free_share": None}).region
    for period in ("2024-07", "2026-11-21", "2026-11-21T10:00Z", "2026-11-21T10:00:00.000Z", None):
        assert GridCarbon(**{**CARBON, "period": period}).period == period


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("intensity_raw", Decimal(-1), "-1"),
        ("intensity_raw", Decimal("Infinity"), "Infinity"),
        ("intensity_raw", Decimal(77), "77,000,000 g per kWh"),
        ("intensity_raw", 39.32, "39.32"),
        ("intensity_unit", "lb/MWh", "'lb/MWh'"),
        ("carbon_free_share", 98, "98"),
        ("carbon_free_share", float("nan"), "nan"),
        ("period", "last year", "'last year'"),
        ("period", "24", "'24'"),
        ("region", "", "region is blank"),
        ("provider", "Google Cloud", "'Google Cloud'"),
        ("source_url", "", "source_url"),
    ],
)
def test_a_carbon_intensity_that_cannot_be_true_is_refused(field: str, value: Any, said: str) -> None:
    unit = "metric ton/kWh" if value == Decimal(77) else "gCO2eq / kWh"
    with pytest.raises(RecordError) as refused:
        GridCarbon(**{**CARBON, "intensity_unit": unit, field: value})
    assert said in str(refused.value)
