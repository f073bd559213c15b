"""A headless Chromium for the checks and pictures of pages: the tests and the benches share it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

AXE = Path(__file__).parent.parent / "tests" / "vendor" / "axe.min.js"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--virtual-time-budget=15000",
)
# Each page is loaded in a frame of a page of ours, one after the other, so that one start of the browser
# answers for all of them; the frame's width is the viewport's.
RUN_AXE = """
<script>
const found = [];
async function next(names) {
  for (const name of names) {
    const frame = document.createElement("iframe");
    frame.width = WIDTH; frame.height = 900; frame.title = name; frame.src = name;
    document.body.append(frame);
    await new Promise(done => frame.onload = done);
    const page = frame.contentWindow, root = page.document.documentElement;
    const answer = await page.axe.run(page.document, {resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
    found.push({name, dark: page.matchMedia("(prefers-color-scheme: dark)").matches,
      passes: answer.passes.length, wide: root.scrollWidth - root.clientWidth,
      violations: answer.violations.map(v => [v.id, v.nodes.map(n => n.target + " " + n.failureSummary)])});
    frame.remove();
  }
}
next(NAMES).catch(e => found.push({error: String(e)})).finally(() => {
  const out = document.createElement("pre");
  out.id = "result"; out.textContent = JSON.stringify(found); document.body.append(out);
});
</script>
"""


def run_browser(tmp_path: Path, *arguments: str, virtual: bool = True) -> subprocess.CompletedProcess[str]:
    """One run of the browser with a profile of its own in `tmp_path`; `virtual` lets its clock run ahead."""
    assert BROWSER is not None
    profile = tmp_path / f"profile-{len(list(tmp_path.iterdir()))}"
    flags = [flag for flag in FLAGS if virtual or "virtual-time" not in flag]
    command = [BROWSER, *flags, f"--user-data-dir={profile}", *arguments]
    environment = {**os.environ, "HOME": str(tmp_path)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


def audit(
    site: Path, tmp_path: Path, names: list[str], *, dark: bool = False, width: int = 1280
) -> list[dict[str, Any]]:
    """axe's findings for each page, run inside copies that carry axe and no policy."""
    copies = tmp_path / "copies"
    axe = AXE.read_text("utf-8")
    (tmp_path / "axe.js").write_text(axe, "utf-8")
    for name in names:
        text = re.sub(
            r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", (site / name).read_text("utf-8")
        )
        way = "../" * (name.count("/") + 1)
        target = copies / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace("</head>", f'<script src="{way}axe.js"></script></head>'), "utf-8")
    runner = copies / "runner.html"
    script = RUN_AXE.replace("NAMES", json.dumps(names)).replace("WIDTH", str(width))
    runner.write_text(
        f"<!doctype html><html lang=en><title>runner</title><body>{script}</body></html>", "utf-8"
    )
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    done = run_browser(
        tmp_path,
        "--allow-file-access-from-files",
        scheme,
        "--window-size=1400,1000",
        "--dump-dom",
        runner.as_uri(),
    )
    match = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, f"the browser gave no result: {done.stderr[-2000:]}"
    found: list[dict[str, Any]] = json.loads(html.unescape(match[1]))
    return found


def hosts_asked(log: Path) -> set[str]:
    """Hosts in the browser's network log, its own housekeeping (updates, account, clock) left out."""
    asked = set(re.findall(r'"url":"\w+://([^"/:]+)', log.read_text("utf-8")))
    return {host for host in asked if not host.endswith(("google.com", "googleapis.com", "gstatic.com"))}
