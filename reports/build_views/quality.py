"""Data quality: what is held and why, and how the runs went."""

from __future__ import annotations

from reports import charts
from reports import formatting as fmt
from reports.build_views import labels, offers
from reports.market_views import Market, Row
from reports.section_models import FindingRow
from reports.view_models import HeldRow, Link, QualityRow, RunRow, When

HELD_ROWS = 150
FINDING_ROWS = 120
RULES = {
    "R1": "the record cannot be true (price, currency, count or address)",
    "R2": "GPU name or region that cannot be mapped",
    "R3": "far from what others ask for the same part",
    "R4": "looks like a mixed-up unit",
    "R5": "moved too far since the last run",
    "R6": "a whole range moved by one factor",
    "R7": "far fewer or far more offers than usual",
    "R8": "too many offers changed their key",
    "R9": "the source's layout changed",
    "R10": "a field is filled less often than usual",
    "R11": "too old",
    "R12": "the page has not changed for too long",
    "R13": "two sources disagree",
    "R14": "prices out of order (spot above on demand)",
    "R15": "one offer twice in a run with different prices",
    "R16": "too few offers for an index value",
    "R17": "disappeared",
    "R18": "a challenge page instead of data",
}
STATUS = {"held": "held", "released": "released", "rejected": "rejected"}


def rule_rows(market: Market) -> tuple[QualityRow, ...]:
    """Rows by rule and status, held ones first."""
    counts = sorted(
        market.quarantine_counts, key=lambda row: (row["status"] != "held", -row["rows"], row["rule"])
    )
    most = max((row["rows"] for row in counts), default=0)
    return tuple(_rule_row(row, most) for row in counts)


def held_rows(
    market: Market, titles: dict[str, str], *, limit: int, provider: str | None = None
) -> tuple[HeldRow, ...]:
    """The newest held rows with their evidence."""
    return tuple(_held_row(titles, row) for row in market.quarantined(limit, provider))


def finding_rows(market: Market, titles: dict[str, str]) -> tuple[FindingRow, ...]:
    """What each rule found at each provider in 30 days; nothing where the copy does not keep it."""
    if "findings" not in market.tables:
        return ()
    from warehouse.quality import quality

    return tuple(_finding(titles, row) for row in quality(market.con)[:FINDING_ROWS])


def _finding(titles: dict[str, str], row: Row) -> FindingRow:
    decided = [f"{row[name]:,} {name}" for name in ("released", "rejected", "superseded") if row[name]]
    return FindingRow(
        provider=labels.provider_link(titles, row["provider"]),
        rule=fmt.clip(row["rule"], 24),
        meaning=RULES.get(row["rule"], ""),
        last=fmt.count(row["last_rows"]),
        found=fmt.count(row["rows"]),
        found_key=row["rows"],
        runs=fmt.count(row["runs"]),
        held=fmt.count(row["held"]),
        decided=", ".join(decided),
        example=fmt.clip(row["example"] or "", 160),
    )


def run_row(titles: dict[str, str], row: Row) -> RunRow:
    """One run."""
    at = labels.when(row["observed_at"]) or When(fmt.UNKNOWN, "")
    return RunRow(
        provider=labels.provider_link(titles, row["provider"]),
        at=at,
        state=fmt.clip(row["state"]),
        reason=fmt.clip(row["reason"], 160) if row["reason"] else "",
        origin=labels.ORIGIN_WORDS.get(row["origin"] or "", fmt.clip(row["origin"])),
        offers=fmt.count(row["offers"]),
        rejected=fmt.count(row["rejected"]),
        held=fmt.count(row["held"]),
        requests=fmt.count(row["requests"]),
        seconds=fmt.number(row["seconds"]),
        run_id=fmt.clip(row["run_id"], 40),
    )


def latest_runs(market: Market, titles: dict[str, str]) -> tuple[RunRow, ...]:
    """The newest run of each provider, those that failed first."""
    newest: dict[str, Row] = {}
    for row in market.runs:
        newest.setdefault(row["provider"], row)
    order = {"failed": 0, "held": 1, "partial": 2}
    rows = sorted(newest.values(), key=lambda row: (order.get(row["state"], 3), row["provider"]))
    return tuple(run_row(titles, row) for row in rows)


def sentence(market: Market) -> str:
    """The state of the data in one sentence."""
    held = market.held
    if not held:
        return "No row is held back today: every row that was read passed the checks."
    rules = {row["rule"] for row in market.quarantine_counts if row["status"] == "held"}
    verb = "is" if held == 1 else "are"
    return (
        f"{fmt.plural(held, 'row')} {verb} held back under {fmt.plural(len(rules), 'rule')} and left out of"
        " every figure here until a later run or a person confirms them."
    )


def _rule_row(row: Row, most: int) -> QualityRow:
    rule = fmt.clip(row["rule"], 24)
    return QualityRow(
        rule=rule,
        meaning=RULES.get(rule, ""),
        status=STATUS.get(row["status"] or "", fmt.clip(row["status"])),
        rows=row["rows"],
        providers=row["providers"],
        since=fmt.day(row["since"]),
        bar=charts.bar(row["rows"], most, f"{rule}: {fmt.plural(row['rows'], 'row')}"),
    )


def _held_row(titles: dict[str, str], row: Row) -> HeldRow:
    price = row["price_usd_per_gpu_hour"]
    return HeldRow(
        provider=Link(
            titles.get(row["provider"], fmt.clip(row["provider"], 40)), labels.provider_href(row["provider"])
        ),
        rule=fmt.clip(row["rule"], 24),
        name=fmt.clip(row["gpu_name_raw"] or row["instance_type"], 48),
        region=fmt.clip(row["region"], 32),
        kind=fmt.kind(row["price_kind"]),
        price=fmt.unit_price(price),
        price_key=offers.LAST if price is None else round(price, 6),
        evidence=fmt.clip(row["evidence"], 220),
        since=fmt.day(row["first_seen"]),
        confirmations=fmt.count(row["confirmations"]),
        source_url=labels.source(row),
        run_id=fmt.clip(row["run_id"], 40),
    )
