"""Rows of the inference table: what they are taken for, what is refused, what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.sizing.predict import inference
from recommender.sizing.predict.bands import predict_table
from recommender.sizing.predict.serving_rows import (
    CLOSED,
    DISAGGREGATED,
    OFFLINE,
    PROMPT,
    SERVER,
    SINGLE,
    STATIC,
    ServedRow,
    cache_slots,
    engine_of,
    kind_of,
    precision_of,
    read_row,
    years_of,
)
from recommender.sizing.predict.table import Row, Table, read_table
from recommender.sizing.registry import find_model
from warehouse.reference import accelerators

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth" / "inference_throughput.csv"
LOOP = {
    "id": "a",
    "model": "meta-llama/Llama-3.1-70B",
    "accelerator": "H100",
    "engine": "vllm 0.12.0",
    "precision": "fp8",
    "isl": "1024",
    "osl": "512",
    "concurrency_or_batch": "16",
    "tp": "4",
    "pp": "1",
    "dp": "1",
    "n_accel": "4",
    "mode": "agg",
}


def row(**changes: str) -> Row:
    return Row(0, {key: text for key, text in {**LOOP, **changes}.items() if text})


def served(**changes: str) -> ServedRow:
    found = read_row(row(**changes))
    assert isinstance(found, ServedRow), found
    return found


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ({}, CLOSED),
        ({"mode": "disagg"}, DISAGGREGATED),
        ({"mode": "", "scenario": "Offline", "concurrency_or_batch": ""}, OFFLINE),
        ({"mode": "", "scenario": "Server", "concurrency_or_batch": ""}, SERVER),
        ({"mode": "", "scenario": "static batch peak throughput"}, STATIC),
        ({"mode": "", "scenario": "single stream generation", "concurrency_or_batch": "1"}, SINGLE),
        ({"mode": "", "scenario": "prompt eval 1024 tokens"}, PROMPT),
    ],
)
def test_kinds_of_load(cells: dict[str, str], kind: int) -> None:
    assert kind_of(row(**cells)) == kind


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("trtllm 1.2.0rc6.post3", "trtllm"),
        ("TensorRT-LLM 0.17", "tensorrt"),
        ("TensorRT 10.2.0, CUDA 12.4", "tensorrt"),
        ("vLLM 0.4.3+rocm614, PyTorch 2.3.0", "vllm"),
        ("sglang 0.5.9", "sglang"),
        ("llama.cpp (May 2024)", "llama.cpp"),
        ("transformers (pytorch)", "eager"),
        ("SAX", ""),
    ],
)
def test_engines(text: str, engine: str) -> None:
    assert engine_of(text) == engine


def test_dates() -> None:
    assert years_of(row(date="2026-01-01")) == 0
    assert years_of(row(date="v4.1")) == pytest.approx(-1.35)
    assert years_of(row(date="")) == years_of(row(date="soon")) == -0.5


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"accelerator": "Abacus 9"}, "accelerator 'Abacus 9' is not in the reference table"),
        ({"model": "nobody/knows"}, "model 'nobody/knows' is not known"),
        ({"precision": "fp3"}, "precision 'fp3' is not known"),
        ({"tp": "128", "n_accel": "128"}, "tp 128 is more than the 64 heads"),
        ({"tp": "1", "n_accel": "1", "precision": "bf16"}, "does not fit: weights"),
        ({"workload": "speech"}, "workload 'speech' is not a language model"),
    ],
)
def test_what_cannot_be_predicted_says_which_field(cells: dict[str, str], text: str) -> None:
    [found] = inference.predict_points([row(**cells)])
    assert found.status.startswith("unsupported: ")
    assert text in found.status
    assert "\n" not in found.status
    assert not found.values


def test_a_closed_loop_reports_latency_and_rates_that_agree() -> None:
    [found] = inference.predict_points([row()])
    numbers = found.values
    latency = numbers["ttft_ms"] + (512 - 1) * numbers["tpot_ms"]
    assert numbers["latency_ms"] == pytest.approx(latency, rel=0.01)
    assert numbers["output_tok_s_total"] == pytest.approx(512 * numbers["requests_s"])
    assert numbers["requests_s"] == pytest.approx(16 / latency * 1e3, rel=0.02)


def test_requests_beyond_the_cache_wait() -> None:
    few, many = inference.predict_points(
        [
            row(tp="1", n_accel="1", accelerator="H200", isl="8192", concurrency_or_batch=text)
            for text in ("8", "512")
        ]
    )
    assert many.values["ttft_ms"] > 20 * few.values["ttft_ms"]
    assert many.values["tpot_ms"] < 64 * few.values["tpot_ms"]


def test_measured_cells_change_nothing(tmp_path: Path) -> None:
    head = [*LOOP, "source_group", "scenario", "tpot_ms", "ttft_ms", "output_tok_s_total", "oddity"]
    lines = [",".join(head)]
    for measured in (["", "", "", ""], ["1", "2", "3", "MTP on"]):
        lines.append(",".join([*LOOP.values(), "s", "", *measured]))
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    first, second = predict_table(read_table(path))
    assert first == second


def test_a_part_that_was_never_measured_gets_a_wider_band() -> None:
    table = Table("inference", (row(), row(accelerator="H20", n_accel="4")), ({}, {}))
    measured, moved = predict_table(table)
    assert moved.status == "ok"

    def width(name: str, found: object = None) -> float:
        spread = (found or measured).values[name]  # type: ignore[attr-defined]
        return float(spread.p90 / spread.p10)

    assert width("tpot_ms", moved) > width("tpot_ms")


def test_mlperf_precision_follows_the_part() -> None:
    blank = {"precision": "", "mode": "", "scenario": "Offline", "concurrency_or_batch": "", "tp": ""}
    blank |= {"source_group": "mlperf-inference-v4.1", "model": "llama2-70b-99", "n_accel": "8"}
    assert served(**blank).raw["weight_bytes"] == 1.0
    assert served(**blank, accelerator="B200").raw["weight_bytes"] == 0.5625
    assert served(**blank, accelerator="A100-80GB").raw["weight_bytes"] == 2.0


def test_slots_of_a_replica_on_paper() -> None:
    """Llama-3.1-70B in fp8 on 4 x H100: a quarter of 70 GB and heads shared; 160 kB per token in fp8."""
    from recommender.sizing.precision import find_precision

    part, model = accelerators()["h100-sxm5-80gb"], find_model("llama-3.1-70b")
    found = cache_slots(part, model, find_precision("fp8"), tp=4, pp=1, dp=1, tokens=1000)
    free = 79.65 * 2**30 - 72.6e9 / 4 - 1.5e9
    assert found == pytest.approx(0.9 * free / (163_840 * 1000 / 4), rel=0.02)


@pytest.mark.skipif(not TRUTH.exists(), reason="no measurements beside the project")
def test_published_measurements_are_met() -> None:
    """A guard against a broken formula, wider than the figures that `gpufare evaluate` prints."""
    from recommender.sizing.predict.evaluate import evaluate_table

    table = read_table(TRUTH)
    lines = {
        line.mark: line for line in evaluate_table(table, predict_table(table)).lines if line.by == "all"
    }
    for mark, limit in (
        ("TPOT, aggregated serving", 0.10),
        ("TTFT, aggregated serving", 0.30),
        ("output tokens/s where measured", 0.15),
        ("batch-1 decode, tokens/s", 0.20),
        ("images/s", 0.20),
    ):
        line = lines[mark]
        assert line.median_error is not None
        assert line.in_band is not None
        assert line.median_error <= limit, mark
        assert line.answered >= 0.95, mark
        assert 0.7 <= line.in_band <= 0.95, mark


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FP8", "fp8"),
        ("bfloat16", "bf16"),
        ("nvfp4", "fp4"),
        ("AWQ w4a16", "int4"),
        ("GPTQ-Int8", "int8"),
        ("fp8_e4m3", "fp8"),
        ("w8a8", "int8"),
    ],
)
def test_spellings_of_precisions(text: str, name: str) -> None:
    part = accelerators()["h100-sxm5-80gb"]
    found = precision_of(row(precision=text), part, find_model("llama-3.1-8b"))
    assert found is not None
    assert found.name == name


def test_a_loop_without_a_layout_is_one_group() -> None:
    assert served(tp="", n_accel="8").raw["tp"] == 8
