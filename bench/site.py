"""`python -m bench.site [--home DIR]`: the site's figures, each printed beside what is asked of it.

Build time and memory (a process of its own), page sizes, two builds byte by byte, links, the feeds' rules
and, where html5lib is installed (``pip install html5lib``), whether every page is HTML without a parse error.
A home that is not given is made anew with the bundled market.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from bench.measure import gpufare, measure

ATOM = "{http://www.w3.org/2005/Atom}"
Figure = tuple[str, str, str]


def main() -> None:
    """Print every figure as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", help="a home with a market; a new one with the bundled market if left out")
    chosen = parser.parse_args().home
    with tempfile.TemporaryDirectory(prefix="gpufare-site-") as folder:
        home = Path(chosen) if chosen else Path(folder) / "home"
        for what, asked, found in _figures(home, Path(folder)):
            print(f"{what:<58}{asked:>18}{found:>34}", flush=True)


def _figures(home: Path, folder: Path) -> Iterator[Figure]:
    measure(gpufare(str(home), "providers", "--json"), runs=1, warmup=0)
    yield from _build(home, folder)
    site = folder / "pages"
    sizes = {p.relative_to(site).as_posix(): p.stat().st_size for p in site.rglob("*.html")}
    others = {name: size for name, size in sizes.items() if name != "index.html" and "archive/2" not in name}
    largest = max(others, key=lambda name: others[name])
    yield "front page", "under 150 kB", f"{sizes['index.html'] / 1000:.1f} kB"
    yield "largest other page", "under 250 kB", f"{others[largest] / 1000:.1f} kB ({largest[-18:]})"
    broken, links = broken_links(site)
    yield "links checked, broken", "0 broken", f"{links:,}, {len(broken)} broken"
    yield "Atom feed and JSON feed", "0 faults", f"{len(feed_faults(site))} faults"
    yield "HTML parse errors in all pages (html5lib, strict)", "0", _html_faults(site)


def _build(home: Path, folder: Path) -> Iterator[Figure]:
    """The whole command, and the writing alone, twice at the same moment: that must be the same bytes."""
    from reports.reference_answers import reference_answers
    from reports.site import write_site
    from warehouse.queries import open_market

    command = gpufare(str(home), "report", "--out", str(folder / "command"))
    whole = measure(command, runs=1, warmup=0)
    yield (
        "gpufare report, whole process with sizing of the jobs",
        "-",
        f"{whole.seconds:.1f} s, {whole.peak_mib:.0f} MiB",
    )
    now = datetime.fromisoformat("2026-11-28T06:30:00+00:00")
    con = open_market(home)
    try:
        answers = reference_answers(con, now=now)
        first = write_site(con, answers, folder / "pages", now=now)
        second = write_site(con, answers, folder / "again", now=now)
    finally:
        con.close()
    seconds = min(first.seconds, second.seconds)
    yield (
        f"building {first.pages} pages",
        "5 s for 150",
        f"{seconds:.1f} s, {seconds / first.pages * 150:.1f} s for 150",
    )
    yield "peak memory of the whole process", "400 MB", f"{whole.peak_mib * 1.048576:.0f} MB"
    yield "two builds from one input", "the same bytes", _compare(folder / "pages", folder / "again")


def _compare(one: Path, other: Path) -> str:
    names = sorted(p.relative_to(one).as_posix() for p in one.rglob("*") if p.is_file())
    same, different, missing = filecmp.cmpfiles(one, other, names, shallow=False)
    if different or missing:
        return f"{len(different) + len(missing)} of {len(names)} files differ"
    return f"all {len(same)} files the same"


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect ids and what a, link and area lead to."""
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag in ("a", "link", "area") and values.get("href"):
            self.links.append(str(values["href"]))


def broken_links(site: Path) -> tuple[list[str], int]:
    """Links inside the site that lead nowhere, and how many were checked."""
    pages = {p: _Page(p.read_text("utf-8")) for p in sorted(site.rglob("*.html"))}
    broken, checked = [], 0
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"(https?|data):", link):
                continue
            checked += 1
            target, _, anchor = link.partition("#")
            file = (path.parent / unquote(target)).resolve() if target else path
            there = file.exists() and (not anchor or file not in pages or anchor in pages[file].ids)
            if not there and not (file in pages and anchor in pages[file].ids):
                broken.append(f"{path.relative_to(site)}: {link}")
    return broken, checked


def feed_faults(site: Path) -> list[str]:
    """Breaches of RFC 4287 and of JSON Feed 1.1 in what we write: required parts, ids, times."""
    faults = []
    root = ElementTree.parse(site / "feed.xml").getroot()
    ids = []
    for element in (root, *root.findall(ATOM + "entry")):
        told = {name: element.findtext(ATOM + name) or "" for name in ("title", "id", "updated")}
        faults += [f"{name} is missing" for name, text in told.items() if not text.strip()]
        ids.append(told["id"])
        uuid.UUID(told["id"].removeprefix("urn:uuid:"))
        datetime.fromisoformat(told["updated"])
    if root.find(ATOM + "author") is None or len(ids) != len(set(ids)):
        faults.append("no author, or an id twice")
    feed = json.loads((site / "feed.json").read_text("utf-8"))
    if feed.get("version") != "https://jsonfeed.org/version/1.1" or not feed.get("title"):
        faults.append("JSON feed without version or title")
    keys = [item.get("id") for item in feed["items"]]
    faults += [
        f"item {item.get('id')} says nothing" for item in feed["items"] if not item.get("content_text")
    ]
    if keys != ids[1:]:
        faults.append("the two feeds differ")
    return faults


def _html_faults(site: Path) -> str:
    try:
        import html5lib
    except ImportError:
        return "not checked: no html5lib"
    faults = 0
    pages = sorted(site.rglob("*.html"))
    for path in pages:
        parser = html5lib.HTMLParser()
        parser.parse(path.read_text("utf-8"))
        faults += len(parser.errors)
    return f"{faults} in {len(pages)} pages"


if __name__ == "__main__":
    main()
