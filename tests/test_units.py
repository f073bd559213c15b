"""Price units: what a provider's number means for a whole machine and one hour."""

from __future__ import annotations

from decimal import Decimal

import pytest

from warehouse.errors import RecordError
from warehouse.units import gb_to_gib, gib_to_gb, parse_price_unit, price_per_instance_hour


@pytest.mark.parametrize(
    ("raw", "unit", "gpus", "term", "hourly"),
    [
        ("2.79", "per gpu-hour", 8, None, "22.32"),
        ("0.013125", "per instance-minute", 1, None, "0.7875"),
        ("275000000", "1e-8 per instance-hour", 1, None, "2.75"),
        ("249", "cent per instance-hour", 1, None, "2.49"),
        ("0.000694", "per gpu-second", 2, None, "4.9968"),
        ("551221", "per instance-term", 8, 12, "62.92477168949771689497716895"),
        ("1100", "per instance-month (400 h)", 1, None, "2.75"),
        ("730", "per instance-month", 4, None, "1"),
        ("35000", "1e-5 per gpu-hour", 1, None, "0.35"),
    ],
)
def test_price_of_the_machine_for_an_hour(
    raw: str, unit: str, gpus: float, term: int | None, hourly: str
) -> None:
    found = price_per_instance_hour(Decimal(raw), unit, gpu_count=gpus, term_months=term)
    assert found == pytest.approx(Decimal(hourly), rel=Decimal("1e-20"))


def test_an_upfront_payment_is_spread_over_its_term() -> None:
    found = price_per_instance_hour(
        Decimal(1), "per instance-hour", gpu_count=1, term_months=12, upfront_raw=Decimal(8760)
    )
    assert found == 2


@pytest.mark.parametrize("unit", ["per hour", "per gpu-fortnight", "2e-8 per gpu-hour", "per gpu-hour ", ""])
def test_an_unknown_unit_is_refused_with_its_text(unit: str) -> None:
    with pytest.raises(RecordError, match="price_unit"):
        parse_price_unit(unit)


def test_a_term_price_needs_its_term() -> None:
    with pytest.raises(RecordError, match="term_months"):
        price_per_instance_hour(Decimal(10), "per instance-term", gpu_count=1)
    with pytest.raises(RecordError, match="term_months"):
        price_per_instance_hour(Decimal(10), "per gpu-hour", gpu_count=1, upfront_raw=Decimal(5))


def test_gb_and_gib_are_not_the_same() -> None:
    assert gib_to_gb(80) == pytest.approx(85.899, abs=1e-3)
    assert gb_to_gib(gib_to_gb(12.5)) == pytest.approx(12.5)
