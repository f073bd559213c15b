"""The frame of `predict` and `evaluate`: tables, what is hidden, bands, errors."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from gpufare.cli.main import main
from recommender.sizing.predict import bands, evaluate, lookup
from recommender.sizing.predict.prediction import Points, Prediction, write_out
from recommender.sizing.predict.table import Row, Table, read_table
from recommender.sizing.results import Spread
from warehouse.errors import UsageError

HEAD = (
    "id,source_group,model,family,params_total,accelerator,scenario,isl,osl,tpot_ms,output_tok_s_total,oddity"
)


def table_file(folder: Path, *lines: str, head: str = HEAD) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join((head, *lines)) + "\n", "utf-8")
    return path


def test_what_was_measured_does_not_reach_a_row(tmp_path: Path) -> None:
    table = read_table(table_file(tmp_path, "a,s,Llama-3-8B,llama,8e9,H100,,100,50,9.5,120,slow run"))
    assert table.kind == "inference"
    assert table.measured[0] == {"tpot_ms": "9.5", "output_tok_s_total": "120", "oddity": "slow run"}
    assert set(table.rows[0].cells) == {
        *("id", "source_group", "model", "family", "params_total", "accelerator", "isl", "osl"),
    }
    assert table.rows[0].number("isl") == 100
    assert table.rows[0].number("scenario") is None


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ("id,task,mbs,grad_accum,model", "training"),
        ("id,tokens,epochs_in_tokens,model", "runs"),
        ("id,phase,method,micro_batch,model", "memory"),
    ],
)
def test_columns_tell_the_table(tmp_path: Path, columns: str, kind: str) -> None:
    assert read_table(table_file(tmp_path, head=columns)).kind == kind


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not the columns of one measurement table"):
        read_table(table_file(tmp_path, head="name,price"))
    with pytest.raises(UsageError, match="No such file"):
        read_table(tmp_path / "nothing.csv")
    (tmp_path / "binary.csv").write_bytes(b"id,\xff\xfe")
    with pytest.raises(UsageError, match="not a CSV in UTF-8"):
        read_table(tmp_path / "binary.csv")


@pytest.mark.parametrize(
    ("accelerator", "raw", "part"),
    [
        ("H100", "NVIDIA H100-SXM-80GB", "h100-sxm5-80gb"),
        ("H100", "", "h100-sxm5-80gb"),
        ("A100", "", "a100-sxm4-80gb"),
        ("A100", "NVIDIA A100-SXM-40GB", "a100-sxm4-40gb"),
        ("A100-PCIe-80GB", "", "a100-pcie-80gb"),
        ("TPUv5e", "", "tpu-v5e"),
        ("", "AMD Radeon RX 7900 XTX", "rx-7900-xtx-24gb"),
    ],
)
def test_names_to_parts(accelerator: str, raw: str, part: str) -> None:
    found = lookup.part_of(Row(0, {"accelerator": accelerator, "accel_raw": raw}))
    assert found is not None
    assert found.accelerator_id == part


def test_a_part_nobody_knows_is_none() -> None:
    assert lookup.part_of(Row(0, {"accelerator": "Groq LPU of nobody"})) is None


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b"),
        ("nvidia/DeepSeek-R1-NVFP4", "deepseek-r1"),
        ("Qwen2.5-7B-Instruct", "qwen2.5-7b"),
    ],
)
def test_names_to_architectures(name: str, short: str) -> None:
    found = lookup.named_model(name)
    assert found is not None
    assert found.name == short


def test_bare_counts_become_an_assumed_architecture() -> None:
    row = Row(0, {"model": "never-heard-of", "params_total": "3e10", "params_active": "3e9"})
    found = lookup.model_of(row)
    assert found is not None
    assert found.is_assumed
    assert found.is_moe
    assert lookup.model_of(Row(0, {"model": "never-heard-of"})) is None


def test_a_class_with_few_measurements_leans_on_its_parent() -> None:
    wide = [("tpot_ms", "dense", x / 100) for x in range(-50, 51)]
    few = [("tpot_ms", "dense/one", 0.01), ("tpot_ms", "dense/one", -0.01)]
    found = bands.fit_bands(wide + few)
    low, high = found["tpot_ms", "dense/one"]
    assert math.log(high) > 0.3
    assert math.log(low) < -0.3
    assert bands.band_of(found, "tpot_ms", "dense/never-seen") == found["tpot_ms", "dense"]
    assert bands.band_of(found, "ttft_ms", "dense") == bands.UNMEASURED


def test_band_always_holds_the_middle() -> None:
    spread = bands.with_band(Points(values={"tpot_ms": 10.0}), {("tpot_ms", ""): (1.1, 1.3)}).values[
        "tpot_ms"
    ]
    assert spread.p10 <= spread.p50 <= spread.p90


def test_errors_on_paper() -> None:
    rows = tuple(Row(n, {"id": str(n), "source_group": "s"}) for n in range(4))
    measured = tuple({"tpot_ms": text} for text in ("10", "10", "10", "10"))
    found = [Prediction("ok", {"tpot_ms": Spread(p / 1.2, p, p * 1.2)}) for p in (10.0, 11.0, 13.0)]
    table = Table("inference", rows, measured)
    mark = evaluate.Mark("TPOT", "tpot_ms", lambda row, texts: True)
    cases = evaluate._cases(table, [*found, Prediction("unsupported: x", {})], mark)
    line = evaluate._line(mark, "all", "all", cases)
    assert line.rows == 4
    assert line.answered == 0.75
    assert line.median_error == pytest.approx(0.1)
    assert line.bias == pytest.approx(1.1)
    assert line.in_band == pytest.approx(2 / 3)


def test_repeated_configurations_weigh_one() -> None:
    assert evaluate.weighted_quantile([0.1, 0.1, 0.1, 0.5, 0.6], [1 / 3] * 3 + [1, 1], 0.5) == 0.5


def test_out_file_has_a_line_per_row_in_order(tmp_path: Path) -> None:
    rows = [Row(0, {"id": "b"}), Row(1, {"id": "a"})]
    answers = [Prediction("ok", {"ttft_ms": Spread(1, 2, 3)}, True), Prediction("unsupported: no rate", {})]
    write_out(tmp_path / "out.csv", rows, answers)
    lines = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [line["id"] for line in lines] == ["b", "a"]
    assert lines[0]["pred_ttft_ms"] == "2"
    assert lines[0]["pred_ttft_ms_p90"] == "3"
    assert lines[0]["pred_fits"] == "True"
    assert lines[1]["status"] == "unsupported: no rate"
    assert lines[1]["pred_ttft_ms"] == ""


def test_commands_refuse_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table_file(tmp_path)
    assert main(["predict", str(path), "--out", str(path)]) == 2
    assert main(["evaluate", str(path), "--by", "colour"]) == 2
    assert main(["evaluate", str(path), "--cross-validate", "row"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert "colour" in lines[1]
    assert "source, family, pair" in lines[2]
