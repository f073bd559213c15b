"""One child process: started clean, given its job on standard input, listened to, always ended."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from crawlers.redact import Redactor

EXIT_GRACE_SECONDS = 10.0
KEPT_LOG_LINES = 40
logger = logging.getLogger("crawlers.run")
Progress = Callable[[int, int], None]


class Child:
    """A `crawlers.worker` process.

    Args:
        name: the provider, for the log.
        environment: what the child may know of the environment beyond what Python needs.
        time_limit_seconds: it is killed when this has passed.
    """

    def __init__(self, name: str, environment: Mapping[str, str], time_limit_seconds: float) -> None:
        self._name, self._time_limit_seconds = name, time_limit_seconds
        self._last_lines: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self._timed_out = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "crawlers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(environment),
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def work(self, order: Mapping[str, Any], on_progress: Progress) -> dict[str, Any] | None:
        """Give the child its job; pass progress on; return its result, None where it ended without one."""
        timer = threading.Timer(self._time_limit_seconds, self._time_out)
        timer.start()
        reader = threading.Thread(target=self._read_log, daemon=True)
        reader.start()
        try:
            return self._listen(order, on_progress)
        finally:
            timer.cancel()
            self.kill()
            reader.join(EXIT_GRACE_SECONDS)
            self._close()

    def kill(self) -> None:
        """End the child and what it started, and collect it."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                logger.debug("%s: the child was gone already", self._name)
        self._process.wait()

    def obituary(self, secrets: Iterable[str]) -> str:
        """Why there is no result, in one line without secrets."""
        if self._timed_out:
            return f"no result within {self._time_limit_seconds:g} s; the crawl process was ended"
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        words = next((line for line in reversed(self._last_lines) if line.strip()), "")
        clean = Redactor(secrets).text(" ".join(words.split()))[:200]
        return f"the crawl process {how}" + (f"; its last line: {clean}" if clean else "")

    def _listen(self, order: Mapping[str, Any], on_progress: Progress) -> dict[str, Any] | None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event: dict[str, Any] = json.loads(line)
                if event.pop("event") == "result":
                    self._await_exit()
                    return event
                on_progress(event["answers"], event["offers"])
        except (BrokenPipeError, ValueError, KeyError) as error:
            logger.debug("%s: listening to the child ended: %r", self._name, error)
        return None

    def _await_exit(self) -> None:
        try:
            self._process.wait(EXIT_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            logger.debug("%s: the child reported, but did not end", self._name)

    def _time_out(self) -> None:
        self._timed_out = True
        self.kill()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._last_lines.append(line)
            logger.info("%s: %s", self._name, line.rstrip())

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            try:
                if stream:
                    stream.close()
            except BrokenPipeError:
                logger.debug("%s: the child went before it read its job", self._name)


def child_environment(passed: Mapping[str, str]) -> dict[str, str]:
    """Where our code is, UTF-8, and what the parent passes on; nothing else is inherited."""
    own = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PYTHONUTF8": "1"}
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        own |= _bundled_certificates()
    return {**own, **passed}


def sweep(folder: Path) -> None:
    """Remove a provider's unfinished run folders whose process is gone."""
    for scratch in folder.glob(".writing-*"):
        pid = scratch.name.split("-")[1]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(scratch, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _bundled_certificates() -> dict[str, str]:
    """For systems whose OpenSSL knows no certificate store (macOS)."""
    try:
        import certifi
    except ImportError:
        return {}
    return {"SSL_CERT_FILE": certifi.where()}
