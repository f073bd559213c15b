"""Permanent addresses: the front page of every day, and pages that are built no more.

A build copies from the site it replaces what it does not write itself, where the old manifest vouches for the
bytes: earlier days of the archive, and pages of parts, providers, jobs and days that have left the market.
Such a page keeps its last state; its footer says when it was built.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from datetime import date
from pathlib import Path

MANIFEST = "manifest.json"
KEPT = re.compile(
    r"(archive/\d{4}-\d{2}-\d{2}|(gpu|provider|workload|changes)/[a-z0-9][a-z0-9._-]{0,79})\.html"
)
DAY = re.compile(r"archive/(\d{4}-\d{2}-\d{2})\.html")


def archive_href(day: date) -> str:
    """Permanent address of a day's front page, from the site's root."""
    return f"archive/{day.isoformat()}.html"


def keepable(old: Path) -> dict[str, Path]:
    """Pages of an older site that may be carried over: path in the site to file.

    Only what its own manifest lists with the hash the file still has; so nothing that was put there by
    somebody else is published again.
    """
    try:
        files = json.loads((old / MANIFEST).read_text("utf-8"))["files"]
        listed = {str(name): str(entry["sha256"]) for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    found = {}
    for name, sha in sorted(listed.items()):
        file = old / name
        plain = KEPT.fullmatch(name) and ".." not in name and file.is_file() and not file.is_symlink()
        if plain and hashlib.sha256(file.read_bytes()).hexdigest() == sha:
            found[name] = file
    return found


def archived_days(names: dict[str, Path], today: date) -> list[date]:
    """Days of the archive, newest first, today's included."""
    found = {today}
    for name in names:
        match = DAY.fullmatch(name)
        if match:
            try:
                found.add(date.fromisoformat(match[1]))
            except ValueError:
                continue
    return sorted(found, reverse=True)


def carry_over(names: dict[str, Path], folder: Path) -> int:
    """Copy what the new site does not have itself; how many pages that were."""
    kept = 0
    for name, file in names.items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
            kept += 1
    return kept
