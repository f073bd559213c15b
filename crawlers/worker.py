"""The child process: crawls one provider and says how it went. ``python -m crawlers.worker``

Standard input carries one JSON job (a line; see `crawlers.run`), so that no secret stands in an argument
list. Standard output carries JSON lines: ``{"event": "progress"}`` often, ``{"event": "result"}`` once.
Logs go to standard error, redacted. When standard input ends, the parent is gone, and so is the child.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crawlers.collector import CrawlRun, attach
from crawlers.discover import load_spider
from crawlers.redact import Redactor
from crawlers.replay import replay_source
from crawlers.scrapy_settings import WireLimits, live_settings, replay_settings
from warehouse.errors import GpufareError
from warehouse.run_folder import ReplayIndex, RunFolder, RunFolderWriter, read_run_folder

if TYPE_CHECKING:
    from crawlers.price_spider import PriceSpider

Emit = Callable[[dict[str, Any]], None]
ORPHANED = 75
logger = logging.getLogger("crawlers.worker")


def main() -> int:
    """Read the job, crawl, report. The exit code is 0 whenever a result was reported."""
    job = json.loads(sys.stdin.readline())
    emit = _events()
    redactor = Redactor(job["secrets"].values())
    _log_to_stderr(redactor, job["log_level"])
    threading.Thread(target=_die_with_parent, daemon=True).start()
    started = time.monotonic()
    try:
        result = crawl_one(job, emit)
    except GpufareError as error:
        result = _failed(str(error))
    except OSError as error:
        result = _failed(f"{error.filename or 'the system'}: {error.strerror or error}")
    result["reason"] = result["reason"] and redactor.text(result["reason"])
    emit({"event": "result", "seconds": round(time.monotonic() - started, 3), **result})
    return 0


def crawl_one(job: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Crawl or replay one provider into a new run folder.

    Args:
        job: provider, spiders and runs (folders), now, version, secrets, agent, limits, replay, log_level,
            chosen (options of the spider) and switched_off (its sources that are not asked).
        emit: takes progress events.

    Returns:
        state, reason, folder, offers, rejected and requests of the run.

    Raises:
        GpufareError: the spider, the recording or the run folder is unusable; nothing is left behind.
    """
    spider_class = load_spider(job["provider"], Path(job["spiders"]))
    recording = read_run_folder(Path(job["replay"])) if job["replay"] else None
    now = recording.recorded_at if recording else datetime.fromisoformat(job["now"])
    secrets = _stand_ins(spider_class, recording) if recording else dict(job["secrets"])
    writer = RunFolderWriter(
        Path(job["runs"]),
        job["provider"],
        now,
        partial=recording.partial if recording else False,
        source=_source(spider_class, recording, secrets, job["chosen"]),
    )
    try:
        redactor = Redactor(() if recording else secrets.values(), spider_class.private_fields)
        run = CrawlRun(writer, redactor, ReplayIndex(recording) if recording else None, emit)
        settings = _settings(spider_class, job, recording)
        setup = {
            "now": now,
            "clock": now if recording else datetime.fromisoformat(job["clock"]),
            "secrets": secrets,
            "replay_partial": writer.partial,
            "chosen": noted_options(recording) if recording else job["chosen"],
            "switched_off": job["switched_off"],
        }
        spider, requests = _run_scrapy(spider_class, settings, run, setup)
        return _finish(run, spider, requests, job["version"])
    except BaseException:
        writer.discard()
        raise


def _run_scrapy(
    spider_class: type[PriceSpider],
    settings: dict[str, Any],
    run: CrawlRun,
    setup: dict[str, Any],
) -> tuple[PriceSpider, int]:
    """Run one spider to its end in this process; gives the spider and the number of requests sent."""
    from scrapy import signals
    from scrapy.crawler import AsyncCrawlerProcess

    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(spider_class)
    attach(crawler, run)
    opened: list[PriceSpider] = []
    crawler.signals.connect(lambda spider: opened.append(spider), signals.spider_opened, weak=False)
    crawler.signals.connect(lambda reason: _note_end(run, reason), signals.spider_closed, weak=False)
    task = process.crawl(crawler, **setup)
    process.start(install_signal_handlers=False)
    if not opened:
        error = task.exception() if task.done() and not task.cancelled() else None
        raise GpufareError(f"the spider {spider_class.name} did not start: {error!r}")
    stats = crawler.stats
    return opened[0], int(stats.get_value("downloader/request_count", 0)) if stats else 0


