"""Timing whole processes: wall seconds and peak memory, the median of several runs after a warm-up."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

GPUFARE = (sys.executable, "-m", "gpufare")


@dataclass(frozen=True, slots=True)
class Measured:
    """Median wall time and the largest peak memory over the counted runs; the exit codes seen."""

    seconds: float
    peak_mib: float
    exit_codes: tuple[int, ...]


def measure(command: Sequence[str], *, runs: int = 5, warmup: int = 1) -> Measured:
    """Run a command `warmup + runs` times. Its output is thrown away; exit codes are kept, not judged."""
    seconds, peaks, codes = [], [], set()
    for number in range(warmup + runs):
        wall, peak_kib, code = _run_once(command)
        if number >= warmup:
            seconds.append(wall)
            peaks.append(peak_kib / 1024)
            codes.add(code)
    return Measured(statistics.median(seconds), max(peaks), tuple(sorted(codes)))


def gpufare(home: str, *arguments: str) -> list[str]:
    """A gpufare command line on a home folder."""
    return [*GPUFARE, "--home", home, *arguments]


def _run_once(command: Sequence[str]) -> tuple[float, int, int]:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    kib = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss // 1024
    return wall, kib, process.returncode
