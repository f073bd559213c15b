"""What a crawl shows while it runs: two redrawn lines on a terminal, one line per source elsewhere."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from crawlers.run import CrawlEvent, CrawlResult
from gpufare.cli.crawl_progress import CrawlTally, _drawn, crawl_progress, finished_line
from gpufare.cli.output import Output

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = [str(ROOT / "tests" / "fixtures" / name) for name in ("beam", "koyeb", "modal", "civo")]


def started(name: str, total: int = 73) -> CrawlEvent:
    return CrawlEvent(name, "started", total=total)


def finished(
    name: str, state: str = "good", offers: int = 0, reason: str | None = None, total: int = 73
) -> CrawlEvent:
    result = CrawlResult(name, state, reason, offers=offers)
    return CrawlEvent(name, "finished", offers=offers, result=result, total=total)


def test_the_counts_name_states_rows_and_what_runs_longest_first() -> None:
    seconds = iter([0.0, 38.0, 40.0, 40.0])
    tally = CrawlTally(clock=lambda: next(seconds))
    for event in (started("aws"), started("gcp"), finished("oci", offers=4300), finished("vast", "held")):
        tally.take(event)
    assert tally.counts() == "2 of 73 sources · 1 good, 1 held · 4,300 rows"
    assert tally.now_running() == "now: aws 40 s, gcp 2 s"


def test_a_source_with_two_recordings_runs_until_both_are_done() -> None:
    tally = CrawlTally(clock=lambda: 0.0)
    for event in (started("gcp"), started("gcp"), finished("gcp")):
        tally.take(event)
    assert tally.now_running() == "now: gcp 0 s"
    tally.take(finished("gcp"))
    assert tally.now_running() == "now: nothing"


@pytest.mark.parametrize("width", [40, 100])
def test_on_a_terminal_it_is_two_lines_however_many_sources_run(width: int) -> None:
    from rich.console import Console

    tally = CrawlTally(clock=lambda: 0.0)
    for number in range(73):
        tally.take(started(f"a_source_with_a_long_name_{number}"))
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None).print(_drawn(tally))
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in out.getvalue().splitlines()]
    assert len(lines) == 2
    assert max(map(len, lines)) <= width
    assert "0 of 73" in lines[0]


def test_a_pipe_gets_one_plain_line_per_finished_source() -> None:
    err = io.StringIO()
    with crawl_progress(Output(stdout=io.StringIO(), stderr=err)) as tell:
        tell(started("vast"))
        tell(CrawlEvent("vast", "progress", answers=3, offers=9, total=73))
        tell(finished("vast", offers=4310))
        tell(finished("oci", "failed", reason="oci: HTTP 503\x1b[2J\nagain"))
    assert err.getvalue().splitlines() == [
        "[1/73] vast: good, 4,310 rows",
        "[2/73] oci: failed, 0 rows: HTTP 503�[2J again",
    ]


def test_what_was_interrupted_is_not_told_source_by_source() -> None:
    assert finished_line(finished("vast", "failed", reason="interrupted"), 1) is None
    assert finished_line(finished("vast", "failed", reason="interrupted before it started"), 1) is None


def in_a_terminal(*words: str, columns: int = 100) -> str:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "COLUMNS", "LINES", "CI"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "gpufare", *words]
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT, close_fds=True
    )
    os.close(theirs)
    parts = []
    try:
        while chunk := os.read(ours, 65536):
            parts.append(chunk)
    except OSError as error:
        if error.errno != errno.EIO:  # Linux's way to say that the other end is closed
            raise
    os.close(ours)
    assert running.wait(30) == 0
    return b"".join(parts).decode()


def test_a_real_terminal_shows_the_counts_and_leaves_only_the_table(tmp_path: Path) -> None:
    written = in_a_terminal("--home", str(tmp_path), "crawl", "--no-load", "--replay", *FIXTURES)
    assert "4 of 4 sources · 4 good" in written
    assert "now: " in written
    progress, table = written.rsplit("\x1b[?25h", 1)  # the cursor is shown again
    assert progress.count("\x1b[1A") > 3, "it is not redrawn"
    assert progress.count("\n") - progress.count("\x1b[1A") == 2, "it scrolls"
    assert table.count("\x1b[1A") == 2, "the two lines stay behind"
    for name in ("beam", "koyeb", "modal", "civo"):
        assert name in table
    assert "[1/4]" not in written
