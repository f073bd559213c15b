"""The service: what is due runs once, hosts are not crowded, failures are retried, SIGTERM ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawlers.discover import SpiderCard, spider_cards
from crawlers.run import CrawlResult
from gpufare.schedule import Service
from gpufare.settings import Settings

NOW = datetime.now(UTC)


def card(name: str, host: str, hours: float = 6) -> SpiderCard:
    base = next(iter(spider_cards().values()))
    return replace(base, provider=name, hosts=frozenset({host}), refetch=timedelta(hours=hours))


class Fake:
    """Stands in for the crawl engine, the run table and the site."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cards: list[SpiderCard]) -> None:
        self.crawled: list[str] = []
        self.running: list[str] = []
        self.overlaps: list[tuple[str, ...]] = []
        self.state = "good"
        self.reports = 0
        self.good: dict[str, datetime] = {}
        monkeypatch.setattr(
            "gpufare.sources.choose_sources", lambda settings: (cards, {"off": "switched off"})
        )
        monkeypatch.setattr("gpufare.sources.crawl_sources", self.crawl)
        monkeypatch.setattr("reports.site.build_site", self.report)
        monkeypatch.setattr("gpufare.source_list.read_source_list", lambda settings, *, now: [])
        monkeypatch.setattr(Service, "_run_times", lambda service: (self.good, dict(self.good)))

    def crawl(self, settings: Settings, providers: list[str], **_: Any) -> list[CrawlResult]:
        [name] = providers
        self.running.append(name)
        self.overlaps.append(tuple(self.running))
        time.sleep(0.05)
        self.running.remove(name)
        self.crawled.append(name)
        return [CrawlResult(name, self.state, None if self.state == "good" else "HTTP 503")]

    def report(self, home: Path, out: Path, *, now: datetime, sources: list[dict[str, Any]]) -> Any:
        self.reports += 1
        return type("Site", (), {"pages": 3, "path": out})


def serve(service: Service, seconds: float = 0.6) -> None:
    thread = threading.Thread(target=service.run)
    thread.start()
    time.sleep(seconds)
    service.stop.set()
    thread.join(10)
    assert not thread.is_alive(), "the service did not end"


def service_of(tmp_path: Path) -> tuple[Service, list[str]]:
    lines: list[str] = []
    return Service(Settings(home=tmp_path), clock=lambda: datetime.now(UTC), tell=lines.append), lines


def test_an_overdue_source_is_crawled_once_and_a_fresh_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(monkeypatch, [card("overdue", "a.example"), card("fresh", "b.example")])
    fake.good = {"overdue": NOW - timedelta(days=5), "fresh": NOW - timedelta(hours=1)}
    service, lines = service_of(tmp_path)
    serve(service)
    assert fake.crawled == ["overdue"]
    assert "off is not scheduled: switched off" in lines
    assert any(line.startswith("overdue: good") for line in lines)


def test_sources_of_one_host_never_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [card("one", "same.example"), card("two", "same.example"), card("three", "other.example")]
    fake = Fake(monkeypatch, cards)
    service, _ = service_of(tmp_path)
    serve(service)
    assert sorted(fake.crawled) == ["one", "three", "two"]
    assert not any({"one", "two"} <= set(running) for running in fake.overlaps)


def test_a_failed_source_is_tried_again_after_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(monkeypatch, [card("shaky", "a.example", hours=24)])
    fake.state = "failed"
    service, lines = service_of(tmp_path)
    next_runs: list[datetime] = []
    thread = threading.Thread(target=service.run)
    thread.start()
    time.sleep(0.6)
    next_runs.append(service._scheduler.get_job("shaky").next_run_time)
    service.stop.set()
    thread.join(10)
    assert fake.crawled == ["shaky"]
    assert timedelta(minutes=55) < next_runs[0] - datetime.now(UTC) < timedelta(minutes=65)
    assert "shaky: failed, 0 offers (HTTP 503)" in lines


def test_a_report_missed_while_down_is_written_once_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(monkeypatch, [])
    service, _ = service_of(tmp_path)
    serve(service, 0.4)
    assert fake.reports == 1
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("today's")
    again, _ = service_of(tmp_path)
    serve(again, 0.4)
    assert fake.reports == 1


def test_sigterm_ends_the_real_service_cleanly(tmp_path: Path) -> None:
    names = ", ".join(f'"{name}"' for name in spider_cards())
    (tmp_path / "gpufare.toml").write_text(f"off = [{names}]\n", "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "gpufare", "--home", str(tmp_path), "schedule"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "scheduled 0 sources" in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0, lines
    assert lines[-1].rstrip().endswith("stopped")
