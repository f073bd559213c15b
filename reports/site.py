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
from datetime import date, datetime
from pathlib import Path
from typing import Any

from reports import archive, feeds, preview, rendering
from reports import formatting as fmt
from reports.build_views import (
    accelerators,
    changes,
    front,
    jobs,
    labels,
    lists,
    matrix,
    method,
    ownership,
    providers,
    quality,
    sources,
    value,
)
from reports.build_views.jobs import JobAnswer
from reports.build_views.sources import SourceRecords
from reports.build_views.watch_list import WatchRecords
from reports.downloads import write_downloads
from reports.inputs import inputs_hash
from reports.market_views import Market
from reports.view_models import Download, Frame, FrontPage, QualityPage
from warehouse.errors import GpufareError

MANIFEST = "manifest.json"
FRONT_BYTES = 148_000
FRONT_SHARES = (1.0, 0.75, 0.5, 0.25)
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


@dataclass(frozen=True, slots=True)
class SiteInput:
    """What a site shows beside the market itself.

    Attributes:
        sources: records of every source that can be asked (fields: `reports.build_views.sources`); without
            them the page of sources says that nothing is known.
        watches: records of the configured watches (fields: `reports.build_views.watch_list`).
        address: where the site will be published, for what needs whole addresses (sitemap, preview image,
            JSON feed); empty where that is not known.
        rebuild: the command that builds the same pages again.
    """

    sources: SourceRecords = ()
    watches: WatchRecords = ()
    address: str = ""
    rebuild: str = "gpufare report"


def build_site(
    home: Path,
    out: Path | None = None,
    *,
    now: datetime,
    sources: SourceRecords = (),
    watches: WatchRecords = (),
    address: str = "",
) -> SiteResult:
    """Build the site of the warehouse at `home` into `out` (default ``<home>/site``).

    Args:
        sources, watches, address: as in `SiteInput`.

    Raises:
        GpufareError: there is no market to read, or `out` is a folder that holds something else.
    """
    from reports.reference_answers import reference_answers
    from warehouse.queries import open_market

    con = open_market(home)
    try:
        answers = reference_answers(con, now=now)
        rebuild = f"gpufare report --as-of {fmt.stamp(now)}"
        given = SiteInput(sources, watches, address, rebuild)
        return write_site(con, answers, out or home / "site", now=now, given=given)
    finally:
        con.close()


