"""The training layout search over 300 machine shapes: ``python -m bench.training_sweep``.

Prints the first sweep of a process (tables read, layouts listed), a sweep of another workload, and a repeated
one; budget 250 ms for one workload.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from recommender.sizing.hardware import HardwareShape
from recommender.sizing.precision import find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.results import TrainingFit
from recommender.sizing.size_training import TrainingDemand, size_training
from warehouse.reference import accelerators

SHAPES = 300
MACHINES = ((1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 4), (8, 8), (8, 16))
NETWORK_GB_PER_S_PER_GPU = 50.0


def shapes(count: int = SHAPES) -> list[HardwareShape]:
    """`count` shapes: rated accelerators by machines of one to eight GPUs and up to sixteen machines."""
    found = []
    for part in accelerators().values():
        if part.memory_gb < 16 or part.memory_bandwidth_gb_per_s is None or part.dense_bf16_tflops is None:
            continue
        for gpus, nodes in MACHINES:
            fabric = NETWORK_GB_PER_S_PER_GPU * gpus if nodes > 1 else None
            found.append(HardwareShape(part, gpus, nodes, fabric))
    return found[:count]


def job(model: str, sequence: int = 8192) -> TrainingDemand:
    """A pre-training of one trillion tokens in bf16."""
    return TrainingDemand(find_model(model), find_precision("bf16"), "full", "pretrain", 1e12, sequence, 512)


def main() -> int:
    """Print the times."""
    machines = shapes()
    for title, demand in (
        ("llama-3.1-70b, first sweep of the process", job("llama-3.1-70b")),
        ("deepseek-v3, another workload", job("deepseek-v3", 4096)),
        ("llama-3.1-70b, repeated", job("llama-3.1-70b")),
    ):
        print(f"{title:<46}{_sweep(demand, machines)}")
    return 0


def _sweep(demand: TrainingDemand, machines: Sequence[HardwareShape]) -> str:
    started, begun = time.perf_counter(), time.process_time()
    answers = size_training(demand, machines)
    milliseconds = (time.perf_counter() - started) * 1e3
    processor = (time.process_time() - begun) * 1e3
    fits = sum(isinstance(answer, TrainingFit) for answer in answers)
    return (
        f"{milliseconds:>7.0f} ms ({processor:.0f} ms of processor time)  {len(answers)} shapes, {fits} fit  "
        "(budget 250 ms)"
    )


if __name__ == "__main__":
    sys.exit(main())
