"""The pages in a real browser: no error, no request, no accessibility violation, none wider than a phone."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from site_market import SmallMarket
from test_site import build
from test_site_hostile import hostile_jobs, hostile_market

from bench.browser import BROWSER, audit, hosts_asked, run_browser

KINDS = {
    "front": "index.html",
    "accelerator": "gpu/h100-sxm5-80gb.html",
    "accelerators": "gpu/index.html",
    "provider": "provider/alpha.html",
    "failed provider": "provider/broken.html",
    "job": "workload/serve-8b.html",
    "job without plans": "workload/pretrain-9t.html",
    "changes": "changes/2026-11-21.html",
    "providers": "provider/index.html",
    "index": "market.html",
    "matrix": "matrix.html",
    "availability": "availability.html",
    "value": "value.html",
    "archive": "archive/index.html",
    "archived front": "archive/2026-11-21.html",
    "dictionary": "data/index.html",
    "quality": "quality.html",
    "sources": "sources.html",
    "method": "method.html",
}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        BROWSER is None, reason="no Chromium on this machine: pages are not checked in a browser"
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from site_market import SOURCES, ordinary

    return build(tmp_path_factory.mktemp("pages"), ordinary(), sources=SOURCES)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_kind_has_an_accessibility_violation(site: Path, tmp_path: Path, dark: bool) -> None:
    found = audit(site, tmp_path, list(KINDS.values()), dark=dark)
    assert [item["name"] for item in found] == list(KINDS.values()), found
    assert {item["dark"] for item in found} == {dark}
    assert min(item["passes"] for item in found) > 15
    assert {item["name"]: item["violations"] for item in found if item["violations"]} == {}


def test_no_page_is_wider_than_a_phone_even_with_hostile_text(site: Path, tmp_path: Path) -> None:
    found = audit(site, tmp_path, list(KINDS.values()), width=390)
    hostile = build(tmp_path, hostile_market(), hostile_jobs())
    names = ["index.html", "gpu/h100-sxm5-80gb.html", "quality.html", "changes/2026-11-21.html"]
    names += [path.relative_to(hostile).as_posix() for path in sorted((hostile / "workload").iterdir())[:2]]
    found += audit(hostile, tmp_path, names, width=390)
    assert len(found) == len(KINDS) + len(names), found
    assert {item["name"]: item["wide"] for item in found if item["wide"] > 0} == {}
    assert {item["name"]: item["violations"] for item in found if item["violations"]} == {}


def test_an_empty_market_has_no_violation(tmp_path: Path) -> None:
    found = audit(
        build(tmp_path, SmallMarket(), []),
        tmp_path,
        ["index.html", "gpu/h100-sxm5-80gb.html", "quality.html", "sources.html"],
    )
    assert len(found) == 4, found
    assert {item["name"]: item["violations"] for item in found if item["violations"]} == {}


@pytest.mark.parametrize("kind", ["front", "accelerator", "job"])
def test_a_page_opens_from_disk_without_errors_or_requests(site: Path, tmp_path: Path, kind: str) -> None:
    log = tmp_path / "net.json"
    page = (site / KINDS[kind]).as_uri()
    done = run_browser(tmp_path, "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom", page)
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    assert '<button type="button">' in done.stdout or kind == "job", "the script did not run"
    assert hosts_asked(log) == set()


def test_the_two_checks_above_see_a_request_and_an_error(tmp_path: Path) -> None:
    log, page = tmp_path / "net.json", tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('seen')</script>", "utf-8")
    done = run_browser(
        tmp_path, "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom", page.as_uri()
    )
    assert hosts_asked(log) == {"127.0.0.1"}
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] != []


def test_sorting_and_filtering_work_without_a_server(site: Path, tmp_path: Path) -> None:
    source = (site / "gpu" / "h100-sxm5-80gb.html").read_text("utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    probe = """<script>
    const t = document.querySelector("table.filter"), b = t.tBodies[0];
    const firsts = () => [...b.rows].filter(r => !r.hidden).map(r => r.cells[0].textContent);
    const up = t.tHead.rows[0].cells[0].querySelector("button");
    up.click(); const low = firsts(); up.click(); const high = firsts();
    const sorted = t.tHead.rows[0].cells[0].getAttribute("aria-sort");
    const f = t.parentElement.previousElementSibling.querySelector("input");
    f.value = "gamma spot"; f.dispatchEvent(new Event("input"));
    document.title = JSON.stringify({low, high, sorted, kept: firsts()});
    </script></body>"""
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", probe), "utf-8")
    done = run_browser(tmp_path, "--dump-dom", page.as_uri())
    match = re.search(r"<title>(.*?)</title>", done.stdout)
    assert match, done.stderr[-500:]
    state = json.loads(html.unescape(match[1]))
    prices = [float(text) for text in state["low"]]
    assert prices == sorted(prices)
    assert len(prices) == 12
    assert state["high"] == state["low"][::-1]
    assert state["sorted"] == "descending"
    assert len(state["kept"]) == 1


def test_the_policy_stops_a_script_that_is_not_ours(site: Path, tmp_path: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", "<script>document.title = 'owned'</script></body>"), "utf-8")
    done = run_browser(tmp_path, "--dump-dom", page.as_uri())
    assert "<title>owned</title>" not in done.stdout
    assert "What AI computing costs today" in done.stdout
