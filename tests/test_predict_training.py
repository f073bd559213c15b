"""Rows of the training, runs, memory and image tables: what is read, what is refused, what is answered."""

from __future__ import annotations

import pytest

from recommender.sizing.predict import images, memory, runs, training
from recommender.sizing.predict.table import Row
from recommender.sizing.predict.training_rows import (
    age_of,
    method_of,
    precision_of,
    shard_of,
    stack_of,
    training_case,
)
from warehouse.reference import accelerators

PARTS = accelerators()


def row(**cells: object) -> Row:
    return Row(0, {key: str(value) for key, value in cells.items()})


LLAMA = {
    "model": "LLAMA3_70B",
    "params_total": 7.06e10,
    "params_active": 7.06e10,
    "task": "pretrain",
    "accelerator": "H100",
    "n_accel": 64,
    "precision": "FP8",
    "seq_len": 8192,
    "gbs": 256,
    "mbs": 1,
    "tp": 4,
    "pp": 8,
    "vp": 5,
    "software": "NeMo 26.04",
    "date": "26.04",
}


def predicted(**changes: object) -> dict[str, float]:
    (found,) = training.predict_points([row(**{**LLAMA, **changes})])
    assert found.status == "ok", found.status
    return found.values


def test_a_published_configuration_is_met() -> None:
    # Megatron-Bridge performance summary: 1,633 tokens/s per GPU, 734 TFLOPS
    values = predicted()
    assert values["tokens_per_s_per_gpu"] == pytest.approx(1633, rel=0.15)
    assert values["tflops_per_gpu"] == pytest.approx(734, rel=0.15)
    assert values["samples_per_s"] == pytest.approx(values["tokens_per_s_per_gpu"] * 64 / 8192)
    assert values["step_time_s"] == pytest.approx(256 / values["samples_per_s"])


def test_faster_hardware_formats_and_software_are_faster() -> None:
    base = predicted()["tokens_per_s_per_gpu"]
    assert predicted(accelerator="B200")["tokens_per_s_per_gpu"] > base
    assert predicted(precision="BF16")["tokens_per_s_per_gpu"] < base
    assert predicted(act_ckpt="full")["tokens_per_s_per_gpu"] < base
    assert predicted(date="23.09")["tokens_per_s_per_gpu"] < base


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"accelerator": "Nonsense 9000"}, "accelerator"),
        ({"model": "nobody", "params_total": ""}, "params_total"),
        ({"accelerator": "A100-80GB"}, "no dense fp8 rate"),
        ({"seq_len": -1}, "seq_len is -1"),
        ({"params_total": 0}, "params_total is 0"),
        ({"mbs": 1e9}, "mbs is 1000000000.0"),
        ({"tp": 64, "pp": 8}, "tp x pp x cp is 512, more than n_accel 64"),
    ],
)
def test_rows_that_cannot_be_predicted_say_why(changes: dict[str, object], says: str) -> None:
    (found,) = training.predict_points([row(**{**LLAMA, **changes})])
    assert found.status.startswith("unsupported: ")
    assert says in found.status
    assert not found.values


def test_a_layout_that_is_not_stated_is_searched() -> None:
    stated = {key: value for key, value in LLAMA.items() if key not in ("tp", "pp", "vp", "mbs")}
    case = training_case(row(**stated))
    assert not isinstance(case, str)
    assert case.chosen
    assert case.features.tp * case.features.pp >= 4  # 70 B with gradients does not fit on one or two


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("HF SFTTrainer framework=foak-fast-kernels", "hf-fused"),
        ("llm-foundry/Composer FSDP", "composer"),
        ("NVIDIA NeMo Framework Release 24.09", "megatron"),
        ("maxtext", "jax"),
        ("something new", "other"),
    ],
)
def test_stacks_by_name(text: str, name: str) -> None:
    assert stack_of(text)[0] == name


