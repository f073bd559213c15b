"""How far the first priors are from published measurements: ``python -m bench.sizing_error [TRUTH_FOLDER]``.

Prints, by class, rows, median absolute error, median bias (predicted / measured) and its 10-90 % range.
Informative: nothing is fitted here. Rows whose model is not in the table are sized from their parameter
counts. Without the folder of measurements it says so in one line.
"""

from __future__ import annotations

import csv
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import numpy as np

from recommender.sizing import serving, training
from recommender.sizing.efficiency import prior
from recommender.sizing.hardware import HardwareShape, link_bytes_per_s, usable_memory_bytes
from recommender.sizing.models import ModelArchitecture, assumed_architecture
from recommender.sizing.precision import PRECISIONS, Precision, compute_unit
from recommender.sizing.registry import aliases, models
from recommender.sizing.results import Refusal
from recommender.sizing.size_serving import QUANTITIES
from recommender.sizing.size_training import TrainingDemand, size_training
from warehouse.errors import UsageError
from warehouse.reference import Accelerator, accelerators

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
PARTS = {
    "H100": "h100-sxm5-80gb",
    "H100-PCIe": "h100-pcie-80gb",
    "H100-NVL": "h100-nvl-94gb",
    "H200": "h200-sxm-141gb",
    "GH200": "gh200-96gb",
    "B200": "b200-sxm-180gb",
    "GB200": "gb200-186gb",
    "B300": "b300-sxm-288gb",
    "GB300": "gb300-288gb",
    "A100-80GB": "a100-sxm4-80gb",
    "A100-40GB": "a100-sxm4-40gb",
    "A100": "a100-sxm4-80gb",
    "L40S": "l40s-48gb",
    "RTX-4090": "rtx-4090-24gb",
    "RTX-3090": "rtx-3090-24gb",
    "RTX-A6000": "rtx-a6000-48gb",
    "RTX-A5000": "rtx-a5000-24gb",
    "RTX-6000-Ada": "rtx-6000-ada-48gb",
    "RTX-PRO-6000": "rtx-pro-6000-96gb",
    "MI300X": "mi300x-192gb",
    "MI325X": "mi325x-256gb",
    "Trainium1": "trainium1",
}
GPUS_PER_NODE = {"gb200-186gb": 4, "gb300-288gb": 4, "trainium1": 16}
NETWORK_GB_PER_S_PER_GPU = 50.0
Pair = tuple[str, float]


def main(arguments: list[str]) -> int:
    """Print the tables."""
    folder = Path(arguments[0]) if arguments else TRUTH
    if not folder.exists():
        print(f"no measurements at {folder}; give the folder that holds training_throughput.csv")
        return 0
    _table("training, tokens/s per GPU", _training(folder / "training_throughput.csv"))
    _table("training, memory per GPU", _memory(folder / "memory.csv"))
    tpot, ttft = _serving(folder / "inference_throughput.csv")
    _table("serving, TPOT", tpot)
    _table("serving, TTFT at 4 requests in flight or fewer", ttft)
    return 0


def _table(title: str, pairs: list[Pair]) -> None:
    groups: dict[str, list[float]] = defaultdict(list)
    for group, ratio in pairs:
        groups[group].append(ratio)
        groups["all"].append(ratio)
    print(f"\n{title}")
    print(f"{'class':<38} {'rows':>5} {'median |error|':>15} {'bias':>6} {'10 %':>6} {'90 %':>6}")
    for group in sorted(groups, key=lambda name: (name == "all", name)):
        ratios = groups[group]
        errors = [abs(ratio - 1) for ratio in ratios]
        low, high = (
            (ratios[0],) * 2 if len(ratios) < 2 else (quantiles(ratios, n=10)[0], quantiles(ratios, n=10)[-1])
        )
        print(
            f"{group:<38} {len(ratios):>5} {median(errors):>14.1%} {median(ratios):>6.2f} "
            f"{low:>6.2f} {high:>6.2f}"
        )


