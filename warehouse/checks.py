"""Data-quality checks: each rule is a SQL file that returns the offending rows with its evidence.

Levels: R reject the row, Q hold the row until a person releases it, Q1 and Q2 hold it until one or two later
runs say the same, W warn, B hold the whole run, N hold the rows whose offer is new. A run's state follows
from what the spider said and from level B. A row rule returns (row_no, rule, level, evidence), a
run rule (run_no, NULL, rule, level, evidence); all of them judge every run of `this_run` at once. R11 and
R17 speak of the published market and are asked when it is published; R16 belongs to the index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warehouse.clean import table_of
from warehouse.database import run_script, scalar, sql
from warehouse.load import Run

if TYPE_CHECKING:
    import duckdb

FIRST_RULES = ("r01", "r02", "r15")
"""Need nothing but the row and its run."""
HISTORY_RULES = ("r03", "r04", "r05", "r06", "r06_restless", "r08", "r08_currency", "r13", "r14")
"""Compare with the market, with the offer's own past and with the other rows of the run."""
RUN_RULES = ("r01_clock", "r07", "r09", "r10", "r12", "r18")
"""Compare the run as a whole with the provider's earlier runs."""
SAME_HELD_RUNS = 3
"""A run of unusual size counts once this many held runs before it had exactly that size."""

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
    """Make `previous`, `good_runs`, `field_shares`, `row_medians` and the R4 factors for the history rules.

    Args:
        previous: name of the SQL file that gives each offer's last accepted price.
        days: table of daily prices per provider that the medians are taken from; one of ours.
    """
    run_script(connection, previous)
    run_script(connection, "load/good_runs")
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
    return check_runs(connection, [run], {run.run_no: blocks})[run.run_no]


def check_runs(
    connection: duckdb.DuckDBPyConnection,
    runs: Sequence[Run],
    blocks: Mapping[int, Sequence[tuple[str, str]]],
) -> dict[int, Verdict]:
    """Judge all staged runs at once; like `check_run`. Returns the verdicts by run_no."""
    verdicts = {
        run.run_no: Verdict(run.report.state, run.report.reason, rejected=run.report.rejected_count)
        for run in runs
    }
    _collect(connection, (*FIRST_RULES, *HISTORY_RULES), RUN_RULES)
    rows = _by_run(
        connection, "SELECT run_no, count(*) FROM cleaned WHERE NOT coalesce(no_gpu, false) GROUP BY run_no"
    )
    found = _run_findings(connection)
    shares = _shares(connection)
    for run in runs:
        verdict = verdicts[run.run_no]
        verdict.blocks += blocks.get(run.run_no, ())
        _judge_run(connection, run, verdict, found.get(run.run_no, []))
        total = rows.get(run.run_no) or sum(source.offers for source in run.report.sources)
        _judge_shares(run, verdict, total, shares)
        if verdict.blocks and verdict.accepts:
            verdict.state = "held"
            verdict.reason = "; ".join(f"{rule}: {evidence}" for rule, evidence in verdict.blocks)[:500]
    _judge_rows(connection, runs, verdicts)
    return verdicts


def check_bundled(connection: duckdb.DuckDBPyConnection, runs: Sequence[Run]) -> Verdict:
    """Row rules only: compiled rows have no run to be held, and no history to be compared with.

    Their counts stand together in one verdict.
    """
    total = Verdict("good", None)
    prepare_history(connection, previous="load/previous_none", days="core_price_days")
    _collect(connection, (*FIRST_RULES, "r03", "r14"), ())
    verdicts = {run.run_no: Verdict("good", None) for run in runs}
    _judge_rows(connection, runs, verdicts)
    for verdict in verdicts.values():
        for name in ("rows", "accepted", "held", "rejected", "no_gpu", "repeats"):
            setattr(total, name, getattr(total, name) + getattr(verdict, name))
    _warn_of_early_rates(connection, total)
    return total


def _collect(
    connection: duckdb.DuckDBPyConnection, row_rules: Sequence[str], run_rules: Sequence[str]
) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE findings "
        "(run_no INTEGER, row_no INTEGER, rule VARCHAR, level VARCHAR, evidence VARCHAR)"
    )
    for rule in row_rules:
        connection.execute(
            "INSERT INTO findings SELECT c.run_no, f.* "  # noqa: S608
            f"FROM (\n{sql(f'checks/{rule}')}\n) AS f JOIN cleaned AS c USING (row_no)"
        )
    for rule in run_rules:
        connection.execute("INSERT INTO findings " + sql(f"checks/{rule}"))


def _by_run(connection: duckdb.DuckDBPyConnection, query: str) -> dict[int, int]:
    return dict(connection.execute(query).fetchall())


def _run_findings(connection: duckdb.DuckDBPyConnection) -> dict[int, list[tuple[str, str, str]]]:
    """Findings on runs as a whole, and how many rows of each run a rule only warns of."""
    query = """SELECT run_no, rule, level, evidence FROM findings WHERE row_no IS NULL
        UNION ALL
        SELECT run_no, rule, level, format('{} rows, for example: {}', count(*), min(evidence)) FROM findings
        WHERE row_no IS NOT NULL AND level = 'W' GROUP BY run_no, rule, level
        ORDER BY run_no, level, rule, evidence"""
    found: dict[int, list[tuple[str, str, str]]] = {}
    for run_no, *finding in connection.execute(query).fetchall():
        found.setdefault(run_no, []).append(tuple(finding))
    return found


