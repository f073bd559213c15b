"""`python -m bench.pages --site DIR`: every kind of page in a headless Chromium, light and dark.

First paint, console errors, requests to any host, axe-core violations of WCAG 2.2 AA, overflow at 390 pixels.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.browser import audit, hosts_asked, run_browser

PAINT = """<script>new PerformanceObserver(list => { for (const e of list.getEntries())
if (e.name == "first-contentful-paint") console.log("PAINT " + Math.round(e.startTime)); })
.observe({type: "paint", buffered: true})</script></body>"""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')


def kinds(site: Path) -> list[str]:
    """One page of every kind that the site has: those that stand alone and the first of each folder."""
    alone = sorted(path.name for path in site.glob("*.html"))
    found = list(alone)
    for folder in sorted(path for path in site.iterdir() if path.is_dir()):
        names = sorted(path.name for path in folder.glob("*.html"))
        largest = max(
            (n for n in names if n != "index.html"), key=lambda n: (folder / n).stat().st_size, default=None
        )
        found += [f"{folder.name}/{name}" for name in ("index.html", largest) if name in names]
    return found


def main() -> None:
    """Print one row per page kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", required=True, help="a folder that gpufare report wrote")
    site = Path(parser.parse_args().site).absolute()
    names = kinds(site)
    heads = f"{'first paint':>12}{'hosts':>7}{'errors':>8}{'axe light':>11}{'axe dark':>10}{'too wide':>11}"
    print(f"{'page':<44}{heads}")
    with tempfile.TemporaryDirectory(prefix="gpufare-pages-") as folder:
        work = Path(folder)
        light, dark, narrow = _axe(site, work, names)
        for name in names:
            paint, hosts, errors = _open(site / name, work)
            row = f"{paint:>9} ms{hosts:>7}{errors:>8}{light[name]:>11}{dark[name]:>10}{narrow[name]:>8} px"
            print(f"{name[:43]:<44}{row}", flush=True)


def _axe(
    site: Path, work: Path, names: Sequence[str]
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Violations in light and in dark, and pixels of overflow at 390."""
    light = audit(site, work, list(names))
    dark = audit(site, work, list(names), dark=True)
    narrow = audit(site, work, list(names), width=390)
    return (
        {item["name"]: len(item["violations"]) for item in light},
        {item["name"]: len(item["violations"]) for item in dark},
        {item["name"]: max(0, int(item["wide"])) for item in narrow},
    )


def _open(page: Path, work: Path) -> tuple[str, int, int]:
    """First contentful paint in ms (real time), hosts asked, console errors."""
    log = work / "net.json"
    shown = run_browser(
        work, "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom", page.as_uri(), virtual=False
    )
    errors = sum(":CONSOLE" in line for line in shown.stderr.splitlines())
    hosts = len(hosts_asked(log))
    copy = work / "paint.html"
    copy.write_text(POLICY.sub("", page.read_text("utf-8")).replace("</body>", PAINT), "utf-8")
    picture = f"--screenshot={work / 'paint.png'}"
    drawn = run_browser(work, "--enable-logging=stderr", picture, copy.as_uri(), virtual=False)
    match = re.search(r"PAINT (\d+)", drawn.stderr)
    return (match[1] if match else "?"), hosts, errors


if __name__ == "__main__":
    main()
