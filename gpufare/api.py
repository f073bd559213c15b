"""The market for notebooks and scripts: `gpufare.open()`. Read-only; only `.df()` imports pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from warehouse.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from recommender import Recommendation, Workload

Moment = datetime | date | str | None


class Result:
    """Rows of an answer, and what should be known of them.

    Attributes:
        warnings: one line each, for people.
        stale: True where every price of the answer is old (the command line's exit code 4).
    """

    def __init__(
        self, rows: Sequence[dict[str, Any]], warnings: Sequence[str] = (), *, stale: bool = False
    ) -> None:
        self._rows, self.warnings, self.stale = list(rows), tuple(warnings), stale

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries; times are aware UTC datetimes, unknown values None."""
        return self._rows

    def df(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame (needs pandas, which gpufare installs)."""
        import pandas as pd

        return pd.DataFrame(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} rows; .rows() or .df()>"


class RecommendResult(Result):
    """Ranked plans; `.recommendation` has all of it: plans with `.explain()`, refusals."""

    def __init__(self, recommendation: Recommendation) -> None:
        super().__init__(recommendation.rows(), recommendation.warnings, stale=recommendation.stale)
        self.recommendation = recommendation


class Market:
    """A read-only market, open until `close` or the end of its ``with`` block. Made by `gpufare.open`.

    Prices are USD per hour where the name says usd, for one GPU where it says gpu_hour, else for the machine.
    """

    def __init__(self, connection: Any, now: datetime, as_of: datetime | None) -> None:
        self.connection, self.now, self.as_of = connection, as_of or now, as_of

    def offers(self, **filters: Any) -> Result:
        """What can be rented: rows as `gpufare offers --json` has them.

        Args:
            filters: fields of `warehouse.offer_filter.OfferFilter`: gpu, gpus, min_memory_gb (GB of one GPU),
                provider, region, country, continent, kinds, term_months, max_price (USD per GPU-hour),
                available, interconnect, sort, limit, include_stale.

        Raises:
            UsageError: a name that is not known, or a filter that does not exist.
        """
        from warehouse.queries import OfferFilter, offers

        _check_names(filters, {field.name for field in fields(OfferFilter)} - {"as_of"}, "filter")
        answer = offers(self.connection, OfferFilter(**filters), now=self.now)
        return Result(answer.rows, answer.warnings, stale=answer.stale)

    def history(
        self,
        gpu: str,
        *,
        provider: str | None = None,
        kind: str | None = "on_demand",
        since: Moment = None,
        until: Moment = None,
    ) -> Result:
        """One row a day: day, providers, offers, min_usd_per_gpu_hour, median_usd_per_gpu_hour, origins."""
        from warehouse.queries import history

        first, last = _moment(since), _moment(until)
        rows = history(
            self.connection,
            gpu=gpu,
            provider=provider,
            kind=kind,
            since=first.date() if first else None,
            until=last.date() if last else None,
        )
        return Result(rows)

    def changes(self, *, since: Moment = None, until: Moment = None, limit: int | None = None) -> Result:
        """What changed, newest first: at, change, offer, old and new USD per GPU-hour."""
        from warehouse.queries import changes

        return Result(changes(self.connection, since=_moment(since), until=_moment(until), limit=limit))

    def index(self, gpu: str | None = None, *, kind: str | None = None) -> Result:
        """The matched price index by day, with its band and counts (`docs/market-movement.md`)."""
        from warehouse.index import index_days

        return Result(index_days(self.connection, gpu=gpu, kind=kind, until=self.now.date()))

    def providers(self) -> Result:
        """Each provider: last run, last good run, age in hours, offers, held rows."""
        from warehouse.queries import providers

        return Result(providers(self.connection, now=self.now))

    def gpus(self) -> Result:
        """Accelerators: specification with sources, and today's on-demand range in USD per GPU-hour."""
        from warehouse.queries import gpus

        return Result(gpus(self.connection, now=self.now))

    def quarantine(self, *, status: str | None = "held", provider: str | None = None) -> Result:
        """Rows and runs that are held (or released, rejected, superseded), with rule and evidence."""
        from warehouse.queries import quarantine

        return Result(quarantine(self.connection, status=status, provider=provider))

    def recommend(self, workload: Workload | Mapping[str, Any], **constraints: Any) -> RecommendResult:
        """Ranked ways to run a workload: rows as `gpufare recommend --json` has them.

        Args:
            workload: a `recommender.Workload`, or its fields as a dictionary: ``{"task": "serve", "model":
                "llama-3.1-8b", "requests_per_second": 5}``.
            constraints: fields of `recommender.Constraints` (budget_usd, deadline_hours, continents ...);
                one text may stand for a list of one.

        Raises:
            UsageError: a field that does not exist, or a value that cannot be.
        """
        from recommender import Constraints, Workload, recommend

        if isinstance(workload, Mapping):
            _check_names(workload, {field.name for field in fields(Workload)}, "workload field")
            workload = Workload(**workload)
        known = {field.name: str(field.type) for field in fields(Constraints)}
        _check_names(constraints, set(known), "constraint")
        given: dict[str, Any] = {
            name: ((value,) if isinstance(value, str) else tuple(value))
            if known[name].startswith("tuple")
            else value
            for name, value in constraints.items()
        }
        return RecommendResult(recommend(workload, Constraints(**given), self.connection, now=self.now))

    def sql(self, query: str) -> Result:
        """One SELECT on the published tables (docs/architecture.md); nothing can be written."""
        from warehouse.queries import run_sql

        return Result(run_sql(self.connection, query)[1])

    def close(self) -> None:
        """Close the market; its results stay usable."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<gpufare market as of {self.now:%Y-%m-%d %H:%M} UTC>"


def open_market(
    home: str | Path | None = None, *, as_of: Moment = None, now: datetime | None = None
) -> Market:
    """Open the market of a home, read-only.

    Args:
        home: folder of the warehouse; None: ``GPUFARE_HOME`` or the default. Where it holds nothing yet, the
            snapshot that ships inside the package is loaded first.
        as_of: answer with what was known at this day or moment (UTC where no zone is given); None: today.
        now: the moment ages are counted to; None: the clock.

    Raises:
        UsageError: `as_of` is no time, or lies in the future.
        NothingFoundError: nothing was known at `as_of`.
        WarehouseError: there is no readable market.
    """
    from gpufare.cli.context import read_clock
    from gpufare.market import connect
    from gpufare.settings import load_settings

    clock, moment = now or read_clock(), _moment(as_of)
    if moment and moment > clock:
        raise UsageError(f"as_of {as_of} lies in the future; leave it out for today's market")
    settings = load_settings(None if home is None else str(home))
    return Market(connect(settings, clock, moment), clock, moment)


def _moment(given: Moment) -> datetime | None:
    if given is None:
        return None
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise UsageError(
                f"{given!r} is not a day or a time; write 2026-07-01 or 2026-07-01T15:00Z"
            ) from None
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _check_names(given: Mapping[str, Any], known: set[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"{name!r} is no {what}; known: {', '.join(sorted(known))}")
