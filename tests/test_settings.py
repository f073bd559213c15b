"""Settings: order of sources, clear refusals, secrets that stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpufare.settings import load_settings
from warehouse.errors import UsageError


def write(folder: Path, text: str) -> dict[str, str]:
    (folder / "gpufare.toml").write_text(text, "utf-8")
    return {"GPUFARE_HOME": str(folder)}


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    environment = {"GPUFARE_HOME": str(tmp_path / "env"), "HOME": str(tmp_path)}
    assert load_settings(str(tmp_path / "flag"), environment).home == tmp_path / "flag"
    assert load_settings(None, environment).home == tmp_path / "env"
    assert load_settings(None, {"HOME": str(tmp_path)}).home == tmp_path / ".local/share/gpufare"
    assert load_settings(None, {"XDG_DATA_HOME": "/data"}).home == Path("/data/gpufare")


def test_a_file_is_read(tmp_path: Path) -> None:
    found = load_settings(
        None, write(tmp_path, 'contact = "a@b.example"\noff = ["vast"]\nreport_at = "05:10"\n')
    )
    assert (found.contact, found.switched_off, found.report_at) == (
        "a@b.example",
        frozenset({"vast"}),
        (5, 10),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contact = ", "cannot be read as TOML"),
        ("colour = true", "unknown key 'colour'"),
        ("concurrency = 0", "from 1 to 16"),
        ("concurrency = true", "from 1 to 16"),
        ('off = "vast"', "list of provider ids"),
        ('report_at = "25:00"', "06:30"),
        ('contact = "a\\nX-Evil: 1"', "one line of text"),
        ('secrets_file = "/nowhere/at/all.toml"', "does not exist"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        load_settings(None, write(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_a_secrets_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('VAST_API_KEY = "s3cret-value"\n', "utf-8")
    secrets.chmod(0o644)
    environment = write(tmp_path, f'secrets_file = "{secrets}"')
    with pytest.raises(UsageError, match="chmod 600"):
        load_settings(None, environment)
    secrets.chmod(0o600)
    found = load_settings(None, {**environment, "RUNPOD_API_KEY": "from-environment"})
    assert dict(found.secrets) == {"VAST_API_KEY": "s3cret-value", "RUNPOD_API_KEY": "from-environment"}
    assert "s3cret-value" not in repr(found)


def test_no_color_is_obeyed(tmp_path: Path) -> None:
    assert load_settings(None, {"HOME": str(tmp_path), "NO_COLOR": "1"}).plain
    assert not load_settings(None, {"HOME": str(tmp_path), "TERM": "xterm"}).plain
