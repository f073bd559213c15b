"""Sizing on machines: what fits, what is fastest, monotonicity, refusals, priors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recommender import Workload, size
from recommender.sizer import parse_shape
from recommender.sizing.efficiency import hardware_class
from recommender.sizing.flops import training_days
from recommender.sizing.hardware import HardwareShape, link_bytes_per_s
from recommender.sizing.layouts import expert_parallel, training_layouts
from recommender.sizing.precision import find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.results import Refusal, ServingFit, Spread, TrainingFit
from recommender.sizing.serving import experts_touched
from recommender.sizing.size_serving import ServingDemand, size_serving
from recommender.sizing.size_training import TrainingDemand, size_training
from warehouse.errors import UsageError
from warehouse.reference import accelerators

PARTS = accelerators()
H100, A100, T4 = (PARTS[name] for name in ("h100-sxm5-80gb", "a100-sxm4-80gb", "t4-16gb"))


def chat(
    model: str = "llama-3.1-8b", precision: str = "bf16", rate: float = 10, **targets: float
) -> ServingDemand:
    return ServingDemand(find_model(model), find_precision(precision), rate, 1000, 250, **targets)


def tune(model: str = "llama-3.1-8b", method: str = "full", **changes: object) -> TrainingDemand:
    demand = TrainingDemand(find_model(model), find_precision("bf16"), method, "finetune", 1e9, 4096, 64)
    return replace(demand, **changes)  # type: ignore[arg-type]


def serving(demand: ServingDemand, shape: HardwareShape) -> ServingFit:
    found = size_serving(demand, [shape])[0]
    assert isinstance(found, ServingFit), found
    return found


def training(demand: TrainingDemand, shape: HardwareShape) -> TrainingFit:
    found = size_training(demand, [shape])[0]
    assert isinstance(found, TrainingFit), found
    return found


def test_serving_fit_holds_its_targets_and_its_memory() -> None:
    found = serving(chat(tpot_s=0.05, ttft_s=0.5), HardwareShape(H100, 1))
    assert found.tpot_capacity_s <= 0.05
    assert found.ttft_capacity_s <= 0.5
    assert found.memory.total <= found.capacity_bytes
    assert found.memory.weights == pytest.approx(16.06e9, rel=0.01)
    assert found.nodes[0] <= found.nodes[1] <= found.nodes[2]


def test_decode_of_one_request_is_never_faster_than_reading_the_weights() -> None:
    found = serving(replace(chat("llama-3.1-70b"), requests_per_s=0.001), HardwareShape(H100, 8))
    floor = 2 * found.memory.weights / 2 / (3350e9)
    assert found.tpot_s > floor


def test_more_bandwidth_is_never_slower() -> None:
    slow = serving(chat(), HardwareShape(H100, 1))
    wider = replace(H100, memory_bandwidth_gb_per_s=2 * (H100.memory_bandwidth_gb_per_s or 0))
    fast = serving(chat(), HardwareShape(wider, 1))
    assert fast.requests_per_s_per_node >= slow.requests_per_s_per_node
    assert fast.tpot_s <= slow.tpot_s


def test_more_gpus_never_need_more_memory_each() -> None:
    needs = [
        serving(chat("llama-3.1-8b", rate=0.01), HardwareShape(A100, gpus)).memory.weights
        for gpus in (1, 2, 4, 8)
    ]
    assert needs == sorted(needs, reverse=True)
    states = [training(tune(), HardwareShape(H100, 8, nodes, 400.0)).memory for nodes in (1, 2, 4)]
    held = [part.weights + part.gradients + part.optimizer for part in states]
    assert held == sorted(held, reverse=True)


def test_tighter_latency_never_serves_more() -> None:
    rates = [
        serving(chat(tpot_s=target), HardwareShape(H100, 1)).requests_per_s_per_node
        for target in (0.02, 0.03, 0.05, 0.1)
    ]
    assert rates == sorted(rates)


def test_tensor_parallel_beyond_the_nvlink_domain_pays_pcie() -> None:
    assert link_bytes_per_s(H100, 8) == 450e9
    assert link_bytes_per_s(PARTS["h100-pcie-80gb"], 2) <= 63e9
    assert link_bytes_per_s(PARTS["h100-nvl-94gb"], 2) == 300e9
    assert link_bytes_per_s(PARTS["h100-nvl-94gb"], 4) == 31e9
    assert link_bytes_per_s(PARTS["mi300x-192gb"], 2) == pytest.approx(64e9)


def test_what_does_not_fit_is_refused_with_both_numbers() -> None:
    found = size_serving(chat(), [HardwareShape(T4, 1)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "memory"
    assert found.needed_bytes is not None
    assert found.usable_bytes is not None
    assert found.needed_bytes > found.usable_bytes
    assert "T4" in found.reason
    assert "needs" in found.reason


def test_latency_that_no_layout_reaches_is_refused_with_the_best_reached() -> None:
    found = size_serving(chat("llama-3.1-70b", tpot_s=0.002), [HardwareShape(H100, 8)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "latency"
    assert "asked 2 ms" in found.reason


def test_unknown_efficiency_is_not_rated_and_never_sized() -> None:
    for name in ("p100-pcie-16gb", "inferentia2", "mi100-32gb"):
        found = size_serving(chat(), [HardwareShape(PARTS[name], 8)])[0]
        assert isinstance(found, Refusal)
        assert found.kind == "not_rated"


def test_missing_bandwidth_is_not_rated() -> None:
    found = size_serving(chat(), [HardwareShape(replace(H100, memory_bandwidth_gb_per_s=None), 1)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "not_rated"


def test_serving_across_machines_needs_a_known_network() -> None:
    found = size_serving(chat(), [HardwareShape(H100, 8, 2)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "fabric"


def test_what_no_machine_holds_may_fit_on_two() -> None:
    demand = chat("deepseek-v3", "fp8", rate=1)
    alone = size_serving(demand, [HardwareShape(H100, 8)])[0]
    assert isinstance(alone, Refusal)
    assert alone.kind == "memory"
    found = serving(demand, HardwareShape(H100, 8, 2, 400.0))
    assert found.nodes_per_replica == 2
    assert found.nodes[1] % 2 == 0
    assert found.memory.total <= found.capacity_bytes


def test_answers_come_in_the_order_of_the_shapes() -> None:
    shapes = [
        HardwareShape(T4, 1),
        HardwareShape(H100, 1),
        HardwareShape(PARTS["p100-pcie-16gb"], 1),
        HardwareShape(A100, 8),
    ]
    found = size_serving(chat(), shapes)
    assert [answer.shape for answer in found] == shapes
    assert [answer.shape for answer in size_training(tune(), shapes)] == shapes


def test_one_by_one_and_all_at_once_agree() -> None:
    shapes = [
        HardwareShape(PARTS[name], gpus)
        for name in ("h100-sxm5-80gb", "l40s-48gb", "l4-24gb")
        for gpus in (1, 2, 4, 8)
    ]
    together = size_serving(chat(tpot_s=0.05), shapes)
    alone = [size_serving(chat(tpot_s=0.05), [shape])[0] for shape in shapes]
    for left, right in zip(together, alone, strict=True):
        assert type(left) is type(right)
        if isinstance(left, ServingFit) and isinstance(right, ServingFit):
            assert left.nodes == right.nodes
            assert left.tpot_s == pytest.approx(right.tpot_s)


def test_experts_touched_goes_from_k_to_all() -> None:
    assert experts_touched(256, 8, 1) == pytest.approx(8)
    assert experts_touched(256, 8, 1000) == pytest.approx(256, rel=0.001)
    assert experts_touched(256, 8, 64, 0.9) < experts_touched(256, 8, 64)


def test_a_65b_model_is_tuned_with_qlora_on_one_48_gb_gpu() -> None:
    demand = tune("llama-1-65b", "qlora", sequence=512, global_batch=16, tokens=1e6)
    found = training(demand, HardwareShape(PARTS["rtx-a6000-48gb"], 1))
    assert found.memory.total <= found.capacity_bytes
    least = training(replace(demand, global_batch=1), HardwareShape(PARTS["rtx-a6000-48gb"], 1))
    assert least.memory.total < 48e9  # arXiv 2305.14314: 65B on one 48 GB GPU
    full = size_training(replace(demand, method="full"), [HardwareShape(PARTS["rtx-a6000-48gb"], 1)])[0]
    assert isinstance(full, Refusal)


def test_gpt3_on_1024_a100_takes_34_days_at_the_rate_of_2021_and_less_today() -> None:
    demand = TrainingDemand(
        find_model("gpt-3"), find_precision("bf16"), "full", "pretrain", 300e9, 2048, 1536
    )
    found = training(demand, HardwareShape(A100, 8, 128, 200.0))
    assert training_days(175e9, 300e9, 1024, 140e12) == pytest.approx(34, rel=0.01)
    assert 15 * 24 < found.hours.p50 < 34 * 24


def test_training_time_falls_with_machines_and_rises_with_a_narrow_network() -> None:
    demand = tune("llama-3.1-70b", global_batch=512)
    hours = [training(demand, HardwareShape(H100, 8, nodes, 400.0)).hours.p50 for nodes in (2, 4, 8, 16)]
    assert hours == sorted(hours, reverse=True)
    wide, narrow = (training(demand, HardwareShape(H100, 8, 8, fabric)).hours.p50 for fabric in (400.0, 5.0))
    assert narrow > wide


def test_machines_without_a_known_network_do_not_train_together() -> None:
    found = size_training(tune(), [HardwareShape(H100, 8, 2, None)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "fabric"


def test_a_batch_too_small_for_the_gpus_is_refused() -> None:
    found = size_training(tune(global_batch=1), [HardwareShape(T4, 3)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "layout"


def test_lora_and_qlora_need_less_than_full() -> None:
    shape = HardwareShape(H100, 8)
    totals = []
    for method in ("full", "lora", "qlora"):
        part = training(tune(method=method), shape).memory
        totals.append(part.weights + part.gradients + part.optimizer)
    assert totals[1] < totals[0]
    size_on = size(
        Workload(task="finetune", model="llama-3.1-70b", method="lora", tokens=1e6), "h100-sxm5-80gb:1"
    )
    assert size_on.fits is False
    assert size(
        Workload(task="finetune", model="llama-3.1-70b", method="qlora", tokens=1e6), "h100-sxm5-80gb:1"
    ).fits


def test_fp8_training_needs_fp8_hardware() -> None:
    found = size_training(tune(precision=find_precision("fp8")), [HardwareShape(A100, 8)])[0]
    assert isinstance(found, Refusal)
    assert found.kind == "not_rated"


def test_layouts_use_every_gpu_and_divide_the_heads() -> None:
    for layout in training_layouts(8, 4, 32, 32, 64, "full"):
        assert layout.tp * layout.pp * layout.dp == 32
        assert layout.dp * layout.micro_batch <= 64
    assert {layout.tp for layout in training_layouts(8, 1, 12, 32, 64, "full")} == {1, 2, 4}
    assert expert_parallel(256, 24) == 16
    assert expert_parallel(0, 64) == 1


def test_spreads_multiply_in_quadrature() -> None:
    joined = Spread(0.5, 1, 2).combined(Spread(0.5, 1, 2))
    assert joined.p50 == 1
    assert 2 < joined.p90 < 4
    assert joined.p10 == pytest.approx(1 / joined.p90)


def test_hardware_that_was_not_measured_has_a_wider_band() -> None:
    shapes = [HardwareShape(PARTS[name], 1) for name in ("a100-sxm4-80gb", "rtx-pro-6000-96gb")]
    measured, moved = (training(tune("llama-3.1-8b", "qlora"), shape).priors["train_mfu"] for shape in shapes)
    assert (measured.transferred, moved.transferred) == (False, True)
    assert moved.p90 / moved.p10 > measured.p90 / measured.p10
    assert hardware_class(PARTS["rtx-4090-24gb"]) == "ada"


@pytest.mark.parametrize("text", ["h100-sxm5-80gb:0", "h100-sxm5-80gb:8:2:1", "h100-sxm5-80gb:x", "a100"])
def test_malformed_machines_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_shape(text)


def test_size_rows_hold_every_key_whatever_the_answer() -> None:
    workload = Workload(task="serve", model="llama-3.1-8b")
    fits, too_small, unrated = (
        size(workload, machine).row() for machine in ("h100-sxm5-80gb", "t4-16gb", "p100-pcie-16gb")
    )
    assert set(fits) == set(too_small) == set(unrated)
    assert (fits["fits"], too_small["fits"], unrated["fits"]) == (True, False, None)
    assert too_small["memory_per_gpu_gb"] > too_small["memory_capacity_gb"]


def test_prefill_apart_is_estimated_where_there_are_gpus_for_both() -> None:
    busy = Workload(task="serve", model="llama-3.1-8b", input_tokens=4000, requests_per_second=2000)
    one, many = (size(busy, f"h100-sxm5-80gb:{gpus}").row() for gpus in (1, 8))
    assert one["disaggregated"] is None
    assert many["layout"]["tp"] < 8
    assert many["disaggregated"]["tpot_ms"] < many["tpot_ms"]


def test_a_context_beyond_the_model_s_is_refused() -> None:
    with pytest.raises(UsageError, match=r"input-tokens \+ output-tokens"):
        size(Workload(task="serve", model="gpt-3-175b", input_tokens=4000), "h100-sxm5-80gb:8")


def test_a_format_without_unit_or_kernel_is_not_rated() -> None:
    found = size_serving(chat(precision="fp8"), [HardwareShape(T4, 1), HardwareShape(A100, 1)])
    assert isinstance(found[0], Refusal)
    assert found[0].kind == "not_rated"
    assert "precision fp8" in found[0].reason
    assert isinstance(found[1], ServingFit)


def test_inputs_of_serving_move_the_right_way() -> None:
    def rate(**inputs: float) -> float:
        demand = replace(chat("llama-3.1-70b", "fp8", rate=1, tpot_s=0.05), **inputs)  # type: ignore[arg-type]
        return serving(demand, HardwareShape(H100, 8)).requests_per_s_per_node

    assert rate(cache_bytes=1.0) >= rate()
    assert rate(cached_share=0.8) > rate()
    assert rate(accept_rate=0.8) > rate()


def test_never_fits_above_what_the_device_has() -> None:
    for name in ("l4-24gb", "a100-sxm4-40gb", "h100-sxm5-80gb", "mi300x-192gb"):
        for gpus in (1, 2, 8):
            for model in ("llama-3.1-8b", "qwen3-32b", "deepseek-v3"):
                found = size_serving(chat(model, rate=0.1), [HardwareShape(PARTS[name], gpus)])[0]
                if isinstance(found, ServingFit):
                    assert found.memory.total <= found.capacity_bytes, (name, gpus, model)
