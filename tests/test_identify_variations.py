"""GPU names in the spellings of many sources: what a spelling adds or drops must not change the part."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.gpu_words import vocabulary
from warehouse.identify import MEMORY_TOLERANCE, identify
from warehouse.reference import Accelerator, accelerators

PARTS = list(accelerators().values())
SHORT = """
H100; A100 80GB; A100 40GB; A100; H200; GH200; GB200; L40S; L40; L4; T4; V100; RTX 6000; RTX PRO 6000; A6000;
RTX 4090; MI300X; K80; M60; A16; P100; A10; A10G; B200; B300; H100 NVL; A100 PCIe; H100 SXM; RTX 5090; TPU v5e
"""
NAMES = sorted({part.title for part in PARTS} | {" ".join(name.split()) for name in SHORT.split(";")})
OTHERS = ("AMD", "AWS", "Google", "Huawei", "Intel", "MI", "Qualcomm", "TPU")
SETTLED = [part for part in PARTS if identify(part.title).accelerator_id == part.accelerator_id]
names = st.sampled_from(NAMES)
before = st.sampled_from(["", "NVIDIA ", "1x ", "8x ", "8 x ", "8X", "(8x) ", "gpu: ", "Cloud GPU "])
after = st.sampled_from(
    ["", " GPU", " x8", " ×2", " (8x)", " Tensor Core GPU", " AMD EPYC", " Intel", " - spot", ", 64 GB RAM"]
)
blank = st.sampled_from([" ", "_", "-", "  ", "\t", "\u00a0"])
case = st.sampled_from([str, str.upper, str.lower, str.swapcase])


@given(name=names, front=before, back=after, gap=blank, written=case)
def test_case_blanks_counts_vendor_and_host_words_change_nothing(
    name: str, front: str, back: str, gap: str, written: object
) -> None:
    assert callable(written)
    front = "" if name.startswith(OTHERS) and "NVIDIA" in front else front
    varied = written(front + name.replace(" ", gap) + back)
    assert identify(varied).candidates == identify(name).candidates, varied


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.accelerator_id)
def test_every_part_is_named_by_its_title_and_its_id(part: Accelerator) -> None:
    assert part.accelerator_id in identify(part.title).candidates
    assert identify(part.accelerator_id).accelerator_id == part.accelerator_id


def _without_memory(part: Accelerator) -> str:
    return part.title.replace(f"{part.memory_gb:g} GB", "").strip()


@given(
    part=st.sampled_from(SETTLED),
    form=st.sampled_from(["{0:g}GB", "{0:g} GB", "{0:g}G", "({0:g} GiB)", "-{0:g}GB", "{1}MiB", "{1} MB"]),
)
def test_the_label_and_the_drivers_figure_both_mean_the_part(part: Accelerator, form: str) -> None:
    driver = int((part.memory_gib_usable or part.memory_gb) * 1024)
    written = f"{_without_memory(part)} {form.format(part.memory_gb, driver)}"
    assert identify(written).accelerator_id == part.accelerator_id, written


@given(part=st.sampled_from(PARTS), off=st.floats(-MEMORY_TOLERANCE, MEMORY_TOLERANCE))
def test_memory_within_the_tolerance_is_evidence_for_the_part(part: Accelerator, off: float) -> None:
    found = identify(_without_memory(part), memory_gb=part.memory_gb * (1 + off))
    assert part.accelerator_id in found.candidates


@pytest.mark.parametrize("times", [0.3, 1.4, 3.0, 5.0])
def test_a_memory_that_no_part_of_the_name_has_identifies_nothing(times: float) -> None:
    rare = {accelerators()[key].memory_gb for key in vocabulary().only_by_memory}
    for part in PARTS:
        memory, name = part.memory_gb * times, _without_memory(part)
        sizes = {accelerators()[key].memory_gb for key in identify(name).candidates}
        if all(abs(memory / size - 1) > 0.3 for size in sizes | rare):
            assert part.accelerator_id not in identify(name, memory_gb=memory).candidates, (name, memory)


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("2x A100 80GB", ("a100-pcie-80gb", "a100-sxm4-80gb")),
        ("A100 80 GB ×2", ("a100-pcie-80gb", "a100-sxm4-80gb")),
        ("8x H100 640GB", ("h100-pcie-80gb", "h100-sxm5-80gb")),
        ("A100™ 80GB PCIe", ("a100-pcie-80gb",)),
        ("NVIDIA RTX™ PRO 6000", identify("RTX PRO 6000").candidates),
        ("Compute - GPU (BM.GPU3.8)", ("v100-sxm2-16gb",)),
        ("Compute - GPU Standard - V2", ("v100-sxm2-16gb",)),
        ("NVIDIA GH200 480GB", ("gh200-144gb", "gh200-96gb")),
        ("NVIDIA A100 80GB PCIe MIG 1g.10gb", ("a100-pcie-80gb",)),
        ("GRID A10-12Q", ("a10-24gb",)),
        ("L40S Intel Xeon", ("l40s-48gb",)),
        ("RTX 6000", ("quadro-rtx-6000-24gb", "rtx-6000-ada-48gb", "rtx-pro-6000-96gb")),
    ],
)
def test_names_that_are_easily_misread(name: str, candidates: tuple[str, ...]) -> None:
    assert set(identify(name).candidates) == set(candidates)


@pytest.mark.parametrize(("board", "memory_gb", "gpus"), [("K80", 24, 2), ("M60", 16, 2), ("A16", 64, 4)])
def test_the_memory_of_a_whole_board_asks_what_is_sold(board: str, memory_gb: float, gpus: int) -> None:
    found = identify(board, memory_gb=memory_gb)
    assert (found.accelerator_id, found.candidates) == (None, ())
    assert f"board of {gpus} GPUs" in found.reason
    assert identify(board, memory_gb=memory_gb / gpus).accelerator_id is not None


@given(st.text(string.ascii_letters + string.digits + " -_/().™®×é漢", max_size=40))
def test_any_text_gets_an_answer_with_known_ids_and_a_reason(text: str) -> None:
    found = identify(text)
    assert set(found.candidates) <= set(accelerators())
    assert (found.accelerator_id is not None) == (len(found.candidates) == 1)
    assert found.reason


@pytest.mark.parametrize(
    "name",
    [
        *("", "CPU", "AMD EPYC 9654", "Intel Xeon Gold 6430", "t3.micro", "None", "GPU", "NVIDIA GPU", "any"),
        *("H10000", "8 vCPU 32 GB", "AMD Ryzen 9 7950X", "NVIDIA Grace", "Standard_D8s_v5", "e2-standard-8"),
    ],
)
def test_what_is_no_gpu_is_not_taken_for_one(name: str) -> None:
    assert identify(name).candidates == ()
