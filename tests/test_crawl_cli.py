"""`gpufare crawl` and `gpufare load`: rows, exit codes, one clear line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import main
from tests.crawl_server import NOW
from warehouse.run_folder import ParseReport, RunFolderWriter

SILENT_PROXY = "http://192.0.2.1:9"  # an address that is reserved for documents: nothing answers


def command(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str, str]:
    code = main(["--home", str(home), *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def recording(root: Path, provider: str = "ecb_fx") -> Path:
    """A recording of the exchange rates, as short as it can be."""
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?><gesmes:Envelope '
        b'xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
        b'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube><Cube time="2026-11-20">'
        b'<Cube currency="USD" rate="1.1252"/><Cube currency="GBP" rate="0.8468"/></Cube></Cube>'
        b"</gesmes:Envelope>"
    )
    url = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
    writer = RunFolderWriter(root, provider, NOW, partial=True, source={"origin": "test bench"})
    writer.add("GET", url, None, 200, {"Content-Type": "text/xml"}, body, suffix=".xml")
    return writer.finish(ParseReport("1", "2026-11-21", "good"), [])


def rows(out: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = json.loads(out)["data"]
    return data


def test_a_replay_is_archived_loaded_and_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = recording(tmp_path / "rec")
    code, out, _ = command(capsys, tmp_path / "home", "crawl", "--replay", str(folder), "--json")
    (row,) = rows(out)
    assert code == 0
    assert (row["provider"], row["state"], row["rates"], row["requests"]) == ("ecb_fx", "good", 2, 1)
    assert {"offers", "rejected", "quarantined", "seconds", "reason"} <= set(row)
    code, _, err = command(capsys, tmp_path / "home", "load")
    assert code == 0
    assert "all 1 run folders are loaded already" in err


def test_no_load_archives_and_load_loads_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, home = recording(tmp_path / "rec"), tmp_path / "home"
    code, out, _ = command(capsys, home, "crawl", "--replay", str(folder), "--no-load", "--json")
    assert code == 0
    assert rows(out)[0]["quarantined"] is None
    assert not (home / "warehouse.duckdb").exists()
    code, out, _ = command(capsys, home, "load", "--json")
    assert code == 0
    assert [(row["provider"], row["rates"]) for row in rows(out)] == [("ecb_fx", 2)]


def test_a_dry_run_prints_what_it_found_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, home = recording(tmp_path / "rec"), tmp_path / "home"
    code, out, _ = command(capsys, home, "crawl", "--replay", str(folder), "--dry-run", "--json")
    assert code == 0
    assert {row["currency"]: row["units_per_eur"] for row in rows(out)} == {"USD": 1.1252, "GBP": 0.8468}
    assert not home.exists()


def test_one_bad_recording_among_good_ones_is_exit_5_and_only_bad_ones_exit_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good, bad = recording(tmp_path / "good"), recording(tmp_path / "bad")
    (bad / "0001.xml").write_bytes(b"cut")
    words = ("crawl", "--no-load", "--json", "--replay", str(bad))
    code, out, _ = command(capsys, tmp_path / "home", *words, "--replay", str(good))
    assert code == 5
    assert [row["state"] for row in rows(out)] == ["failed", "good"]
    assert "sha256" in rows(out)[0]["reason"]
    assert command(capsys, tmp_path / "home", *words)[0] == 1


def test_several_folders_may_follow_one_replay(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one, two = recording(tmp_path / "one"), recording(tmp_path / "two")
    words = ("crawl", "--no-load", "--json", "--replay", str(one), str(two))
    code, out, _ = command(capsys, tmp_path / "home", *words)
    assert code == 0
    assert len(rows(out)) == 2


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("crawl", "scalway"), 2, "did you mean scaleway"),
        (("crawl", "scaleway", "--all"), 2, "exclude one another"),
        (("crawl", "--replay", "no/such/folder"), 1, "does not exist"),
        (("load", "no/such/folder"), 1, "does not exist"),
        (("load",), 3, "no run folder yet"),
    ],
)
def test_bad_input_has_one_line_and_its_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    found, out, err = command(capsys, tmp_path / "home", *words)
    assert (found, out) == (code, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_switched_off_source_is_not_asked_even_by_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "gpufare.toml").write_text('off = ["scaleway"]\n', "utf-8")
    code, _, err = command(capsys, tmp_path, "crawl", "scaleway")
    assert code == 2
    assert "scaleway is not asked: switched off by the configuration" in err


def test_an_unparsed_recording_is_not_loaded_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = recording(tmp_path / "rec")
    (folder / "parse.json").unlink()
    code, out, _ = command(capsys, tmp_path / "home", "load", str(folder), "--json")
    assert code == 1
    assert "gpufare crawl --replay" in rows(out)[0]["reason"]


def test_ctrl_c_ends_the_children_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = [sys.executable, "-m", "gpufare", "--home", str(home), "crawl", "scaleway", "ecb_fx", "--no-load"]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={"HTTPS_PROXY": SILENT_PROXY})
    until = time.monotonic() + 20
    while len(list((home / "runs").glob("*/.writing-*"))) < 2:
        assert time.monotonic() < until, "the children did not start"
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert err.startswith("gpufare: interrupted")
    assert list((home / "runs").glob("*/.writing-*")) == []