def _judge_run(
    connection: duckdb.DuckDBPyConnection, run: Run, verdict: Verdict, found: list[tuple[str, str, str]]
) -> None:
    for rule, level, evidence in found:
        if level != "B":
            verdict.warnings.append(f"{rule}: {evidence}")
        elif released := _is_released(connection, run, rule, evidence):
            verdict.warnings.append(f"{rule}: {evidence}; counts: {released}")
        else:
            verdict.blocks.append((rule, evidence))


def _is_released(connection: duckdb.DuckDBPyConnection, run: Run, rule: str, evidence: str) -> str | None:
    """Why a finding of level B does not hold this run, None where it does.

    A person released it; or R7 found the same size, never none, in the last three runs already: a provider
    that really sells less is not held for ever.
    """
    note = scalar(
        connection,
        "SELECT note FROM quarantine_audit "
        "WHERE action = 'release' AND run_id = ? AND provider = ? AND rule = ?",
        [run.run_id, run.provider, rule],
    )
    if note is not None:
        return f"released by hand ({note})"
    if rule != "R7" or evidence.startswith("the run holds"):
        return None
    same = scalar(
        connection,
        "SELECT count(*) FILTER (state = 'held' AND contains(reason, ?)) "
        "FROM (SELECT state, reason FROM runs WHERE provider = ? AND observed_at < ? "
        "ORDER BY observed_at DESC LIMIT ?)",
        [f"{rule}: {evidence}", run.provider, run.observed_at, SAME_HELD_RUNS],
    )
    return f"the last {SAME_HELD_RUNS} runs had the same size" if same == SAME_HELD_RUNS else None


# A row whose GPU is known and only its count is not (a new machine type) waits too, but says nothing against
# the run: its name can be mapped.
_FOUND_ROWS = """SELECT run_no, rule, count(DISTINCT row_no), any_value(evidence),
    count(DISTINCT row_no) FILTER (row_no NOT IN (
        SELECT c.row_no FROM cleaned AS c WHERE c.gpu_problem IS NOT NULL AND len(c.candidates) > 0))
    FROM findings WHERE row_no IS NOT NULL AND rule IN ('R1', 'R2') GROUP BY run_no, rule"""
_Shares = dict[tuple[int, str], tuple[int, str, int]]


def _shares(connection: duckdb.DuckDBPyConnection) -> _Shares:
    return {(row[0], row[1]): row[2:] for row in connection.execute(_FOUND_ROWS).fetchall()}


def _judge_shares(run: Run, verdict: Verdict, rows: int, shares: _Shares) -> None:
    refused = run.report.rejected_count
    for rule, limit, extra in (("R1", REJECTED_SHARE, refused), ("R2", UNMAPPED_SHARE, 0)):
        found, example, counting = shares.get((run.run_no, rule), (0, "", 0))
        count, total, blocking = found + extra, rows + extra, counting + extra
        if not count:
            continue
        line = f"{count} of {total} rows, for example: {example or run.report.rejected[0]['reason']}"
        if blocking > limit * total and total >= FEWEST_ROWS_FOR_A_SHARE:
            verdict.blocks.append((rule, line))
        else:
            verdict.warnings.append(f"{rule}: {line}")


def _judge_rows(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[Run], verdicts: Mapping[int, Verdict]
) -> None:
    untrusted = [
        [name for name, source in run.sources.items() if source.state in ("held", "failed")] for run in runs
    ]
    table_of(
        connection,
        "acceptance",
        {
            "run_no": ("INTEGER", [run.run_no for run in runs]),
            "accepts": ("BOOLEAN", [verdicts[run.run_no].accepts for run in runs]),
            "untrusted": ("VARCHAR[]", untrusted),
        },
    )
    run_script(connection, "load/verdicts")
    counts = connection.execute(
        "SELECT run_no, status, count(*) FILTER (NOT is_repeat), count(*) FILTER (is_repeat) "
        "FROM verdicts GROUP BY run_no, status"
    ).fetchall()
    for run_no, status, rows, repeats in counts:
        verdict = verdicts[run_no]
        verdict.rows += rows
        verdict.repeats += repeats
        if status in ("accepted", "held", "rejected"):
            setattr(verdict, status, getattr(verdict, status) + rows)
    bare = "SELECT run_no, count(*) FROM cleaned WHERE no_gpu GROUP BY run_no"
    for run_no, count in _by_run(connection, bare).items():
        verdicts[run_no].no_gpu = count
    if len(runs) == 1:
        _warn_of_early_rates(connection, verdicts[runs[0].run_no])


def _warn_of_early_rates(connection: duckdb.DuckDBPyConnection, verdict: Verdict) -> None:
    early = connection.execute(
        "SELECT currency, min(fx_date) FROM cleaned WHERE fx_early GROUP BY currency ORDER BY currency"
    ).fetchall()
    for currency, day in early:
        verdict.warnings.append(
            f"no {currency} rate on or before the run; the earliest known, of {day}, was used"
        )
