"""A hash of what a site was made from, so that two builds can be told to have had the same input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from reports.build_views.jobs import JobAnswer
from reports.market_views import Market

READ_TABLES = (
    "offers",
    "spans",
    "price_days",
    "changes",
    "index_days",
    "fair_prices",
    "availability",
    "runs",
    "providers",
    "quarantine",
    "token_prices",
    "fx_rates",
    "accelerators",
)


def inputs_hash(market: Market, answers: Sequence[JobAnswer]) -> str:
    """SHA-256 over the rows of every table read, whatever their order, the answered jobs and the clock.

    Of each table its number of rows and the exclusive or of the MD5 of every row as text.
    """
    parts = [f"now {market.now.isoformat()}"]
    for name in READ_TABLES:
        if name in market.tables:
            row = market.rows(
                f"SELECT count(*) AS rows, bit_xor(md5_number({name}::VARCHAR)) AS mark FROM {name}"  # noqa: S608
            )[0]
            parts.append(f"{name} {row['rows']} {row['mark']}")
    for answer in answers:
        parts.append(answer.job_id + json.dumps(list(answer.plans), default=str, sort_keys=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
