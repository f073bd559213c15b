"""Data-quality checks: each rule is a SQL file that returns the offending rows with its evidence.

Levels: R reject the row, Q hold the row, W warn, B hold the whole run, N hold the rows whose offer is new.
A run's state follows from what the spider said and from level B. R5, R6, R8 to R10, R12 to R14, R16 and
R18 are not here yet; a rule is added by a file and a line in `ROW_RULES` or `RUN_RULES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warehouse.clean import table_of
from warehouse.database import run_script, scalar, sql
from warehouse.load import Run

if TYPE_CHECKING:
    import duckdb

FIRST_RULES = ("r01", "r02", "r15")
"""Need nothing but the row and its run."""
HISTORY_RULES = ("r03", "r04")
"""Compare with the market's and the offer's own past."""
RUN_RULES = ("r07",)

REJECTED_SHARE, UNMAPPED_SHARE = 0.05, 0.10
FEWEST_ROWS_FOR_A_SHARE = 10
"""Below this many offending plus sound rows a share says nothing about the run as a whole."""
UNIT_FACTORS = {
    24: "hours of a day",
    60: "minutes of an hour",
    672: "hours of 28 days",
    720: "hours of 30 days",
    730: "hours of a mean month",
    744: "hours of 31 days",
    3600: "seconds of an hour",
    8760: "hours of a year",
    100: "cents",
    1000: "thousandths",
}


@dataclass(slots=True)
class Verdict:
    """What became of a run.

    Attributes:
        state: good, partial, held or failed.
        reason: why it is not good, one line.
        rows, accepted, held, rejected, no_gpu, repeats: counts of rows.
        rates: exchange rates the run held.
        token_prices, grid_carbon: rows of these kinds that the run held.
        warnings: one line each.
        blocks: evidence of level B, by rule.
    """

    state: str
    reason: str | None
    rows: int = 0
    accepted: int = 0
    held: int = 0
    rejected: int = 0
    no_gpu: int = 0
    repeats: int = 0
    rates: int = 0
    token_prices: int = 0
    grid_carbon: int = 0
    warnings: list[str] = field(default_factory=list)
    blocks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def accepts(self) -> bool:
        """True where the run's sound rows may enter the market."""
        return self.state in ("good", "partial")


def prepare_history(connection: duckdb.DuckDBPyConnection, *, previous: str, days: str) -> None:
    """Make `previous`, `row_medians`, `unit_factors` and `handled_rates` for the history rules.

    Args:
        previous: name of the SQL file that gives each offer's last accepted price.
        days: table of daily prices per provider that the medians are taken from; one of ours.
    """
    connection.execute(sql(previous))
    connection.execute(sql("load/medians").replace("{price_days}", days))
    table_of(
        connection,
        "unit_factors",
        {
            "factor": ("DOUBLE", list(UNIT_FACTORS)),
            "suspect": ("VARCHAR", [f"{factor}, {what}" for factor, what in UNIT_FACTORS.items()]),
        },
    )
    connection.execute(sql("load/handled_rates"))


def check_run(
    connection: duckdb.DuckDBPyConnection, run: Run, blocks: Sequence[tuple[str, str]] = ()
) -> Verdict:
    """Run every rule on `cleaned`, write `findings` and `verdicts`, and decide the run's state.

    `blocks` are rules that hold the run for its rows that are no offers, with their evidence.
    """
    verdict = Verdict(run.report.state, run.report.reason, rejected=run.report.rejected_count)
    verdict.blocks += blocks
    _collect(connection, (*FIRST_RULES, *HISTORY_RULES, *RUN_RULES))
    _judge_run(connection, run, verdict)
    untrusted = [name for name, source in run.sources.items() if source.state in ("held", "failed")]
    _judge_rows(connection, verdict, untrusted)
    return verdict


