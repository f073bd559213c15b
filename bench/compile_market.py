"""Compiles the market tables that ship inside the package (`warehouse/market`).

    python -m bench.compile_market            # reads ../shared/market, writes the tables, prints the counts
    python -m bench.compile_market --check    # writes nothing; exit 1 where the shipped tables would change

Inputs: the collected tables (`offers_latest.csv`, `history.csv.gz`) and our own transcriptions in
`bench/market_inputs`. Output: `offers.csv` (the newest state of every offer), `history.csv` (one observation
per offer and ISO week of the last twelve months), and the counts in `docs/bundled-market.md`. The same input
gives the same bytes: rows are sorted, nothing asks the clock. Every row passes through `warehouse.records`,
so a row that cannot be true cannot get in.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from bench.market_origins import candidate
from bench.market_rows import MARKET, Candidate, Refused, read_table
from bench.market_selection import newest_state, plausible, sold_there, unequivocal, weekly_history
from warehouse.bundled import COLUMNS, offer_of
from warehouse.identify import identify
from warehouse.instance_types import instance_type

PROJECT = Path(__file__).parent.parent
COLLECTED = PROJECT.parent / "shared" / "market"
INPUTS = PROJECT / "bench" / "market_inputs"
DOCS = PROJECT / "docs" / "bundled-market.md"
MARKS = ("<!-- counts: written by bench.compile_market -->", "<!-- end of counts -->")


def main() -> int:
    """Compile, or compare with what is shipped. Exit 1 where the collected tables are missing or differ."""
    parser = argparse.ArgumentParser(description="Compiles the market tables that ship inside the package.")
    parser.add_argument("--collected", type=Path, default=COLLECTED, help="folder of the collected tables")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where a file would change"
    )
    options = parser.parse_args()
    if not (options.collected / "offers_latest.csv").exists():
        print(f"no collected tables at {options.collected}; give their folder with --collected")
        return 1
    files, summary = compile_tables(options.collected)
    if options.check:  # the counts in the documentation also depend on the reference tables: not compared
        del files[DOCS]
    changed = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    if not options.check:
        for path in changed:
            path.write_text(files[path], "utf-8", newline="\n")
    print(summary)
    print(", ".join(path.name for path in changed) + " changed" if changed else "nothing changed")
    return 1 if options.check and changed else 0


def compile_tables(collected: Path) -> tuple[dict[Path, str], str]:
    """The files with their new text, and the summary that stands in the documentation."""
    refused: Counter[str] = Counter()
    latest = _candidates(collected / "offers_latest.csv", refused)
    own = [row for path in sorted(INPUTS.glob("*.csv")) for row in _candidates(path, refused)]
    past = _candidates(collected / "history.csv.gz", Counter())
    current = newest_state(sold_there(latest, refused) + own, refused)
    history = weekly_history(past + latest + own)
    summary = _summary(current, history, refused)
    documentation = DOCS.read_text("utf-8") if DOCS.exists() else "\n".join(MARKS)
    head, rest = documentation.split(MARKS[0])
    files = {
        MARKET / "offers.csv": _csv(current),
        MARKET / "history.csv": _csv(history),
        DOCS: f"{head}{MARKS[0]}\n\n{summary}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}",
    }
    return files, summary


def _candidates(path: Path, refused: Counter[str]) -> list[Candidate]:
    found = []
    for row in read_table(path):
        try:
            found.append(candidate(row))
        except Refused as reason:
            refused[str(reason)] += 1
    return plausible(unequivocal(found, refused), refused)


def _csv(rows: list[Candidate]) -> str:
    """The table as text; every row is built as an `Offer` first, so that nothing untrue gets in."""
    lines = [{name: _text(getattr(row, name)) for name in COLUMNS} for row in rows]
    lines.sort(key=lambda line: tuple(line[name] for name in SORTED_BY))
    for line in lines:
        offer_of(line)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


SORTED_BY = (
    *("provider", "origin", "instance_type", "gpu_name_raw", "gpu_memory_gb", "gpu_count", "region"),
    *("price_kind", "term_months", "offer_key", "observed_at"),
)


def _text(value: object) -> str:
    if value is None or value is False:
        return "false" if value is False else ""
    if value is True:
        return "true"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def _summary(current: list[Candidate], history: list[Candidate], refused: Counter[str]) -> str:
    weeks = {row.observed_at.isocalendar()[:2] for row in history}
    text = [
        f"**Snapshot:** {_size(current)}, observed {_span(current)}.",
        f"**History:** {_size(history, 'observations')} in {len(weeks)} ISO weeks, {_span(history)}.",
    ]
    kinds = Counter(row.price_kind for row in current)
    text += _table(
        "price kind | offers in the snapshot", [f"{kind} | {n:,}" for kind, n in kinds.most_common()]
    )
    text += _table("origin | offers | observations | first day | last day", _by_origin(current, history))
    text += _table(
        "family | offers | observations | weeks with a price | providers", _by_family(current, history)
    )
    reasons = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    left_out = [f"{reason} | {count:,}" for reason, count in reasons]
    return "\n".join(text + _table("why a collected row is not in the snapshot | rows", left_out))


def _size(rows: list[Candidate], what: str = "offers") -> str:
    return f"{len(rows):,} {what} of {len({row.provider for row in rows})} providers"


def _span(rows: list[Candidate]) -> str:
    days = [row.observed_at.date() for row in rows]
    return f"{min(days)} to {max(days)}"


def _by_origin(current: list[Candidate], history: list[Candidate]) -> list[str]:
    lines = []
    for origin in sorted({row.origin for row in current + history}):
        now = [row for row in current if row.origin == origin]
        then = [row for row in history if row.origin == origin]
        first, last = _span(now + then).split(" to ")
        lines.append(f"{origin} | {len(now):,} | {len(then):,} | {first} | {last}")
    return lines


def _by_family(current: list[Candidate], history: list[Candidate]) -> list[str]:
    offers = Counter(_family(row) for row in current)
    past: dict[str, list[Candidate]] = {}
    for row in history:
        past.setdefault(_family(row), []).append(row)
    lines = []
    for family, rows in sorted(past.items()):
        weeks = {row.observed_at.isocalendar()[:2] for row in rows}
        providers = {row.provider for row in rows}
        lines.append(f"{family} | {offers[family]:,} | {len(rows):,} | {len(weeks)} | {len(providers)}")
    return lines


def _family(row: Candidate) -> str:
    known = instance_type(row.provider, row.instance_type) if row.instance_type else None
    name = row.gpu_name_raw or (known.candidates[0] if known and known.candidates else "")
    found = identify(name, memory_gb=row.gpu_memory_gb, provider=row.provider, count=row.gpu_count)
    return found.family or "not settled"


def _table(head: str, lines: list[str]) -> list[str]:
    columns = head.count("|")
    return ["", f"| {head} |", "|---" + "|--:" * columns + "|", *(f"| {line} |" for line in lines)]


if __name__ == "__main__":
    sys.exit(main())
