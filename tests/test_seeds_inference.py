"""Figures of the articles behind this project, under the articles' own assumptions: serving and formulas."""

from __future__ import annotations

import math

import pytest

from recommender.sizing import flops, memory, serving
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.precision import compute_unit, find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.results import Refusal, ServingFit
from recommender.sizing.serving_case import (
    bind,
    format_numbers,
    machine_numbers,
    merged,
    model_numbers,
    software_numbers,
)
from recommender.sizing.serving_constants import shipped
from recommender.sizing.size_serving import ServingDemand, size_serving
from warehouse.reference import accelerators

GPT3 = find_model("gpt-3-175b")
A100 = accelerators()["a100-sxm4-80gb"]
A100_TFLOPS = 312.0  # what a16z divides by


def weight_gb(precision: str) -> float:
    return memory.weight_bytes(GPT3, find_precision(precision)) / 1e9


def test_s8_gpt3_in_fp32_needs_nine_gpus_of_80_gb() -> None:
    assert weight_gb("fp32") == pytest.approx(700, rel=0.01)
    assert math.ceil(weight_gb("fp32") / 80) == 9
    demand = ServingDemand(GPT3, find_precision("fp32"), 0.01, 500, 100)
    found = size_serving(demand, [HardwareShape(A100, 8)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "memory"


def test_s8_training_holds_eight_bytes_more_per_parameter() -> None:
    assert memory.FP32_STATE_BYTES["optimizer"] == 8.0


def test_s9_two_and_six_operations_per_parameter_and_token() -> None:
    assert flops.simple_forward_flops(175e9, 1000) == 350e12
    assert flops.simple_training_flops(175e9, 300e9) == pytest.approx(3.15e23)


def test_s10_a_thousand_tokens_take_a_second_of_an_a100() -> None:
    seconds = flops.simple_forward_flops(175e9, 1000) / (A100_TFLOPS * 1e12)
    assert seconds == pytest.approx(1.0, rel=0.15)
    cheap, dear = (price * seconds / 3600 for price in (0.66, 4.5))  # USD an hour that the article spans
    assert cheap == pytest.approx(0.0002, rel=0.05)
    assert dear == pytest.approx(0.0014, rel=0.05)


def test_s10_training_gpt3_at_full_use_costs_560_000_dollars() -> None:
    hours = flops.simple_training_flops(175e9, 300e9) / (A100_TFLOPS * 1e12) / 3600
    assert hours * 2.0 == pytest.approx(560_000, rel=0.01)


def test_s10_real_software_takes_longer_but_not_three_times() -> None:
    form = find_precision("fp16")
    unit = compute_unit(A100, form)
    assert unit is not None
    raw = merged(
        model_numbers(GPT3),
        format_numbers(GPT3, form, 2.0),
        machine_numbers(A100, unit, 8),
        software_numbers(""),
        tp=8,
    )
    case = bind(raw, shipped())
    gpu_seconds = 8 * float(serving.prefill_alone_s(case, shipped(), 1000))
    ideal = flops.simple_forward_flops(175e9, 1000) / (A100_TFLOPS * 1e12)
    assert ideal < gpu_seconds < 3 * ideal


def test_s21_fewer_bits_take_gpt3_from_five_gpus_to_one() -> None:
    needed = {name: math.ceil(weight_gb(name) / 80) for name in ("fp16", "int8", "int4", "int3")}
    assert needed["fp16"] == 5
    assert needed["int3"] == 1
    assert list(needed.values()) == sorted(needed.values(), reverse=True)


def test_s21_the_sizer_agrees_that_fewer_bits_need_fewer_gpus() -> None:
    smallest = []
    for name in ("fp16", "int8", "int4"):
        demand = ServingDemand(GPT3, find_precision(name), 0.01, 500, 100)
        answers = size_serving(demand, [HardwareShape(A100, gpus) for gpus in (1, 2, 4, 8)])
        smallest.append(next(a.shape.gpus for a in answers if isinstance(a, ServingFit)))
    assert smallest == sorted(smallest, reverse=True)
    assert smallest[0] == 8
    assert smallest[-1] == 2
