"""The reference tables: what they must hold, whatever their numbers."""

from __future__ import annotations

import csv
import re
from dataclasses import fields
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

import warehouse.reference as reference
from warehouse.errors import ReferenceDataError
from warehouse.fx import bundled_rates, usd_per_unit
from warehouse.instance_types import any_instance_type, instance_type, normal_form
from warehouse.records import FxRate
from warehouse.reference import TOPOLOGIES, Accelerator, accelerators, families, read_table

CONTRACT_IDS = [
    "h100-sxm5-80gb", "h100-pcie-80gb", "h100-nvl-94gb", "h200-sxm-141gb", "b200-sxm-180gb",
    "b300-sxm-288gb", "gb200-186gb", "gb300-288gb", "gh200-96gb", "gh200-144gb", "a100-sxm4-80gb",
    "a100-sxm4-40gb", "a100-pcie-80gb", "a100-pcie-40gb", "l40s-48gb", "l40-48gb", "l4-24gb", "a40-48gb",
    "a30-24gb", "a16-16gb", "a10-24gb", "a10g-24gb", "t4-16gb", "v100-sxm2-16gb", "v100-sxm2-32gb",
    "v100-pcie-16gb", "p100-pcie-16gb", "rtx-3090-24gb", "rtx-4090-24gb", "rtx-5090-32gb",
    "rtx-a4000-16gb", "rtx-a6000-48gb", "rtx-6000-ada-48gb", "rtx-pro-6000-96gb",
    "rtx-pro-6000-max-q-96gb", "quadro-rtx-6000-24gb", "mi250x-128gb", "mi300x-192gb", "mi325x-256gb",
    "mi355x-288gb", "gaudi2-96gb", "gaudi3-128gb", "tpu-v5e", "tpu-v6e", "tpu-v7", "trainium1",
    "trainium2", "inferentia2",
]  # fmt: skip
RATES = [field.name for field in fields(Accelerator) if field.name.startswith("dense_")]
SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared recordings are not beside the project"
)


def test_every_accelerator_of_the_contract_has_exactly_its_id() -> None:
    assert [key for key in CONTRACT_IDS if key not in accelerators()] == []


def test_ids_are_lower_case_words_and_end_in_the_memory_where_the_part_has_a_label() -> None:
    for key, part in accelerators().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key)
        assert key.endswith(f"-{part.memory_gb:g}gb") or part.form_factor == "cloud", key


def test_every_row_says_where_and_when_its_numbers_were_read() -> None:
    for part in accelerators().values():
        assert part.source, part.accelerator_id
        assert date(2026, 11, 1) <= date.fromisoformat(part.source_date) <= date(2026, 11, 27)


def test_weak_and_derived_fields_hold_a_value() -> None:
    names = {field.name for field in fields(Accelerator)}
    for part in accelerators().values():
        assert set(part.weak_fields) <= names, part.accelerator_id
        assert set(part.derived_fields) <= names, part.accelerator_id
        told = [name for name in part.weak_fields + part.derived_fields if getattr(part, name) is None]
        assert not told, (part.accelerator_id, told)


def test_numbers_are_positive_and_unknown_is_none() -> None:
    for part in accelerators().values():
        for name in (
            *RATES,
            "memory_bandwidth_gb_per_s",
            "interconnect_gb_per_s",
            "peer_gb_per_s",
            "host_gb_per_s",
            "tdp_w",
            "memory_gib_usable",
        ):
            value = getattr(part, name)
            assert value is None or value > 0, (part.accelerator_id, name)


def test_usable_memory_is_near_the_label() -> None:
    for part in accelerators().values():
        if part.memory_gib_usable is not None:
            assert 0.9 * part.memory_gb <= part.memory_gib_usable <= part.memory_gb * 1.001, (
                part.accelerator_id
            )


@pytest.mark.parametrize(
    ("key", "bf16", "fp8"),
    [
        ("h100-sxm5-80gb", 989, 1979),
        ("h100-pcie-80gb", 756, 1513),
        ("h100-nvl-94gb", 835, 1671),
        ("l40s-48gb", 362, 733),
    ],
)
def test_rates_are_dense_not_sparse(key: str, bf16: float, fp8: float) -> None:
    part = accelerators()[key]
    assert (part.dense_bf16_tflops, part.dense_fp8_tflops) == (bf16, fp8)


@pytest.mark.parametrize("key", ["a100-sxm4-80gb", "v100-sxm2-16gb", "rtx-3090-24gb", "rtx-a6000-48gb"])
def test_parts_without_fp8_do_not_get_one(key: str) -> None:
    assert accelerators()[key].dense_fp8_tflops is None


