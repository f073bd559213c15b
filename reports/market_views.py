"""What the site reads from the published copy (`market.duckdb`), as SQL with parameters.

One temporary table, ``site_offers``, adds to every offer its age at `now`, its tier, whether it is shown and
the group it is compared in; everything else reads from it. Rows come back as plain dicts; times as aware UTC.

*Tier* is the age step of rule R11: 0 within the first limit, 1 past it ("aging"), 2 past the second ("stale",
out of best buys), 3 past the third ("expired"). An expired offer is *shown* only where no offer of its group
and price kind is younger. *Group* is the accelerator, or the candidates where the source does not settle it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from reports.levels import WeekLevel, chain
from warehouse.offer_rows import COLUMNS, COMPUTED, FAST_LIMITS, LIST_LIMITS
from warehouse.units import SECONDS_PER_HOUR

Row = dict[str, Any]

_SQL_FOLDER = Path(__file__).parent / "sql"
LIST_LIMITS_HOURS = (LIST_LIMITS.aging, LIST_LIMITS.stale, LIST_LIMITS.expired)
FAST_LIMITS_HOURS = (FAST_LIMITS.aging, FAST_LIMITS.stale, FAST_LIMITS.expired)
RECENT_DAYS = 45
SHOWN_OFFERS = 150
HISTORY_WINDOW_DAYS = 28
HISTORY_WEEKS = 53
MONEY_DAYS = 35

_TIMES = ("observed_at", "price_since")
_STORED = ", ".join(
    f"make_timestamp(epoch_us({name})) AS {name}" if name in _TIMES else name
    for name in COLUMNS
    if name not in COMPUTED
)
_ORDER = "price_usd_per_gpu_hour NULLS LAST, provider, instance_type NULLS LAST, region NULLS LAST, offer_id"


@dataclass(frozen=True)
class Market:
    """The published copy as the site sees it at `now`. `con` is an open DuckDB connection."""

    con: Any = field(repr=False)
    now: datetime

    def __post_init__(self) -> None:
        limits = [*FAST_LIMITS_HOURS, *LIST_LIMITS_HOURS]
        self.con.execute(
            read_sql("site_offers", columns=_STORED),
            [self.now.timestamp(), float(SECONDS_PER_HOUR), self.now.date(), *limits],
        )

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[Row]:
        """The answer of one query as dicts; naive timestamps are UTC and come back aware."""
        result = self.con.execute(sql, parameters or [])
        names = [column[0] for column in result.description]
        return [
            {name: _aware(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()
        ]

    @cached_property
    def tables(self) -> frozenset[str]:
        """Names of the copy's tables: one of an older gpufare does not have them all."""
        return frozenset(row["table_name"] for row in self.rows("SELECT table_name FROM duckdb_tables()"))

    @cached_property
    def meta(self) -> dict[str, str]:
        """Key and value of the copy's own facts."""
        return {
            row["key"]: str(row["value"]) for row in self.rows("SELECT key, value FROM meta ORDER BY key")
        }

    @cached_property
    def accelerators(self) -> dict[str, Row]:
        """The reference table by id."""
        found = self.rows("SELECT * FROM accelerators ORDER BY accelerator_id")
        return {row["accelerator_id"]: row for row in found}

    @cached_property
    def totals(self) -> Row:
        """Offers, providers, their newest and oldest observation, and how many come from where."""
        return self.rows(read_sql("totals"))[0]

    @cached_property
    def providers(self) -> list[Row]:
        """Every provider that any table of the copy names, by id."""
        return self.rows(read_sql("providers"))

    @cached_property
    def accelerator_ids(self) -> list[str]:
        """Every accelerator that the reference table, an offer or a change names."""
        found = self.rows(read_sql("accelerator_ids"))
        return [row["id"] for row in found if row["id"]]

    @cached_property
    def groups(self) -> list[Row]:
        """Every group that is compared, those with most providers first."""
        return self.rows(read_sql("groups"))

    @cached_property
    def best(self) -> list[Row]:
        """The cheapest offer that can be had, per group and price kind.

        Fresh offers go before stale ones, and among stale ones those that were seen within 45 days of the
        newest go before the rest, so that a half-forgotten price does not win by its age.
        """
        return self.rows(read_sql("best", order=_ORDER, recent_days=RECENT_DAYS))

    @cached_property
    def provider_medians(self) -> list[Row]:
        """Per group, price kind and provider: cheapest, median and number of comparable shown offers."""
        return self.rows(read_sql("provider_medians"))

    @cached_property
    def family_medians(self) -> list[Row]:
        """Per family and provider, on demand, every form of the part together."""
        return self.rows(read_sql("family_medians"))

    def offers_of_accelerator(self, accelerator_id: str) -> tuple[list[Row], int]:
        """Shown offers that are, or may be, this part (at most `SHOWN_OFFERS`), and how many there are."""
        return _with_total(self._offers_by_part.get(accelerator_id, []))

    def offers_of_provider(self, provider: str) -> tuple[list[Row], int]:
        """Offers of one provider, expired ones too: its page is where its last good data stays."""
        return _with_total(self._offers_by_provider.get(provider, []))

    @cached_property
    def _offers_by_part(self) -> dict[str, list[Row]]:
        return self._capped("capped_by_part")

    @cached_property
    def _offers_by_provider(self) -> dict[str, list[Row]]:
        return self._capped("capped_by_provider")

    def _capped(self, name: str) -> dict[str, list[Row]]:
        """The cheapest offers of each owner; every price kind takes its turn until the limit is reached."""
        tail = read_sql("capped_tail", order=_ORDER, limit=SHOWN_OFFERS)
        found: dict[str, list[Row]] = {}
        for row in self.rows(read_sql(name, tail=tail)):
            found.setdefault(row["owner"], []).append(row)
        return found

    def download_table(self) -> Any:
        """Every offer with its age and state as an Arrow table, in the order of the published copy."""
        import duckdb  # noqa: F401 - its Python part gives the compiled module's connections `sql`

        columns = ", ".join(name for name in COLUMNS if name not in COMPUTED)
        return self.con.sql(read_sql("downloads", columns=columns)).to_arrow_table()

    def history(self, column: str) -> dict[tuple[str, str], list[WeekLevel]]:
        """Weekly price levels by `column` (``family`` or ``accelerator_id``) and price kind.

        In each week a provider's part counts with its last median of the 28 days before. A step from week to
        week is matched where the part was there in both and its number of offers is within a factor of 1.5
        (else the mix moved, not the price); a provider's step is the mean over its parts.
        """
        if column not in ("family", "accelerator_id"):
            raise ValueError(f"history is by family or accelerator_id, not {column!r}")
        rows = self.rows(
            read_sql("history", column=column, weeks=HISTORY_WEEKS, window_days=HISTORY_WINDOW_DAYS)
        )
        series: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            series.setdefault((row["name"], row["price_kind"]), []).append(row)
        return {key: chain(found) for key, found in series.items()}

    @cached_property
    def family_history(self) -> dict[tuple[str, str], list[WeekLevel]]:
        """`history` by family."""
        return self.history("family")

    @cached_property
    def accelerator_history(self) -> dict[tuple[str, str], list[WeekLevel]]:
        """`history` by accelerator."""
        return self.history("accelerator_id")

    @cached_property
    def fair_prices(self) -> dict[int, Row]:
        """Fair price with its band, verdict and peers by offer; empty where the copy has none."""
        if "fair_prices" not in self.tables:
            return {}
        return {row["offer_id"]: row for row in self.rows(read_sql("fair_prices"))}

    @cached_property
    def changes(self) -> list[Row]:
        """Changes, newest first, each with the source of the offer where it is still listed.

        Those of the last weeks come with what they mean in money (`usd_per_month`, one machine), and an offer
        that only got another key is none of them.
        """
        rows = self.rows(read_sql("changes"))
        if not {"offer_keys", "spans"} <= self.tables:
            return rows
        since = self.now - timedelta(days=MONEY_DAYS)
        return self._in_money(rows, since) + [row for row in rows if row["at"] < since]

    def _in_money(self, rows: list[Row], since: datetime) -> list[Row]:
        from warehouse.changes import changes_by_money

        sources = {str(row["offer_id"]): row for row in rows}
        found = []
        for change in changes_by_money(self.con, since=since).changes:
            row = sources.get(change.offer_id, {})
            kept = {name: row.get(name) for name in ("source_url", "gpu_name_raw")}
            found.append({**change.row(), **kept})
        found.sort(key=lambda row: (row["provider"], row["offer_id"], row["change"]))
        return sorted(found, key=lambda row: row["at"], reverse=True)

    @cached_property
    def runs(self) -> list[Row]:
        """Runs, newest first."""
        return self.rows(read_sql("runs"))

    @cached_property
    def quarantine_counts(self) -> list[Row]:
        """Held rows by rule and status."""
        return self.rows(read_sql("quarantine_counts"))

    def quarantined(self, limit: int, provider: str | None = None) -> list[Row]:
        """The newest rows that are still held."""
        return self.rows(
            read_sql("quarantined"),
            [provider, provider, limit],
        )

    @property
    def held(self) -> int:
        """Number of rows still held."""
        return sum(row["rows"] for row in self.quarantine_counts if row["status"] == "held")


def _with_total(rows: list[Row]) -> tuple[list[Row], int]:
    return rows, rows[0]["total"] if rows else 0


def read_sql(name: str, **parts: str | int) -> str:
    """A query of ``reports/sql``; `parts` are names of our own columns and numbers, never scraped text."""
    text = _read_sql(name)
    for key, value in parts.items():
        text = text.replace("{" + key + "}", str(value))
    return text


@lru_cache(maxsize=32)
def _read_sql(name: str) -> str:
    return (_SQL_FOLDER / f"{name}.sql").read_text("utf-8")


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
