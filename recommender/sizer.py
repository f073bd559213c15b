"""`size`: one workload on one machine that the question names; no market, no price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recommender.demand import Fit, serving_demand, size_on
from recommender.fields import BATCH
from recommender.rows import layout_row, spread_row, tokens_per_s
from recommender.sizing.hardware import HardwareShape
from recommender.sizing.results import MEMORY, Refusal, ServingFit, TrainingFit
from recommender.sizing.size_images import ImagesFit
from recommender.workload import Workload
from warehouse.errors import UsageError
from warehouse.reference import accelerators
from warehouse.units import BYTES_PER_GB

ASSUMED_FABRIC_GB_PER_S_PER_GPU = 50.0  # 400 Gbit/s per GPU, the usual training cluster; stated in the answer


@dataclass(frozen=True, slots=True)
class Sizing:
    """The answer of `size`: a fit or a refusal, as text and as a row. `notes` are assumptions."""

    workload: Workload
    shape: HardwareShape
    answer: Fit | Refusal
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool | None:
        """Does it fit in memory? None where the hardware is not rated, so that it was not tried."""
        if isinstance(self.answer, Refusal):
            return False if self.answer.kind == MEMORY else None
        return True

    def row(self) -> dict[str, Any]:
        """One record with everything that was computed; unknown is None."""
        answer, part = self.answer, self.shape.accelerator
        row: dict[str, Any] = {
            "accelerator_id": part.accelerator_id,
            "gpus_per_node": self.shape.gpus_per_node,
            "nodes": self.shape.nodes,
            "model": self.workload.model_name,
            "task": self.workload.task,
            "fits": self.fits,
            "reason": answer.reason if isinstance(answer, Refusal) else None,
        }
        return {**row, **self._numbers()}

    @property
    def _planned(self) -> float:
        """Share of capacity that is planned for: all of it for a batch, else sizing's own."""
        if self.workload.task != BATCH:
            return 1.0
        from recommender.sizing.serving import UTILISATION

        return UTILISATION

    def _numbers(self) -> dict[str, Any]:
        answer = self.answer
        if isinstance(answer, Refusal):
            needed, usable = answer.needed_bytes, answer.usable_bytes
            return {
                **dict.fromkeys(_KEYS),
                "memory_per_gpu_gb": None if needed is None else round(needed / BYTES_PER_GB, 2),
                "memory_capacity_gb": None if usable is None else round(usable / BYTES_PER_GB, 2),
            }
        serving = answer if isinstance(answer, ServingFit) else None
        training = answer if isinstance(answer, TrainingFit) else None
        pictures = answer if isinstance(answer, ImagesFit) else None
        timed = training or pictures
        parts = answer.memory
        return {
            "precision": answer.precision,
            "layout": layout_row(answer),
            "memory_per_gpu_gb": round(parts.total / BYTES_PER_GB, 2),
            "memory_capacity_gb": round(answer.capacity_bytes / BYTES_PER_GB, 2),
            "memory_parts_gb": {
                name: round(float(getattr(parts, name)) / BYTES_PER_GB, 2) for name in parts.__slots__
            },
            "throughput": round(tokens_per_s(self.workload.answer_tokens, 1, answer) / self._planned, 1),
            "requests_per_s": round(serving.requests_per_s_per_node / self._planned, 3) if serving else None,
            "concurrency": serving.concurrency if serving else None,
            "ttft_ms": round(serving.ttft_capacity_s * 1e3, 1) if serving else None,
            "tpot_ms": round(serving.tpot_capacity_s * 1e3, 2) if serving else None,
            "machines_for_rate": serving.nodes[1] if serving and not self.workload.is_job else None,
            "disaggregated": self._apart(serving) if serving else None,
            "images_per_s": round(pictures.images_per_s, 4) if pictures else None,
            "seconds_per_image": round(pictures.seconds_per_image, 3) if pictures else None,
            "hours": spread_row(timed.hours, 3) if timed else None,
            "step_s": round(training.step_s, 4) if training else None,
        }

    def _apart(self, fit: ServingFit) -> dict[str, float] | None:
        """Estimate of the same GPUs with prefill and decoding apart; None where they are too few."""
        from recommender.sizing.size_serving import disaggregated_estimate

        found = disaggregated_estimate(serving_demand(self.workload), fit)
        if found is None:
            return None
        return {
            "ttft_ms": round(float(found.ttft_s) * 1e3, 1),
            "tpot_ms": round(float(found.tpot_s) * 1e3, 2),
            "requests_per_s": round(float(found.requests_per_s) / fit.shape.nodes, 3),
        }


_KEYS = [
    "precision",
    "layout",
    "memory_per_gpu_gb",
    "memory_capacity_gb",
    "memory_parts_gb",
    "throughput",
    "requests_per_s",
    "concurrency",
    "ttft_ms",
    "tpot_ms",
    "machines_for_rate",
    "disaggregated",
    "images_per_s",
    "seconds_per_image",
    "hours",
    "step_s",
]


def size(workload: Workload, on: str) -> Sizing:
    """Sizes the workload on ``ACCELERATOR[:GPUS[:NODES]]``.

    Serving numbers are those of one machine at capacity. Several nodes are taken to have 400 Gbit/s per GPU
    between them, which the notes say.

    Raises:
        UsageError: malformed machine, or a name that means several parts.
    """
    shape = parse_shape(on)
    notes = workload.assumptions()
    if shape.nodes > 1:
        notes.append("network between machines not named: 400 Gbit/s per GPU taken")
    answer = size_on(workload, [shape])[0]
    return Sizing(workload, shape, answer, tuple(notes))


def parse_shape(text: str) -> HardwareShape:
    """``h100-sxm5-80gb:8:2`` as a shape. Raises UsageError or UnknownNameError."""
    name, *counts = text.strip().split(":")
    if len(counts) > 2 or not all(count.isdigit() and 1 <= int(count) <= 100_000 for count in counts):
        raise UsageError(f"machine {text!r} is not ACCELERATOR[:GPUS[:NODES]]; example: h100-sxm5-80gb:8:2")
    gpus, nodes = (int(count) for count in [*counts, "1", "1"][:2])
    known = accelerators()
    if name not in known:
        from warehouse.identify import match_gpu_filter

        found = match_gpu_filter(name)
        if len(found) != 1:
            raise UsageError(f"accelerator {name!r} may be {', '.join(found)}; name one of them")
        name = found[0]
    fabric = ASSUMED_FABRIC_GB_PER_S_PER_GPU * gpus if nodes > 1 else None
    return HardwareShape(known[name], gpus, nodes, fabric)