def test_bf16_is_missing_before_ampere_and_fp4_before_blackwell() -> None:
    for part in accelerators().values():
        if part.vendor == "NVIDIA" and part.architecture in (
            "Kepler",
            "Maxwell",
            "Pascal",
            "Volta",
            "Turing",
        ):
            assert part.dense_bf16_tflops is None, part.accelerator_id
        if part.vendor == "NVIDIA" and part.dense_fp4_tflops:
            assert "Blackwell" in part.architecture or part.architecture == "Rubin", part.accelerator_id


def test_lower_precision_is_never_slower_except_where_int8_was_cut() -> None:
    order = ["dense_tf32_tflops", "dense_bf16_tflops", "dense_fp8_tflops", "dense_fp4_tflops"]
    for part in accelerators().values():
        known = [value for name in order if (value := getattr(part, name)) is not None]
        assert known == sorted(known) or part.vendor in ("Intel", "AWS", "Google"), part.accelerator_id
    assert (accelerators()["b300-sxm-288gb"].dense_int8_tops or 0) < 1000


def test_links_are_one_direction_and_domains_fit_the_form_factor() -> None:
    table = accelerators()
    assert table["h100-sxm5-80gb"].interconnect_gb_per_s == 450
    assert table["b200-sxm-180gb"].interconnect_gb_per_s == 900
    assert table["gb200-186gb"].scale_up_domain == 72
    assert table["h100-nvl-94gb"].scale_up_domain == 2
    for part in table.values():
        if part.form_factor == "PCIe":
            assert part.scale_up_domain == 1, part.accelerator_id
        if part.form_factor.startswith("SXM"):
            assert part.scale_up_domain == 8, part.accelerator_id


def test_topology_bounds_what_one_neighbour_can_get() -> None:
    for part in accelerators().values():
        assert part.topology in TOPOLOGIES, part.accelerator_id
        total, peer = part.interconnect_gb_per_s, part.peer_gb_per_s
        if part.topology in ("switch", "bridge", "pcie"):
            assert peer == total, part.accelerator_id
        if peer is not None and total is not None:
            assert peer <= total, part.accelerator_id
        if part.topology in ("switch", "mesh", "cube_mesh", "torus_2d", "torus_3d"):
            assert part.scale_up_domain > 1, part.accelerator_id
        if part.topology == "pcie":
            assert part.host_gb_per_s == total, part.accelerator_id


@pytest.mark.parametrize(
    ("key", "topology", "total", "peer"),
    [
        ("mi300x-192gb", "mesh", 448, 64),
        ("mi355x-288gb", "mesh", 535.5, 76.5),
        ("gaudi2-96gb", "mesh", 262.5, 37.5),
        ("h100-sxm5-80gb", "switch", 450, 450),
        ("v100-sxm2-16gb", "cube_mesh", 150, 25),
        # The documentation gives the sum of both directions: 400, 800 and 1,200 GB/s.
        ("tpu-v5e", "torus_2d", 200, 50),
        ("tpu-v6e", "torus_2d", 400, 100),
        ("tpu-v5p", "torus_3d", 600, 100),
    ],
)
def test_links_of_meshes_and_tori_are_told_apart(key: str, topology: str, total: float, peer: float) -> None:
    part = accelerators()[key]
    assert (part.topology, part.interconnect_gb_per_s, part.peer_gb_per_s) == (topology, total, peer)


def test_geforce_cards_accumulate_in_fp32_at_half_rate() -> None:
    for part in accelerators().values():
        if part.title.startswith("NVIDIA GeForce RTX") and part.dense_fp16_tflops:
            assert part.fp32_accumulate_share == 0.5, part.accelerator_id
            # int8 has no accumulation at half rate: four times the fp16 rate shows that fp16 is the slow one.
            ratio = (part.dense_int8_tops or 0) / part.dense_fp16_tflops
            assert ratio == pytest.approx(4, rel=0.03), part.accelerator_id


def test_every_part_with_tensor_cores_has_a_16_bit_rate() -> None:
    modern = ("Volta", "Turing", "Ampere", "Ada", "Hopper", "Blackwell", "Blackwell Ultra")
    without = [
        key
        for key, part in accelerators().items()
        if part.architecture in modern and not (part.dense_bf16_tflops or part.dense_fp16_tflops)
    ]
    assert without == ["rtx-5090d-32gb"]  # an export variant whose cut rates nobody states


def test_families_hold_every_accelerator_once() -> None:
    listed = [key for ids in families().values() for key in ids]
    assert sorted(listed) == sorted(accelerators())
    assert set(families()["h100"]) == {"h100-sxm5-80gb", "h100-pcie-80gb", "h100-nvl-94gb"}
    assert "gh200-96gb" not in families()["h200"]


def test_a_broken_row_is_named_by_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3\n", encoding="utf-8")
    monkeypatch.setattr(reference, "_FOLDER", tmp_path)
    with pytest.raises(ReferenceDataError, match=r"table.csv line 3: 1 cells, the header has 2"):
        list(read_table("table.csv"))
    with pytest.raises(ReferenceDataError, match="reinstall gpufare"):
        list(read_table("absent.csv"))


