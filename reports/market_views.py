"""What the site reads from the published copy (`market.duckdb`), as SQL with parameters.

One temporary table, ``site_offers``, adds to every offer its age at `now`, its tier, whether it is shown and
the group it is compared in; everything else reads from it. Rows come back as plain dicts; times as aware UTC.

*Tier* is the age step of rule R11: 0 within the first limit, 1 past it ("aging"), 2 past the second ("stale",
out of best buys), 3 past the third ("expired"). An expired offer is *shown* only where no offer of its group
and price kind is younger. *Group* is the accelerator, or the candidates where the source does not settle it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from warehouse.offer_rows import COLUMNS, COMPUTED, FAST_LIMITS, LIST_LIMITS
from warehouse.units import SECONDS_PER_HOUR

Row = dict[str, Any]

LIST_LIMITS_HOURS = (LIST_LIMITS.aging, LIST_LIMITS.stale, LIST_LIMITS.expired)
FAST_LIMITS_HOURS = (FAST_LIMITS.aging, FAST_LIMITS.stale, FAST_LIMITS.expired)
HISTORY_WINDOW_DAYS = 28
HISTORY_WEEKS = 53

_TIMES = ("observed_at", "price_since")
_STORED = ", ".join(
    f"make_timestamp(epoch_us({name})) AS {name}" if name in _TIMES else name
    for name in COLUMNS
    if name not in COMPUTED
)
_SITE_OFFERS = f"""
CREATE OR REPLACE TEMP TABLE site_offers AS
WITH aged AS (
    SELECT {_STORED},
           greatest(0, ? - epoch(offers.observed_at)) / ? AS age_hours,
           (price_kind = 'spot' OR coalesce(kind, 'list') = 'marketplace') AS is_fast,
           coalesce(accelerator_id, array_to_string(list_sort(candidates), '|'), family, '') AS group_id,
           (NOT coalesce(is_floor, false) AND partition IS NULL AND price_usd_per_gpu_hour > 0
            AND (effective_from IS NULL OR effective_from <= ?)) AS comparable
    FROM offers),
tiered AS (
    SELECT *, CASE WHEN is_fast THEN (age_hours > ?)::INT + (age_hours > ?)::INT + (age_hours > ?)::INT
                   ELSE (age_hours > ?)::INT + (age_hours > ?)::INT + (age_hours > ?)::INT END AS tier
    FROM aged)
