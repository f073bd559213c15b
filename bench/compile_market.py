"""Compiles the market tables that ship inside the package (`warehouse/market`).

    python -m bench.compile_market                 # reads ../shared/market, writes the tables, prints the counts
    python -m bench.compile_market --check         # writes nothing; exit 1 where the shipped tables would change

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
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from bench.market_origins import MARKET, Candidate, Refused, candidate, read_table
from warehouse.bundled import COLUMNS, offer_of
from warehouse.units import price_per_instance_hour

PROJECT = Path(__file__).parent.parent
COLLECTED = PROJECT.parent / "shared" / "market"
INPUTS = PROJECT / "bench" / "market_inputs"
DOCS = PROJECT / "docs" / "bundled-market.md"
HISTORY_FROM = datetime(2025, 10, 27, tzinfo=UTC)  # Monday of ISO week 44: twelve months before the release
MARKS = ("<!-- counts: written by bench.compile_market -->", "<!-- end of counts -->")

# One region stands for a hyperscaler in the history: prices differ by region, and a series must not jump
# because a region joined. GPUs that people ask about; others are in the snapshot only.
REFERENCE_REGION = {"gcp": "us-central1", "aws": "us-east-1", "azure": "eastus"}
REFERENCE_TYPES = re.compile(
    r"a2-(high|ultra)gpu-[18]g|a3-(high|mega)gpu-8g|g2-standard-(4|96)|g4-standard-(48|384)"
    r"|p3\.(2|16)xlarge|p4de?\.24xlarge|p5\.48xlarge|p5\.4xlarge|p5en?\.48xlarge|p6-b[23]00\.48xlarge"
    r"|g4dn\.xlarge|g5\.(xlarge|48xlarge)|g6\.(xlarge|48xlarge)|g6e\.(xlarge|48xlarge)|g7e\.(2|48)xlarge"
    r"|trn2\.48xlarge|u-p6e-gb200x72"
    r"|Standard_N(C24ads_A100_v4|C40ads_H100_v5|D96isr_H[12]00_v5|D96isr_MI300X_v5|D96amsr_A100_v4|D96asr_v4"
    r"|C6s_v3|C4as_T4_v3|V36ads_A10_v5|D128isr_NDR_GB200_v6)"
)
MAIN_GPUS = re.compile(
    r"gb300|gb200|gh200|b300|b200|h200|h100|a100|\bl40s?\b|\bl4\b|\ba10g?\b|\bt4\b|v100|mi300x|mi325x|mi355x"
    r"|rtx[ -]?pro[ -]?6000|rtx[ -](3090|4090|5090)\b|a6000|6000[ -]ada"
)


def main() -> int:
    """Compile, or compare with what is shipped. Exit 1 where the collected tables are missing or differ."""
    parser = argparse.ArgumentParser(description="Compiles the market tables that ship inside the package.")
    parser.add_argument("--collected", type=Path, default=COLLECTED, help="folder of the collected tables")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file would change")
    options = parser.parse_args()
    if not (options.collected / "offers_latest.csv").exists():
        print(f"no collected tables at {options.collected}; give their folder with --collected")
        return 1
    files, summary = compile_tables(options.collected)
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
    current = _current(_sold_there(latest, refused) + own, refused)
    history = _history(past + latest + own)
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
    return _plausible(_unequivocal(found, refused), refused)


def _unequivocal(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without offers for which one list prints two prices; of equal rows one stays."""
    same: dict[tuple[object, ...], list[Candidate]] = {}
    for row in rows:
        same.setdefault((row.origin, row.ref, row.observed_at, row.key()), []).append(row)
    kept = []
    for group in same.values():
        if len({row.price_raw for row in group}) == 1:
            kept.append(group[0])
        else:
            refused["two prices for the same thing in one list"] += len(group)
    return kept


