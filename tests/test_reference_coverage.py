"""The coverage report: its counts add up, and it stands without the shared inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.reference_coverage import SHARED, main
from warehouse.reference import accelerators


def test_without_the_shared_inputs_the_tables_are_counted_and_the_rest_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["", str(tmp_path / "nothing")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"accelerators: {len(accelerators())}, ")
    figures = [line.split()[1:] for line in lines if line.startswith("  tdp_w")]
    assert [sum(map(int, row)) for row in figures] == [len(accelerators())]
    assert lines[-1].startswith("skipped: ")


def test_regions_types_and_names_of_shared_inputs_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "market"
    folder.mkdir()
    (folder / "offers_latest.csv").write_text(
        "provider,instance_type,gpu_model_raw,region\n"
        "aws,p5.48xlarge,H100,us-east-1\n"
        "aws,on-demand,Moon 1,the-moon\n"
        "azure,NC9 of Mars,,\n",
        "utf-8",
    )
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "memory.csv").write_text("accelerator\nA100\nM3 Max\nM3 Max\n", "utf-8")
    assert main(["", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "truth: 2 accelerator names, 1 known\n  unknown     2 M3 Max\n" in said
    assert "regions: 2: city 1 (1 rows), unknown 1 (1 rows)" in said
    assert (
        "machine types: 2: known 1 (1 rows), unknown 1 (1 rows)\n  unknown     1 azure: NC9 of Mars" in said
    )
    assert "GPU names: 3: ambiguous 1 (1 rows), unknown 1 (1 rows), empty 1 (1 rows)" in said


@pytest.mark.skipif(not SHARED.exists(), reason="the shared inputs are not beside the project")
def test_nearly_all_names_and_regions_that_were_ever_seen_are_understood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["", str(SHARED)]) == 0
    unknown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  unknown")]
    assert len(unknown) <= 25
