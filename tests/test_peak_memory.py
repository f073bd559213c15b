"""Peak memory, whole runs and classic networks: numbers from papers, limits, monotonicity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sizing import peak_memory as peak
from recommender.sizing.classic_nets import classic_constants, classic_nets, classic_samples_per_s
from recommender.sizing.peak_memory import StateBytes, TrainingPeak, memory_constants, training_peak_bytes
from recommender.sizing.predict.memory import fits_in
from recommender.sizing.registry import find_model
from recommender.sizing.run_hours import CONSTANTS, Run, kind_of, run_constants, run_gpu_hours, run_share
from warehouse.reference import accelerators

C = memory_constants()
PARTS = accelerators()
A100 = PARTS["a100-sxm4-80gb"]


def total(state: StateBytes) -> float:
    return state.weights + state.gradients + state.optimizer


def test_states_of_the_zero_paper() -> None:
    # Rajbhandari 2019 (arXiv 1910.02054) figure 1: 7.5 B parameters on 64 GPUs: 120, 31.4, 16.6, 1.9 GB
    state = StateBytes(2, 2, 12)
    found = [7.5 * total(peak.sharded_state(state, stage, 64)) for stage in (0, 1, 2, 3)]
    assert found == pytest.approx([120, 31.4, 16.6, 1.9], rel=0.02)


def test_megatron_state_is_18_bytes_alone_and_6_and_12_over_d() -> None:
    assert total(peak.MEGATRON) == 18
    assert total(peak.sharded_state(peak.MEGATRON, 1, 8)) == 6 + 12 / 8


def test_layer_of_korthikanti() -> None:
    # 34 b s h for a plain GPT without the score matrix, + 5 a s with it (arXiv 2205.05198, equation 2)
    gpt = find_model("gpt-3")
    assert peak.layer_bytes(gpt) == pytest.approx(34 * gpt.hidden, rel=0.06)
    extra = peak.layer_bytes(gpt, flash=False, sequence=2048) - peak.layer_bytes(gpt)
    assert extra == 5 * gpt.heads * 2048


def test_fused_loss_keeps_a_tenth_of_the_logits() -> None:
    llama = find_model("llama-3.1-8b")
    assert peak.logit_bytes(llama, 12, True) == pytest.approx(0.1 * peak.logit_bytes(llama, 12, False))
    assert peak.logit_bytes(llama, 12, False) == 12 * 128256


def job(**changes: object) -> TrainingPeak:
    model = find_model("llama-3.1-8b")
    base = {
        "model": model,
        "parameters": model.total_parameters,
        "state": peak.PURE_16_LEAN,
        "frozen_bytes": 0.0,
        "adapters": 0.0,
        "tokens": 8192.0,
        "layers": 32.0,
        "recompute": True,
        "wide": False,
        "fused_loss": True,
        "flash": True,
        "sequence": 4096.0,
        "tensor_parallel": 1.0,
        "gathered": 0.0,
    }
    return TrainingPeak(**{**base, **changes})  # type: ignore[arg-type]


def test_without_activations_the_state_is_the_peak() -> None:
    assert training_peak_bytes(job(tokens=0.0), C) == pytest.approx(8 * 8.03e9, rel=0.001)


def test_gradients_and_activations_do_not_add_up() -> None:
    """The forward end holds no gradients: many activations cost less than their sum with them."""
    many = job(tokens=65536.0, recompute=False)
    grown = training_peak_bytes(many, C) - training_peak_bytes(
        job(tokens=65536.0, recompute=False, state=StateBytes(2, 0, 4)), C
    )
    assert grown == pytest.approx(0.0)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.booleans())
def test_more_tokens_never_need_less(a: float, b: float, recompute: bool) -> None:
    few, many = sorted((a, b))
    assert training_peak_bytes(job(tokens=few, recompute=recompute), C) <= training_peak_bytes(
        job(tokens=many, recompute=recompute), C
    )


def test_recomputing_and_adapters_need_less() -> None:
    assert training_peak_bytes(job(), C) < training_peak_bytes(job(recompute=False), C)
    frozen = peak.NF4_BYTES * 8e9
    tuned = training_peak_bytes(job(parameters=0.0, frozen_bytes=frozen, adapters=4e7), C)
    assert tuned < training_peak_bytes(job(), C) / 4


def test_tools_show_more_than_tensors() -> None:
    shown = [
        peak.reported_gib(40 * 2**30, metric, C) for metric in (peak.ALLOCATED, peak.RESERVED, peak.DRIVER)
    ]
    assert shown[0] == 40
    assert shown == sorted(shown)


def test_fits_is_never_said_near_the_limit() -> None:
    usable = 79 * 2**30
    assert fits_in(0.5 * usable, A100, C) is True
    assert fits_in(0.97 * usable, A100, C) is not True
    assert fits_in(1.5 * usable, A100, C) is False


def test_inference_is_weights_cache_and_a_layer() -> None:
    model = find_model("qwen2.5-7b")
    short, long = (peak.inference_peak_bytes(model, 15.2e9, n, 57344.0 * n, 1, C) for n in (2048, 32768))
    assert short / 2**30 == pytest.approx(14.4, abs=0.4)  # Qwen2.5 speed benchmark: 14.38 GB at 2,048 tokens
    assert short < long
    assert peak.inference_peak_bytes(model, 15.2e9, 2048, 0.0, 2, C) < short


R = run_constants()


def run(active: float = 65e9, tokens: float = 1.4e12, year: float | None = 2023.1, **changes: bool) -> Run:
    return Run(active, tokens, year, changes.get("calendar", False), changes.get("moe", False))


def test_llama_65b_took_a_million_hours() -> None:
    # LLaMA paper (arXiv 2302.13971) table 15: 1,022,362 A100 hours
    assert run_gpu_hours(run(65.2e9), A100, 312e12, R) == pytest.approx(1.022e6, rel=0.15)


def test_hours_scale_with_tokens_and_inversely_with_the_peak() -> None:
    one = run_gpu_hours(run(), A100, 312e12, R)
    assert run_gpu_hours(run(tokens=2.8e12), A100, 312e12, R) == pytest.approx(2 * one)
    assert run_gpu_hours(run(), A100, 624e12, R) == pytest.approx(one / 2)


def test_every_reason_makes_a_run_longer() -> None:
    plain = run_share(run(), A100, R)
    assert run_share(run(year=2022.3), A100, R) < plain
    assert run_share(run(calendar=True), A100, R) < plain
    assert run_share(run(moe=True), A100, R) < plain
    assert run_share(run(1e9), A100, R) < plain
    assert run_share(run(), PARTS["a100-sxm4-40gb"], R) < plain
    for c in CONSTANTS:
        assert c.low <= R[c.name] <= c.high


def test_classes_of_hardware() -> None:
    assert kind_of(A100) == ""
    assert kind_of(PARTS["h100-sxm5-80gb"]) == "hopper"
    assert kind_of(PARTS["tpu-v3"]) == "tpu_early"
    assert kind_of(PARTS["mi300x-192gb"]) == "other"


def test_classic_networks_on_more_and_faster_gpus() -> None:
    net, c = classic_nets()["resnet50"], classic_constants()
    one = classic_samples_per_s(net, A100, 1, True, c)
    eight = classic_samples_per_s(net, A100, 8, True, c)
    faster = classic_samples_per_s(net, PARTS["h100-sxm5-80gb"], 1, True, c)
    wide = classic_samples_per_s(net, A100, 1, False, c)
    assert one is not None
    assert eight is not None
    assert faster is not None
    assert wide is not None
    assert 6 * one < eight <= 8.5 * one
    assert wide < one < faster
    assert one == pytest.approx(1580, rel=0.2)  # NVIDIA DeepLearningExamples on A100 80 GB SXM4