def _sold_there(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without Google machines in regions that only one list knows.

    Cyclenerd composes a price for every machine type in every region, also where Google has no such GPUs;
    the spot price then lacks the GPU. The list of karpenter_gcp holds the pairs that are really sold.
    """
    sold = {(row.instance_type, row.region) for row in rows if row.origin == "karpenter_gcp"}
    kept = [row for row in rows if row.origin != "cyclenerd" or (row.instance_type, row.region) in sold]
    refused["Google machine in a region where a second list does not know it"] += len(rows) - len(kept)
    return kept


def _plausible(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without discounts that are none, or too good to be true without a second witness."""
    firm: dict[tuple[object, ...], Decimal] = {}
    for row in rows:
        if row.price_kind == "on_demand":
            shape = (row.origin, row.ref, *row.shape())
            firm[shape] = max(row.price_raw, firm.get(shape, row.price_raw))
    kept = []
    for row in rows:
        if row.price_kind not in ("spot", "low_priority"):
            kept.append(row)
            continue
        base = firm.get((row.origin, row.ref, *row.shape()))
        if base is not None and row.price_raw >= base:
            refused["spot or low-priority price not below the on-demand price"] += 1
        elif base is not None and row.price_raw < base * Decimal("0.1"):
            refused["spot price under a tenth of the on-demand price, without a second witness"] += 1
        else:
            kept.append(row)
    return kept


def _current(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """The newest state of every offer.

    Lists with machine types are merged offer by offer. Lists per GPU name things differently from each
    other, and drop what is no longer sold, so of several for one provider and price kind only the newest
    is kept.
    """
    newest: dict[tuple[object, ...], Candidate] = {}
    for row in rows:
        key = row.key()
        if key not in newest or row.observed_at > newest[key].observed_at:
            newest[key] = row
    refused["an older observation of the same offer"] += len(rows) - len(newest)
    lists: dict[tuple[str, str], Candidate] = {}
    for row in newest.values():
        place = (row.provider, row.price_kind)
        if row.instance_type is None and row.origin not in PARTIAL_ORIGINS:
            lists[place] = max(row, lists.get(place, row), key=lambda found: found.observed_at)
    kept = []
    for row in newest.values():
        whole = lists.get((row.provider, row.price_kind))
        if row.instance_type is None and whole and (row.origin, row.ref) != (whole.origin, whole.ref):
            if row.origin not in PARTIAL_ORIGINS or row.observed_at <= whole.observed_at:
                refused["an older list of the same provider and price kind"] += 1
                continue
        kept.append(row)
    return _without_overtaken(kept, refused)


# Origins that hold single prices of a provider's list: they never displace the whole list.
PARTIAL_ORIGINS = ("vendor_pages",)


def _without_overtaken(rows: list[Candidate], refused: Counter[str]) -> list[Candidate]:
    """Without list rows for which a newer single price of the same part was read from the provider's page."""
    single = {_part(row) for row in rows if row.origin in PARTIAL_ORIGINS}
    kept = [row for row in rows if row.origin in PARTIAL_ORIGINS or _part(row) not in single]
    refused["an older observation of the same offer"] += len(rows) - len(kept)
    return kept


def _part(row: Candidate) -> tuple[object, ...]:
    """Provider, tier, count and a spelling-free form of the GPU's name (80 GB A100 SXM = a100sxm80)."""
    name = re.sub(r"nvidia|^\d+x |\d+ ?gb?\b|[^a-z0-9]", "", (row.gpu_name_raw or "").lower())
    name = re.sub(r"(80|40|94|141)$", "", name)
    memory = round(row.gpu_memory_gb or 0)
    return (row.provider, row.price_kind, row.offer_key, row.gpu_count, name, memory)


def _history(rows: list[Candidate]) -> list[Candidate]:
    """The last observation of each offer in each ISO week; of a marketplace the listing at the median."""
    newest: dict[tuple[object, ...], Candidate] = {}
    for row in _representative(rows):
        key = (row.observed_at.isocalendar()[:2], row.origin if row.instance_type is None else "", row.key())
        if key not in newest or row.observed_at > newest[key].observed_at:
            newest[key] = row
    return list(newest.values())


def _representative(rows: list[Candidate]) -> Iterable[Candidate]:
    listings: dict[tuple[object, ...], list[Candidate]] = {}
    for row in rows:
        if row.observed_at < HISTORY_FROM or row.is_floor:
            continue
        if row.origin == "ccir":
            day = row.observed_at.date()
            group = (day, row.gpu_name_raw, row.price_kind)
            listings.setdefault(group, []).append(row)
        elif row.provider in REFERENCE_REGION:
            if row.region == REFERENCE_REGION[row.provider] and REFERENCE_TYPES.fullmatch(row.instance_type or ""):
                yield row
        elif MAIN_GPUS.search((row.gpu_name_raw or "").lower()):
            yield row
    for group in listings.values():
        group.sort(key=lambda row: (_per_gpu(row), row.offer_key or ""))
        note = f"the listing at the median of {len(group)}"
        yield replace(group[(len(group) - 1) // 2], offer_key="median listing", note=note)


def _per_gpu(row: Candidate) -> Decimal:
    count = row.gpu_count or 1
    return price_per_instance_hour(row.price_raw, row.price_unit, gpu_count=count) / Decimal(str(count))


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


SORTED_BY = ("provider", "origin", "instance_type", "gpu_name_raw", "gpu_memory_gb", "gpu_count", "region")
SORTED_BY += ("price_kind", "term_months", "offer_key", "observed_at")


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
    first, last = min(row.observed_at for row in history), max(row.observed_at for row in history)
    text = [
        f"**Snapshot:** {len(current):,} offers of {len({row.provider for row in current})} providers, observed "
        f"{min(row.observed_at for row in current):%Y-%m-%d} to {max(row.observed_at for row in current):%Y-%m-%d}.",
        f"**History:** {len(history):,} observations of {len({row.provider for row in history})} providers in "
        f"{len(weeks)} ISO weeks, {first:%Y-%m-%d} to {last:%Y-%m-%d}.",
    ]
    kinds = Counter(row.price_kind for row in current)
    lines = [f"| {kind} | {count:,} |" for kind, count in kinds.most_common()]
    text += _table("price kind | offers in the snapshot", lines)
    lines = []
    for origin in sorted({row.origin for row in current + history}):
        now = [row for row in current if row.origin == origin]
        then = [row for row in history if row.origin == origin]
        days = sorted(row.observed_at.date() for row in now + then)
        lines.append(f"| {origin} | {len(now):,} | {len(then):,} | {days[0]} | {days[-1]} |")
    text += _table("origin | offers | observations | first day | last day", lines)
    lines = [f"| {reason} | {count:,} |" for reason, count in sorted(refused.items(), key=lambda i: (-i[1], i[0]))]
    text += _table("why a collected row is not in the snapshot | rows", lines)
    return "\n".join(text)


def _table(head: str, lines: list[str]) -> list[str]:
    columns = head.count("|")
    return ["", f"| {head} |", "|---" + "|--:" * columns + "|", *lines]


if __name__ == "__main__":
    sys.exit(main())
