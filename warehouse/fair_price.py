"""The published fair prices: computed when the market is published, read from `fair_prices`.

The model is in `warehouse.fair_price_method`. A fair price is what the rest of the market says such a machine
costs; it is no promise that the machine is as good, nor that it can be had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from warehouse.database import fetch_dicts, run_script, sql
from warehouse.errors import UsageError
from warehouse.offer_filter import OfferFilter, conditions

if TYPE_CHECKING:
    import duckdb

VERDICTS = ("cheap", "fair", "dear")


@dataclass(frozen=True, slots=True)
class FairPrice:
    """One offer beside its fair price; USD per GPU-hour.

    Attributes:
        provider, instance_type, accelerator_id, candidates, gpu_count, region, country, price_kind,
            term_months, observed_at, kind, gpu_name_raw, offer_id: of the offer.
        price_usd_per_gpu_hour: what it costs.
        fair_usd_per_gpu_hour: what the rest of the market says.
        p10_usd_per_gpu_hour, p90_usd_per_gpu_hour: 80 % band: eight of ten such offers lie within.
        percent: price against fair price; -20 is "20 % below fair".
        verdict: cheap (below the band), fair or dear (above it). A marketplace listing within 35 % is fair.
        basis: accelerator (five offers or more of other providers), or hardware (memory, bandwidth and
            compute stand in for them).
        peers: offers of the same accelerator at other providers.
    """

    provider: str
    instance_type: str | None
    accelerator_id: str | None
    candidates: list[str]
    gpu_count: float
    region: str | None
    country: str | None
    price_kind: str
    term_months: int | None
    price_usd_per_gpu_hour: float
    fair_usd_per_gpu_hour: float
    p10_usd_per_gpu_hour: float
    p90_usd_per_gpu_hour: float
    percent: float
    verdict: str
    basis: str
    peers: int
    observed_at: datetime
    kind: str
    gpu_name_raw: str | None
    offer_id: str

    def row(self) -> dict[str, Any]:
        """As one record."""
        return {name: getattr(self, name) for name in self.__slots__}


def publish_fair_prices(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> int:
    """Fit today's published offers and write ``market.fair_prices``. Returns how many offers were judged."""
    import pyarrow as pa

    from warehouse.fair_price_method import FEWEST_OFFERS, fair_prices

    run_script(connection, "index/fair_cells", {"today": now.astimezone(UTC).date()})
    found = fair_prices(_offers(connection))
    columns: dict[str, Any] = {name: pa.array([], pa.float64()) for name in _RESULT}
    count = 0
    if found is not None:
        import numpy as np

        count = len(found.log_fair)
        values = (np.exp(found.log_fair), np.exp(found.log_p10), np.exp(found.log_p90), found.peers)
        columns = dict(zip(_RESULT, map(pa.array, values), strict=True))
    table = pa.table({"cell_no": pa.array(range(count), pa.int32()), **columns})
    connection.register("fair_table", table)
    try:
        connection.execute(sql("index/fair_prices"), {"fewest": FEWEST_OFFERS})
    finally:
        connection.unregister("fair_table")
    judged = connection.execute("SELECT count(*) FROM market.fair_prices").fetchone()
    for name in ("fair_cells", "fair_offers"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    return int(judged[0]) if judged else 0


def fair_prices_of(
    connection: duckdb.DuckDBPyConnection,
    asked: OfferFilter,
    *,
    now: datetime,
    verdict: str | None = None,
) -> list[FairPrice]:
    """Offers beside their fair prices, the furthest below fair first.

    Args:
        connection: of `open_market`.
        asked: which offers; `as_of` and `sort` are not used.
        now: today.
        verdict: only cheap, fair or dear ones.

    Raises:
        UnknownNameError, UsageError: a name, verdict or limit that is not known.
    """
    if verdict is not None and verdict not in VERDICTS:
        raise UsageError(f"verdict {verdict!r} is not known; use one of {', '.join(VERDICTS)}")
    where, parameters = conditions(connection, asked, now.astimezone(UTC))
    query = sql("queries/fair_prices").replace("{where}", where)
    parameters |= {"verdict": verdict, "limit": asked.limit or 1 << 40}
    used = {name: value for name, value in parameters.items() if f"${name}" in query}
    return [FairPrice(**row) for row in fetch_dicts(connection, query, used)]


_RESULT = ("fair_usd_per_gpu_hour", "p10_usd_per_gpu_hour", "p90_usd_per_gpu_hour", "peers")


def _offers(connection: duckdb.DuckDBPyConnection) -> Any:
    import numpy as np

    from warehouse.fair_price_method import Offers

    rows = {
        name: np.ma.getdata(values)
        for name, values in connection.execute(sql("index/fair_rows")).fetchnumpy().items()
    }
    return Offers(
        log_price=rows["log_price"],
        count=rows["offers"],
        accelerator=rows["part"].tolist(),
        provider=rows["provider"].tolist(),
        kind=rows["kind_term"].tolist(),
        country=rows["country"].tolist(),
        continent=rows["continent"].tolist(),
        interconnect=rows["fabric"].tolist(),
        gpu_count=rows["gpu_count"],
        hardware=np.column_stack([rows["memory_gb"], rows["bandwidth"], rows["tflops"]]),
    )
