"""How the warehouse answers after years of crawling: ``python -m bench.scale [OBSERVATIONS] [--days 365]``.

Makes the loader's file as that many accepted sightings would have left it (default 10,000,000: offers of 50
providers seen once a day, three per cent of the prices moving on any day), in SQL and without the crawls and
checks, publishes it through `warehouse.publish` (index, fair prices and availability left out),
    and asks the published copy through the functions that the
commands use. Prices are hashes: nothing of it is true as a price.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

OBSERVATIONS = 10_000_000
PROVIDERS = 50
ACCELERATORS = 40
FIRST_DAY = datetime(2025, 11, 21, 6, tzinfo=UTC)
ANALYSES = ("publish_index", "publish_fair_prices", "publish_availability")
STEPS = (
    """CREATE TEMP TABLE parts AS SELECT (row_number() OVER ())::INTEGER - 1 AS part_no, * FROM
    (SELECT unnest($ids::VARCHAR[]) AS accelerator_id, unnest($families::VARCHAR[]) AS family,
        unnest($memories::DOUBLE[]) AS gpu_memory_gb)""",
    """CREATE TEMP TABLE wares AS
    SELECT n AS offer_no, hash(n) AS offer_id, (n % $providers)::INTEGER AS provider_no,
        'cloud' || (n % $providers) AS provider, p.*, [1, 2, 4, 8][1 + n // 16 % 4]::DOUBLE AS gpu_count,
        'region-' || (n // 64 % 20) AS region,
            CASE WHEN n // 8 % 2 = 0 THEN 'on_demand' ELSE 'spot' END AS price_kind
    FROM range($offers) AS r(n) JOIN parts AS p ON p.part_no = (n % $providers * 7 + n // $providers % 8) %
        $parts""",
    """INSERT INTO runs BY NAME
    SELECT d * $providers + p + 1 AS run_no, 'run-' || d || '-' || p AS run_id, 'cloud' || p AS provider,
        $first::TIMESTAMPTZ + to_days(d::INTEGER) AS observed_at, observed_at AS loaded_at,
            observed_at AS learnt_at,
        'good' AS state, 'replay' AS origin, false AS partial, $offers // $providers AS offers,
            0 AS rejected, 0 AS held,
        1 AS requests, 1.0 AS seconds, 'bench' AS parser_version, '[]' AS sources_json,
            '{"kind": "list"}' AS facts_json,
        '[]' AS warnings_json, 1 AS revision
    FROM range($days) AS r(d), range($providers) AS s(p)""",
    """INSERT INTO raw_places SELECT p + 1, 'cloud' || p, 'https://bench.invalid/' || p,
        1 FROM range($providers) AS r(p)""",
    """INSERT INTO raw_bodies SELECT run_no, (run_no - 1) % $providers + 1,
        md5(run_id) || md5(run_id || 'b') FROM runs
    ORDER BY run_no""",
    """CREATE TEMP TABLE prices AS
    SELECT w.offer_no, d, row_number() OVER (ORDER BY d, w.offer_no)::INTEGER AS state_no,
        lead(d) OVER (PARTITION BY w.offer_no ORDER BY d) AS until,
        (gpu_count * (0.5 + part_no / 8) * (0.9 + hash(w.offer_no, d) % 2000 / 10000.0))::DECIMAL(20,
            4) AS price
    FROM wares AS w, range($days) AS r(d) WHERE d = 0 OR hash(w.offer_no, d) % 100 < 3""",
    """INSERT INTO raw_states BY NAME
    SELECT state_no, offer_id, provider AS crawler, 'list' AS source, price::VARCHAR AS price_raw,
        'hour' AS price_unit,
        'USD' AS currency, true AS available, price AS price_per_hour,
            d * $providers + provider_no + 1 AS run_no
    FROM prices JOIN wares USING (offer_no) ORDER BY state_no""",
    """INSERT INTO raw_listings
    SELECT run_no, state_no, place_no, sound, listed FROM (
        SELECT d * $providers + provider_no + 1 AS run_no, state_no, provider_no + 1 AS place_no,
            true AS sound,
            true AS listed FROM prices JOIN wares USING (offer_no)
        UNION ALL
        SELECT until * $providers + provider_no + 1, state_no, provider_no + 1, true, false
        FROM prices JOIN wares USING (offer_no) WHERE until IS NOT NULL) ORDER BY run_no, state_no""",
    """INSERT INTO core_listed SELECT provider, state_no, provider_no + 1, true
    FROM prices JOIN wares USING (offer_no) WHERE until IS NULL ORDER BY state_no""",
    """INSERT INTO raw_offers BY NAME
    SELECT offer_id, provider, 'list' AS source, 'machine-' || offer_no AS instance_type,
        accelerator_id AS gpu_name_raw,
        gpu_count AS gpu_count_raw, gpu_memory_gb AS gpu_memory_gb_raw, region, price_kind, 'USD' AS currency,
        false AS is_floor, 'https://bench.invalid/' || provider_no AS source_url, true AS first_party,
            'list' AS kind,
        hash(offer_no, 1) AS attributes_hash, $first::TIMESTAMPTZ AS observed_at,
            provider_no + 1 AS first_run_no,
        $first::TIMESTAMPTZ AS learnt_at FROM wares""",
    """INSERT INTO core_offers BY NAME
    SELECT offer_id, provider, accelerator_id, [accelerator_id] AS candidates, family, gpu_count,
        gpu_memory_gb,
        $first::TIMESTAMPTZ AS learnt_at FROM wares""",
    """INSERT INTO core_spans BY NAME
    SELECT offer_id, provider AS crawler, 'list' AS source,
        $first::TIMESTAMPTZ + to_days(d::INTEGER) AS valid_from,
        $first::TIMESTAMPTZ + to_days(until::INTEGER) AS valid_to,
        $first::TIMESTAMPTZ + to_days((coalesce(until, $days) - 1)::INTEGER) AS last_seen,
            last_seen AS last_listed,
        CASE WHEN until IS NOT NULL THEN 'price' END AS closed_by, valid_to AS closed_at,
            price AS price_per_hour,
        'USD' AS currency, true AS available, state_no, d * $providers + provider_no + 1 AS run_no,
        (coalesce(until, $days) - 1) * $providers + provider_no + 1 AS last_run_no, false AS bundled,
        valid_from AS learnt_at, valid_to AS end_learnt_at
    FROM prices JOIN wares USING (offer_no) ORDER BY offer_id, d""",
    """INSERT INTO core_price_days BY NAME
    SELECT $first::TIMESTAMPTZ::DATE + x.day::INTEGER AS day, provider, accelerator_id,
        [accelerator_id] AS candidates,
        family, price_kind, min(usd) AS min_usd_per_gpu_hour, median(usd) AS median_usd_per_gpu_hour,
        count(*)::INTEGER AS offers, true AS first_party, 'replay' AS origin,
        'https://bench.invalid/' || any_value(provider_no) AS source_url, false AS compiled,
        $first::TIMESTAMPTZ + to_days(x.day::INTEGER) AS learnt_at
    FROM (SELECT w.*, price::DOUBLE / gpu_count AS usd, unnest(range(d, coalesce(until, $days))) AS day
        FROM prices JOIN wares AS w USING (offer_no)) AS x GROUP BY ALL""",
)
AS_OF = """SELECT offer_id, price_usd_per_gpu_hour FROM spans
    WHERE valid_from <= $at::TIMESTAMPTZ AND (valid_to IS NULL OR valid_to > $at::TIMESTAMPTZ)"""
MEDIANS = """SELECT day, accelerator_id, price_kind, median(median_usd_per_gpu_hour) AS usd,
    sum(offers) AS offers
    FROM price_days GROUP BY day, accelerator_id, price_kind"""
RECOUNTED = """SELECT day, accelerator_id, median(usd) FROM (
    SELECT k.accelerator_id, s.price_usd_per_gpu_hour AS usd,
        unnest(range(s.valid_from::DATE, coalesce(s.valid_to, $end::TIMESTAMPTZ)::DATE,
            INTERVAL 1 DAY)) AS day
    FROM spans AS s JOIN offer_keys AS k USING (offer_id)) GROUP BY day, accelerator_id"""


def main() -> None:
    """Build, publish, ask and print."""
    parser = argparse.ArgumentParser(description="Answers and bytes at many observations.")
    parser.add_argument("observations", type=lambda text: int(float(text)), nargs="?", default=OBSERVATIONS)
    parser.add_argument("--days", type=int, default=365)
    options = parser.parse_args()
    if options.days < 2 or options.observations < options.days * PROVIDERS:
        parser.error(f"at least 2 days and {PROVIDERS} observations a day are needed")
    offers = options.observations // options.days
    with tempfile.TemporaryDirectory(prefix="gpufare-scale-") as folder:
        home = Path(folder)
        build(home, offers, options.days)
        ask(home, options.days)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, building included: {peak:,.0f} MiB")


def build(home: Path, offers: int, days: int) -> None:
    """Write the loader's file and the published copy; print what an observation takes."""
    from warehouse import publish
    from warehouse.database import open_warehouse, run_statements, transaction
    from warehouse.reference import accelerators

    parts = sorted(accelerators().values(), key=lambda part: part.accelerator_id)[:ACCELERATORS]
    given: dict[str, Any] = {
        "ids": [part.accelerator_id for part in parts],
        "families": [part.family for part in parts],
        "memories": [part.memory_gb for part in parts],
        "parts": len(parts),
        "providers": PROVIDERS,
        "offers": offers,
        "days": days,
        "first": FIRST_DAY,
    }
    started = time.perf_counter()
    with open_warehouse(home) as connection:
        with transaction(connection):
            for step in STEPS:
                run_statements(connection, step, given)
        connection.execute("CHECKPOINT warehouse")
        row = connection.execute(
            "SELECT block_size * used_blocks, (SELECT count(*) FROM core_spans) FROM pragma_database_size() "
            "WHERE database_name = 'warehouse'"
        ).fetchone()
        built = time.perf_counter()
        with patch.multiple(publish, **dict.fromkeys(ANALYSES, lambda *_, **__: None)):
            publish.publish(connection, home, now=FIRST_DAY + timedelta(days=days - 1))
    used, spans = row or (0, 0)
    seen = offers * days
    print(f"{seen:,} observations: {offers:,} offers on {days} days, {spans:,} spans")
    print(
        f"built in {built - started:.1f} s, "
        f"published in {time.perf_counter() - built:.1f} s (without the index)"
    )
    copy = (home / "market.duckdb").stat().st_size
    print(
        f"{used / seen:.2f} bytes an observation in the loader's file (budget 2), "
        f"{copy / seen:.2f} in the published copy ({used / 1e6:.1f} and {copy / 1e6:.1f} MB)"
    )


def ask(home: Path, days: int) -> None:
    """Time the questions, the median of five after a warm-up."""
    from warehouse.database import fetch
    from warehouse.queries import OfferFilter, offers, open_market

    last = FIRST_DAY + timedelta(days=days - 1)
    middle = FIRST_DAY + timedelta(days=days // 2)
    market = open_market(home)
    one = fetch(market, "SELECT offer_id FROM spans ORDER BY hash(offer_id) LIMIT 1")[1][0][0]
    part = fetch(market, "SELECT accelerator_id FROM offers ORDER BY accelerator_id LIMIT 1")[1][0][0]
    asked = OfferFilter(gpu=part, limit=25, as_of=middle)
    whole = OfferFilter(limit=25, as_of=middle)
    history = "SELECT * FROM spans WHERE offer_id = $offer ORDER BY valid_from"
    _tell(
        "as of any date, every offer's price from the spans",
        50,
        lambda: market.execute(AS_OF, {"at": middle}).fetchall(),
    )
    _tell(f"offers --gpu {part} --as-of, 25 rows", 50, lambda: offers(market, asked, now=last).rows)
    _tell("offers --as-of, whole market, 25 rows", 50, lambda: offers(market, whole, now=last).rows)
    _tell("history of one offer", 50, lambda: fetch(market, history, {"offer": one})[1])
    _tell("daily medians per accelerator and price kind", 1000, lambda: market.execute(MEDIANS).fetchall())
    _tell(
        "daily medians per accelerator, recounted from every observation",
        1000,
        lambda: market.execute(RECOUNTED, {"end": last + timedelta(days=1)}).fetchall(),
    )
    market.close()


def _tell(what: str, budget_ms: int, question: Callable[[], list[Any]]) -> None:
    seconds = []
    rows = question()
    for _ in range(5):
        started = time.perf_counter()
        question()
        seconds.append(time.perf_counter() - started)
    print(f"{what}: {statistics.median(seconds) * 1000:.1f} ms (budget {budget_ms:,} ms), {len(rows):,} rows")


if __name__ == "__main__":
    main()