def _training(path: Path) -> list[Pair]:
    pairs = []
    for row in _rows(path):
        rate, part = _number(row, "tokens_per_s_per_gpu"), _part(row)
        model, precision = _model(row), _training_precision(row)
        if not rate or part is None or model is None or precision is None or row["task"] in _NOT_LLM:
            continue
        gpus = int(_number(row, "n_accel") or 1)
        per_node = min(gpus, GPUS_PER_NODE.get(part.accelerator_id, 8))
        if gpus % per_node:
            continue
        sequence = int(_number(row, "seq_len") or 2048)
        batch = int(_number(row, "gbs") or 0) or max(
            gpus, (_number(row, "mbs") and int(_number(row, "mbs") or 1) * gpus) or gpus
        )
        method = {"lora": "lora", "qlora": "qlora"}.get(row["task"], "full")
        demand = TrainingDemand(model, precision, method, "finetune", 1e9, sequence, batch)
        fabric = NETWORK_GB_PER_S_PER_GPU * per_node
        shape = HardwareShape(part, per_node, gpus // per_node, fabric if gpus > per_node else None)
        found = size_training(demand, [shape])[0]
        if isinstance(found, Refusal):
            continue
        kind = "moe" if model.is_moe else "dense"
        pairs.append((f"{part.family} {found.unit} {kind} {method}", found.tokens_per_s / gpus / rate))
    return pairs


_NOT_LLM = ("train-classic", "train-to-quality", "pretrain-diffusion")


def _memory(path: Path) -> list[Pair]:
    pairs = []
    for row in _rows(path):
        measured, part, model = _number(row, "mem_peak_gib_per_accel"), _part(row), _model(row)
        if (
            not measured
            or part is None
            or model is None
            or row["phase"] != "train"
            or row["cpu_offload"] == "True"
        ):
            continue
        method = {"lora": "lora", "qlora": "qlora"}.get(row["method"], "full")
        gpus = int(_number(row, "n_accel") or 1)
        tp, pp = int(_number(row, "tp") or 1), int(_number(row, "pp") or 1)
        shards = (
            "shard" in row["sharding"].lower()
            or "fsdp" in row["sharding"].lower()
            or "zero3" in row["sharding"].lower()
        )
        columns = _columns(
            part, tp, pp, gpus // (tp * pp), 3 if shards else 0, int(_number(row, "micro_batch") or 1)
        )
        again = row["act_ckpt"].lower() in ("true", "yes", "full")
        columns = training.Columns(
            **{**{name: getattr(columns, name) for name in columns.__slots__}, "recompute": again}
        )
        parts = training.memory_parts(
            model,
            PRECISIONS["bf16"],
            method,
            int(_number(row, "seq_len") or 2048),
            usable_memory_bytes(part),
            columns,
        )
        pairs.append((f"{row['source_group']} {method}", float(np.ravel(parts.total)[0]) / 2**30 / measured))
    return pairs


def _columns(part: Accelerator, tp: int, pp: int, dp: int, zero: int, micro: int) -> training.Columns:
    return training.Columns(
        *(np.array([float(value)]) for value in (tp, pp, dp, micro)),
        zero=np.array([zero if dp > 1 else 0]),
        recompute=np.array([False]),
        micro_batches=np.array([1.0 * pp]),
        ep=np.array([1.0]),
        peak=np.array([1e15]),
        mfu=np.array([0.4]),
        link=np.array([link_bytes_per_s(part, tp)]),
        data_link=np.array([1e10]),
    )


def _serving(path: Path) -> tuple[list[Pair], list[Pair]]:
    tpot_pairs, ttft_pairs = [], []
    for row in _rows(path):
        tpot, part, model = _number(row, "tpot_ms"), _part(row), _model(row)
        batch, into, out = (_number(row, key) for key in ("concurrency_or_batch", "isl", "osl"))
        if (
            not tpot
            or part is None
            or model is None
            or not batch
            or not into
            or not out
            or row["mode"] != "agg"
        ):
            continue
        precision = PRECISIONS.get(row["precision"].lower())
        if precision is None or (_number(row, "pp") or 1) > 1:
            continue
        group = int((_number(row, "tp") or 1) * (_number(row, "dp") or 1))
        engine = _engine(part, precision, model, group)
        if engine is None:
            continue
        state = serving.steady_state(model, precision, engine, batch, into, out)
        kind = "moe" if model.is_moe else "dense"
        name = f"{part.family} {precision.name} {kind}"
        tpot_pairs.append((name, float(np.ravel(state.tpot_s)[0]) * 1e3 / tpot))
        ttft = _number(row, "ttft_ms")
        if ttft and batch <= 4:
            ttft_pairs.append((name, float(np.ravel(state.ttft_s)[0]) * 1e3 / ttft))
    return tpot_pairs, ttft_pairs


def _engine(
    part: Accelerator, precision: Precision, model: ModelArchitecture, group: int
) -> serving.Engine | None:
    unit = compute_unit(part, precision)
    if unit is None or part.memory_bandwidth_gb_per_s is None:
        return None
    kind = "moe" if model.is_moe else "dense"
    priors = {name: prior(name, part, unit[0], kind) for name in QUANTITIES}
    if any(value is None for value in priors.values()):
        return None
    middle = {name: value.p50 for name, value in priors.items() if value is not None}
    return serving.Engine(
        group,
        unit[1] * 1e12,
        part.memory_bandwidth_gb_per_s * 1e9,
        link_bytes_per_s(part, group),
        middle["prefill_mfu"],
        middle["decode_mbu"],
        middle["layer_us"] * 1e-6,
        middle["group_us"] * 1e-6,
        middle["first_token_ms"] * 1e-3,
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _number(row: dict[str, str], key: str) -> float | None:
    try:
        value = float(row[key])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _part(row: dict[str, str]) -> Accelerator | None:
    return accelerators().get(PARTS.get(row["accelerator"], ""))


def _model(row: dict[str, str]) -> ModelArchitecture | None:
    name = row["model"].lower().split("/")[-1].replace("_", "-").removesuffix("-fp8").removesuffix("-nvfp4")
    short = aliases().get(name)
    if short:
        return models()[short]
    total, active = _number(row, "params_total"), _number(row, "params_active")
    try:
        return (
            assumed_architecture(total, active if active and active < 0.95 * total else None)
            if total
            else None
        )
    except UsageError:
        return None


def _training_precision(row: dict[str, str]) -> Precision | None:
    text = row["precision"].lower()
    if "fp8" in text:
        return PRECISIONS["fp8"]
    if "bf16" in text or "bfloat16" in text:
        return PRECISIONS["bf16"]
    return PRECISIONS["fp16"] if "float16" in text or text == "fp16" else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
