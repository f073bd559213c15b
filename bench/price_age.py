"""How often the band of an old price held, on a public price history.

    python -m bench.price_age [HISTORY.csv.gz]

Every offer of the history that was seen again 7, 30, 60 and 120 days later: was the later price inside
the 10-90 % band that the recommender puts around the earlier one? 80 % is promised; list prices rarely
move, so more is expected of them. Without the file (by default beside the project, in ../shared/market)
nothing is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

from recommender.price_age import price_spread

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "market" / "history.csv.gz"
LAGS_DAYS = (7, 30, 60, 120)
MARKETPLACES = ("vastai", "vast", "tensordock", "lium", "salad", "clore")
_PAIRS = """
WITH seen AS (
    SELECT observed_at[:10]::DATE AS day, provider, instance_type, gpu_model_raw, gpu_count, region,
        price_kind, currency, per, min(price_per_hour::DOUBLE) AS price
    FROM read_csv($path, all_varchar = true, quote = '"', escape = '"', strict_mode = false)
    WHERE price_kind IN ('on_demand', 'spot') AND observed_at >= '2025' AND price_per_hour::DOUBLE > 0
    GROUP BY ALL
)
SELECT CASE WHEN a.provider IN (SELECT unnest($marketplaces)) THEN 'marketplace'
        WHEN a.price_kind = 'spot' THEN 'spot' ELSE 'list' END AS sold_as,
    a.provider, b.price / a.price AS ratio
FROM seen a JOIN seen b ON b.day = a.day + $lag::INTEGER AND a.provider = b.provider
    AND a.instance_type IS NOT DISTINCT FROM b.instance_type AND a.gpu_model_raw = b.gpu_model_raw
    AND a.gpu_count = b.gpu_count AND a.region IS NOT DISTINCT FROM b.region AND a.price_kind = b.price_kind
    AND a.currency = b.currency AND a.per = b.per
WHERE ratio BETWEEN 0.1 AND 10
"""


def main() -> int:
    """Print one line per way of selling and lag: pairs, and the share inside the band."""
    import duckdb

    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if not path.exists():
        print(f"{path} is not there; give the price history as an argument")
        return 2
    connection = duckdb.connect()
    print(
        f"{'sold as':<12}{'days later':>11}{'pairs':>9}{'providers':>11}{'band':>18}{'inside':>9}"
        f"{'by provider':>13}"
    )
    for lag in LAGS_DAYS:
        rows = connection.execute(
            _PAIRS, {"path": str(path), "lag": lag, "marketplaces": list(MARKETPLACES)}
        ).fetchall()
        for sold_as in ("list", "marketplace", "spot"):
            mine = [(provider, ratio) for kind, provider, ratio in rows if kind == sold_as]
            if not mine:
                continue
            kind = "spot" if sold_as == "spot" else "on_demand"
            band = price_spread(lag * 24.0, kind, "list" if sold_as == "spot" else sold_as)
            inside: dict[str, list[bool]] = {}
            for provider, ratio in mine:
                inside.setdefault(provider, []).append(band.p10 <= ratio <= band.p90)
            whole = sum(map(sum, inside.values())) / len(mine)
            alike = sum(sum(held) / len(held) for held in inside.values()) / len(inside)
            shown = f"{band.p10 - 1:+.1%} to {band.p90 - 1:+.1%}"
            print(
                f"{sold_as:<12}{lag:>11}{len(mine):>9,}{len(inside):>11}{shown:>18}{whole:>9.0%}{alike:>13.0%}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