def test_a_number_that_is_none_is_named_by_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = ",".join(field.name for field in fields(Accelerator))
    cells = ",".join("eighty" if field.name == "memory_gb" else "1" for field in fields(Accelerator))
    (tmp_path / "accelerators.csv").write_text(f"{header}\n{cells}\n", encoding="utf-8")
    monkeypatch.setattr(reference, "_FOLDER", tmp_path)
    with pytest.raises(ReferenceDataError, match=r"accelerators.csv line 2: .*eighty"):
        accelerators.__wrapped__()


# -- machine types -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "name", "accelerator_id", "gpu_count", "partition"),
    [
        ("aws", "p4d.24xlarge", "a100-sxm4-40gb", 8, None),
        ("aws", "p4de.24xlarge", "a100-sxm4-80gb", 8, None),
        ("aws", "p3dn.24xlarge", "v100-sxm2-32gb", 8, None),
        ("aws", "g6f.large", "l4-24gb", 0.125, "1/8"),
        ("aws", "u-p6e-gb200x72", "gb200-186gb", 72, None),
        ("aws-sagemaker", "ml.p5en.48xlarge", "h200-sxm-141gb", 8, None),
        ("azure", "Standard_NC16as_T4_v3", "t4-16gb", 1, None),
        ("azure", "NC16asT4 v3", "t4-16gb", 1, None),
        ("azure", "ND96asrA100v4_NU", "a100-sxm4-40gb", 8, None),
        ("azure", "Standard_ND96asr_v4", "a100-sxm4-40gb", 8, None),
        ("azure", "Standard_ND96amsr_A100_v4", "a100-sxm4-80gb", 8, None),
        ("azure", "Standard_NC40ads_H100_v5", "h100-nvl-94gb", 1, None),
        ("azure", "Standard_ND96is_flex_H100_v5", "h100-sxm5-80gb", 8, None),
        ("azure", "Standard_ND128isr_NDR_GB200_v6", "gb200-186gb", 4, None),
        ("azure", "Standard_NC24_Promo", "k80-12gb", 4, None),
        ("azure", "NC128dsxlRTX6Kv6", "rtx-pro-6000-96gb", None, None),
        ("gcp", "g4-standard-12", "rtx-pro-6000-96gb", 0.25, "1/4"),
        ("gcp", "a2-megagpu-16g", "a100-sxm4-40gb", 16, None),
        ("oci", "BM.GPU.GB200.4 (NVL72)", "gb200-186gb", 4, None),
        ("oci", "B109485", "mi300x-192gb", 1, None),
        ("scaleway", "H100-SXM-4-80G", "h100-sxm5-80gb", 4, None),
        ("scaleway", "H100-2-80G", "h100-pcie-80gb", 2, None),
        ("akamai", "g2-gpu-rtx4000a4-m", "rtx-4000-ada-20gb", 4, None),
        ("vultr", "vcg-a16-96c-878g-256vram", "a16-16gb", 16, None),
        ("vultr", "vcg-b200-248c-2826g-1536vram", "b200-sxm-180gb", 8, None),
        ("vultr", "vcg-a16-1c-4g-1vram", "a16-16gb", 0.0625, "1 GB"),
        ("ovh", "t2-le-90", "v100s-pcie-32gb", 2, None),
        ("ibm", "gx3-24x120x1l40s", "l40s-48gb", 1, None),
    ],
)
def test_machine_types_say_part_count_and_slice(
    provider: str, name: str, accelerator_id: str, gpu_count: float | None, partition: str | None
) -> None:
    found = instance_type(provider, name)
    assert found is not None
    assert (found.accelerator_id, found.gpu_count, found.partition) == (accelerator_id, gpu_count, partition)
    assert found.source
    assert date.fromisoformat(found.source_date)


def test_sixths_of_an_a10_are_fractions_of_one_gpu() -> None:
    counts = {size: instance_type("azure", f"Standard_NV{size}ads_A10_v5") for size in (6, 12, 18, 36, 72)}
    assert [found.gpu_count if found else None for found in counts.values()] == pytest.approx(
        [1 / 6, 1 / 3, 0.5, 1, 2]
    )


def test_a_type_that_leaves_the_form_open_lists_candidates() -> None:
    found = instance_type("ovh", "a100-180")
    assert found is not None
    assert found.accelerator_id is None
    assert found.candidates == ("a100-pcie-80gb", "a100-sxm4-80gb")


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("aws", "m5.large"),
        ("azure", "Standard_D4s_v5"),
        ("aws", "p9.48xlarge"),
        ("nobody", "p4d.24xlarge"),
        ("gcp", ""),
    ],
)
def test_an_unknown_machine_type_is_none(provider: str, name: str) -> None:
    assert instance_type(provider, name) is None


