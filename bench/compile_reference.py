"""Compiles the token prices and grid intensities that ship inside the package (`warehouse/market`).

    python -m bench.compile_reference            # replays ../shared/recordings, writes the tables
    python -m bench.compile_reference --check    # writes nothing; exit 1 where a shipped table would change

Facts of three sources whose licence allows it (LiteLLM, MIT; Cloud Carbon Footprint and Google's region
carbon data, Apache-2.0), as our own spiders read them: verbatim numbers, each with source address and the day
of the recording. Of the token prices those of models that can be sized, so that an API can be compared with
a machine. The same recording gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawlers.run import crawl
from recommender.hosted import same_model
from recommender.sizing.registry import models
from warehouse.bundled_reference import CARBON_TABLE, TOKENS_TABLE
from warehouse.record_tables import read_records
from warehouse.records import GridCarbon, TokenPrice

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"
SOURCES = ("litellm", "ccf_grid_factors", "google_region_carbon")
MODES = ("chat", "completion", "responses", None)


def main() -> int:
    """Compile, or compare with what is shipped."""
    parser = argparse.ArgumentParser(description="Compiles the shipped token prices and grid intensities.")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where a file would change"
    )
    options = parser.parse_args()
    if not (options.recordings / SOURCES[0]).exists():
        print(f"no recordings at {options.recordings}; give their folder with --recordings")
        return 1
    records = _read(options.recordings)
    tokens = [r for r in records if isinstance(r, TokenPrice) and _kept(r)]
    carbon = [r for r in records if isinstance(r, GridCarbon)]
    files = {TOKENS_TABLE: _csv(TokenPrice, tokens), CARBON_TABLE: _csv(GridCarbon, carbon)}
    changed = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    if not options.check:
        for path in changed:
            path.write_text(files[path], "utf-8", newline="\n")
    print(f"{len(tokens)} token prices, {len(carbon)} grid intensities")
    print(", ".join(path.name for path in changed) + " changed" if changed else "nothing changed")
    return 1 if options.check and changed else 0


def _kept(price: TokenPrice) -> bool:
    """Whole prices of models that the sizer knows."""
    if price.mode not in MODES or not price.input_raw or not price.output_raw:
        return False
    return any(same_model(name, price.model, price.provider) for name in models())


def _read(recordings: Path) -> list[Any]:
    """The records of each source's newest recording, by replay in a folder of its own."""
    folders = [sorted((recordings / source).iterdir())[-1] for source in SOURCES]
    with tempfile.TemporaryDirectory() as home:
        results = crawl(list(SOURCES), home=Path(home), now=datetime.now(UTC), secrets={}, replay=folders)
        failed = [result for result in results if result.folder is None]
        if failed:
            raise SystemExit(f"{failed[0].provider}: {failed[0].reason}")
        return [record for result in results if result.folder for record in read_records(result.folder)]


def _csv(kind: type[Any], records: Sequence[Any]) -> str:
    """One line per record, sorted by what it is about; an empty cell is None."""
    names = [field.name for field in fields(kind) if field.name != "body_sha256"]
    rows = [
        ["" if (v := getattr(record, name)) is None else _text(v) for name in names] for record in records
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(sorted(rows))
    return out.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    sys.exit(main())
