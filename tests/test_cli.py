"""The command line as its users meet it: answers, one-line refusals, exit codes of the contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import COMMAND_MODULES, main
from gpufare.exit_codes import ExitCode

OFFER_KEYS = {
    *("provider", "instance_type", "accelerator_id", "candidates", "partition", "gpu_name_raw", "gpu_count"),
    *(
        "gpu_memory_gb",
        "interconnect",
        "vcpus",
        "memory_gib",
        "region",
        "country",
        "price_kind",
        "term_months",
    ),
    *(
        "price_per_hour",
        "currency",
        "price_raw",
        "price_unit",
        "price_usd_per_hour",
        "price_usd_per_gpu_hour",
    ),
    *("available", "observed_at", "age_hours", "state", "first_party", "source_url", "run_id", "body_sha256"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose market is the bundled snapshot."""
    from warehouse.ingest import ingest_bundled

    folder = tmp_path_factory.mktemp("home")
    ingest_bundled(folder, now=datetime(2026, 11, 21, 9, tzinfo=UTC))
    return folder


def run(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> tuple[int, str, str]:
    code = main(["--home", str(home), *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def data(out: str) -> list[dict[str, Any]]:
    body = json.loads(out)
    assert body["schema_version"] == 1
    assert body["as_of"].endswith("Z")
    return body["data"]  # type: ignore[no-any-return]


def test_offers_have_the_contracts_columns_and_say_how_old_they_are(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    code, out, _ = run(capsys, home, "offers", "--gpu", "h100", "--json")
    rows = data(out)
    assert code == ExitCode.STALE
    assert set(rows[0]) >= OFFER_KEYS
    assert all(row["price_usd_per_gpu_hour"] > 0 and row["age_hours"] > 0 for row in rows)
    assert all(any(part.startswith("h100") for part in row["candidates"]) for row in rows)
    prices = [(row["is_floor"], row["price_usd_per_gpu_hour"]) for row in rows]
    assert prices == sorted(prices), "cheapest first, 'from' prices after the real ones"
    assert any("stale" in warning for warning in json.loads(out)["warnings"])


def test_filters_narrow_the_market(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    _, out, _ = run(
        *(capsys, home, "offers", "--gpu", "a100-80gb", "--gpus", "8", "--continent", "europe"),
        *("--kind", "on_demand,spot", "--max-price", "6", "--json"),
    )
    rows = data(out)
    assert rows
    for row in rows:
        assert row["gpu_count"] == 8
        assert row["price_kind"] in ("on_demand", "spot")
        assert row["price_usd_per_gpu_hour"] <= 6
        assert any(part.startswith("a100") and part.endswith("80gb") for part in row["candidates"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("offers", "--gpu", "h1000"), ExitCode.USAGE, "h1000"),
        (("offers", "--provider", "lamda_cloud"), ExitCode.USAGE, "lambda_cloud"),
        (("offers", "--continent", "atlantis"), ExitCode.USAGE, "atlantis"),
        (("offers", "--kind", "cheap"), ExitCode.USAGE, "cheap"),
        (("offers", "--sort", "colour"), ExitCode.USAGE, "price"),
        (("offers", "--as-of", "yesterday"), ExitCode.USAGE, "--as-of 'yesterday'"),
        (("offers", "--as-of", "2999-01-01"), ExitCode.USAGE, "lies in the future"),
        (("offers", "--max-price", "cheap"), ExitCode.USAGE, "--max-price"),
        (("offers", "--gpu", "h100", "--max-price", "0.01"), ExitCode.NOTHING, "no offer matches"),
        (("offers", "--json", "--csv"), ExitCode.USAGE, "exclude"),
        (("sell",), ExitCode.USAGE, "sell"),
        (("history", "--gpu", "h1000"), ExitCode.USAGE, "h1000"),
        (("identify", "Voodoo 2"), ExitCode.NOTHING, ""),
        (("sql", "DROP TABLE offers"), ExitCode.USAGE, "read-only"),
        (("sql", "SELECT * FROM read_csv('/etc/passwd')"), ExitCode.USAGE, ""),
        (("sql", "COPY offers TO '/tmp/stolen.csv'"), ExitCode.USAGE, ""),
        (("sql", "SELECT 1; SELECT 2"), ExitCode.USAGE, "one"),
        (("sql", "SELEC"), ExitCode.USAGE, ""),
        (("crawl", "nobody"), ExitCode.USAGE, "nobody"),
        (("recommend", "serve", "--model", "lama-3"), ExitCode.USAGE, "llama-3"),
    ],
)
def test_bad_input_gets_one_line_and_the_right_code(
    capsys: pytest.CaptureFixture[str], home: Path, arguments: tuple[str, ...], code: ExitCode, said: str
) -> None:
    found, out, err = run(capsys, home, *arguments)
    assert found == code, err
    assert said in err
    if code is ExitCode.USAGE:
        assert out == ""
        assert err.startswith("gpufare: ")
        assert err.count("\n") == 1


def test_sql_answers_on_the_published_tables(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, out, _ = run(capsys, home, "sql", "SELECT count(*) AS n FROM offers", "--json")
    assert code == ExitCode.OK
    assert data(out)[0]["n"] > 1500


def test_identify_reads_lines_and_json_from_stdin(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    lines = 'NVIDIA H100 80GB HBM3\n{"name": "RTX 6000", "memory_gb": 48}\n\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, _ = run(capsys, home, "identify", "-", "--json")
    first, second = data(out)
    assert code == ExitCode.OK
    assert first["accelerator_id"] == "h100-sxm5-80gb"
    assert second["accelerator_id"] == "rtx-6000-ada-48gb"
    assert set(first) == {"input", "accelerator_id", "partition", "candidates", "reason"}


def test_a_line_that_cannot_be_read_costs_itself_only(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(
        "sys.stdin", io.StringIO('{bad\n{"name": "H100 SXM", "memory_gb": "80"}\n{"memory_gb": 1}\n')
    )
    code, out, err = run(capsys, home, "identify", "-", "--json")
    assert code == ExitCode.OK
    assert [row["accelerator_id"] for row in data(out)] == [None, "h100-sxm5-80gb", None]
    assert "line 1 starts like JSON" in err
    assert "line 3 holds no text under 'name'" in err


def test_a_place_says_how_many_offers_do_not_state_theirs(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    _, _, err = run(capsys, home, "offers", "--gpu", "h100", "--continent", "europe")
    assert "do not state where they are" in err
    _, _, err = run(capsys, home, "offers", "--gpu", "h100")
    assert "do not state where they are" not in err


def test_history_shows_no_median_of_too_few(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    _, out, _ = run(capsys, home, "history", "--gpu", "h100", "--json")
    days = {row["day"]: row["providers"] for row in data(out)}
    _, table, _ = run(capsys, home, "history", "--gpu", "h100")
    lines = [line.split() for line in table.splitlines()[2:]]
    assert {len(line) for line in lines if days[line[0]] < 3} == {4}, "day, providers, offers, cheapest"
    assert {len(line) for line in lines if days[line[0]] >= 3} == {5}


def test_identify_refuses_broken_json_in_one_line(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO('{"name": \n'))
    code, _, err = run(capsys, home, "identify", "-")
    assert code == ExitCode.USAGE
    assert "starts like JSON" in err


def test_history_of_the_bundled_market_spans_a_year(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, out, _ = run(capsys, home, "history", "--gpu", "h100", "--since", "2025-11-01", "--json")
    rows = data(out)
    assert code == ExitCode.OK
    assert len(rows) >= 40
    assert rows[0]["day"] < "2025-12-01"
    assert all(row["min_usd_per_gpu_hour"] <= row["median_usd_per_gpu_hour"] for row in rows)


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMAND_MODULES:
        assert main([command, "--help"]) == 0
        assert "Usage: gpufare" in capsys.readouterr().out
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(command in listed for command in COMMAND_MODULES)


def test_only_the_wanted_commands_module_is_imported(home: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from gpufare.cli.main import main; "
        f"main(['--home', {str(home)!r}, 'offers', '--gpu', 'h100', '--json', '--limit', '1']); "
        "heavy = {'scrapy', 'pandas', 'numpy', 'pyarrow', 'scipy', 'jinja2', 'rich', 'apscheduler'}; "
        "sys.stderr.write(','.join(sorted(heavy & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_warehouse_of_a_newer_version_is_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    from warehouse.ingest import ingest_bundled

    ingest_bundled(tmp_path, now=datetime(2026, 11, 21, 9, tzinfo=UTC))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    monkeypatch.setattr("crawlers.run.crawl", lambda *_, **__: pytest.fail("a provider was asked"))
    for command in (("daily",), ("crawl", "scaleway")):
        code, _, err = run(capsys, tmp_path, *command)
        assert code == ExitCode.ERROR
        assert "99" in err.splitlines()[-1]


def test_a_copy_of_an_older_version_is_made_anew(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import duckdb

    from warehouse.ingest import ingest_bundled

    ingest_bundled(tmp_path, now=datetime(2026, 11, 21, 9, tzinfo=UTC))
    with duckdb.connect(str(tmp_path / "market.duckdb")) as connection:
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        connection.execute("ALTER TABLE offers DROP COLUMN outdated")
    code, out, _ = run(capsys, tmp_path, "offers", "--gpu", "h100", "--json")
    assert code == ExitCode.STALE
    assert data(out)


def test_doctor_shows_no_secret(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAST_API_KEY", "very-secret-value")
    code, out, err = run(capsys, home, "doctor")
    assert code == ExitCode.OK
    assert "VAST_API_KEY present" in out
    assert "very-secret-value" not in out + err


def test_an_internal_error_is_one_line_too(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("warehouse.queries.offers", broken)
    code, _, err = run(capsys, home, "offers")
    assert code == ExitCode.ERROR
    assert err.count("\n") == 1
    assert "RuntimeError" in err
