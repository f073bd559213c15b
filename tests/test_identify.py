"""GPU names: what they mean, what they leave open, and what they do not say."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from bench.gpu_names import TABLE, score
from warehouse.errors import UnknownNameError
from warehouse.identify import identify, match_gpu_filter

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared market data are not beside the project"
)


@pytest.mark.parametrize(
    ("name", "accelerator_id"),
    [
        ("NVIDIA H100 SXM5 80GB", "h100-sxm5-80gb"),
        ("H100 SXM", "h100-sxm5-80gb"),
        ("8xH100 SXM", "h100-sxm5-80gb"),
        ("NVIDIA HGX H100", "h100-sxm5-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm5-80gb"),
        ("H100 PCIe", "h100-pcie-80gb"),
        ("H100 PCIe 94GB", "h100-nvl-94gb"),
        ("H100_NVL", "h100-nvl-94gb"),
        ("H200 PCIe", "h200-nvl-141gb"),
        ("gpu_1x_a100_sxm_40gb", "a100-sxm4-40gb"),
        ("a100-pcie-80", "a100-pcie-80gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("B300 SXM6-268", "b300-sxm-288gb"),
        ("MI-308X", "mi308x-192gb"),
        ("AMD Instinct MI300X OAM", "mi300x-192gb"),
        ("NVIDIA L40S Intel", "l40s-48gb"),
        ("RTXPRO6000WS", "rtx-pro-6000-96gb"),
        ("NVIDIA RTX PRO-A6000 SE", "rtx-pro-6000-96gb"),
        ("RTX PRO 6000 Blackwell Max-Q Workstation Edition", "rtx-pro-6000-max-q-96gb"),
        ("RTX6000Ada", "rtx-6000-ada-48gb"),
        ("RTX A6000 Ada", "rtx-6000-ada-48gb"),
        ("Q RTX 6000", "quadro-rtx-6000-24gb"),
        ("RTX 4070S Ti", "rtx-4070-ti-super-16gb"),
        ("GTX 1650 S", "gtx-1650-super-4gb"),
        ("RTX 4090 D", "rtx-4090d-24gb"),
        ("Titan V", "titan-v-12gb"),
        ("TPU v5litepod", "tpu-v5e"),
        ("ct5p", "tpu-v5p"),
        ("Trainium2", "trainium2"),
        ("Intel Gaudi 3", "gaudi3-128gb"),
        ("BM.GPU.B200.8", "b200-sxm-180gb"),
        ("h100-sxm5-80gb", "h100-sxm5-80gb"),
    ],
)
def test_a_name_that_settles_the_part_gives_its_id(name: str, accelerator_id: str) -> None:
    found = identify(name)
    assert found.accelerator_id == accelerator_id
    assert found.candidates == (accelerator_id,)
    assert found.partition is None
    assert found.reason


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("H200", "GH200"), ("B200", "GB200"), ("B300", "GB300"), ("H20", "H200"), ("P4", "P40"),
        ("A10", "A100"), ("A10", "A10G"), ("L4", "L40"), ("L40", "L40S"), ("T4", "T4G"),
        ("V100", "V100S"), ("A100", "A100X"), ("MI250", "MI250X"), ("P100", "GP100"),
    ],
)  # fmt: skip
def test_a_name_inside_another_name_is_not_taken_for_it(inner: str, outer: str) -> None:
    assert not set(identify(inner).candidates) & set(identify(outer).candidates)


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("H100", {"h100-sxm5-80gb", "h100-pcie-80gb", "h100-nvl-94gb"}),
        ("A100", {"a100-sxm4-40gb", "a100-sxm4-80gb", "a100-pcie-40gb", "a100-pcie-80gb"}),
        ("A100 80GB", {"a100-sxm4-80gb", "a100-pcie-80gb"}),
        ("A100 PCIe", {"a100-pcie-40gb", "a100-pcie-80gb"}),
        ("NVIDIA H100 NVLink", {"h100-sxm5-80gb", "h100-pcie-80gb"}),
        ("Tesla V100 NVLINK", {"v100-sxm2-16gb", "v100-sxm2-32gb", "v100-pcie-16gb", "v100-pcie-32gb"}),
        ("RTX 6000", {"quadro-rtx-6000-24gb", "rtx-6000-ada-48gb", "rtx-pro-6000-96gb"}),
        ("RTX5000", {"quadro-rtx-5000-16gb", "rtx-5000-ada-32gb"}),
        ("NVIDIA GH200 480GB", {"gh200-96gb", "gh200-144gb"}),
        ("RTX 3060", {"rtx-3060-12gb", "rtx-3060-8gb"}),
        ("B200 NVL", {"b200-sxm-180gb", "gb200-186gb"}),
    ],
)
def test_what_the_name_leaves_open_stays_open(name: str, candidates: set[str]) -> None:
    found = identify(name)
    assert found.accelerator_id is None
    assert set(found.candidates) == candidates
    assert "not stated" in found.reason or "several parts" in found.reason


@pytest.mark.parametrize(
    "name", ["NVIDIA GPU", "(96GB)", "(32GB)", "RENDER-S", "", "RTX", "GPU H-e", "G49E", "VG1000", "Lovelace"]
)
def test_a_name_that_says_nothing_known_is_unknown(name: str) -> None:
    found = identify(name)
    assert (found.accelerator_id, found.candidates, found.family) == (None, (), None)
    assert found.reason


@pytest.mark.parametrize(
    ("name", "accelerator_id", "partition"),
    [
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb", "rtx-pro-6000-96gb", "1g.24gb"),
        ("PRO 6000 MIG 48GB", "rtx-pro-6000-96gb", "MIG 48GB"),
        ("NVIDIA A100-SXM4-80GB MIG 3g.40gb", "a100-sxm4-80gb", "3g.40gb"),
        ("NVIDIA A10-4Q", "a10-24gb", "A10-4Q"),
        ("GRID T4-8Q", "t4-16gb", "T4-8Q"),
        ("NVIDIA A16-2Q", "a16-16gb", "A16-2Q"),
        ("1/6x A10", "a10-24gb", "1/6"),
    ],
)
def test_a_slice_names_its_part_and_is_never_a_whole_one(
    name: str, accelerator_id: str, partition: str
) -> None:
    found = identify(name)
    assert (found.accelerator_id, found.partition) == (accelerator_id, partition)
    assert "slice" in found.reason


@pytest.mark.parametrize(
    ("name", "memory_gb", "accelerator_id"),
    [
        ("A100 PCIE", 80, "a100-pcie-80gb"),
        ("A100 PCIE", 40, "a100-pcie-40gb"),
        ("Tesla V100-SXM2", 15.9, "v100-sxm2-16gb"),
        ("RTX 6000", 48, "rtx-6000-ada-48gb"),
        ("RTX 4090", 47.99, "rtx-4090-48gb"),
        ("RTX 4090", 23.99, "rtx-4090-24gb"),
        ("NVIDIA H100", 94, "h100-nvl-94gb"),
        ("B200", 192, "b200-sxm-180gb"),
        ("B300 SXM6", 262, "b300-sxm-288gb"),
        ("A40", 44.7, "a40-48gb"),
        ("GH200", 96, "gh200-96gb"),
        ("RTX4000", 8, "quadro-rtx-4000-8gb"),
    ],
)
def test_stated_memory_settles_the_part_within_twelve_per_cent(
    name: str, memory_gb: float, accelerator_id: str
) -> None:
    assert identify(name, memory_gb=memory_gb).accelerator_id == accelerator_id


@pytest.mark.parametrize(
    ("name", "memory_gb"),
    [
        ("A100 SXM 80GB", 40),
        ("RTX 4090", 80),
        ("GTX 1070", 6),
        ("T4", 4),
        ("RTX 3060 12GB Mobile", None),
        ("A100 (20 GB)", None),
    ],
)
def test_memory_that_contradicts_the_name_is_not_identified(name: str, memory_gb: float | None) -> None:
    found = identify(name, memory_gb=memory_gb)
    assert (found.accelerator_id, found.candidates) == (None, ())
    assert "contradicts" in found.reason


def test_the_memory_of_a_whole_board_is_not_taken_for_one_gpu() -> None:
    assert "board of 4" in identify("A16 64GB").reason
    assert "board of 2" in identify("Tesla K80", memory_gb=24).reason


def test_the_total_memory_of_a_stated_count_is_understood() -> None:
    assert set(identify("gpu-h100x8-640gb").candidates) == {"h100-sxm5-80gb", "h100-pcie-80gb"}
    assert identify("NVIDIA H200 SXM", memory_gb=1128, count=8).accelerator_id == "h200-sxm-141gb"
    assert identify("NVIDIA H200 SXM", memory_gb=1128).accelerator_id is None


def test_a_variant_that_is_not_in_the_table_is_not_its_plain_sister() -> None:
    found = identify("RTX 3090 SUPER")
    assert found.candidates == ()
    assert "super" in found.reason


def test_a_machine_type_answers_for_its_gpu() -> None:
    assert identify("p5.48xlarge").accelerator_id == "h100-sxm5-80gb"
    assert identify("a3-highgpu-1g Spot").accelerator_id == "h100-sxm5-80gb"
    assert identify("t1-45").accelerator_id == "v100-pcie-16gb"
    assert identify("g6f.large").partition == "1/8"
    assert identify("RENDER-S", provider="scaleway").accelerator_id == "p100-pcie-16gb"


def test_an_unknown_machine_type_is_not_read_as_a_gpu_name() -> None:
    found = identify("a2-highgpu-32g")
    assert found.candidates == ()
    assert "machine type" in found.reason


def test_the_providers_own_spelling_settles_what_the_name_leaves_open() -> None:
    spellings = {"H200": "h200-sxm-141gb", "RTX6000": "quadro-rtx-6000-24gb"}
    assert identify("H200", provider="vast", spellings=spellings).accelerator_id == "h200-sxm-141gb"
    assert identify("rtx6000", spellings=spellings).accelerator_id == "quadro-rtx-6000-24gb"
    assert identify("H200", spellings=spellings, memory_gb=96).accelerator_id is None
    assert "no known id" in identify("X9", spellings={"X9": "x9-1gb"}).reason


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("h100", {"h100-sxm5-80gb", "h100-pcie-80gb", "h100-nvl-94gb"}),
        ("H100 SXM", {"h100-sxm5-80gb"}),
        ("a100-80gb", {"a100-sxm4-80gb", "a100-pcie-80gb"}),
        ("A100 80 GB", {"a100-sxm4-80gb", "a100-pcie-80gb"}),
        ("h100-sxm5-80gb", {"h100-sxm5-80gb"}),
        ("rtx-4090", {"rtx-4090-24gb", "rtx-4090-48gb"}),
        ("4090", {"rtx-4090-24gb", "rtx-4090-48gb"}),
        ("rtx 4090 24gb", {"rtx-4090-24gb"}),
        ("trainium", {"trainium1", "trainium2", "trainium3"}),
        ("mi300", {"mi300a-128gb", "mi300x-192gb"}),
        ("gh200", {"gh200-96gb", "gh200-144gb"}),
    ],
)
def test_a_filter_finds_all_parts_it_may_mean(text: str, ids: set[str]) -> None:
    assert set(match_gpu_filter(text)) == ids


@pytest.mark.parametrize("text", ["h10", "h1000", "geforce", "", "b", "x" * 500])
def test_an_unknown_filter_is_one_line_with_the_nearest_names(text: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        match_gpu_filter(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "gpufare gpus" in str(caught.value)


def test_a_near_miss_is_offered() -> None:
    with pytest.raises(UnknownNameError) as caught:
        match_gpu_filter("h101")
    assert "h100" in caught.value.near


@pytest.mark.parametrize(
    "name", ["\x00", "💥 H100 SXM", "H100 " * 200, "A" * 10_000, "1/0x A10", "0GB A100", "H100\tSXM"]
)
def test_odd_input_gives_an_answer_not_an_error(name: str) -> None:
    assert identify(name).input == name


@needs_shared
def test_the_collected_names_are_read_as_the_table_says() -> None:
    result = score(list(csv.DictReader(TABLE.open(encoding="utf-8"))))
    assert result.failures == []
    assert sum(result.counts.values()) > 400


@needs_shared
def test_a_thousand_names_take_well_under_a_second() -> None:
    names = [row["raw"] for row in csv.DictReader(TABLE.open(encoding="utf-8"))]
    identify("H100")
    started = time.perf_counter()
    for index in range(1000):
        identify(f"{names[index % len(names)]} {' ' * (index // len(names))}")
    assert time.perf_counter() - started < 1.0
