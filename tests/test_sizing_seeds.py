"""What the founding articles state, under their own assumptions; and what the sizer says of the same jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sizing import flops, memory
from recommender.sizing.failures import daly_interval_hours, lost_share, young_interval_hours
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.precision import find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.results import Refusal, TrainingFit
from recommender.sizing.size_training import TrainingDemand, size_training
from warehouse.reference import accelerators

PARTS = accelerators()
A100_FLOPS = 312e12


def fit(demand: TrainingDemand, shape: HardwareShape) -> TrainingFit:
    (found,) = size_training(demand, [shape])
    assert isinstance(found, TrainingFit), getattr(found, "reason", "")
    return found


def test_forward_2_n_training_6_n_tokens() -> None:  # a16z: Navigating the High Cost of AI Compute
    assert flops.simple_forward_flops(175e9, 1024) == pytest.approx(350e12, rel=0.03)
    assert flops.simple_training_flops(175e9, 300e9) == pytest.approx(3.14e23, rel=0.01)


def test_a_thousand_tokens_take_about_a_second_of_an_a100() -> None:
    seconds = flops.simple_forward_flops(175e9, 1024) / A100_FLOPS
    assert seconds == pytest.approx(1.0, rel=0.2)
    assert 0.0002 < seconds / 3600 * 2.0 < 0.0014  # at 2 USD an hour


def test_gpt3_at_full_use_is_280_000_a100_hours() -> None:
    hours = flops.simple_training_flops(175e9, 300e9) / A100_FLOPS / 3600
    assert hours * 2.0 == pytest.approx(560_000, rel=0.01)  # 560,000 USD at 2 USD an hour
    shape = HardwareShape(PARTS["a100-sxm4-80gb"], 8, 128, 200.0)
    demand = TrainingDemand(
        find_model("gpt-3"), find_precision("bf16"), "full", "pretrain", 300e9, 2048, 1536
    )
    found = fit(demand, shape)
    real = found.hours.p50 * 1024 * 2.0
    assert 560_000 < real < 4_600_000  # the article's range in practice


def test_1024_a100_for_34_days_and_2048_for_eight_weeks() -> None:  # The Register: retraining fees
    assert flops.training_days(175e9, 300e9, 1024, 140e12) == pytest.approx(34, rel=0.01)
    assert pytest.approx(4.28e6, rel=0.01) == 128 * 816 * 40.96
    # MT-NLG (arXiv 2201.11990): 270 B tokens, 113 TFLOPS per GPU on 2,240 of them
    assert flops.training_days(530e9, 270e9, 2048, 113e12) / 7 == pytest.approx(8, rel=0.05)


def test_chinchilla_spends_the_budget_of_gopher_on_a_quarter_of_its_size() -> None:  # Economist
    assert flops.compute_optimal_tokens(70e9) == 1.4e12
    gopher = flops.simple_training_flops(280e9, 300e9)
    assert flops.compute_optimal_parameters(gopher) == pytest.approx(70e9, rel=0.1)


def test_a_65b_model_is_tuned_on_one_gpu_in_a_day() -> None:  # QLoRA: arXiv 2305.14314
    model, bf16 = find_model("llama-1-65b"), find_precision("bf16")
    gpu = HardwareShape(PARTS["a100-sxm4-80gb"], 1)
    tokens = 9_846 * 512.0 * 1.5  # OASST1's 9,846 messages, 1,875 steps of 16 in the paper: 1.5 passes
    found = fit(TrainingDemand(model, bf16, "qlora", "finetune", tokens, 512, 16), gpu)
    assert found.hours.p50 < 24
    for method in ("lora", "full"):
        (other,) = size_training(TrainingDemand(model, bf16, method, "finetune", tokens, 512, 16), [gpu])
        assert isinstance(other, Refusal)
        assert other.kind == "memory"


def test_shorter_formats_shrink_the_weights() -> None:
    gpt = find_model("gpt-3")
    sizes = [memory.weight_bytes(gpt, find_precision(name)) for name in ("fp32", "bf16", "int8", "int4")]
    assert sizes[0] == pytest.approx(700e9, rel=0.01)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] / sizes[3] > 7


def test_young_and_daly_intervals() -> None:
    # Young 1974: delta 5 minutes, M a day: sqrt(2 * 5/60 * 24) = 2 hours
    assert young_interval_hours(5 / 60, 24) == pytest.approx(2.0)
    assert daly_interval_hours(5 / 60, 24) == pytest.approx(2.0 - 5 / 60, rel=0.02)
    assert daly_interval_hours(10, 4) == 4


@given(st.floats(0.001, 0.5), st.floats(2, 1000), st.floats(0.2, 5.0))
def test_no_interval_loses_less_than_youngs(save: float, mtbf: float, factor: float) -> None:
    best = young_interval_hours(save, mtbf)
    least = lost_share(best, save, 0.1, mtbf)
    assert least <= lost_share(best * factor, save, 0.1, mtbf) + 1e-12
    assert lost_share(best, save, 0.1, 2 * mtbf) <= least


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"sequence": 4096}, "layout", "seq-len 4096 is beyond llama-1-65b's context of 2048"),
        ({"precision": find_precision("fp8")}, "not_rated", "no dense fp8 rate is known"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(change: dict[str, object], kind: str, says: str) -> None:
    numbers = {
        "model": find_model("llama-1-65b"),
        "precision": find_precision("bf16"),
        "method": "full",
        "task": "finetune",
        "tokens": 1e9,
        "sequence": 2048,
        "global_batch": 64,
    }
    demand = TrainingDemand(**{**numbers, **change})  # type: ignore[arg-type]
    (found,) = size_training(demand, [HardwareShape(PARTS["a100-sxm4-80gb"], 8)])
    assert isinstance(found, Refusal)
    assert found.kind == kind
    assert says in found.reason
    assert "\n" not in found.reason


def test_hardware_of_an_unknown_kind_is_not_rated() -> None:
    demand = TrainingDemand(
        find_model("llama-3.2-1b"), find_precision("fp16"), "qlora", "finetune", 1e6, 512, 8
    )
    (found,) = size_training(demand, [HardwareShape(PARTS["p100-pcie-16gb"], 1)])
    assert isinstance(found, Refusal)
    assert found.kind == "not_rated"
    assert "Pascal" in found.reason
