"""Quarantine: what is held or refused, with rule, evidence, first seen and how often it came back.

The id is a hash of provider, offer, rule and price: the same suspicion seen again confirms the entry
instead of adding one. An entry whose offer a later run lists without suspicion becomes `superseded`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.checks import Verdict
from warehouse.database import run_script, sql
from warehouse.load import Run

if TYPE_CHECKING:
    import duckdb

KEPT_REJECTED_ROWS = 200


def keep_quarantine(connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict) -> None:
    """Write the run's held and refused rows, and the run itself where it is held by a rule."""
    keep_rows(connection)
    keep_blocks(connection, run, verdict)


def keep_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the held and refused rows of the runs being staged; release what they confirm."""
    run_script(connection, "load/quarantine_rows", {"rejected_limit": KEPT_REJECTED_ROWS})


def keep_blocks(connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict) -> None:
    """Write the run itself where rules hold it as a whole."""
    for rule, evidence in verdict.blocks:
        connection.execute(
            sql("load/quarantine_run"),
            {
                "run_id": run.run_id,
                "provider": run.provider,
                "rule": rule,
                "evidence": evidence,
                "observed_at": run.observed_at,
            },
        )
