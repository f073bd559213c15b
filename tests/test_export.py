"""gpufare export: files for other tools, with everything left out counted by reason."""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from gpufare.cli.main import main
from tests.warehouse_runs import day, load, offer
from warehouse.export import Exported, export
from warehouse.export_names import gpuhunt_name, skypilot_name
from warehouse.queries import OfferFilter, offers, open_market
from warehouse.records import PriceKind


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """A machine on demand in two regions and as spot, a commitment, one without cores, hostile text."""
    machine = {"gpu_count": 8.0, "vcpus": 96.0, "memory_gib": 768.0}
    kinds = [
        offer("gpu_8x", "20", region="us-east-1", **machine),
        offer("gpu_8x", "22", region="us-west-1", **machine),
        offer("gpu_8x", "9", region="us-east-1", price_kind=PriceKind.SPOT, **machine),
        offer("gpu_8x", "12", price_kind=PriceKind.RESERVED, term_months=12, **machine),
        offer("bare", "3"),
        offer("=HYPERLINK(1)\nx", "4", vcpus=8.0, memory_gib=64.0),
        offer("off", "2", available=False, vcpus=8.0, memory_gib=64.0),
    ]
    load(tmp_path / "home", kinds, day(0), provider="lambda_cloud")
    connection = open_market(tmp_path / "home")
    found = offers(connection, OfferFilter(), now=day(0)).rows
    connection.close()
    return found


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_gpuhunt_files_hold_what_they_can(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    done = export(rows, "gpuhunt", tmp_path / "out")
    lines = read(tmp_path / "out" / "lambdalabs.csv")
    assert [(line["instance_name"], line["price"], line["spot"]) for line in lines] == [
        ("bare", "3.0", "False"),
        ("'=HYPERLINK(1) x", "4.0", "False"),
        ("gpu_8x", "9.0", "True"),
        ("gpu_8x", "20.0", "False"),
        ("gpu_8x", "22.0", "False"),
    ]
    assert {(line["gpu_name"], line["gpu_vendor"], line["cpu_arch"]) for line in lines} == {
        ("H100", "nvidia", "x86")
    }
    assert done.left_out == {
        "neither on demand nor spot": 1,
        "sold out": 1,
    }
    assert read(tmp_path / "out" / "aws.csv") == [], "gpuhunt wants a file of each of its clouds"


def test_skypilot_files_join_on_demand_and_spot(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    export(rows, "skypilot", tmp_path / "out")
    lines = read(tmp_path / "out" / "v8" / "lambda" / "vms.csv")
    joined = {(line["InstanceType"], line["Region"]): (line["Price"], line["SpotPrice"]) for line in lines}
    assert joined["gpu_8x", "us-east-1"] == ("20.0", "9.0")
    assert joined["gpu_8x", "us-west-1"] == ("22.0", "")
    told = ast.literal_eval(next(line["GpuInfo"] for line in lines if line["InstanceType"] == "gpu_8x"))
    assert told["Gpus"][0] == {
        "Name": "H100",
        "Manufacturer": "NVIDIA",
        "Count": 8.0,
        "MemoryInfo": {"SizeInMiB": 81920},
    }


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_our_own_formats_hold_every_row(rows: list[dict[str, Any]], tmp_path: Path, form: str) -> None:
    done = export(rows, form, tmp_path / "out")
    (file,) = done.files
    found = pq.read_table(file).to_pylist() if form == "parquet" else read(file)
    assert len(found) == len(rows) == done.offers
    assert set(found[0]) == set(rows[0])


@pytest.mark.parametrize(
    ("candidates", "gpuhunt", "skypilot"),
    [
        (["h100-sxm5-80gb"], "H100", "H100"),
        (["h100-nvl-94gb"], "H100NVL", "H100-NVL"),
        (["a100-sxm4-80gb", "a100-pcie-80gb"], "A100", "A100-80GB"),
        (["a100-sxm4-80gb", "a100-pcie-40gb"], "A100", None),
        (["rtx-a6000-48gb"], "A6000", "A6000"),
        (["rtx-6000-ada-48gb"], "RTX6000Ada", "RTX6000-Ada"),
        (["quadro-rtx-6000-24gb"], "RTX6000", "RTX6000"),
        (["rtx-pro-6000-96gb"], "RTXPRO6000", "RTXPRO6000"),
        (["mi300x-192gb"], "MI300X", "MI300X"),
        (["tpu-v5e"], "v5litepod", "tpu-v5litepod-4"),
        (["quadro-rtx-6000-24gb", "rtx-6000-ada-48gb"], None, None),
        ([], None, None),
    ],
)
def test_names_of_the_other_tools(candidates: list[str], gpuhunt: str | None, skypilot: str | None) -> None:
    row = {"candidates": candidates, "gpu_count": 4.0}
    assert (gpuhunt_name(row), skypilot_name(row)) == (gpuhunt, skypilot)


def test_the_command_says_what_it_wrote_and_refuses_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(tmp_path, [offer("a")], day(0))
    home = ["--home", str(tmp_path)]
    assert main([*home, "export", "--format", "csv", "--out", str(tmp_path / "o")]) in (0, 4)
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "o" / "offers.csv")
    assert "1 of 1 offers written" in said.err
    assert main([*home, "export", "--format", "xlsx", "--out", str(tmp_path / "o")]) == 2
    (tmp_path / "file").write_text("")
    assert main([*home, "export", "--format", "csv", "--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.count("\n") == 2
    assert export([], "parquet", tmp_path / "none") == Exported([tmp_path / "none" / "offers.parquet"], 0)