def write_site(
    con: Any,
    answers: Sequence[JobAnswer],
    out: Path,
    *,
    now: datetime,
    sources: SourceRecords = (),
    given: SiteInput | None = None,
) -> SiteResult:
    """Build the site from an open market, the answered reference jobs and what else it shows.

    `sources` alone is short for a `given` that holds nothing else.
    """
    started = time.perf_counter()
    _require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        market = Market(con, now)
        pages = _write_all(market, answers, given or SiteInput(sources), staging, archive.keepable(out))
        size = _write_manifest(staging, now)
        staging.chmod(0o755)
        _swap(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return SiteResult(out, pages, size, time.perf_counter() - started, *labels.freshness(market))


def terminal_page(
    con: Any, answers: Sequence[JobAnswer], *, now: datetime, given: SiteInput, width: int = 100
) -> tuple[str, bool]:
    """The front page's view models as text for a terminal, and whether no price is fresh."""
    from reports.terminal import front_text

    market = Market(con, now)
    titles = labels.provider_titles(market)
    page = _front(market, titles, answers, (), given)
    return front_text(page, frame(market), width), labels.freshness(market)[1]


def frame(market: Market, address: str = "") -> Frame:
    """What every page of this build shares."""
    sentence, stale = labels.freshness(market)
    built = labels.when(market.now)
    assert built is not None
    newest = labels.when(market.totals["newest"])
    says = preview.preview_sentence(market, labels.provider_titles(market))
    return Frame(built, newest, sentence, stale, LICENCE, site_address(address), says)


def site_address(text: str) -> str:
    """The address with one slash at its end; empty where it is none of the web."""
    found = fmt.web_address(text)
    return found.rstrip("/") + "/" if found else ""


Pages = Iterator[tuple[str, str, dict[str, Any]]]


def pages(
    market: Market,
    answers: Sequence[JobAnswer],
    downloads: Sequence[Download],
    given: SiteInput,
    first: FrontPage,
    days: Sequence[date] = (),
) -> Pages:
    """Every page as (path, template, context); `first` is the front page's view."""
    titles = labels.provider_titles(market)
    fronts = [jobs.job(market, titles, answer, jobs.FRONT_PLANS) for answer in answers]
    yield "index.html", "index.html", {"page": first, "archived": ""}
    today = archive.archive_href(market.now.date())
    yield today, "index.html", {"page": first, "archived": fmt.day(market.now)}
    yield "archive/index.html", "archive.html", {"page": lists.archive_page(days or [market.now.date()])}
    yield from _section_pages(market, titles, given)
    for accelerator_id in market.accelerator_ids:
        page = accelerators.accelerator_page(market, titles, accelerator_id)
        yield labels.accelerator_href(accelerator_id), "accelerator.html", {"page": page}
    for row in market.providers:
        context = {"page": providers.provider_page(market, titles, row)}
        yield labels.provider_href(row["provider"]), "provider.html", context
    for answer in answers:
        job = jobs.job(market, titles, answer)
        others = [other for other in fronts if other.job_id != job.job_id]
        ways = ownership.ownership(market, titles, answer)
        yield job.href, "workload.html", {"page": job, "others": others, "ways": ways}
    for day, changes_page in changes.day_pages(market, titles).items():
        yield labels.changes_href(day), "changes.html", {"page": changes_page}
    yield "method.html", "method.html", {"page": method.method_page(market, downloads)}


def _fitting_front(
    market: Market,
    titles: dict[str, str],
    answers: Sequence[JobAnswer],
    downloads: Sequence[Download],
    given: SiteInput,
    shared: Frame,
) -> FrontPage:
    """The front page with as many rows as keep it within its weight."""
    for share in FRONT_SHARES:
        page = _front(market, titles, answers, downloads, given, share)
        context = {"page": page, "archived": "", "path": "index.html", "frame": shared}
        if len(rendering.render("index.html", root="", **context).encode()) < FRONT_BYTES:
            break
    return page


def _front(
    market: Market,
    titles: dict[str, str],
    answers: Sequence[JobAnswer],
    downloads: Sequence[Download],
    given: SiteInput,
    share: float = 1.0,
) -> FrontPage:
    return front.front_page(
        market,
        titles,
        [jobs.job(market, titles, answer, jobs.FRONT_PLANS) for answer in answers],
        downloads,
        ownership=ownership.front_jobs(market, titles, answers),
        watches=given.watches,
        inputs=inputs_hash(market, answers),
        rebuild=given.rebuild,
        share=share,
    )


def _section_pages(market: Market, titles: dict[str, str], given: SiteInput) -> Pages:
    """Pages that show a section of the front page whole."""
    yield "gpu/index.html", "accelerators.html", {"page": accelerators.list_page(market)}
    yield "provider/index.html", "providers.html", {"page": lists.providers_page(market, titles)}
    yield "market.html", "market.html", {"page": lists.market_page(market)}
    table = matrix.matrix(market, titles, families=lists.MATRIX_FAMILIES)
    yield "matrix.html", "matrix.html", {"page": table}
    yield "availability.html", "availability.html", {"page": lists.stock_page(market, titles)}
    yield "value.html", "value.html", {"page": value.value(market, titles)}
    yield "quality.html", "quality.html", {"page": _quality_page(market, titles)}
    yield "sources.html", "sources.html", {"page": sources.sources_page(market, titles, given.sources)}
    yield "data/index.html", "dictionary.html", {"page": lists.dictionary_page()}


def _write_all(
    market: Market, answers: Sequence[JobAnswer], given: SiteInput, folder: Path, old: dict[str, Path]
) -> int:
    downloads = write_downloads(market, folder / "data")
    shared = frame(market, given.address)
    days = archive.archived_days(old, market.now.date())
    titles = labels.provider_titles(market)
    first = _fitting_front(market, titles, answers, downloads, given, shared)
    written = []
    for path, template, context in pages(market, answers, downloads, given, first, days):
        file = folder / path
        file.parent.mkdir(exist_ok=True)
        root = "../" * path.count("/")
        text = rendering.render(template, root=root, path=path, frame=shared, **context)
        file.write_text(text, "utf-8")
        written.append(path)
    kept = archive.carry_over(old, folder)
    (folder / "feed.xml").write_bytes(feeds.atom_feed(market, titles, given.watches))
    (folder / "feed.json").write_text(feeds.json_feed(market, titles, given.watches, shared.address), "utf-8")
    (folder / "preview.png").write_bytes(preview.preview_image(market, titles))
    if shared.address:
        (folder / "sitemap.xml").write_bytes(feeds.sitemap(shared.address, written, market.now))
    return len(written) + kept


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
        findings=quality.finding_rows(market, titles),
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
