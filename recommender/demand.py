"""From the question to sizing: demands, kinds of machine, and each kind sized once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recommender.fields import BATCH, IMAGES, TEXT_OUT, TRAINING
from recommender.market import OfferGroup
from recommender.sizing.efficiency import Prior
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.results import MEMORY, Refusal, ServingFit, TrainingFit
from recommender.sizing.size_images import ImagesDemand, ImagesFit, size_images
from recommender.workload import CACHE_BYTES, Workload
from warehouse.reference import Accelerator, accelerators

NODE_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # machines on one training job, where the network is known
# A batch has no latency target: any concurrency that fits is allowed, and the layout with the highest
# throughput is the one that needs fewest machines for a rate that no machine reaches alone.
BATCH_TPOT_S = 3600.0
BATCH_RATE = 1e9

SPANNING_COUNTS = (2, 4)  # machines that one replica may span where the model does not fit into one

Fit = ServingFit | TrainingFit | ImagesFit
ShapeKey = tuple[tuple[str, ...], int, float | None]


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to use a kind of machine; `ambiguous`: the part is the slowest of several candidates."""

    fit: Fit
    part: Accelerator
    ambiguous: bool


def priors_of(fit: Fit) -> dict[str, Prior]:
    """Measured efficiencies behind a fit; image rates carry none."""
    return {} if isinstance(fit, ImagesFit) else fit.priors


def is_transferred(fit: Fit) -> bool:
    """Does a fit rest on efficiencies of other parts?"""
    if isinstance(fit, ImagesFit):
        return fit.transferred
    return any(
        value.transferred and name in ("decode_mbu", "train_mfu") for name, value in fit.priors.items()
    )


def shape_key(group: OfferGroup, workload: Workload) -> ShapeKey:
    """What sizing depends on: the parts it may be, the GPUs of a machine, the network between machines."""
    fabric = group.fabric_gb_per_s if workload.task != IMAGES else None
    return group.parts, group.gpu_count, fabric


def size_shapes(workload: Workload, keys: Iterable[ShapeKey]) -> dict[ShapeKey, list[Choice | Refusal | str]]:
    """Sizes every distinct kind of machine once.

    Where the source does not settle the part, all candidates are sized and the slowest for this workload
    counts; a candidate that cannot run the job refuses the whole kind. Returns, per kind, one entry per
    number of machines that work together; a text where a part is not in the reference table. A model that is
    served from one machine where it fits is spread over several only where it does not.
    """
    wanted = list(dict.fromkeys(keys))
    counts = {key: _node_counts(workload, key[2]) for key in wanted}
    found = _sized(workload, counts)
    if workload.task in TEXT_OUT:
        small: dict[ShapeKey, tuple[int, ...]] = {
            key: SPANNING_COUNTS
            for key, (answer, *_) in found.items()
            if key[2] is not None and isinstance(answer, Refusal) and answer.kind == MEMORY
        }
        for key, answers in _sized(workload, small).items():
            found[key] += answers
    return found


def _sized(
    workload: Workload, counts: dict[ShapeKey, tuple[int, ...]]
) -> dict[ShapeKey, list[Choice | Refusal | str]]:
    known = accelerators()
    shapes: dict[tuple[str, int, int, float | None], int] = {}
    for (parts, gpus, fabric), numbers in counts.items():
        for part in parts:
            for nodes in numbers if part in known else ():
                shapes.setdefault((part, gpus, nodes, fabric), len(shapes))
    answers = size_on(workload, [HardwareShape(known[p], g, n, f) for p, g, n, f in shapes])
    return {key: [_slowest(key, nodes, shapes, answers) for nodes in counts[key]] for key in counts}


def _node_counts(workload: Workload, fabric: float | None) -> tuple[int, ...]:
    return NODE_COUNTS if workload.task in TRAINING and fabric is not None else (1,)


def size_on(workload: Workload, shapes: Sequence[HardwareShape]) -> Sequence[Fit | Refusal]:
    """The workload sized on each shape, in order."""
    if workload.task in TEXT_OUT:
        from recommender.sizing.size_serving import size_serving

        return size_serving(serving_demand(workload), shapes)
    if workload.task == IMAGES:
        return size_images(images_demand(workload), shapes)
    from recommender.sizing.size_training import size_training

    return size_training(training_demand(workload), shapes)


def serving_demand(workload: Workload) -> Any:
    """The workload as sizing's `ServingDemand`; of a batch, the highest throughput of one machine."""
    from recommender.sizing.size_serving import ServingDemand

    batch = workload.task == BATCH
    return ServingDemand(
        model=workload.architecture,
        precision=workload.number_format,
        requests_per_s=BATCH_RATE if batch else workload.peak_rate,
        input_tokens=workload.prompt_tokens,
        output_tokens=workload.answer_tokens,
        ttft_s=workload.ttft_ms / 1e3 if workload.ttft_ms else None,
        tpot_s=BATCH_TPOT_S if batch else workload.tpot_ms / 1e3 if workload.tpot_ms else None,
        engine=workload.engine or "",
        cache_bytes=CACHE_BYTES[workload.kv_precision] if workload.kv_precision else None,
        accept_rate=workload.accept_rate,
        cached_share=workload.cached_share or 0.0,
    )


def images_demand(workload: Workload) -> ImagesDemand:
    """The workload as sizing's `ImagesDemand`."""
    wide, high = workload.pixels
    return ImagesDemand(
        images=workload.images or 0.0,
        width=wide,
        height=high,
        steps=workload.denoising_steps,
        model=workload.image_model,
    )


def training_demand(workload: Workload) -> Any:
    """The workload as sizing's `TrainingDemand`."""
    from recommender.sizing.size_training import TrainingDemand

    assert workload.tokens is not None
    return TrainingDemand(
        model=workload.architecture,
        precision=workload.number_format,
        method=workload.tuning,
        task=workload.task,
        tokens=workload.tokens,
        sequence=workload.sequence,
        global_batch=workload.batch,
    )


def _slowest(
    key: ShapeKey,
    nodes: int,
    shapes: dict[tuple[str, int, int, float | None], int],
    answers: Sequence[Fit | Refusal],
) -> Choice | Refusal | str:
    parts, gpus, fabric = key
    choices: list[Choice] = []
    for part in parts:
        row = shapes.get((part, gpus, nodes, fabric))
        if row is None:
            return f"{part} is not in the accelerator table"
        answer = answers[row]
        if isinstance(answer, Refusal):
            return answer
        choices.append(Choice(answer, answer.shape.accelerator, len(parts) > 1))
    return max(choices, key=lambda choice: _slowness(choice.fit))


def _slowness(fit: Fit) -> tuple[float, ...]:
    if isinstance(fit, ServingFit):
        return (-fit.requests_per_s_per_node, fit.tpot_s)
    if isinstance(fit, ImagesFit):
        return (-fit.images_per_s,)
    return (fit.hours.p50,)
