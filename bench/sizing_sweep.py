"""A full sweep of one serving workload over 300 hardware shapes: ``python -m bench.sizing_sweep`` (aim 250
ms).

Layouts (tensor, pipeline, attention data parallel), concurrencies and replicas of every shape; median and
best of several sweeps within one process, after a warm-up.
"""

from __future__ import annotations

import statistics
import time

from recommender.sizing.hardware import HardwareShape
from recommender.sizing.precision import find_precision
from recommender.sizing.registry import find_model
from recommender.sizing.results import ServingFit
from recommender.sizing.size_serving import ServingDemand, size_serving
from warehouse.reference import accelerators

SHAPES, SWEEPS = 300, 9
MODELS = (("llama-3.1-8b", "bf16"), ("llama-3.1-70b", "fp8"), ("deepseek-v3", "fp8"))


def main() -> None:
    """Print one line per model."""
    parts = [part for part in accelerators().values() if part.memory_gb >= 16]
    shapes = [HardwareShape(part, gpus) for gpus in (8, 4, 2, 1) for part in parts][:SHAPES]
    print(f"{'model':<16} {'shapes':>7} {'fit':>5} {'median':>9} {'best':>9}")
    for name, precision in MODELS:
        demand = ServingDemand(find_model(name), find_precision(precision), 10, 1000, 250, tpot_s=0.05)
        found = size_serving(demand, shapes)
        times = []
        for _ in range(SWEEPS):
            started = time.perf_counter()
            size_serving(demand, shapes)
            times.append(time.perf_counter() - started)
        fits = sum(isinstance(answer, ServingFit) for answer in found)
        middle, best = statistics.median(times) * 1e3, min(times) * 1e3
        print(f"{name:<16} {len(shapes):>7} {fits:>5} {middle:>6.0f} ms {best:>6.0f} ms")


if __name__ == "__main__":
    main()