def test_spellings_of_precision_method_sharding_and_age() -> None:
    h100, a100, gaudi = (PARTS[name] for name in ("h100-sxm5-80gb", "a100-sxm4-80gb", "gaudi2-96gb"))
    assert precision_of("MXFP8", h100) == "fp8"
    assert precision_of("NVFP4", h100) == "fp4"
    assert precision_of("bfloat16 amp", h100) == "bf16"
    assert precision_of("mlperf-vendor", h100) == "fp8"
    assert precision_of("mlperf-vendor", a100) == "bf16"
    assert precision_of("mlperf-vendor", gaudi, "v3.0") == "bf16"
    assert method_of(row(task="lora", peft="lora r=16", software="accelerated-peft-bnb")) == "qlora"
    assert method_of(row(task="sft")) == "full"
    assert shard_of(row(fsdp="FULL_SHARD")) == 3
    assert shard_of(row(fsdp="(tp=1, zero1=8)")) == 1
    assert shard_of(row(fsdp="none")) == 0
    assert age_of("26.07") == pytest.approx(1.0)
    assert age_of("2024-07") == pytest.approx(-1.0)
    assert age_of("2022-02") == -2.0
    assert age_of("") == 0.0


def test_classic_nets_count_the_gpus_that_were_used() -> None:
    cells = {"task": "train-classic", "model": "resnet50", "accelerator": "H100", "precision": "fp16"}
    one = row(**cells, n_accel=8, accel_raw="LambdaOD_8x_Texas_1xH100_80GB_SXM5_v2")
    eight = row(**cells, n_accel=1, accel_raw="LambdaCloud 8x H100 80GB SXM5")
    assert (training.gpus_of(one), training.gpus_of(eight)) == (1, 8)
    found = training.predict_points([one, eight])
    assert found[1].values["samples_per_s"] > 6 * found[0].values["samples_per_s"]
    (unknown,) = training.predict_points([row(**{**cells, "model": "nobody-net"})])
    assert unknown.status == "unsupported: network 'nobody-net' is not known"


RUN = {
    "model": "LLaMA-65B",
    "params_total": 6.52e10,
    "params_active": 6.52e10,
    "tokens": 1.4e12,
    "accelerator": "A100-80GB",
    "date": "2023-02",
    "grade": "A",
}


def test_runs_and_what_they_lack() -> None:
    (found,) = runs.predict_points([row(**RUN)])
    assert found.values["gpu_hours"] == pytest.approx(1.02e6, rel=0.2)
    (calendar,) = runs.predict_points([row(**{**RUN, "grade": "B"})])
    assert calendar.values["gpu_hours"] > found.values["gpu_hours"]
    (blank,) = runs.predict_points([row(**{**RUN, "tokens": ""})])
    assert blank.status == "unsupported: tokens is blank"
    assert runs.year_of("2022-07") == 2022.5
    assert runs.year_of("soon") is None


MEMORY = {
    "model": "meta-llama/Meta-Llama-3-8B",
    "params_total": 8.03e9,
    "phase": "train",
    "method": "lora",
    "accelerator": "A100-80GB",
    "n_accel": 1,
    "precision": "bfloat16 amp",
    "seq_len": 4096,
    "micro_batch": 8,
    "act_ckpt": "True",
    "sharding": "none",
    "mem_metric": "nvidia-smi reserved (MiB/1024)",
    "software": "HF SFTTrainer framework=foak-fast-kernels-liger",
}


def test_memory_of_a_published_fine_tuning() -> None:
    (found,) = memory.predict_points([row(**MEMORY)])
    assert found.values["mem_peak_gib"] == pytest.approx(33.9, rel=0.2)  # fms-acceleration benchmark
    assert found.fits is True
    (full,) = memory.predict_points([row(**{**MEMORY, "method": "full-ft", "micro_batch": 64})])
    assert full.values["mem_peak_gib"] > found.values["mem_peak_gib"]
    assert full.fits is not True
    (pool,) = memory.predict_points([row(**{**MEMORY, "mem_metric": "preallocated pool"})])
    assert pool.status.startswith("unsupported: mem_metric")


def test_images_of_a_published_benchmark() -> None:
    cells = {
        "model": "Stable-Diffusion-v1.5 txt2img",
        "accelerator": "V100-32GB",
        "engine": "diffusers torch 2.0 -  compile",
        "concurrency_or_batch": 4,
    }
    (found,) = images.predict_points([row(**cells)])
    assert found.values["it_s"] == pytest.approx(6.9, rel=0.25)
    assert images.is_image_row(row(**cells))
    assert not images.is_image_row(row(model="Llama-3-8B"))
    (eager,) = images.predict_points([row(**{**cells, "engine": "diffusers torch 2.0 -  no compile"})])
    assert eager.values["it_s"] < found.values["it_s"]
