"""FLOP, memory and communication formulas: numbers from papers, limits known on paper, monotonicity."""

from __future__ import annotations

import math

import pytest

from recommender.sizing import communication, flops, memory
from recommender.sizing.models import assumed_architecture
from recommender.sizing.precision import PRECISIONS, compute_unit, find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.training import goodput
from warehouse.errors import UnknownNameError
from warehouse.reference import accelerators

GPT3 = find_model("gpt-3")
LLAMA_70B = find_model("llama-3.1-70b")


def test_gpt3_forward_of_1024_tokens_is_about_350_tflop() -> None:
    assert flops.simple_forward_flops(175e9, 1024) == pytest.approx(350e12, rel=0.03)
    assert 1024 * flops.forward_flops_per_token(GPT3, 1024) == pytest.approx(350e12, rel=0.05)


def test_gpt3_training_on_300_billion_tokens_is_3_14e23_flop() -> None:
    assert flops.simple_training_flops(175e9, 300e9) == pytest.approx(3.14e23, rel=0.01)
    assert 300e9 * flops.training_flops_per_token(GPT3, 2048) == pytest.approx(3.14e23, rel=0.05)


def test_a_thousand_gpt3_tokens_at_a100_peak_take_about_a_second() -> None:
    seconds = 1000 * flops.forward_flops_per_token(GPT3, 1000) / 312e12
    assert 1.0 < seconds < 1.3


def test_llama_70b_training_at_8192_is_0_449_tflop_per_token() -> None:
    assert flops.training_flops_per_token(LLAMA_70B, 8192) == pytest.approx(0.449e12, rel=0.01)


def test_lora_needs_about_two_thirds_of_full_training() -> None:
    share = flops.training_flops_per_token(LLAMA_70B, 2048, "lora") / flops.training_flops_per_token(
        LLAMA_70B, 2048
    )
    assert 0.66 < share < 0.70


def test_sliding_windows_bound_attention() -> None:
    model = find_model("mistral-7b")
    assert flops.attention_flops_at(model, 4096) == flops.attention_flops_at(model, 100_000)


def test_gpt3_in_fp32_needs_700_gb_and_nine_80_gb_gpus() -> None:
    needed = memory.weight_bytes(GPT3, PRECISIONS["fp32"])
    assert needed == pytest.approx(700e9, rel=0.01)
    assert math.ceil(needed / 80e9) == 9


def test_quantisation_takes_a_175b_model_from_five_gpus_to_two() -> None:
    gpus = {
        name: math.ceil(memory.weight_bytes(GPT3, PRECISIONS[name]) / 80e9)
        for name in ("fp16", "int8", "int4")
    }
    assert gpus == {"fp16": 5, "int8": 3, "int4": 2}


def test_adam_state_of_mixed_precision_is_16_bytes_per_parameter() -> None:
    per_parameter = 2 + memory.GRADIENT_BYTES_FSDP + memory.OPTIMIZER_BYTES_ADAM
    assert per_parameter == 16


@pytest.mark.parametrize("name", ["fp8", "int4", "fp4", "mxfp4", "nf4"])
def test_block_formats_lie_between_their_bits_and_sixteen(name: str) -> None:
    bits = PRECISIONS[name].weight_bytes
    held = memory.weight_bytes(LLAMA_70B, PRECISIONS[name]) / LLAMA_70B.total_parameters
    assert bits < held < 2


def test_activations_of_a_plain_gpt_are_34_bytes_per_token_and_hidden() -> None:
    plain = memory.activation_bytes_per_layer(GPT3, 2048, 1) / (2048 * GPT3.hidden)
    assert plain == pytest.approx(34, rel=0.001)


def test_recomputation_and_tensor_parallel_shrink_activations() -> None:
    kept = memory.training_activation_bytes(LLAMA_70B, 4096, 1, 1, 1, False)
    again = memory.training_activation_bytes(LLAMA_70B, 4096, 1, 1, 1, True)
    split = memory.training_activation_bytes(LLAMA_70B, 4096, 8, 1, 1, False)
    assert again < kept / 3
    assert split == pytest.approx(kept / 8)


def test_cache_is_split_by_heads_then_copied_and_mla_never_splits() -> None:
    assert memory.kv_share_per_gpu(LLAMA_70B, 4) == 1 / 4
    assert memory.kv_share_per_gpu(LLAMA_70B, 16) == 1 / 8
    assert memory.kv_share_per_gpu(find_model("deepseek-v3"), 8) == 1


def test_sliding_layers_keep_their_window_only() -> None:
    model = find_model("gpt-oss-120b")
    long, longer = (memory.kv_bytes_of_context(model, context) for context in (10_000, 20_000))
    assert longer - long == 10_000 * model.full_layers * model.kv_elements_per_layer * 2


def test_adapters_are_a_small_share_of_the_model() -> None:
    share = memory.lora_parameters(LLAMA_70B) / LLAMA_70B.total_parameters
    assert 0.001 < share < 0.01


def test_all_reduce_moves_nothing_on_one_rank_and_tends_to_twice_the_payload() -> None:
    assert communication.all_reduce_s(1e9, 1, 1e9) == 0
    many = communication.all_reduce_s(1e9, 1000, 1e9 / communication.ATTAINABLE, latency=0)
    assert many == pytest.approx(2, rel=0.01)
    gathered = communication.all_gather_s(1e9, 8, 1e9, latency=0)
    assert communication.all_reduce_s(1e9, 8, 1e9, latency=0) == pytest.approx(2 * gathered)


def test_pipeline_bubble_vanishes_with_one_stage_and_many_micro_batches() -> None:
    assert communication.pipeline_bubble(1, 8) == 0
    assert communication.pipeline_bubble(8, 1e6) < 1e-4


def test_goodput_falls_with_the_number_of_gpus() -> None:
    assert 0.99 < goodput(8) < 1
    assert goodput(1024) > goodput(16_384) > 0.85


def test_hardware_without_a_format_widens_the_weights() -> None:
    parts = accelerators()
    assert compute_unit(parts["a100-sxm4-80gb"], PRECISIONS["fp8"]) == ("bf16", 312)
    assert compute_unit(parts["t4-16gb"], PRECISIONS["bf16"]) == ("fp16", 65.1)
    unit = compute_unit(parts["h100-sxm5-80gb"], PRECISIONS["fp8"])
    assert unit is not None
    assert unit[0] == "fp8"


def test_unknown_precision_lists_the_known() -> None:
    assert find_precision("BFloat16").name == "bf16"
    with pytest.raises(UnknownNameError, match="nf4"):
        find_precision("int5")


def test_assumed_models_use_all_they_hold() -> None:
    model = assumed_architecture(7e9)
    assert flops.forward_flops_per_token(model, 1) == pytest.approx(14e9, rel=0.01)
