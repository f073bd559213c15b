"""Errors of training, whole runs and memory: ``python -m bench.training_error [TRUTH_FOLDER]``.

Refits without each source, family and (model, accelerator) pair and writes docs/training-error.md. Some ten
minutes. Without the folder of measurements it says so in one line.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from recommender.sizing.predict import cross_validate, evaluate_table, predict_table, read_table
from recommender.sizing.predict.evaluate import LEAVE_OUT, Line
from recommender.sizing.predict.table import Table

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "training-error.md"
FILES = ("training_throughput.csv", "training_runs.csv", "memory.csv")


def main(arguments: list[str]) -> int:
    """Write the page."""
    folder = Path(arguments[0]) if arguments else TRUTH
    if not folder.exists():
        print(f"no measurements at {folder}; give the folder that holds {', '.join(FILES)}")
        return 0
    tables = [read_table(folder / name) for name in FILES]
    rows = sum(len(table.rows) for table in tables)
    text = [
        "# How far training predictions are from measurements\n",
        f"Written by `python -m bench.training_error` on {datetime.now(UTC).date()} from {rows:,} published",
        "measurements. Errors are |predicted / measured - 1|, median; every configuration counts once. *Left",
        "out*: constants and bands were fitted without the source, the family of models or the (model,",
        "accelerator) pairs that are predicted. p90 and *in band* (between p10 and p90): source left out.\n",
        "| quantity | rows | answered | aim | in sample | source left out | family | pair | p90 | in band |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: list[str] = []
    for table in tables:
        whole, by_source = _table(table)
        text += whole
        groups += by_source
    text += [
        "\nBy source, each left out of its own fit:\n",
        "| quantity | source | rows | median error | p90 | bias | in band |",
    ]
    text += ["|---|---|---|---|---|---|---|", *groups]
    PAGE.write_text("\n".join(text) + "\n", "utf-8")
    print("\n".join(text))
    return 0


def _table(table: Table) -> tuple[list[str], list[str]]:
    inside = {
        line.mark: line for line in evaluate_table(table, predict_table(table)).lines if line.by == "all"
    }
    out: dict[str, dict[str, Line]] = {}
    groups: list[str] = []
    for by in LEAVE_OUT:
        lines = evaluate_table(table, cross_validate(table, by)).lines
        out[by] = {line.mark: line for line in lines if line.by == "all"}
        if by == "source":
            groups = [
                f"| {line.mark.strip()} | {line.group} | {line.rows:,} | {_share(line.median_error)} | "
                f"{_share(line.p90_error)} | {line.bias or 0:.2f} | {_share(line.in_band)} |"
                for line in lines
                if line.by == "source" and line.group != "not stated"
            ]
    rows = []
    for mark, line in inside.items():
        left = [out[by][mark] for by in LEAVE_OUT]
        cells = [
            mark.strip(),
            f"{line.rows:,}",
            _share(line.answered),
            _share(line.limit),
            _share(line.median_error),
        ]
        cells += [_share(other.median_error) for other in left]
        rows.append("| " + " | ".join([*cells, _share(left[0].p90_error), _share(left[0].in_band)]) + " |")
    return rows, groups


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