def _finish(run: CrawlRun, spider: PriceSpider, requests: int, version: str) -> dict[str, Any]:
    """Write the run folder; raises what made the run worthless."""
    if run.fatal:
        raise run.fatal
    if run.stopped_early:
        for source in spider.sources or (spider.name,):
            spider.partial(run.stopped_early, source)
    report = run.clean_report(spider.parse_report(version, requests))
    records = run.kept_records(spider)
    folder = run.writer.finish(report, records)
    return {
        "state": report.state,
        "reason": report.reason,
        "folder": str(folder),
        "offers": len(records),
        "rejected": report.rejected_count,
        "requests": requests,
    }


def _settings(
    spider_class: type[PriceSpider], job: dict[str, Any], recording: RunFolder | None
) -> dict[str, Any]:
    if recording:
        return replay_settings()
    proxies = [urlsplit(url).hostname for url in urllib.request.getproxies().values()]
    limits = WireLimits(**job["limits"])
    return live_settings(
        job["agent"], spider_class.requests_per_second, limits, [host for host in proxies if host]
    )


def _source(
    spider_class: type[PriceSpider],
    recording: RunFolder | None,
    secrets: dict[str, str],
    chosen: dict[str, Any],
) -> dict[str, str]:
    """`source` of run.json. A live run notes the credentials and options it had: its replay has the same."""
    if recording:
        return replay_source(recording)
    held = ",".join(name for name in spider_class.credential if secrets.get(name))
    source = {"origin": "live", "licence": "", "fidelity": "raw", "note": spider_class.terms_note}
    if chosen:
        source["options"] = json.dumps(chosen, sort_keys=True)
    return {**source, "credentials": held} if held else source


def _stand_ins(spider_class: type[PriceSpider], recording: RunFolder) -> dict[str, str]:
    """Stand-ins for the credentials that the recording was made with; a replay never sees a real one."""
    noted = recording.source.get("credentials", "").split(",")
    needed = spider_class.credential if spider_class.needs_credential else ()
    return {name: "redacted" for name in (*noted, *needed) if name}


def noted_options(recording: RunFolder) -> dict[str, Any]:
    """The options that a recording was made with; none where it notes none, or not as this program does."""
    try:
        noted = json.loads(recording.source.get("options", "{}"))
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _note_end(run: CrawlRun, reason: str) -> None:
    if reason == "closespider_timeout":
        run.stopped_early = "the time limit of the crawl was reached"
    elif reason != "finished":
        run.stopped_early = f"the crawl was ended ({reason})"


def _failed(reason: str) -> dict[str, Any]:
    empty = {"folder": None, "offers": 0, "rejected": 0, "requests": 0}
    return {"state": "failed", "reason": " ".join(reason.split()), **empty}


def _events() -> Emit:
    """Take standard output for events; whatever else prints goes to standard error."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: dict[str, Any]) -> None:
        stream.write(json.dumps(event) + "\n")
        stream.flush()

    return emit


def _die_with_parent() -> None:
    """End at once when the parent closes standard input; the next crawl sweeps the unfinished folder."""
    while os.read(0, 4096):
        pass
    os._exit(ORPHANED)


def _log_to_stderr(redactor: Redactor, level: str) -> None:
    class Redacting(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redactor.text(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Redacting("%(levelname)s %(name)s: %(message)s"))
    handler.setLevel(level)  # on the handler: Scrapy sets its own logger's level
    logging.basicConfig(level=level, handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
