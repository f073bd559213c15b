"""`python -m bench.false_alarms [--home DIR]`: what the checks hold of 840 real days of prices.

Imports ../shared/market/history.csv.gz through all rules, each list taken for all that the provider sold
that day (so that R7, R8 and R10 judge it too), and prints per rule what was held and what became of it:
`confirmed` by later runs (the price was right: a false alarm, and how long it waited), `replaced` by an
unsuspicious price (the suspicion was right, or the price was short-lived), or still waiting. ``--home``
keeps the warehouse, and uses the one that is there.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from bench.recordings import PROJECT

HISTORY = PROJECT.parent / "shared" / "market" / "history.csv.gz"
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def main() -> None:
    """Import and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--since", type=date.fromisoformat)
    parser.add_argument("--until", type=date.fromisoformat)
    parser.add_argument("--list", type=int, default=40, help="how many held prices to print (default 40)")
    options = parser.parse_args()
    if not HISTORY.exists():
        print("../shared/market/history.csv.gz is not there")
        return
    with tempfile.TemporaryDirectory(prefix="gpufare-history-") as scratch:
        home = options.home or Path(scratch)
        if not (home / "warehouse.duckdb").exists():
            from warehouse.history_import import import_history

            print(
                import_history(home, HISTORY, now=NOW, whole=True, since=options.since, until=options.until),
                flush=True,
            )
        report(home, options.list)


def report(home: Path, shown: int) -> None:
    """Print the figures of an imported history."""
    from warehouse.queries import open_market

    connection = open_market(home)
    days, runs, rows, held_runs = connection.execute(
        "SELECT count(DISTINCT observed_at::DATE), count(*), sum(offers + held + rejected), "
        "count(*) FILTER (state = 'held') FROM runs"
    ).fetchall()[0]
    print(f"{days} days, {runs:,} runs, {rows:,} rows; {held_runs} runs held as a whole")
    print(f"{'rule':<16}{'held':>8}{'confirmed':>11}{'days waited':>13}{'replaced':>10}{'waiting':>9}")
    total = confirmed = 0
    for rule, held, right, waited, replaced, waiting in connection.execute(
        "SELECT q.rule, count(*), count(*) FILTER (q.status = 'released'), "
        "avg(epoch(a.decided_at - q.first_seen) / 86400) FILTER (q.status = 'released'), "
        "count(*) FILTER (q.status = 'superseded'), count(*) FILTER (q.status = 'held') "
        "FROM quarantine AS q LEFT JOIN "
        "(SELECT id, max(decided_at) AS decided_at FROM quarantine_audit GROUP BY id) AS a USING (id) "
        "WHERE q.level IN ('Q', 'B') GROUP BY q.rule ORDER BY count(*) DESC"
    ).fetchall():
        total += held
        confirmed += right
        days_waited = f"{waited:.1f}" if waited is not None else ""
        print(f"{rule:<16}{held:>8}{right:>11}{days_waited:>13}{replaced:>10}{waiting:>9}")
    unmapped = connection.execute("SELECT count(*) FROM quarantine WHERE rule = 'R2'").fetchall()[0][0]
    print(f"held {total} ({total / days:.2f} a day), of them {unmapped} names that mean nothing (R2)")
    print(f"false alarms (held, then confirmed by later runs): {confirmed}, {confirmed / days:.2f} a day")
    _list(connection, shown)


def _list(connection: object, shown: int) -> None:
    query = (
        "SELECT first_seen::DATE, provider, rule, coalesce(instance_type, gpu_name_raw, ''), price_kind, "
        "status, confirmations, evidence FROM quarantine WHERE level IN ('Q', 'B') AND rule <> 'R2' "
        "ORDER BY status = 'held' DESC, first_seen LIMIT ?"
    )
    for day, provider, rule, name, kind, status, again, evidence in connection.execute(
        query, [shown]
    ).fetchall():  # type: ignore[attr-defined]
        what = f"{provider:<14} {rule:<9} {name[:28]:<28} {kind or '':<10} {status:<10}"
        print(f"{day} {what} +{again} {evidence[:120]}")


if __name__ == "__main__":
    main()
