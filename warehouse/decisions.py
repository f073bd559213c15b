"""What a person decides about quarantined rows and runs: released or rejected, with a note, kept for good.

A decision is a line in `quarantine_audit`. For a row it holds for that price of that offer, in every run from
then on (`load/verdicts.sql`); for a run it holds for that run and rule. The market follows at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse import ingest, load, spans
from warehouse.database import fetch_dicts, open_warehouse, plain_errors, transaction, warehouse_path
from warehouse.errors import UsageError
from warehouse.load import Run
from warehouse.publish import publish
from warehouse.run_folder import ParseReport

if TYPE_CHECKING:
    import duckdb

LONGEST_NOTE = 500
_STATUS = {"release": "released", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a decision.

    Attributes:
        entry: the quarantine entry it was made on, as it was before.
        action: release or reject.
        entries: how many entries it settles (the same price under several rules, a run under several).
        outcome: one line that says what changed in the market.
    """

    entry: dict[str, Any]
    action: str
    entries: int
    outcome: str


def decide(home: Path, entry_id: str, *, action: str, note: str, who: str, now: datetime) -> Decision:
    """Release or reject one quarantine entry and publish the market anew.

    Args:
        home: folder of warehouse and run folders.
        entry_id: id of the entry, as `gpufare quarantine list` prints it.
        action: release or reject.
        note: why; kept in the audit.
        who: name of the person.
        now: time of the decision.

    Raises:
        UsageError: there is no such entry, or it cannot be released; the line says why and what to do.
        WarehouseError: the warehouse is held by another loader, or cannot be written.
    """
    note = " ".join(note.split())[:LONGEST_NOTE]
    if not note:
        raise UsageError("a decision needs its reason: --note TEXT")
    with open_warehouse(home) as connection:
        with plain_errors(warehouse_path(home)):
            entry = _find(connection, entry_id)
            settle = _settle_run if entry["level"] == "B" else _settle_row
            count, outcome = settle(connection, home, entry, action, note, who, now)
        publish(connection, home, now=now)
    return Decision(entry, action, count, outcome)


def _find(connection: duckdb.DuckDBPyConnection, entry_id: str) -> dict[str, Any]:
    rows = fetch_dicts(connection, "SELECT * FROM quarantine WHERE id = $id", {"id": entry_id})
    if not rows:
        raise UsageError(f"quarantine holds no entry {entry_id[:40]!r}; run: gpufare quarantine list")
    return rows[0]


def _settle_row(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    entry: dict[str, Any],
    action: str,
    note: str,
    who: str,
    now: datetime,
) -> tuple[int, str]:
    if action == "release":
        _refuse_unusable(entry)
    same = {name: entry[name] for name in ("offer_id", "price_raw", "price_unit")}
    stated = (
        "offer_id = $offer_id AND price_raw IS NOT DISTINCT FROM $price_raw "
        "AND price_unit IS NOT DISTINCT FROM $price_unit"
    )
    with transaction(connection):
        count = _record(connection, f"{stated} AND level = 'Q'", same, action, note, who, now)
        connection.execute(
            "INSERT INTO raw_decisions SELECT g.run_no, g.state_no, $accepted, $now "  # noqa: S608 - ours
            "FROM raw_sightings AS g JOIN runs AS r USING (run_no) WHERE r.state IN ('good', 'partial') "
            f"AND g.state_no IN (SELECT state_no FROM raw_states WHERE {stated})",
            {**same, "accepted": action == "release", "now": now},
        )
        load.declare_runs(connection, [_any_run(entry["provider"], now)])
        spans.rebuild(connection, learnt_at=now)
    price = f"{entry['price_per_hour']:g} {entry['currency']} per hour" if entry["price_per_hour"] else "it"
    if action == "release":
        return count, f"{price} counts from {entry['first_seen']:%Y-%m-%d} on"
    return count, f"{price} stays out of the market, now and whenever it is seen again"


def _settle_run(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    entry: dict[str, Any],
    action: str,
    note: str,
    who: str,
    now: datetime,
) -> tuple[int, str]:
    same = {"run_id": entry["run_id"], "provider": entry["provider"]}
    condition = "run_id = $run_id AND provider = $provider AND level = 'B'"
    if action == "reject":
        with transaction(connection):
            count = _record(connection, condition, same, action, note, who, now)
        return count, "the run stays out of the market"
    known = fetch_dicts(
        connection,
        "SELECT run_no, origin FROM runs WHERE run_id = $run_id AND provider = $provider "
        "ORDER BY run_no DESC",
        same,
    )
    folder = home / "runs" / entry["provider"] / entry["run_id"]
    if not known or not (folder / "run.json").exists():
        raise UsageError(f"the run can only be read again from its folder, and {folder} is not there")
    run = load.read_run(folder, known[0]["origin"])
    with transaction(connection):
        count = _record(connection, condition, same, action, note, who, now)
        numbered = {"run_no": known[0]["run_no"]}
        connection.execute(  # what the first reading listed stays; revises = run_id: read again
            "UPDATE runs SET superseded_state = state, state = 'superseded', superseded_at = $now, "
            "revises = run_id WHERE run_no = $run_no",
            {**numbered, "now": now},
        )
        for table in ("run_sources", "run_bodies", "run_findings"):
            connection.execute(f"DELETE FROM {table} WHERE run_no = $run_no", numbered)  # noqa: S608 - ours
    result = ingest.load_run(connection, run, now=now)
    return count, f"the run was read again: {result.state}, {result.offers:,} offers, {result.held:,} held"


def _refuse_unusable(entry: dict[str, Any]) -> None:
    name = entry["gpu_name_raw"] or entry["instance_type"]
    if entry["level"] == "R":
        raise UsageError(f"{entry['id']} was refused, not held: {entry['evidence'][:160]}")
    if not entry["candidates"] or not entry["price_usd_per_gpu_hour"]:
        raise UsageError(
            f"{entry['id']} cannot be released before it is known what it is ({entry['evidence'][:120]}); "
            f"add the name to the spider's gpu_spellings or to the reference tables ({str(name)[:60]!r})"
        )


def _record(
    connection: duckdb.DuckDBPyConnection,
    condition: str,
    values: dict[str, Any],
    action: str,
    note: str,
    who: str,
    now: datetime,
) -> int:
    """Write the audit rows of all entries that meet `condition` (text of ours), and settle them."""
    audit = {"action": action, "note": note, "who": who[:80], "now": now.astimezone(UTC)}
    written = connection.execute(
        "INSERT INTO quarantine_audit BY NAME SELECT $now::TIMESTAMPTZ AS decided_at, id, "  # noqa: S608
        "$action AS action, $who AS who, $note AS note, run_id, provider, offer_id, rule, price_per_hour, "
        f"price_raw, price_unit FROM quarantine WHERE {condition}",
        {**values, **audit},
    ).fetchone()
    connection.execute(
        f"UPDATE quarantine SET status = $status WHERE {condition}",  # noqa: S608
        {**values, "status": _STATUS[action]},
    )
    return int(written[0]) if written else 0


def _any_run(provider: str, now: datetime) -> Run:
    """A stand-in for "the runs of this provider", which rebuilding its spans goes by."""
    report = ParseReport("", now.isoformat(), "good")
    return Run(provider, "", now, "live", True, report)
