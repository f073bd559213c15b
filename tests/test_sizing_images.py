"""Diffusion: FLOPs against published counts, limits, monotonicity; image jobs on shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sizing.diffusion import (
    find_image_model,
    image_activation_bytes,
    image_flops,
    image_models,
    latent_tokens,
    resolve_image_model,
    step_flops,
    transformer_step_flops,
    unet_step_flops,
)
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.image_rates import ImageSoftware, image_constants, iteration_s
from recommender.sizing.results import MEMORY, NOT_RATED, Refusal
from recommender.sizing.size_images import ImagesDemand, ImagesFit, size_images
from warehouse.errors import UnknownNameError, UsageError
from warehouse.reference import accelerators


def test_unet_counts_of_the_papers() -> None:
    assert unet_step_flops(find_image_model("sd-1.5"), 512, 512) == pytest.approx(0.8e12)
    assert unet_step_flops(find_image_model("sdxl"), 1024, 1024) == pytest.approx(5.98e12)


def test_transformer_tokens_and_flops() -> None:
    assert latent_tokens(1024, 1024) == 4096
    flux = find_image_model("flux.1-dev")
    n = 4096 + 512
    assert transformer_step_flops(flux, 1024, 1024) == pytest.approx(2 * 1.19e10 * n + 4 * 57 * n * n * 3072)


def test_guidance_is_a_second_pass_and_distilled_models_need_none() -> None:
    sdxl = find_image_model("sdxl")
    assert step_flops(sdxl, 1024, 1024) == 2 * unet_step_flops(sdxl, 1024, 1024)
    assert find_image_model("flux.1-dev").passes == 1


def test_more_steps_cost_more_but_decoding_only_once() -> None:
    model = find_image_model("sdxl")
    one, two = image_flops(model, 1024, 1024, 10), image_flops(model, 1024, 1024, 20)
    assert two - one == pytest.approx(10 * step_flops(model, 1024, 1024))
    assert two < 2 * one


@given(st.sampled_from(sorted(image_models())), st.integers(4, 30), st.integers(4, 30))
def test_work_and_memory_grow_with_pixels(name: str, a: int, b: int) -> None:
    model = image_models()[name]
    small, large = sorted((64 * a, 64 * b))
    assert step_flops(model, small, small) <= step_flops(model, large, large)
    assert image_activation_bytes(model, small, small, 1) <= image_activation_bytes(model, large, large, 1)


def test_host_time_bounds_small_batches_and_arithmetic_large_ones() -> None:
    model, part, c = find_image_model("sd-1.5"), accelerators()["a100-sxm4-80gb"], image_constants()
    eager = ImageSoftware(compiled=False)
    one = iteration_s(model, part, 1, (512, 512), eager, c)
    big, bigger = (iteration_s(model, part, n, (512, 512), eager, c) for n in (64, 128))
    assert one is not None
    assert big is not None
    assert bigger is not None
    assert one >= 1e-3 * c["iteration_eager_ms"]
    assert bigger / big == pytest.approx(2.0, rel=0.02)


def shape(name: str, gpus: int = 8) -> HardwareShape:
    return HardwareShape(accelerators()[name], gpus)


def test_a_job_is_spread_over_all_gpus() -> None:
    demand = ImagesDemand(images=1e6, width=1024, height=1024, steps=30, model="sdxl")
    one, eight = size_images(demand, [shape("h100-sxm5-80gb", 1), shape("h100-sxm5-80gb", 8)])
    assert isinstance(one, ImagesFit)
    assert isinstance(eight, ImagesFit)
    assert eight.images_per_s == pytest.approx(8 * one.images_per_s)
    assert one.hours.p50 == pytest.approx(1e6 / one.images_per_s / 3600)
    assert one.hours.p10 < one.hours.p50 < one.hours.p90
    assert one.memory.total <= one.capacity_bytes


def test_a_model_that_does_not_fit_is_refused_with_both_numbers() -> None:
    (found,) = size_images(ImagesDemand(1000, 1024, 1024, 28, "flux.1-dev"), [shape("l4-24gb", 1)])
    assert isinstance(found, Refusal)
    assert found.kind == MEMORY
    assert "needs" in found.reason
    assert "GB" in found.reason


def test_hardware_without_a_rate_is_not_rated() -> None:
    unrated = next(
        part
        for part in accelerators().values()
        if part.dense_fp16_tflops is None
        and part.dense_bf16_tflops is None
        and part.dense_fp32_tflops is None
        and part.memory_gb >= 40
    )
    (found,) = size_images(ImagesDemand(10, 512, 512, 20, "sd-1.5"), [HardwareShape(unrated, 1)])
    assert isinstance(found, Refusal)
    assert found.kind == NOT_RATED


def test_hardware_that_was_not_measured_has_a_wider_band() -> None:
    demand = ImagesDemand(1000, 512, 512, 20, "sd-1.5")
    known, other = size_images(demand, [shape("a100-sxm4-80gb", 1), shape("rtx-5090-32gb", 1)])
    assert isinstance(known, ImagesFit)
    assert isinstance(other, ImagesFit)
    assert other.transferred
    assert other.hours.p90 / other.hours.p10 > known.hours.p90 / known.hours.p10


@pytest.mark.parametrize(("field", "value"), [("images", 0), ("width", 10), ("height", 1e6), ("steps", 0)])
def test_absurd_jobs_name_the_field(field: str, value: float) -> None:
    good = {"images": 10, "width": 512, "height": 512, "steps": 20, "model": "sdxl"}
    with pytest.raises(UsageError, match=field):
        ImagesDemand(**{**good, field: value})  # type: ignore[arg-type]


def test_unknown_image_models_offer_the_near_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_image_model("sdx")
    assert "sdxl" in str(caught.value)
    assert resolve_image_model("Stable-Diffusion-v1.5 txt2img") == "sd-1.5"
    assert resolve_image_model("llama-3.1-8b") is None
