"""The static site: every page from one reading of the market, written beside its place and renamed into it.

The same input and the same `now` give the same bytes. A folder that is not a site of ours is never replaced.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reports import feeds, rendering
from reports import formatting as fmt
from reports.build_views import (
    accelerators,
    changes,
    front,
    jobs,
    labels,
    method,
    providers,
    quality,
    sources,
)
from reports.build_views.jobs import JobAnswer
from reports.build_views.sources import SourceRecords
from reports.downloads import write_downloads
from reports.market_views import Market
from reports.view_models import Download, Frame, QualityPage
from warehouse.errors import GpufareError

MANIFEST = "manifest.json"
LICENCE = "Prices are facts; they belong to nobody. Check them at their source before you rely on one."


class SiteError(GpufareError):
    """The site cannot be written where it was asked for; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class SiteResult:
    """What was built.

    Attributes:
        path: the site's folder. pages: HTML pages. bytes: of every file. seconds: the build took.
        freshness: one sentence on the age and origin of the prices.
        stale: True where no price is fresh (exit code 4).
    """

    path: Path
    pages: int
    bytes: int
    seconds: float
    freshness: str
    stale: bool


def build_site(
    home: Path, out: Path | None = None, *, now: datetime, sources: SourceRecords = ()
) -> SiteResult:
    """Build the site of the warehouse at `home` into `out` (default ``<home>/site``).

    Args:
        sources: what is known of every source that can be asked (fields: `reports.build_views.sources`);
            without it the page of sources says that nothing is known.

    Raises:
        GpufareError: there is no market to read, or `out` is a folder that holds something else.
    """
    from reports.reference_answers import reference_answers
    from warehouse.queries import open_market

    con = open_market(home)
    try:
        answers = reference_answers(con, now=now)
        return write_site(con, answers, out or home / "site", now=now, sources=sources)
    finally:
        con.close()


def write_site(
    con: Any, answers: Sequence[JobAnswer], out: Path, *, now: datetime, sources: SourceRecords = ()
) -> SiteResult:
    """Build the site from an open market, the answered reference jobs and the records of all sources."""
    started = time.perf_counter()
    _require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        market = Market(con, now)
        pages = _write_all(market, answers, sources, staging)
        size = _write_manifest(staging, now)
        staging.chmod(0o755)
        _swap(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return SiteResult(out, pages, size, time.perf_counter() - started, *labels.freshness(market))


def frame(market: Market) -> Frame:
    """What every page of this build shares."""
    sentence, stale = labels.freshness(market)
    built = labels.when(market.now)
    assert built is not None
    return Frame(built, labels.when(market.totals["newest"]), sentence, stale, LICENCE)


def pages(
    market: Market, answers: Sequence[JobAnswer], downloads: Sequence[Download], known: SourceRecords = ()
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every page as (path, template, context)."""
    titles = labels.provider_titles(market)
    fronts = [jobs.job(market, titles, answer, jobs.FRONT_PLANS) for answer in answers]
    yield "index.html", "index.html", {"page": front.front_page(market, titles, fronts, downloads)}
    yield "gpu/index.html", "accelerators.html", {"page": accelerators.list_page(market)}
    for accelerator_id in market.accelerator_ids:
        page = accelerators.accelerator_page(market, titles, accelerator_id)
        yield labels.accelerator_href(accelerator_id), "accelerator.html", {"page": page}
    for row in market.providers:
        context = {"page": providers.provider_page(market, titles, row)}
        yield labels.provider_href(row["provider"]), "provider.html", context
    for answer in answers:
        job = jobs.job(market, titles, answer)
        others = [other for other in fronts if other.job_id != job.job_id]
        yield job.href, "workload.html", {"page": job, "others": others}
    for day, changes_page in changes.day_pages(market, titles).items():
        yield labels.changes_href(day), "changes.html", {"page": changes_page}
    yield "quality.html", "quality.html", {"page": _quality_page(market, titles)}
    yield "sources.html", "sources.html", {"page": sources.sources_page(market, titles, known)}
    yield "method.html", "method.html", {"page": method.method_page(market, downloads)}


def _write_all(market: Market, answers: Sequence[JobAnswer], known: SourceRecords, folder: Path) -> int:
    downloads = write_downloads(market, folder / "data")
    shared = frame(market)
    written = 0
    for path, template, context in pages(market, answers, downloads, known):
        file = folder / path
        file.parent.mkdir(exist_ok=True)
        root = "../" * path.count("/")
        file.write_text(rendering.render(template, root=root, frame=shared, **context), "utf-8")
        written += 1
    (folder / "feed.xml").write_bytes(feeds.atom_feed(market, labels.provider_titles(market)))
    return written


def _quality_page(market: Market, titles: dict[str, str]) -> QualityPage:
    held = quality.held_rows(market, titles, limit=quality.HELD_ROWS)
    more = market.held - len(held)
    return QualityPage(
        lead=quality.sentence(market),
        rules=quality.rule_rows(market),
        held=held,
        held_more=f"{fmt.plural(more, 'more held row')}: gpufare quarantine list shows them all."
        if more > 0
        else "",
        providers=providers.provider_rows(market, titles),
        runs=quality.latest_runs(market, titles),
    )


def _write_manifest(folder: Path, now: datetime) -> int:
    """List every file with size and hash; gives the bytes of the whole site."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            files[path.relative_to(folder).as_posix()] = {
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    body = {"generator": "gpufare", "format": 1, "built_at": fmt.stamp(now), "files": files}
    text = json.dumps(body, indent=1) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")
    return sum(int(str(entry["bytes"])) for entry in files.values()) + len(text.encode())


def _require_replaceable(out: Path) -> None:
    """Only an empty folder, none at all, or a site of ours may be replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise SiteError(f"{out} is not a folder; name another one with --out")
    if any(out.iterdir()) and not _is_ours(out):
        raise SiteError(f"{out} holds files that are not a gpufare site; name an empty folder with --out")


def _is_ours(folder: Path) -> bool:
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("generator") == "gpufare"


def _swap(staging: Path, out: Path) -> None:
    """Put `staging` in the place of `out`; the old site is moved aside first and removed last."""
    aside = staging.with_name(staging.name + "-old")
    if out.exists():
        out.rename(aside)
    try:
        staging.rename(out)
    except OSError:
        if aside.exists():
            aside.rename(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
