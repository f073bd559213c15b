"""The commands recommend, size and models, as a shell sees them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from gpufare.cli.main import main
from gpufare.exit_codes import ExitCode
from recommender.fields import parse_duration_hours
from warehouse.errors import UsageError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


def test_first_command_of_a_new_home_answers_from_the_bundled_market(
    home: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "recommend",
        "serve",
        "--model",
        "llama-3.1-8b",
        "--requests-per-second",
        "5",
        "--tpot-ms",
        "50",
    ]
    code = main(["--home", home, *arguments, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == ExitCode.STALE
    assert answer["schema_version"] == 1
    assert len(answer["data"]) == 10
    assert [row["rank"] for row in answer["data"]] == list(range(1, 11))
    assert any("no fresh price" in text for text in answer["warnings"])
    assert any(text.startswith("cannot run it") for text in answer["warnings"])
    costs = [row["cost_usd"]["p50"] for row in answer["data"]]
    assert costs == sorted(costs)


def test_table_fits_a_hundred_columns_and_says_why(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    for question in (
        ["serve", "--model", "deepseek-v3", "--requests-per-second", "2"],
        ["finetune", "--model", "llama-3.1-70b", "--method", "qlora", "--tokens", "20e6"],
        ["pretrain", "--model", "llama-2-7b", "--tokens", "1e12", "--deadline", "60d"],
    ):
        main(["--home", home, "recommend", *question])
        shown = capsys.readouterr().out
        assert "Why the first:" in shown
        lines = [line for line in shown.splitlines()[1:] if "https://" not in line]
        assert max(map(len, lines)) <= 100


def test_explain_prints_all_steps(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--home", home, "recommend", "serve", "--model", "llama-3.1-8b", "--explain", "2"])
    shown = capsys.readouterr().out
    for word in ("parameters", "cache per token", "decode_mbu", "cost p10"):
        assert word in shown


def test_csv_has_one_line_per_plan(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--home", home, "recommend", "serve", "--model", "llama-3.1-8b", "--top", "3", "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 3
    assert json.loads(rows[0]["cost_usd"])["p50"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["serve", "--model", "lama-3.1-8b"], ExitCode.USAGE, "did you mean llama-3.1-8b"),
        (["dance", "--model", "llama-3.1-8b"], ExitCode.USAGE, "task 'dance'"),
        (["finetune", "--model", "llama-3.1-8b"], ExitCode.USAGE, "needs tokens"),
        (["serve", "--model", "llama-3.1-8b", "--gpu", "zx-9000"], ExitCode.USAGE, "zx-9000"),
        (["serve", "--model", "llama-3.1-8b", "--explain", "0"], ExitCode.USAGE, "--explain 0"),
        (["serve", "--model", "llama-3.1-8b", "--budget", "1"], ExitCode.NOTHING, "budget"),
        (
            ["serve", "--model", "llama-3.1-8b", "--provider", "nobody"],
            ExitCode.NOTHING,
            "without --provider",
        ),
    ],
)
def test_bad_questions_get_one_line_and_a_code(
    home: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, says: str
) -> None:
    assert main(["--home", home, "recommend", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert says in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_size_prints_memory_by_part(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home = str(tmp_path)
    question = ["--home", home, "size", "serve", "--model", "llama-3.1-70b", "--precision", "fp8"]
    assert main([*question, "--on", "h100-sxm5-80gb:4"]) == ExitCode.OK
    shown = capsys.readouterr().out
    for word in ("weights", "kv cache", "reserve", "fits", "requests/s"):
        assert word in shown
    assert main([*question, "--on", "l4-24gb", "--json"]) == ExitCode.NOTHING
    row = json.loads(capsys.readouterr().out)["data"][0]
    assert row["fits"] is False
    assert "needs" in row["reason"]


def test_size_needs_no_market(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main(["--home", str(tmp_path / "none"), "size", "serve", "--params", "7e9", "--on", "l40s-48gb"])
    assert "fits" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_models_lists_counts_with_sources(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--home", str(tmp_path), "models", "--json"]) == ExitCode.OK
    rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)["data"]}
    assert rows["deepseek-v3"]["kv_bytes_per_token"] == 70272
    assert all(row["source"] for row in rows.values())


def test_lengths_of_time() -> None:
    assert [parse_duration_hours(text) for text in ("36h", "10d", "2w", "5")] == [36, 240, 336, 5]
    for text in ("soon", "-3h", "h", "inf"):
        with pytest.raises(UsageError, match="examples"):
            parse_duration_hours(text)
