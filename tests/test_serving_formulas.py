"""Serving formulas: numbers from papers, limits known on paper, monotonicity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.sizing import serving
from recommender.sizing.precision import compute_unit, find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.serving_case import (
    ENGINES,
    ServingCase,
    bind,
    format_numbers,
    machine_numbers,
    merged,
    model_numbers,
    software_numbers,
)
from recommender.sizing.serving_constants import as_csv, constants, shipped
from warehouse.reference import accelerators

PARTS = accelerators()
VALUES = shipped()


def case(
    model: str = "llama-3.1-70b",
    part: str = "h100-sxm5-80gb",
    precision: str = "fp8",
    engine: str = "trtllm",
    **layout: int,
) -> ServingCase:
    form, found = find_precision(precision), find_model(model)
    unit = compute_unit(PARTS[part], form)
    assert unit is not None
    group = layout.get("tp", 1)
    raw = merged(
        model_numbers(found),
        format_numbers(found, form, 2.0),
        machine_numbers(PARTS[part], unit, group),
        software_numbers(engine),
        **layout,
    )
    return bind(raw, VALUES)


def seconds(value: Any) -> float:
    return float(value)


def test_roofline_is_the_larger_of_both_and_a_little_more_where_they_meet() -> None:
    assert serving.roofline_s(2.0, 0.0, 4.0) == pytest.approx(2.0)
    assert serving.roofline_s(1.0, 1.0, 4.0) == pytest.approx(2**0.25)
    assert serving.roofline_s(1.0, 1.0, 60.0) == pytest.approx(1.0, rel=0.02)


def test_no_decode_step_beats_reading_the_weights_at_full_bandwidth() -> None:
    step = seconds(serving.step_s(case(tp=4), VALUES, 1, 100))
    assert step > 70e9 / 4 / 3350e9


def test_a_prompt_never_beats_the_paper_rate() -> None:
    prompt = seconds(serving.prefill_alone_s(case(tp=4), VALUES, 8192))
    assert prompt > 2 * 69e9 * 8192 / 4 / 1979e12


def test_a_step_grows_with_batch_context_and_prompt() -> None:
    one = case(tp=2)
    batches = [seconds(serving.step_s(one, VALUES, n, 1000)) for n in (1, 8, 64, 512)]
    contexts = [seconds(serving.step_s(one, VALUES, 32, n)) for n in (10, 1000, 30000)]
    prompts = [seconds(serving.step_s(one, VALUES, 32, 1000, prompt=n)) for n in (0, 100, 8000)]
    for values in (batches, contexts, prompts):
        assert values == sorted(values)
        assert values[0] < values[-1]


@pytest.mark.parametrize("field", ["bytes_per_s", "peak", "peak_16", "raw_16", "link_bytes_per_s"])
def test_a_faster_machine_is_never_slower(field: str) -> None:
    slow = case("deepseek-v3", tp=8)
    fast = replace(slow, **{field: 2 * getattr(slow, field)})
    for batch, prompt in ((1, 0), (256, 0), (32, 4096)):
        before = seconds(serving.step_s(slow, VALUES, batch, 2000, prompt=prompt))
        assert seconds(serving.step_s(fast, VALUES, batch, 2000, prompt=prompt)) <= before


def test_one_gpu_reduces_nothing() -> None:
    assert seconds(serving.reduce_s(case(tp=1), VALUES, 100)) == 0
    assert seconds(serving.reduce_s(case(tp=8), VALUES, 100)) > 0


def test_large_messages_go_around_a_ring() -> None:
    group = case(tp=8)
    payload = 8192 * 8192 * 2.0
    link = 450e9 * VALUES["reduce_share"]
    ring = 2 * 80 * (1e-6 * (VALUES["ring_us"] + 3 * VALUES["reduce_us"]) + 2 * 7 / 8 * payload / link)
    assert seconds(serving.reduce_s(group, VALUES, 8192)) == pytest.approx(ring)


def test_prompts_that_share_a_step_cost_no_more_than_alone() -> None:
    one = case("qwen3-235b-a22b", tp=8)
    mixed = seconds(serving.prefill_mixed_s(one, VALUES, 64, 1000, 512))
    assert 0 < mixed < seconds(serving.prefill_alone_s(one, VALUES, 512))


def test_a_round_holds_one_prefill_per_request() -> None:
    one = case(tp=4)
    state = serving.steady_state(one, VALUES, 32, 1000, 250, waits=4.0)
    total = seconds(state.ttft_s) + 249 * seconds(state.tpot_s)
    parts = 250 * seconds(state.step_s) + 32 * seconds(state.prefill_s)
    fixed = seconds(serving.first_token_s(one, VALUES))
    assert total - fixed == pytest.approx(parts, rel=0.01)


def test_little_s_law_holds() -> None:
    state = serving.steady_state(case(tp=4), VALUES, 64, 1000, 250)
    latency = seconds(state.ttft_s) + 249 * seconds(state.tpot_s)
    assert seconds(state.requests_per_s) * latency == pytest.approx(64)


def test_cached_prompts_and_accepted_drafts_help() -> None:
    one = case(tp=4)
    plain = serving.steady_state(one, VALUES, 8, 4000, 250)
    cached = serving.steady_state(one, VALUES, 8, 4000, 250, cached_share=0.9)
    drafted = serving.steady_state(one, VALUES, 8, 4000, 250, accepted=2.5, drafts=3.0)
    assert seconds(cached.ttft_s) < seconds(plain.ttft_s)
    assert seconds(drafted.tpot_s) < seconds(plain.tpot_s)


def test_drafts_cost_more_in_full_batches() -> None:
    one = case(tp=1)

    def gain(batch: int) -> float:
        plain = serving.steady_state(one, VALUES, batch, 100, 1000)
        drafted = serving.steady_state(one, VALUES, batch, 100, 1000, accepted=2.5, drafts=3.0)
        return seconds(plain.tpot_s) / seconds(drafted.tpot_s)

    assert gain(512) < gain(4)


def test_attention_of_one_sequence_leaves_memory_idle() -> None:
    """Reading a long cache takes more than its share of time with one sequence of few heads."""
    one = case("qwen2.5-7b", "a100-sxm4-80gb", "bf16", "vllm")
    cache = 28 * 2 * 4 * 128 * 2.0 * 100_000
    longer = seconds(serving.step_s(one, VALUES, 1, 100_000)) - seconds(serving.step_s(one, VALUES, 1, 1))
    assert longer > 2 * cache / one.bytes_per_s


def test_windows_limit_what_attention_sees() -> None:
    one = case("gpt-oss-120b", precision="mxfp4")
    assert seconds(serving.seen_layers(one, 100)) == 36 * 100
    assert seconds(serving.seen_layers(one, 10_000)) == 18 * 10_000 + 18 * 128


def test_apart_prefill_does_not_interrupt_decoding() -> None:
    one = case("deepseek-v3", "h200-sxm-141gb", tp=8)
    together = serving.steady_state(one, VALUES, 64, 8192, 1024)
    apart = serving.disaggregated(one, VALUES, 64, 1000, 8192, 1024, gpus=16)
    assert seconds(apart.tpot_s) < seconds(together.tpot_s)


def test_every_engine_has_its_numbers() -> None:
    for engine in ENGINES:
        found = case(engine=engine)
        assert 0.2 < float(found.overhead) < 5
        assert 0.2 < float(found.prefill) < 5


def test_constants_are_physical_and_written_as_read() -> None:
    for item in constants().values():
        assert item.low <= item.value <= item.high, item.name
        assert item.low <= item.prior <= item.high, item.name
        if "share of" in item.unit:
            assert item.high < 1, item.name
    again = as_csv(shipped()).splitlines()
    assert len(again) == len(constants()) + 1
