"""Sizes one image job on many machines: does the model fit, how many images a second, how long for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recommender.sizing import memory
from recommender.sizing.diffusion import (
    ImageModel,
    find_image_model,
    image_activation_bytes,
    image_weight_bytes,
)
from recommender.sizing.hardware import HardwareShape, usable_memory_bytes
from recommender.sizing.image_rates import ImageSoftware, image_constants, images_per_s, iteration_s
from recommender.sizing.memory import MemoryParts
from recommender.sizing.results import MEMORY, NOT_RATED, Refusal, Spread
from recommender.sizing.training_rates import hardware_rate
from warehouse.errors import UsageError
from warehouse.units import BYTES_PER_GB, SECONDS_PER_HOUR

BATCHES = (1, 2, 4, 8, 16, 32)
MEASURED = Spread(0.82, 1.0, 1.25)  # left-out error of published image rates
TRANSFERRED = Spread(0.6, 1.0, 1.7)  # hardware without a published image rate
SOFTWARE = ImageSoftware(compiled=True)


@dataclass(frozen=True, slots=True)
class ImagesDemand:
    """An image job.

    Attributes:
        images: how many in all. width, height: pixels. steps: denoising steps of one image.
        model: a name of ``image_models.csv`` or an `ImageModel`.
    """

    images: float
    width: int
    height: int
    steps: int
    model: str | ImageModel

    def __post_init__(self) -> None:
        for field, low, high in (
            ("images", 1, 1e13),
            ("width", 64, 16384),
            ("height", 64, 16384),
            ("steps", 1, 2000),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise UsageError(f"{field} {value:g} is not between {low} and {high:g}")

    @property
    def architecture(self) -> ImageModel:
        """The model. Raises UnknownNameError."""
        return find_image_model(self.model) if isinstance(self.model, str) else self.model


@dataclass(frozen=True, slots=True)
class ImagesFit:
    """One machine kind that makes the images; every GPU works on its own.

    Attributes:
        shape: what runs. precision, unit: of the arithmetic. batch: images at once on one GPU.
        memory, capacity_bytes: bytes per GPU by part, and usable.
        images_per_s: of all GPUs together, p50. seconds_per_image: of a single image alone on one GPU.
        hours: wall hours for all images. time_factor: spread of times.
        transferred: no image rate of this class of hardware is published; the band is wide.
    """

    shape: HardwareShape
    precision: str
    unit: str
    batch: int
    memory: MemoryParts
    capacity_bytes: float
    images_per_s: float
    seconds_per_image: float
    hours: Spread
    time_factor: Spread
    transferred: bool


def size_images(demand: ImagesDemand, shapes: Sequence[HardwareShape]) -> list[ImagesFit | Refusal]:
    """The largest batch that fits on each shape and the time for all images, or why it cannot; in order.

    Raises:
        UnknownNameError: the model is not known.
    """
    model = demand.architecture
    return [_one(demand, model, shape) for shape in shapes]


def _one(demand: ImagesDemand, model: ImageModel, shape: HardwareShape) -> ImagesFit | Refusal:
    part, pixels = shape.accelerator, (demand.width, demand.height)
    capacity = usable_memory_bytes(part)
    batch = max((b for b in BATCHES if _memory(model, pixels, b).total <= capacity), default=None)
    if batch is None:
        needed = float(_memory(model, pixels, 1).total)
        text = (
            f"{part.title}: {model.title} at {demand.width} x {demand.height} needs "
            f"{needed / BYTES_PER_GB:.1f} GB, has {capacity / BYTES_PER_GB:.1f} GB"
        )
        return Refusal(shape, MEMORY, text, needed, capacity)
    constants = image_constants()
    rate = images_per_s(model, part, pixels, demand.steps, SOFTWARE, constants)
    one = iteration_s(model, part, 1.0, pixels, SOFTWARE, constants)
    if rate is None or one is None:
        return Refusal(shape, NOT_RATED, f"{part.title}: no dense 16-bit rate is known for it")
    transferred = hardware_rate(part).transferred
    spread = TRANSFERRED if transferred else MEASURED
    together = rate * shape.gpus
    return ImagesFit(
        shape=shape,
        precision="fp16",
        unit="fp16" if part.dense_fp16_tflops else "bf16",
        batch=batch,
        memory=_memory(model, pixels, batch),
        capacity_bytes=capacity,
        images_per_s=together,
        seconds_per_image=max(one * demand.steps, 1.0 / rate),
        hours=spread.scaled(demand.images / together / SECONDS_PER_HOUR),
        time_factor=spread,
        transferred=transferred,
    )


def _memory(model: ImageModel, pixels: tuple[int, int], batch: int) -> MemoryParts:
    return MemoryParts(
        weights=image_weight_bytes(model),
        activations=image_activation_bytes(model, *pixels, batch),
        reserve=memory.CONTEXT_BYTES,
    )