def test_a_name_that_only_one_provider_uses_is_found_without_provider() -> None:
    found = any_instance_type("p5.48xlarge")
    assert found is not None
    assert found.provider == "aws"
    assert any_instance_type("h100") is None


def test_azure_spellings_of_one_size_are_one_name() -> None:
    spellings = ["Standard_NC16as_T4_v3", "NC16asT4 v3", "NC16as T4 v3", "standard_nc16as_t4_v3"]
    assert len({normal_form("azure", text) for text in spellings}) == 1


@needs_shared
def test_every_machine_type_of_the_recordings_is_known_with_its_part_and_count() -> None:
    wrong, seen = [], 0
    clouds = ("aws", "azure", "gcp", "oci", "ovh", "scaleway", "vultr", "linode")
    for path in sorted(
        path for cloud in clouds for path in (SHARED / "recordings" / cloud).glob("*/expected.csv")
    ):
        for row in csv.DictReader(path.open(encoding="utf-8")):
            found = instance_type(path.parts[-3], row["instance_type_raw"])
            seen += 1
            same = found is not None and row["accelerator_id"] in ("", *found.candidates)
            count = found.gpu_count if found else None
            if not same or (row["gpu_count"] and count and abs(count - float(row["gpu_count"])) > 0.01):
                wrong.append((path.parts[-3], row["instance_type_raw"], row["accelerator_id"], found))
    assert seen > 700
    assert wrong == []


# -- exchange rates ------------------------------------------------------------------------------------


def test_bundled_rates_hold_the_main_currencies_and_their_source() -> None:
    rates = bundled_rates()
    assert {
        "USD",
        "GBP",
        "CHF",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "INR",
        "JPY",
        "CNY",
        "CAD",
        "AUD",
        "BRL",
        "SGD",
        "KRW",
        "CZK",
    } <= {rate.currency for rate in rates}
    assert all(rate.source_url.startswith("https://") for rate in rates)
    assert [rate.rate_date for rate in rates] == sorted(rate.rate_date for rate in rates)
    assert len({(rate.rate_date, rate.currency) for rate in rates}) == len(rates)


def test_a_day_converts_at_its_own_rate() -> None:
    assert usd_per_unit("EUR", date(2025, 5, 9)) == (Decimal("1.1252"), date(2025, 5, 9))
    found = usd_per_unit("GBP", date(2025, 5, 9))
    assert found is not None
    assert float(found[0]) == pytest.approx(1.1252 / 0.84770)


def test_a_day_without_a_rate_takes_the_newest_one_before_it_never_one_after() -> None:
    assert usd_per_unit("EUR", date(2025, 5, 20)) == (Decimal("1.1252"), date(2025, 5, 9))
    assert usd_per_unit("EUR", date(2000, 1, 1)) is None
    assert usd_per_unit("XYZ", date(2026, 1, 1)) is None
    assert usd_per_unit("USD", date(2000, 1, 1)) == (Decimal(1), date(2000, 1, 1))


def test_a_cross_rate_never_mixes_two_days() -> None:
    def rate(day: int, currency: str, units: str) -> FxRate:
        first = bundled_rates()[0]
        return FxRate(
            rate_date=date(2026, 1, day),
            currency=currency,
            units_per_eur=Decimal(units),
            source_url=first.source_url,
            observed_at=first.observed_at,
        )

    rates = [rate(5, "USD", "1.2"), rate(5, "SEK", "12"), rate(6, "USD", "1.3"), rate(7, "SEK", "13")]
    assert usd_per_unit("SEK", date(2026, 1, 9), rates) == (Decimal("0.1"), date(2026, 1, 5))
    assert usd_per_unit("EUR", date(2026, 1, 9), rates) == (Decimal("1.3"), date(2026, 1, 6))


def test_rates_stay_in_a_plausible_band_between_neighbouring_days() -> None:
    by_currency: dict[str, list[float]] = {}
    for rate in bundled_rates():
        by_currency.setdefault(rate.currency, []).append(float(rate.units_per_eur))
    for currency, values in by_currency.items():
        for before, after in pairwise(values):
            assert abs(after / before - 1) < 0.15, (currency, before, after)


@needs_shared
def test_the_bundled_rates_of_the_recorded_day_are_those_of_the_recording() -> None:
    path = SHARED / "recordings" / "ecb_fx" / "2025-05-09" / "expected.csv"
    expected = {
        row["currency"]: Decimal(row["units_per_eur"]) for row in csv.DictReader(path.open(encoding="utf-8"))
    }
    bundled = {
        rate.currency: rate.units_per_eur for rate in bundled_rates() if rate.rate_date == date(2025, 5, 9)
    }
    assert bundled
    assert all(expected[currency] == units for currency, units in bundled.items())
