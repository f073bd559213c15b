"""How often a machine could be had: shares of polls, days, streaks, the last time it was free.

Only what says availability counts: a listing that states it, or a whole answer of a source that leaves out a
shape it listed before. Unknown stays unknown: a shape whose source never states availability has no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from warehouse.database import fetch_dicts, sql
from warehouse.errors import UsageError
from warehouse.offer_filter import Names, OfferFilter, checked_names, one_of

if TYPE_CHECKING:
    import duckdb

WINDOWS = (1, 7, 30)
"""Days of the windows."""

_POLLS = """SELECT {poll} AS poll, provider AS crawler, observed_at, state = 'good' AND NOT partial AS whole
    FROM runs WHERE state IN ('good', 'partial') AND origin <> 'bundled'"""
_FROM_WAREHOUSE = {
    "polls": _POLLS.format(poll="run_no"),
    "keyed": """SELECT o.offer_id, o.source, o.provider, o.instance_type, c.accelerator_id, c.candidates,
        c.family, c.gpu_count, c.partition, o.region, c.country, o.price_kind,
        coalesce(o.kind, 'list') AS kind
        FROM raw_offers AS o JOIN core_offers AS c USING (offer_id) WHERE len(c.candidates) > 0""",
    "said": """SELECT g.run_no AS poll, s.offer_id, s.available
        FROM raw_sightings AS g JOIN raw_states AS s USING (state_no)
        WHERE g.run_no IN (SELECT poll FROM polls)
            AND s.offer_id IN (SELECT offer_id FROM raw_states WHERE available IS NOT NULL)""",
    "answered": "SELECT run_no AS poll, source FROM run_sources WHERE state = 'good'",
}
_FROM_COPY = {
    "polls": _POLLS.format(poll="provider || ' ' || run_id"),
    "keyed": """SELECT offer_id, source, provider, instance_type, accelerator_id, candidates, family,
        gpu_count, partition, region, country, price_kind, kind, crawler
        FROM offer_keys WHERE len(candidates) > 0""",
    "said": """SELECT p.poll, s.offer_id, s.available FROM spans AS s JOIN keyed AS k USING (offer_id)
        JOIN polls AS p
            ON p.crawler = k.crawler AND p.observed_at >= s.valid_from AND p.observed_at <= s.last_seen
        WHERE s.offer_id IN (SELECT offer_id FROM spans WHERE available IS NOT NULL)""",
    "answered": """SELECT p.poll, k.source
        FROM polls AS p JOIN (SELECT DISTINCT crawler, source FROM keyed) AS k USING (crawler)""",
}


@dataclass(frozen=True, slots=True)
class Availability:
    """How often one shape could be had in one window. Times are UTC.

    Attributes:
        provider, instance_type, accelerator_id, candidates, family, gpu_count, partition, region, country,
            price_kind: the shape; on a marketplace without instance_type.
        crawler, source: whose runs say it.
        window_days: 1, 7 or 30 days back.
        polls, polls_available: answers that say whether it could be had, and those that say yes.
        share: polls_available / polls.
        days, days_available: days with a poll, and days with at least one that says yes.
        last_poll_at: newest answer.
        last_available_at: when it could last be had within the window; None: not in the window.
        current_state: available, unavailable, or not_listed (a whole answer leaves it out), at last_poll_at.
        offers_available: offers of the shape free at last_poll_at.
        streak_polls, streak_since, streak_hours: for how long the current answer has been the same.
        longest_available_hours, longest_unavailable_hours: longest unbroken stretch between two polls that
            agree; 0 for a single poll, None where there was none.
    """

    provider: str
    instance_type: str | None
    accelerator_id: str | None
    candidates: list[str]
    family: str | None
    gpu_count: float
    partition: str | None
    region: str | None
    country: str | None
    price_kind: str
    crawler: str
    source: str
    window_days: int
    polls: int
    polls_available: int
    share: float
    days: int
    days_available: int
    last_poll_at: datetime
    last_available_at: datetime | None
    current_state: str
    offers_available: int
    streak_polls: int
    streak_since: datetime
    streak_hours: float
    longest_available_hours: float | None
    longest_unavailable_hours: float | None

    def row(self) -> dict[str, Any]:
        """As one record."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def sentence(self) -> str:
        """For people: "could be had on 9 of 10 days; free now for 7 h"."""
        now = {"available": "free", "unavailable": "sold out", "not_listed": "not listed"}[self.current_state]
        return (
            f"could be had on {self.days_available} of {self.days} days; {now} for {self.streak_hours:.0f} h"
        )


def publish_availability(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> int:
    """Write ``market.availability`` from the sightings of the last 30 days. Returns the number of rows."""
    query = _filled(_FROM_WAREHOUSE)
    connection.execute(f"CREATE TABLE market.availability AS {query}", {"now": now.astimezone(UTC)})
    found = connection.execute("SELECT count(*) FROM market.availability").fetchone()
    return int(found[0]) if found else 0


def availability(
    connection: duckdb.DuckDBPyConnection,
    *,
    gpu: str | None = None,
    gpus: float | None = None,
    provider: Names = None,
    region: Names = None,
    kind: Names = None,
    window_days: int | None = None,
    as_of: datetime | None = None,
) -> list[Availability]:
    """Shapes whose availability is known, the most often available first.

    Args:
        connection: of `open_market`.
        gpu: accelerator id, family or a name that means several.
        gpus: exactly this many GPUs in the machine.
        provider, region, kind: one name or several; kind is the price kind.
        window_days: 1, 7 or 30; None for all three.
        as_of: as of this moment instead of the time of publishing. Read from the validity spans then, which
            bridge one or two answers that left an offer out.

    Raises:
        UnknownNameError: a GPU, provider, region or price kind that is not known.
        UsageError: another window.
    """
    if window_days is not None and window_days not in WINDOWS:
        raise UsageError(f"window {window_days} is not kept; use one of {', '.join(map(str, WINDOWS))} days")
    parameters: dict[str, Any] = {}
    source = "availability"
    if as_of is not None:
        source, parameters["now"] = f"({_filled(_FROM_COPY)})", as_of.astimezone(UTC)
    clauses = ["true"]
    if gpu is not None:
        from warehouse.identify import match_gpu_filter

        clauses.append("list_has_any(candidates, $parts::VARCHAR[])")
        parameters["parts"] = list(match_gpu_filter(gpu))
    if gpus is not None:
        clauses.append("gpu_count = $gpus")
        parameters["gpus"] = gpus
    if window_days is not None:
        clauses.append("window_days = $window_days")
        parameters["window_days"] = window_days
    asked = OfferFilter(provider=provider, region=region, kinds=kind)
    for column, names in checked_names(connection, asked).items():
        clauses.append(one_of(column, names, parameters))
    query = (
        f"SELECT * FROM {source} WHERE {' AND '.join(clauses)} "  # noqa: S608
        "ORDER BY window_days, share DESC, polls DESC, provider, instance_type, region"
    )
    return [Availability(**row) for row in fetch_dicts(connection, query, parameters)]


def _filled(parts: dict[str, str]) -> str:
    query = sql("index/availability")
    for name, text in parts.items():
        query = query.replace("{" + name + "}", text)
    return query
