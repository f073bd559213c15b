"""Time of collective operations: alpha-beta model, T = steps * latency + bytes / bandwidth (Hockney 1994).

Seconds, bytes, bytes per second. Works on numbers and numpy arrays alike.
"""

from __future__ import annotations

from typing import Any

ATTAINABLE = 0.75  # share of a link that ring collectives reach: 366 of 450 GB/s on 8 x H200 (ml-engineering)
LINK_LATENCY_S = 4e-6  # one step over NVLink or PCIe, launch included
NETWORK_LATENCY_S = 12e-6  # one step between machines
OVERLAP = 0.7  # share of compute time behind which gradient and weight traffic can hide


def all_reduce_s(payload: Any, ranks: Any, bandwidth: Any, latency: float = LINK_LATENCY_S) -> Any:
    """Ring all-reduce: 2 (g-1)/g * bytes / beta + 2 (g-1) * alpha; 0 for one rank."""
    return 2 * (ranks - 1) / ranks * payload / (bandwidth * ATTAINABLE) + 2 * (ranks - 1) * latency


def all_gather_s(payload: Any, ranks: Any, bandwidth: Any, latency: float = LINK_LATENCY_S) -> Any:
    """Ring all-gather or reduce-scatter of `payload` bytes in total: half an all-reduce."""
    return (ranks - 1) / ranks * payload / (bandwidth * ATTAINABLE) + (ranks - 1) * latency


def decode_all_reduce_s(payload: Any, ranks: Any, bandwidth: Any) -> Any:
    """Small all-reduce of one decode step: one launch (one-shot kernels) and the ring volume."""
    import numpy

    time = LINK_LATENCY_S + 2 * (ranks - 1) / ranks * payload / (bandwidth * ATTAINABLE)
    return numpy.where(numpy.asarray(ranks) > 1, time, 0.0)


def pipeline_bubble(stages: Any, micro_batches: Any) -> Any:
    """Idle share of ideal time in 1F1B: (p - 1) / m (Narayanan 2021, arXiv 2104.04473, section 2.2.1)."""
    return (stages - 1) / micro_batches


def exposed_s(communication: Any, compute: Any) -> Any:
    """Communication that compute does not hide: all above 70 % of the compute it overlaps with."""
    import numpy

    return numpy.maximum(communication - OVERLAP * compute, 0.0)
