"""`python -m bench.faults [PROVIDER...]`: known faults put into real answers, and what the checks say.

Each recording below ../shared/recordings with offers is parsed once (``gpufare crawl --replay``), loaded as
four good daily runs with the package's market beside it, and then spoiled in one way at a time: every row,
and one row in three. Nothing is kept of a spoiled run. A fault is caught where none of its rows enters the
market and the run says something: rows held or refused, the run held, or a warning where the prices
themselves are right (a new field, a frozen list). `wrong` counts spoiled rows that would have been
published. ``--first-run`` does the same to a provider without any history, ``--again`` repeats the fault in
three runs in a row.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.recordings import PROJECT, RECORDINGS

Row = dict[str, Any]
GOOD_RUNS = 4
PARTS = {"PCIe": "SXM", "PCIE": "SXM5", "pcie": "sxm"}
FIELDS = ("gpu_memory_gb", "vcpus", "memory_gib", "region", "instance_type", "gpu_count")


@dataclass(slots=True)
class Spoiled:
    """A spoiled run: its rows, which of them are wrong (by place), and what else is odd about it."""

    rows: list[Row]
    wrong: set[int] = field(default_factory=set)
    unused: str | None = None
    body_bytes: int | None = None
    later: timedelta = timedelta()
    is_frozen: bool = False


Fault = Callable[[list[Row], int], Spoiled | None]


def scaled(factor: str) -> Fault:
    """Prices times a factor, in one row of `step`."""

    def spoil(rows: list[Row], step: int) -> Spoiled:
        wrong = set(range(0, len(rows), step))
        for place in wrong:
            rows[place]["price_raw"] = format(Decimal(rows[place]["price_raw"]) * Decimal(factor), "f")
        return Spoiled(rows, wrong)

    return spoil


def eighth(rows: list[Row], step: int) -> Spoiled:
    """Prices divided by eight."""
    return scaled("0.125")(rows, step)


def stated(price: str) -> Fault:
    """One and the same number for every price."""

    def spoil(rows: list[Row], step: int) -> Spoiled:
        wrong = set(range(0, len(rows), step))
        for place in wrong:
            rows[place]["price_raw"] = price
        return Spoiled(rows, wrong)

    return spoil


def other_currency(rows: list[Row], step: int) -> Spoiled:
    """The number stays, its currency is another."""
    wrong = set(range(0, len(rows), step))
    for place in wrong:
        rows[place]["currency"] = "EUR" if rows[place]["currency"] == "USD" else "USD"
    return Spoiled(rows, wrong)


def half_gone(rows: list[Row], step: int) -> Spoiled | None:
    """Every second row is missing."""
    return Spoiled(rows[::2]) if step == 1 and len(rows) >= 4 else None


def all_gone(rows: list[Row], step: int) -> Spoiled | None:
    """An empty answer that looks well."""
    return Spoiled([]) if step == 1 else None


def renamed(rows: list[Row], step: int) -> Spoiled:
    """A GPU name that nobody knows."""
    wrong = set(range(0, len(rows), step))
    for place in wrong:
        rows[place] |= {"gpu_name_raw": "Zorblax 9000", "instance_type": None, "offer_key": None}
    return Spoiled(rows, wrong)


def field_lost(rows: list[Row], step: int) -> Spoiled | None:
    """A field that every row had is empty."""
    full = [name for name in FIELDS if rows and all(row[name] is not None for row in rows)]
    full = [name for name in full if name != "instance_type" or all(row["gpu_name_raw"] for row in rows)]
    if step != 1 or not full or len(rows) < 3:
        return None
    for row in rows:
        row[full[0]] = None
    return Spoiled(rows)


def field_new(rows: list[Row], step: int) -> Spoiled | None:
    """The source sends an input field that nobody reads."""
    return Spoiled(rows, unused="gpus.price_v2") if step == 1 else None


def pcie_as_sxm(rows: list[Row], step: int) -> Spoiled | None:
    """A PCIe part under the name of the SXM one."""
    wrong = set()
    for place, row in enumerate(rows):
        name = row["gpu_name_raw"] or ""
        mark = next((mark for mark in PARTS if mark in name), None)
        if mark and ("H100" in name or "A100" in name or "V100" in name):
            row["gpu_name_raw"] = name.replace(mark, PARTS[mark])
            wrong.add(place)
    return Spoiled(rows, wrong) if wrong and step == 1 else None


def key_twice(rows: list[Row], step: int) -> Spoiled:
    """The same offer a second time, a third dearer."""
    size = len(rows)
    for place in range(0, size, step):
        rows.append(
            {**rows[place], "price_raw": format(Decimal(rows[place]["price_raw"]) * Decimal("1.33"), "f")}
        )
    return Spoiled(rows, set(range(size, len(rows))))


def challenge_page(rows: list[Row], step: int) -> Spoiled | None:
    """A short page instead of the answer; one old row survives in it."""
    return Spoiled(rows[:1], body_bytes=900) if step == 1 and len(rows) > 1 else None


def frozen_page(rows: list[Row], step: int) -> Spoiled | None:
    """The answer of the first run, to the byte, 50 days on."""
    return Spoiled(rows, is_frozen=True) if step == 1 else None


def clock_ahead(rows: list[Row], step: int) -> Spoiled | None:
    """The run is dated two days after it was loaded."""
    return Spoiled(rows, later=timedelta(days=2)) if step == 1 else None


FAULTS: dict[str, Fault] = {
    "x8": scaled("8"),
    "/8": eighth,
    "x24": scaled("24"),
    "x730": scaled("730"),
    "x100": scaled("100"),
    "VAT x1.19": scaled("1.19"),
    "currency swapped": other_currency,
    "0.01": stated("0.01"),
    "0": stated("0"),
    "half the rows gone": half_gone,
    "all gone": all_gone,
    "renamed GPU": renamed,
    "lost field": field_lost,
    "new field": field_new,
    "PCIe sold as SXM": pcie_as_sxm,
    "duplicated key": key_twice,
    "challenge page": challenge_page,
    "frozen page": frozen_page,
    "clock skew": clock_ahead,
}
WARNED_IS_CAUGHT = {"new field", "frozen page", "half the rows gone"}


def main(arguments: list[str]) -> int:
    """Print caught / injected and wrong prices published per fault."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("providers", nargs="*")
    parser.add_argument("--parsed", type=Path, help="keep the parsed recordings here, and use them again")
    parser.add_argument("--first-run", action="store_true", help="no history of the provider")
    parser.add_argument("--again", action="store_true", help="the same fault in three runs in a row")
    parser.add_argument("--verbose", action="store_true", help="name every fault that was not caught")
    options = parser.parse_args(arguments)
    if not RECORDINGS.exists():
        print("no recording was found in ../shared/recordings")
        return 0
    with tempfile.TemporaryDirectory(prefix="gpufare-faults-") as scratch:
        folders = parsed_recordings(options.parsed or Path(scratch) / "parsed", options.providers)
        counts: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in FAULTS}
        used: set[str] = set()
        for number, folder in enumerate(folders):
            for outcome in try_recording(
                folder,
                Path(scratch) / str(number),
                first_run=options.first_run,
                times=3 if options.again else 1,
            ):
                used.add(outcome.provider)
                count = counts[outcome.fault]
                count[0] += outcome.caught
                count[1] += 1
                count[2] += outcome.wrong
                count[3] += outcome.spoiled
                if options.verbose and (outcome.wrong or not outcome.caught):
                    print(f"  {folder.parent.name}/{folder.name}: {outcome}")
    print(f"{'fault':<22}{'caught / injected':>20}{'wrong published':>18}{'of rows spoiled':>18}")
    for name, (caught, injected, wrong, spoiled) in counts.items():
        print(f"{name:<22}{f'{caught} / {injected}':>20}{wrong:>18}{spoiled:>18}")
    sums = [sum(column) for column in zip(*counts.values(), strict=True)]
    print(f"{'all':<22}{f'{sums[0]} / {sums[1]}':>20}{sums[2]:>18}{sums[3]:>18}   ({len(used)} providers)")
    return 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault in one recording."""

    provider: str
    fault: str
    step: int
    caught: bool
    wrong: int
    spoiled: int
    state: str
    held: int


def parsed_recordings(root: Path, providers: list[str]) -> list[Path]:
    """Run folders of every recording that our spiders make at least three offers of."""
    import pyarrow.parquet as pq

    from crawlers.run import crawl

    if not root.exists():
        wanted = [
            path.parent
            for path in sorted(RECORDINGS.glob("*/*/run.json"))
            if (PROJECT / "crawlers" / "spiders" / f"{path.parent.parent.name}.py").exists()
            and (not providers or path.parent.parent.name in providers)
        ]
        crawl([], home=root, now=datetime.fromisoformat("2026-11-27T00:00:00+00:00"), replay=wanted)
    found = sorted(file.parent for file in root.glob("runs/*/*/offers.parquet"))
    found = [folder for folder in found if not providers or folder.parent.name in providers]
    return [folder for folder in found if pq.read_metadata(folder / "offers.parquet").num_rows >= 3]


def try_recording(folder: Path, scratch: Path, *, first_run: bool, times: int) -> Iterator[Outcome]:
    """Every fault on one recording, in a warehouse of its own in memory."""
    from warehouse import ingest, load
    from warehouse.database import create_tables, memory_connection

    connection = memory_connection()
    try:
        create_tables(connection)
        ingest.prepare(connection)
        ingest.load_bundled_days(connection)
        base = load.read_run(folder, "replay")
        base.report.facts["expected_offers"] = None  # recordings are cut: their size says nothing
        bench = _Bench(connection, base, _rows(folder), scratch)
        if not first_run:
            for day in range(GOOD_RUNS):
                bench.load(Spoiled(bench.fresh()), day)
        if not bench.clean_rows:
            bench.judge(Spoiled(bench.fresh()), GOOD_RUNS)
        for name, fault in FAULTS.items():
            for step in (1, 3):
                spoiled = fault(bench.fresh(), step)
                if spoiled is not None:
                    yield bench.outcome(name, step, spoiled, times)
    finally:
        connection.close()


class _Bench:
    """One recording's warehouse: loads good days for good, and spoiled ones for a moment."""

    def __init__(self, connection: Any, base: Any, rows: list[Row], scratch: Path) -> None:
        self.connection, self.base, self.rows, self.scratch = connection, base, rows, scratch
        self.clean_rows: set[int] = set()
        self.number = 0

    def fresh(self) -> list[Row]:
        """The good rows, to be spoiled."""
        return [dict(row) for row in self.rows]

    def load(self, spoiled: Spoiled, day: int) -> Any:
        """Load a run for good, like `warehouse.ingest`; remember which rows a good run gets accepted."""
        from warehouse import ingest
        from warehouse.database import transaction

        run = self._run(spoiled, day)
        with transaction(self.connection):
            verdict = ingest.judge(self.connection, run)
            self.clean_rows = {row for row, status in self._statuses() if status == "accepted"}
            ingest._keep(self.connection, run, verdict, run.loaded_at)
        return verdict

    def judge(self, spoiled: Spoiled, day: int) -> None:
        """Judge a good run without keeping it: which rows would be accepted."""
        from warehouse import ingest

        self.connection.execute("BEGIN TRANSACTION")
        ingest.judge(self.connection, self._run(spoiled, day))
        self.clean_rows = {row for row, status in self._statuses() if status == "accepted"}
        self.connection.execute("ROLLBACK")

    def outcome(self, name: str, step: int, spoiled: Spoiled, times: int) -> Outcome:
        """What becomes of a spoiled run (the last of `times`), which is then forgotten."""
        from warehouse import ingest

        self.connection.execute("BEGIN TRANSACTION")
        for again in range(times):
            day = GOOD_RUNS + (50 if spoiled.is_frozen and self.base.kind != "marketplace" else 0) + again
            run = self._run(spoiled, day)
            verdict = ingest.judge(self.connection, run)
            statuses = dict(self._statuses())
            if again < times - 1:
                ingest._keep(self.connection, run, verdict, run.loaded_at)
        self.connection.execute("ROLLBACK")
        accepted = {row for row, status in statuses.items() if status == "accepted" and verdict.accepts}
        wrong = accepted & {
            place for place in spoiled.wrong if place in self.clean_rows or place >= len(self.rows)
        }
        told = not verdict.accepts or any(not line.startswith("R14") for line in verdict.warnings)
        stopped = (
            not verdict.accepts
            or verdict.held > len(self.rows) - len(self.clean_rows)
            or verdict.rejected > 0
        )
        caught = not wrong and (told if name in WARNED_IS_CAUGHT else stopped)
        return Outcome(
            self.base.provider,
            name,
            step,
            caught,
            len(wrong),
            len(spoiled.wrong),
            verdict.state,
            verdict.held,
        )

    def _statuses(self) -> list[tuple[int, str]]:
        found = self.connection.execute("SELECT row_no - 1, status FROM verdicts").fetchall()
        return [(int(row), str(status)) for row, status in found]

    def _run(self, spoiled: Spoiled, day: int) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from warehouse.run_folder import offers_schema

        self.number += 1
        moment = self.base.observed_at - timedelta(days=GOOD_RUNS - day)
        folder = self.scratch / str(self.number)
        folder.mkdir(parents=True)
        rows = [{**row, "observed_at": moment + spoiled.later} for row in spoiled.rows]
        pq.write_table(pa.Table.from_pylist(rows, schema=offers_schema()), folder / "offers.parquet")
        unused = {spoiled.unused: 3} if spoiled.unused else {}
        good_days = range(
            1 if self.base.kind == "marketplace" else 0, GOOD_RUNS
        )  # a market may not stand longer
        report = replace(
            self.base.report, state="good", reason=None, unused_fields=unused, rejected=[], rejected_count=0
        )
        if not spoiled.rows:
            report = replace(report, sources=[replace(source, offers=0) for source in report.sources])
        run = replace(
            self.base,
            run_id=f"run-{self.number}",
            run_no=self.number,
            observed_at=moment + spoiled.later,
            partial=False,
            report=replace(report, sources=[replace(source, state="good") for source in report.sources]),
            folder=folder,
            body_digest="frozen" if spoiled.is_frozen or day in good_days else f"{self.number}",
            body_bytes=spoiled.body_bytes or max(self.base.body_bytes, 5000),
            bodies=1,
        )
        run.loaded_at = moment
        return run


def _rows(folder: Path) -> list[Row]:
    import pyarrow.parquet as pq

    rows: list[Row] = pq.read_table(folder / "offers.parquet").to_pylist()
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
