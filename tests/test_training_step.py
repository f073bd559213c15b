"""The training step by parts: numbers from papers, limits known on paper, monotonicity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sizing import training_step as step
from recommender.sizing.registry import find_model
from recommender.sizing.training_constants import PHYSICAL, shipped_constants
from recommender.sizing.training_features import step_features
from recommender.sizing.training_step import StepFeatures, step_parts

IDEAL = {c.name: 0.0 for c in PHYSICAL} | {
    "gemm": 1.0,
    "grouped": 1.0,
    "attention": 1.0,
    "attention_tuned": 1.0,
    "overlap": 1e9,
}
REAL = shipped_constants().values


def machine(
    model: str = "llama-3.1-70b", method: str = "full", sequence: float = 8192.0, **changes: Any
) -> StepFeatures:
    """One H100-like GPU; `changes` overrule."""
    numbers = {
        "peak": 989e12,
        "peak16": 989e12,
        "matmul": 1.0,
        "matmul16": 1.0,
        "bandwidth": 3.35e12,
        "link": 450e9,
        "fabric": 50e9,
        "node": 8.0,
        "tokens": sequence,
    }
    return replace(step_features(find_model(model), method, sequence), **{**numbers, **changes})


def seconds(features: StepFeatures, constants: Any = REAL) -> float:
    return float(step_parts(features, constants).total)


def test_an_ideal_machine_needs_flop_over_peak() -> None:
    # 0.449 TFLOP per token (Llama-3-70B at 8,192) on one GPU at peak
    assert seconds(machine(), IDEAL) == pytest.approx(8192 * 0.449e12 / 989e12, rel=0.01)


def test_frozen_weights_save_a_third_of_the_products_and_no_attention() -> None:
    full, lora = machine(), machine(method="lora")
    assert step.matrix_s(lora, IDEAL, 1.0) / step.matrix_s(full, IDEAL, 1.0) == pytest.approx(2 / 3)
    assert step.attention_s(lora, IDEAL, 1.0) == step.attention_s(full, IDEAL, 1.0)


def test_recomputation_costs_one_more_pass() -> None:
    plain = machine()
    again = replace(plain, passes=4.0, attention_passes=4.0)
    assert seconds(again, IDEAL) / seconds(plain, IDEAL) == pytest.approx(4 / 3)


def test_all_reduce_of_megatron_layers() -> None:
    # ring all-reduce 2 (g - 1) / g of b s h x 2 bytes, twice per layer and pass (Megatron-LM, Narayanan 2021)
    f = machine(tp=8.0)
    payload = 8192 * 8192 * 2.0
    one = 2 * 7 / 8 * payload / (450e9 * step.RING_SHARE)
    assert step.tensor_parallel_s(f, 8192.0) == pytest.approx(2 * 3 * 80 * one)
    assert step.tensor_parallel_s(machine(tp=1.0), 8192.0) == 0.0


def test_pipeline_bubble_of_narayanan() -> None:
    # (p - 1) / (v m) of the ideal time, arXiv 2104.04473 section 2.2
    f = machine(pp=8.0, micro_batches=32.0, virtual=4.0)
    parts = step_parts(f, IDEAL)
    ideal = float(parts.compute + parts.tensor)
    assert float(parts.bubble) / ideal == pytest.approx(7 / (4 * 32), rel=0.01)
    assert float(step_parts(replace(f, pp=1.0), IDEAL).bubble) == 0.0


def test_pipeline_hand_over_is_slower_between_nodes() -> None:
    inside, beyond = machine(pp=8.0, tp=1.0), machine(pp=8.0, tp=8.0)
    assert step.pipeline_s(machine(), 4096.0) == 0.0
    assert step.pipeline_s(beyond, 8 * 4096.0) == pytest.approx(9 * step.pipeline_s(inside, 4096.0))


def test_sharded_weights_move_three_times_per_micro_batch() -> None:
    # ZeRO (arXiv 1910.02054, section 7): 3 P bytes x 2 per step where nothing hides it
    f = machine(dp=8.0, shard=3, shard_group=8.0)
    naked = {**REAL, "overlap": 0.0}
    weights = find_model("llama-3.1-70b").total_parameters * 2
    expected = 3 * weights * 7 / 8 / (450e9 * step.RING_SHARE)
    assert float(step.data_parallel_s(f, naked, 1.0, 1.0)) == pytest.approx(expected)
    assert float(step.data_parallel_s(f, {**REAL, "overlap": 1e9}, 1.0, 1.0)) == pytest.approx(0.0, abs=1e-3)


def test_one_copy_has_no_data_parallel_traffic() -> None:
    assert float(step.data_parallel_s(machine(dp=1.0, shard_group=1.0), REAL, 1.0, 1.0)) == 0.0


def test_expert_dispatch_stays_inside_a_node_or_goes_over_the_network() -> None:
    c = {**IDEAL, "dispatch_exposed": 1.0}
    near = step.experts_s(machine("deepseek-v3", ep=8.0), c, 4096.0)
    far = step.experts_s(machine("deepseek-v3", ep=64.0), c, 4096.0)
    rack = step.experts_s(machine("deepseek-v3", ep=64.0, node=72.0), c, 4096.0)
    assert 0 < near < far
    assert rack < far
    assert step.experts_s(machine(), c, 4096.0) == 0.0
    assert step.experts_s(machine("deepseek-v3", ep=1.0), c, 4096.0) == 0.0


def test_narrow_formats_do_not_make_traffic_faster() -> None:
    """Amdahl: doubling the peak alone less than halves the step."""
    wide = machine()
    narrow = replace(wide, peak=2 * 989e12, fp8=1.0)
    assert 0.5 < seconds(narrow) / seconds(wide) < 1.0
    assert step.traffic_s(narrow, REAL, 1.0) > step.traffic_s(wide, REAL, 1.0)


def test_offloaded_state_pays_for_the_host_link() -> None:
    f = machine()
    assert step.optimizer_s(replace(f, offloaded=15e9), REAL) - step.optimizer_s(f, REAL) == pytest.approx(
        2.0
    )


@given(
    st.sampled_from(["llama-3.1-8b", "llama-3.1-70b", "deepseek-v3", "qwen3-235b-a22b", "gpt-3"]),
    st.sampled_from(["peak", "peak16", "bandwidth", "link", "fabric"]),
    st.floats(1.0, 8.0),
    st.sampled_from([1.0, 2.0, 8.0]),
    st.sampled_from([1.0, 4.0]),
)
def test_a_faster_machine_is_never_slower(name: str, what: str, factor: float, tp: float, pp: float) -> None:
    f = machine(name, tp=tp, pp=pp, dp=16.0, shard_group=16.0, ep=8.0, micro_batches=16.0, shard=1)
    better = replace(f, **{what: getattr(f, what) * factor})
    assert seconds(better) <= seconds(f) * (1 + 1e-9)


@given(st.integers(1, 64), st.integers(1, 64))
def test_more_micro_batches_take_longer(a: int, b: int) -> None:
    few, many = sorted((a, b))
    f = machine(pp=4.0)
    assert seconds(replace(f, micro_batches=float(few))) <= seconds(replace(f, micro_batches=float(many)))


def test_columns_and_single_rows_agree() -> None:
    f = machine()
    tp = np.array([1.0, 2.0, 4.0, 8.0])
    together = step_parts(replace(f, tp=tp), REAL).total
    alone = [seconds(replace(f, tp=float(value))) for value in tp]
    assert np.allclose(together, alone)


def test_constants_stay_within_their_physical_bounds() -> None:
    for c in PHYSICAL:
        assert c.low <= c.prior <= c.high, c.name
        assert c.low <= REAL[c.name] <= c.high, c.name
        assert c.meaning
    found = shipped_constants()
    for values in (found.stacks, found.classes):
        assert all(0.4 <= value <= 2.5 for value in values.values())


def test_unknown_stacks_and_classes_take_their_kind() -> None:
    found = shipped_constants()
    assert found.pace("never seen", "tuned", "never seen") == 1.0
    assert found.pace("never seen", "script", "never seen") == found.values["pace_script"]
