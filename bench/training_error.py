"""Errors of training, whole runs and memory: ``python -m bench.training_error [TRUTH_FOLDER]``.

Refits without each source, family and (model, accelerator) pair and writes docs/training-error.md. Some ten
minutes. Without the folder of measurements it says so in one line.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from recommender.sizing.predict.bands import predict_table
from recommender.sizing.predict.evaluate import LEAVE_OUT, Line, cross_validate, evaluate_table
from recommender.sizing.predict.table import read_table

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "training-error.md"
FILES = ("training_throughput.csv", "training_runs.csv", "memory.csv")
WORKERS = 4
IN_SAMPLE = "in sample"
HEADER = "| quantity | rows | answered | aim | in sample | source left out | family | pair | p90 | in band |"


def main(arguments: list[str]) -> int:
    """Write the page."""
    folder = Path(arguments[0]) if arguments else TRUTH
    if not folder.exists():
        print(f"no measurements at {folder}; give the folder that holds {', '.join(FILES)}")
        return 0
    tasks = [(folder / name, by) for name in FILES for by in (IN_SAMPLE, *LEAVE_OUT)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        lines = dict(zip(tasks, pool.map(_lines, tasks), strict=True))
    whole, groups = [], []
    for name in FILES:
        whole += _whole({by: lines[folder / name, by] for by in (IN_SAMPLE, *LEAVE_OUT)})
        groups += _by_source(lines[folder / name, "source"])
    rows = sum(len(read_table(folder / name).rows) for name in FILES)
    text = _page(rows, whole, groups)
    PAGE.write_text(text, "utf-8")
    print(text)
    return 0


def _lines(task: tuple[Path, str]) -> list[Line]:
    """Errors of one table, with the shipped constants or refitted without each group."""
    path, by = task
    table = read_table(path)
    predictions = predict_table(table) if by == IN_SAMPLE else cross_validate(table, by)
    return list(evaluate_table(table, predictions).lines)


def _page(rows: int, whole: list[str], groups: list[str]) -> str:
    return "\n".join(
        [
            "# How far training predictions are from measurements\n",
            f"Written by `python -m bench.training_error` on {datetime.now(UTC).date()}, {rows:,} published",
            "measurements. Errors are |predicted / measured - 1|, median; a configuration counts once.",
            "*Left out*: fitted without the source, the family of models or the (model, accelerator)",
            "pairs that are predicted. p90 and *in band* (between p10 and p90): source left out.\n",
            HEADER,
            "|---|---|---|---|---|---|---|---|---|---|",
            *whole,
            "\nBy source, each left out of its own fit:\n",
            "| quantity | source | rows | median error | p90 | bias | in band |",
            "|---|---|---|---|---|---|---|",
            *groups,
            "",
        ]
    )


def _whole(found: dict[str, list[Line]]) -> list[str]:
    out = {by: {line.mark: line for line in lines if line.by == "all"} for by, lines in found.items()}
    rows = []
    for mark, line in out[IN_SAMPLE].items():
        left = [out[by][mark] for by in LEAVE_OUT]
        cells = [mark.strip(), f"{line.rows:,}", _share(line.answered), _share(line.limit)]
        cells += [_share(line.median_error), *(_share(other.median_error) for other in left)]
        rows.append("| " + " | ".join([*cells, _share(left[0].p90_error), _share(left[0].in_band)]) + " |")
    return rows


def _by_source(lines: list[Line]) -> list[str]:
    return [
        f"| {line.mark.strip()} | {line.group} | {line.rows:,} | {_share(line.median_error)} | "
        f"{_share(line.p90_error)} | {line.bias or 0:.2f} | {_share(line.in_band)} |"
        for line in lines
        if line.by == "source" and line.group != "not stated"
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