def check_bundled(connection: duckdb.DuckDBPyConnection) -> Verdict:
    """Row rules only: compiled rows have no run to be held, and no history to be compared with."""
    verdict = Verdict("good", None)
    prepare_history(connection, previous="load/previous_none", days="core_price_days")
    _collect(connection, (*FIRST_RULES, "r03"))
    _judge_rows(connection, verdict, [])
    return verdict


def _collect(connection: duckdb.DuckDBPyConnection, rules: tuple[str, ...]) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE findings "
        "(row_no INTEGER, rule VARCHAR, level VARCHAR, evidence VARCHAR)"
    )
    for rule in rules:
        connection.execute("INSERT INTO findings " + sql(f"checks/{rule}"))


def _judge_run(connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict) -> None:
    query = "SELECT rule, level, evidence FROM findings WHERE row_no IS NULL ORDER BY level, rule, evidence"
    for rule, level, evidence in connection.execute(query).fetchall():
        if level == "B":
            verdict.blocks.append((rule, evidence))
        else:
            verdict.warnings.append(f"{rule}: {evidence}")
    rows = int(scalar(connection, "SELECT count(*) FROM cleaned WHERE NOT coalesce(no_gpu, false)"))
    rows = rows or sum(source.offers for source in run.report.sources)  # rates, token prices, carbon
    _judge_shares(connection, run, verdict, rows)
    if verdict.blocks and verdict.accepts:
        verdict.state = "held"
        verdict.reason = "; ".join(f"{rule}: {evidence}" for rule, evidence in verdict.blocks)[:500]


# A row whose GPU is known and only its count is not (a new machine type) waits too, but says nothing against
# the run: its name can be mapped.
_FOUND_ROWS = """SELECT count(DISTINCT row_no), any_value(evidence),
    count(DISTINCT row_no) FILTER (row_no NOT IN (
        SELECT c.row_no FROM cleaned AS c WHERE c.gpu_problem IS NOT NULL AND len(c.candidates) > 0))
    FROM findings"""


def _judge_shares(connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict, rows: int) -> None:
    refused = run.report.rejected_count
    for rule, limit, extra in (("R1", REJECTED_SHARE, refused), ("R2", UNMAPPED_SHARE, 0)):
        found = connection.execute(f"{_FOUND_ROWS} WHERE rule = ?", [rule]).fetchone()
        count, total = (found[0] if found else 0) + extra, rows + extra
        blocking = (found[2] if found else 0) + extra
        if not count:
            continue
        example = (found[1] if found else None) or run.report.rejected[0]["reason"]
        line = f"{count} of {total} rows, for example: {example}"
        if blocking > limit * total and total >= FEWEST_ROWS_FOR_A_SHARE:
            verdict.blocks.append((rule, line))
        else:
            verdict.warnings.append(f"{rule}: {line}")


def _judge_rows(connection: duckdb.DuckDBPyConnection, verdict: Verdict, untrusted: list[str]) -> None:
    run_script(connection, "load/verdicts", {"untrusted": untrusted, "accepts": verdict.accepts})
    counts = dict(
        connection.execute(
            "SELECT status, count(*) FROM verdicts WHERE NOT is_repeat GROUP BY status"
        ).fetchall()
    )
    verdict.rows = sum(counts.values())
    verdict.accepted = counts.get("accepted", 0)
    verdict.held = counts.get("held", 0)
    verdict.rejected += counts.get("rejected", 0)
    verdict.no_gpu = int(scalar(connection, "SELECT count(*) FROM cleaned WHERE no_gpu"))
    verdict.repeats = int(scalar(connection, "SELECT count(*) FROM verdicts WHERE is_repeat"))
    early = connection.execute(
        "SELECT currency, min(fx_date) FROM cleaned WHERE fx_early GROUP BY currency ORDER BY currency"
    ).fetchall()
    for currency, day in early:
        verdict.warnings.append(
            f"no {currency} rate on or before the run; the earliest known, of {day}, was used"
        )
