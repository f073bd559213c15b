"""Questions to the published copy. duckdb is the only library on this path; every value is a parameter.

`open_market(home)` gives the connection. Names of ours (columns, fragments of conditions) are part of the
SQL text; names of others (providers, regions, GPU names, whatever was scraped or typed) never are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from warehouse.database import fetch, fetch_dicts, open_market, sql
from warehouse.errors import UsageError, WarehouseError
from warehouse.offer_filter import Names, OfferFilter, checked_names, conditions, one_of
from warehouse.offer_rows import COLUMNS, COMPUTED, FAST_LIMITS, LIST_LIMITS, age_hours, finished_row

if TYPE_CHECKING:
    import duckdb

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SORTS = {
    "price": "is_floor, price_usd_per_gpu_hour, provider, offer_id",
    "provider": "provider, instance_type NULLS LAST, price_usd_per_gpu_hour, offer_id",
    "age": "observed_at DESC, price_usd_per_gpu_hour, offer_id",
    "memory": "gpu_memory_gb DESC NULLS LAST, price_usd_per_gpu_hour, offer_id",
}
_STORED = tuple(column for column in COLUMNS if column not in COMPUTED)
_PICKED = ", ".join(
    f"make_timestamp(epoch_us({column}))" if column in ("observed_at", "price_since") else column
    for column in _STORED
)
_EXPIRED = "observed_at < CASE WHEN fast THEN $fast_expired ELSE $list_expired END"
_STALE = "observed_at < CASE WHEN fast THEN $fast_stale ELSE $list_stale END"
_HIDDEN = (
    f"(outdated OR {_EXPIRED} AND (coalesce(newest_list_at >= $list_expired, false) "
    "OR coalesce(newest_fast_at >= $fast_expired, false)))"
)


@dataclass(frozen=True, slots=True)
class OfferAnswer:
    """Offers as contract rows (`warehouse.offer_rows.COLUMNS`).

    Attributes:
        rows: at most `limit` rows, each with `state` and `age_hours`.
        total: how many there are without the limit.
        warnings: one line each.
        stale: True where every offer found is stale or expired (exit code 4).
    """

    rows: list[dict[str, Any]]
    total: int
    warnings: tuple[str, ...]
    stale: bool


def offers(connection: duckdb.DuckDBPyConnection, asked: OfferFilter, *, now: datetime) -> OfferAnswer:
    """The offers that match, sorted, with their age and state.

    Args:
        connection: of `open_market`.
        asked: what to look for.
        now: the moment ages are counted to; `asked.as_of` takes its place where given.

    Raises:
        UnknownNameError: a provider, GPU, country, continent, region or price kind that is not known.
        UsageError: an unknown sort key, or a limit below 1.
    """
    moment = (asked.as_of or now).astimezone(UTC)
    where, parameters = conditions(connection, asked, moment)
    source = "offers"
    if asked.as_of:
        from warehouse.as_of import as_of_offers

        source, parameters["as_of"] = as_of_offers(connection), moment
    shown = where if asked.include_stale else f"{where} AND NOT ({_HIDDEN})"
    parameters |= _limits(moment)
    total, hidden, old, newest = _totals(connection, source, where, shown, parameters)
    order, limit = _order(asked)
    query = f"SELECT {_PICKED} FROM {source} WHERE {shown} ORDER BY {order}{limit}"  # noqa: S608
    used = {name: value for name, value in parameters.items() if f"${name}" in query}
    found = connection.execute(query, used).fetchall() if total else []
    rows = [finished_row(dict(zip(_STORED, row, strict=True)), moment) for row in found]
    warnings = _warnings(rows, total, hidden, old, newest, moment) + _placeless(connection, asked, moment)
    return OfferAnswer(rows, total, warnings, bool(total) and old == total)


def history(
    connection: duckdb.DuckDBPyConnection,
    *,
    gpu: str,
    provider: Names = None,
    kind: Names = None,
    since: date | None = None,
    until: date | None = None,
) -> list[dict[str, Any]]:
    """One row a day, oldest first: day, providers, offers, min_usd_per_gpu_hour (the cheapest offer),
    median_usd_per_gpu_hour (over the providers' medians), origins.

    A price whose part is not settled counts where all that it may be is asked for ("h100", not
    "h100-sxm5-80gb"). The bundled history is weekly, own crawls are daily. Provider counts change from day
    to day, so this is a picture of levels, not an index.

    Raises:
        UnknownNameError: a GPU, provider or price kind that is not known.
    """
    from warehouse.identify import match_gpu_filter

    parameters: dict[str, Any] = {"since": since, "until": until, "parts": list(match_gpu_filter(gpu))}
    clauses = [
        "list_has_all($parts::VARCHAR[], candidates)",
        "($since::DATE IS NULL OR day >= $since::DATE)",
        "($until::DATE IS NULL OR day <= $until::DATE)",
    ]
    for column, names in checked_names(connection, OfferFilter(provider=provider, kinds=kind)).items():
        clauses.append(one_of(column, names, parameters))
    query = (
        "SELECT day, count(*)::INTEGER AS providers, sum(offers)::INTEGER AS offers, "  # noqa: S608
        "min(low) AS min_usd_per_gpu_hour, median(middle) AS median_usd_per_gpu_hour, "
        "list_sort(list_distinct(flatten(list(origins)))) AS origins FROM ("
        "SELECT day, provider, sum(offers) AS offers, min(min_usd_per_gpu_hour) AS low, "
        "median(median_usd_per_gpu_hour) AS middle, list(DISTINCT origin) AS origins "
        f"FROM price_days WHERE {' AND '.join(clauses)} GROUP BY day, provider) GROUP BY day ORDER BY day"
    )
    return fetch_dicts(connection, query, parameters)


def changes(
    connection: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """What changed, newest first: repriced, new, missing, withdrawn, restocked, sold_out."""
    parameters = {"since": _utc(since), "until": _utc(until), "limit": limit or 1 << 40}
    return fetch_dicts(connection, sql("queries/changes"), parameters)


def providers(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> list[dict[str, Any]]:
    """Each provider with its last run, its last good one, the age of that in hours, offers and held rows.

    `state` is that of the last run (good, partial, held, failed), or `bundled` where only the snapshot of
    the package speaks of it, `compiled` where only other catalogues do; `origin` tells these apart too.
    `aging`, `stale` and `expired` count the offers that are past each limit of R11.
    """
    counted = f"SELECT provider, evidence, count(*) FROM ({sql('checks/r11')}) GROUP BY ALL"  # noqa: S608
    late = {(name, step): offers for name, step, offers in fetch(connection, counted, {"now": _utc(now)})[1]}
    rows = fetch_dicts(connection, sql("queries/providers"))
    for row in rows:
        row["age_hours"] = age_hours(row["last_good_at"], now) if row["last_good_at"] else None
        row["state"] = row["origin"] if row["origin"] in ("bundled", "compiled") else row["last_run_state"]
        row["reason"] = row["last_run_reason"]
        row |= {step: late.get((row["provider"], step), 0) for step in ("aging", "stale", "expired")}
    return rows


def gpus(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> list[dict[str, Any]]:
    """Accelerators with specification and source, and the range of today's on-demand prices.

    Adds offers, providers, min/median/max_usd_per_gpu_hour (None where nothing is on offer); floors, slices
    and stale rows are left out of the prices.
    """
    query = sql("queries/gpus").replace("{hidden}", _HIDDEN)
    limits = _limits(now.astimezone(UTC))
    limits = {name: value for name, value in limits.items() if name.endswith("expired")}
    return fetch_dicts(connection, query, {"today": now.astimezone(UTC).date(), **limits})


def quarantine(
    connection: duckdb.DuckDBPyConnection, *, status: str | None = "held", provider: Names = None
) -> list[dict[str, Any]]:
    """Held (or refused, released, superseded) rows and runs, newest first; `status` None for all."""
    names = checked_names(connection, OfferFilter(provider=provider)).get("provider")
    return fetch_dicts(connection, sql("queries/quarantine"), {"status": status, "provider": names})


def meta(connection: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    """What the published copy says of itself: schema_version, published_at, market_date, bundled_date."""
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def run_sql(
    connection: duckdb.DuckDBPyConnection, text: str, *, limit: int | None = None
) -> tuple[list[str], list[dict[str, Any]]]:
    """One reading statement on the published copy, which is opened locked down.

    Returns column names and rows (at most `limit`); a name that comes twice gets a number.

    Raises:
        UsageError: several statements, one that writes or sets, a file, or plain bad SQL: one line.
    """
    import duckdb

    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise UsageError(f"the query cannot be read: {_one_line(error)}") from None
    if len(statements) != 1:
        raise UsageError(f"expected one statement, found {len(statements)}; give one SELECT")
    if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise UsageError(
            f"{statements[0].type.name} is refused: the published copy is read-only; give one SELECT, "
            "or open your own copy of market.duckdb"
        )
    try:
        names, rows = fetch(connection, text)
    except duckdb.PermissionException as error:
        raise UsageError(f"the query may read the published tables only: {_one_line(error)}") from None
    except duckdb.Error as error:
        raise UsageError(f"the query failed: {_one_line(error)}") from None
    names = _distinct(names)
    return names, [dict(zip(names, row, strict=True)) for row in rows[:limit]]


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    counts = dict.fromkeys(seen, 0)
    finished = []
    for name in names:
        counts[name] += 1
        finished.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return finished


def _limits(moment: datetime) -> dict[str, datetime]:
    """The moments before which an offer is stale or expired (R11), as parameters."""
    return {
        f"{name}_{step}": moment - timedelta(hours=getattr(limits, step))
        for name, limits in (("list", LIST_LIMITS), ("fast", FAST_LIMITS))
        for step in ("stale", "expired")
    }


def _order(asked: OfferFilter) -> tuple[str, str]:
    if asked.sort not in SORTS:
        raise UsageError(f"cannot sort by {asked.sort!r}; sort by one of {', '.join(SORTS)}")
    if asked.limit is not None and asked.limit < 1:
        raise UsageError(f"limit {asked.limit} is below 1")
    return SORTS[asked.sort], "" if asked.limit is None else f" LIMIT {int(asked.limit)}"


def _totals(
    connection: duckdb.DuckDBPyConnection, source: str, where: str, shown: str, parameters: dict[str, Any]
) -> tuple[int, int, int, datetime | None]:
    """Offers shown, offers hidden as expired, shown ones that are stale, newest observation shown."""
    hidden = "false" if shown == where else _HIDDEN
    query = (
        f"SELECT count(*), count(*) FILTER (hidden), count(*) FILTER (stale AND NOT hidden), "  # noqa: S608
        "epoch_us(max(observed_at) FILTER (NOT hidden)) FROM "
        f"(SELECT observed_at, {_STALE} AS stale, {hidden} AS hidden FROM {source} WHERE {where})"
    )
    needed = {name: value for name, value in parameters.items() if f"${name}" in query}
    count, hides, stale, newest = connection.execute(query, needed).fetchall()[0]
    return count - hides, hides, stale, None if newest is None else _EPOCH + timedelta(microseconds=newest)


def _warnings(
    rows: list[dict[str, Any]], total: int, hidden: int, old: int, newest: datetime | None, now: datetime
) -> tuple[str, ...]:
    lines = []
    if total and old == total and newest is not None:
        lines.append(
            f"every price here is stale: the newest is {age_hours(newest, now) / 24:.1f} days old; "
            "run: gpufare crawl"
        )
    elif old:
        lines.append(f"{old:,} of {total:,} offers are stale; they are shown with their age")
    if hidden:
        lines.append(
            f"{hidden:,} expired offer{'s are' if hidden > 1 else ' is'} hidden where fresher ones answer; "
            "--stale shows them"
        )
    if any(row["accelerator_id"] is None for row in rows):
        lines.append("some sources do not state the form factor; such offers list their candidates")
    return tuple(lines)


def _placeless(
    connection: duckdb.DuckDBPyConnection, asked: OfferFilter, moment: datetime
) -> tuple[str, ...]:
    """A place was asked for: how many offers could not answer because their source states none."""
    if asked.as_of or not (asked.region or asked.country or asked.continent):
        return ()
    anywhere = replace(asked, region=None, country=None, continent=None)
    where, parameters = conditions(connection, anywhere, moment)
    column = "continent" if asked.continent else "country" if asked.country else "region"
    query = f"SELECT count(*) FROM offers WHERE {where} AND NOT outdated AND {column} IS NULL"  # noqa: S608
    used = {name: value for name, value in parameters.items() if f"${name}" in query}
    row = connection.execute(query, used).fetchone()
    count = int(row[0]) if row else 0
    if not count:
        return ()
    return (f"{count:,} offers do not state where they are and are left out by the place asked for",)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _one_line(error: Exception) -> str:
    text = str(error).split("\n\n")[0].replace("\n", " ").strip()
    return text if len(text) <= 200 else text[:197] + "..."


__all__ = [
    "OfferAnswer",
    "OfferFilter",
    "WarehouseError",
    "changes",
    "gpus",
    "history",
    "meta",
    "offers",
    "open_market",
    "providers",
    "quarantine",
    "run_sql",
]