SELECT *, tier < 3 OR min(tier) OVER (PARTITION BY group_id, price_kind) = 3 AS shown
FROM tiered
"""  # noqa: S608 - names of our own columns
_ORDER = "price_usd_per_gpu_hour NULLS LAST, provider, instance_type NULLS LAST, region NULLS LAST, offer_id"


@dataclass(frozen=True)
class Market:
    """The published copy as the site sees it at `now`. `con` is an open DuckDB connection."""

    con: Any = field(repr=False)
    now: datetime

    def __post_init__(self) -> None:
        limits = [*FAST_LIMITS_HOURS, *LIST_LIMITS_HOURS]
        self.con.execute(_SITE_OFFERS, [self.now.timestamp(), float(SECONDS_PER_HOUR), self.now.date(), *limits])

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[Row]:
        """The answer of one query as dicts; naive timestamps are UTC and come back aware."""
        result = self.con.execute(sql, parameters or [])
        names = [column[0] for column in result.description]
        return [{name: _aware(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()]

    @cached_property
    def meta(self) -> dict[str, str]:
        """Key and value of the copy's own facts."""
        return {row["key"]: str(row["value"]) for row in self.rows("SELECT key, value FROM meta ORDER BY key")}

    @cached_property
    def accelerators(self) -> dict[str, Row]:
        """The reference table by id."""
        found = self.rows("SELECT * FROM accelerators ORDER BY accelerator_id")
        return {row["accelerator_id"]: row for row in found}

    @cached_property
    def totals(self) -> Row:
        """Offers, providers, their newest and oldest observation, and how many come from where."""
        return self.rows(
            """SELECT count(*) AS offers, count(DISTINCT provider) AS providers, max(observed_at) AS newest,
                      min(observed_at) AS oldest, count(*) FILTER (origin = 'bundled') AS bundled,
                      max(observed_at) FILTER (origin = 'bundled') AS bundled_newest,
                      count(*) FILTER (origin = 'replay') AS replayed, count(*) FILTER (tier < 2) AS fresh,
                      count(*) FILTER (accelerator_id IS NULL) AS unsettled
               FROM site_offers"""
        )[0]

    @cached_property
    def providers(self) -> list[Row]:
        """Every provider that any table of the copy names, by id."""
        return self.rows(
            """WITH seen AS (SELECT provider, count(*) AS live_offers, max(observed_at) AS newest_offer,
                                    bool_or(first_party) AS any_first_party,
                                    count(DISTINCT coalesce(accelerator_id, family)) AS accelerators,
                                    count(*) FILTER (origin = 'bundled') AS bundled_offers
                             FROM site_offers GROUP BY provider),
                    ids AS (SELECT provider FROM providers UNION SELECT provider FROM site_offers
                            UNION SELECT provider FROM runs UNION SELECT provider FROM quarantine
                            UNION SELECT provider FROM changes)
               SELECT ids.provider, title, homepage, kind, p.first_party,
                      any_first_party, price_kinds, refetch_hours, proof, last_run_state, last_run_reason,
                      make_timestamp(epoch_us(last_run_at)) AS last_run_at,
                      make_timestamp(epoch_us(last_good_at)) AS last_good_at, coalesce(live_offers, 0) AS offers,
                      coalesce(bundled_offers, 0) AS bundled_offers, coalesce(accelerators, 0) AS accelerators,
                      coalesce(held, 0) AS held, billing_increment_seconds, minimum_seconds, newest_offer
               FROM ids LEFT JOIN providers p USING (provider) LEFT JOIN seen s USING (provider)
               WHERE ids.provider IS NOT NULL ORDER BY ids.provider"""
        )

    @cached_property
    def accelerator_ids(self) -> list[str]:
        """Every accelerator that the reference table, an offer or a change names."""
        found = self.rows(
            """SELECT accelerator_id AS id FROM accelerators UNION SELECT accelerator_id FROM site_offers
               UNION SELECT unnest(candidates) FROM site_offers UNION SELECT accelerator_id FROM changes ORDER BY 1"""
        )
        return [row["id"] for row in found if row["id"]]

    @cached_property
    def groups(self) -> list[Row]:
        """Every group that is compared, those with most providers first."""
        return self.rows(
            """SELECT group_id, any_value(accelerator_id) AS accelerator_id, first(candidates) AS candidates,
                      any_value(family) AS family, count(*) AS offers, count(DISTINCT provider) AS providers,
                      max(observed_at) AS newest
               FROM site_offers WHERE shown AND comparable GROUP BY group_id
               ORDER BY providers DESC, offers DESC, group_id"""
        )

    @cached_property
    def best(self) -> list[Row]:
        """The cheapest offer that can be had, per group and price kind; fresh ones go before stale ones."""
        return self.rows(
            f"""SELECT DISTINCT ON (group_id, price_kind) * FROM site_offers
                WHERE shown AND comparable AND coalesce(available, true) AND coalesce(missing_runs, 0) = 0
                ORDER BY group_id, price_kind, tier >= 2, {_ORDER}"""  # noqa: S608 - constant text
        )

    @cached_property
    def provider_medians(self) -> list[Row]:
        """Per group, price kind and provider: cheapest, median and number of comparable shown offers."""
        return self.rows(
            """SELECT group_id, any_value(family) AS family, price_kind, provider,
                      min(price_usd_per_gpu_hour) AS low, median(price_usd_per_gpu_hour) AS median,
                      count(*) AS offers, min(age_hours) AS age_hours
               FROM site_offers WHERE shown AND comparable
               GROUP BY group_id, price_kind, provider ORDER BY group_id, price_kind, median, provider"""
        )

    @cached_property
    def family_medians(self) -> list[Row]:
        """Per family and provider, on demand, every form of the part together: median, and the lowest that can be had."""
        return self.rows(
            """SELECT family, provider, median(price_usd_per_gpu_hour) AS median, count(*) AS offers,
                      min(price_usd_per_gpu_hour) FILTER (coalesce(available, true)) AS low
               FROM site_offers WHERE shown AND comparable AND price_kind = 'on_demand' AND family IS NOT NULL
               GROUP BY family, provider ORDER BY family, median, provider"""
        )

    def offers_of_accelerator(self, accelerator_id: str, limit: int) -> tuple[list[Row], int]:
        """Shown offers that are, or may be, this part: at most `limit`, every price kind with its share."""
        return self._capped("shown AND (accelerator_id = ? OR list_contains(candidates, ?))", [accelerator_id] * 2, limit)

    def offers_of_group(self, group_id: str, limit: int) -> tuple[list[Row], int]:
        """Shown offers of one group."""
        return self._capped("shown AND group_id = ?", [group_id], limit)

    def offers_of_provider(self, provider: str, limit: int) -> tuple[list[Row], int]:
        """All offers of one provider, expired ones too: its page is where its last good data stays."""
        return self._capped("provider = ?", [provider], limit)

    def _capped(self, where: str, parameters: list[Any], limit: int) -> tuple[list[Row], int]:
        rows = self.rows(
            f"""WITH mine AS (SELECT *, row_number() OVER (PARTITION BY price_kind ORDER BY {_ORDER}) AS turn,
                                     count(*) OVER () AS total FROM site_offers WHERE {where}),
                     chosen AS (SELECT * FROM mine ORDER BY turn, {_ORDER} LIMIT {limit:d})
                SELECT * FROM chosen ORDER BY {_ORDER}""",  # noqa: S608 - constant text, values are parameters
            parameters,
        )
        return rows, rows[0]["total"] if rows else 0

    def history(self, column: str) -> dict[tuple[str, str], list[Row]]:
        """Weekly price levels by `column` (``family`` or ``accelerator_id``) and price kind.

        Each provider counts once a week with its last median of the 28 days before; the row holds the
        median over providers, the quartiles, the lowest price and the number of providers.
        """
        if column not in ("family", "accelerator_id"):
            raise ValueError(f"history is by family or accelerator_id, not {column!r}")
        rows = self.rows(
            f"""WITH span AS (SELECT max(day) AS last FROM price_days),
                weeks AS (SELECT last - (7 * unnest(range({HISTORY_WEEKS})))::INT AS week FROM span),
                own AS (SELECT {column} AS name, price_kind, provider, week,
                               arg_max(median_usd_per_gpu_hour, day) AS median, min(min_usd_per_gpu_hour) AS low
                        FROM weeks JOIN price_days ON day > week - {HISTORY_WINDOW_DAYS} AND day <= week
                        WHERE {column} IS NOT NULL AND median_usd_per_gpu_hour > 0
                        GROUP BY ALL)
                SELECT name, price_kind, week, median(median) AS median, quantile_cont(median, 0.25) AS q25,
                       quantile_cont(median, 0.75) AS q75, min(low) AS low, count(*) AS providers
                FROM own GROUP BY ALL ORDER BY name, price_kind, week"""  # noqa: S608 - column is checked above
        )
        series: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            series.setdefault((row["name"], row["price_kind"]), []).append(row)
        return series

    @cached_property
    def family_history(self) -> dict[tuple[str, str], list[Row]]:
        """`history` by family."""
        return self.history("family")

    @cached_property
    def accelerator_history(self) -> dict[tuple[str, str], list[Row]]:
        """`history` by accelerator."""
        return self.history("accelerator_id")

    @cached_property
    def changes(self) -> list[Row]:
        """Changes, newest first, each with the source of the offer where it is still listed."""
        return self.rows(
            """SELECT make_timestamp(epoch_us(c.at)) AS at, c.change, c.offer_id, c.provider, c.instance_type,
                      c.accelerator_id, c.region, c.price_kind, c.old_usd_per_gpu_hour, c.new_usd_per_gpu_hour,
                      o.source_url, o.gpu_name_raw, o.gpu_count, o.family
               FROM changes c LEFT JOIN site_offers o ON o.offer_id = c.offer_id
               ORDER BY c.at DESC, c.provider, c.offer_id, c.change, c.new_usd_per_gpu_hour"""
        )

    @cached_property
    def runs(self) -> list[Row]:
        """Runs, newest first."""
        return self.rows(
            """SELECT run_id, provider, make_timestamp(epoch_us(observed_at)) AS observed_at, state, reason, origin,
                      offers, rejected, held, requests, seconds, parser_version, partial
               FROM runs ORDER BY runs.observed_at DESC, provider, run_id"""
        )

    @cached_property
    def quarantine_counts(self) -> list[Row]:
        """Held rows by rule and status."""
        return self.rows(
            """SELECT rule, level, status, count(*) AS rows, count(DISTINCT provider) AS providers,
                      min(make_timestamp(epoch_us(first_seen))) AS since
               FROM quarantine GROUP BY rule, level, status ORDER BY status, rule, level"""
        )

    def quarantined(self, limit: int, provider: str | None = None) -> list[Row]:
        """The newest rows that are still held."""
        return self.rows(
            """SELECT id, run_id, provider, rule, level, evidence, confirmations, gpu_name_raw, instance_type, region,
                      price_kind, price_usd_per_gpu_hour, source_url,
                      make_timestamp(epoch_us(first_seen)) AS first_seen
               FROM quarantine WHERE status = 'held' AND (?::VARCHAR IS NULL OR provider = ?)
               ORDER BY quarantine.first_seen DESC, provider, rule, id LIMIT ?""",
            [provider, provider, limit],
        )

    @property
    def held(self) -> int:
        """Number of rows still held."""
        return sum(row["rows"] for row in self.quarantine_counts if row["status"] == "held")


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
