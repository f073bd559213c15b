"""The few constants of the serving formulas, each with its meaning, bounds and prior:
`serving_constants.csv`.

`python -m bench.fit_sizing` fits them against published measurements and writes the file; the bounds keep
them physical and the prior holds those that few measurements touch.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from warehouse.errors import ReferenceDataError

COLUMNS = ("name", "value", "low", "high", "prior", "spread", "unit", "meaning")
Constants = dict[str, float]


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant.

    Attributes:
        value: fitted. low, high: what is physically possible. prior: what is expected without measurements.
        spread: how far (in logs, one standard deviation) the value may stray from its prior.
        unit, meaning: for people.
    """

    name: str
    value: float
    low: float
    high: float
    prior: float
    spread: float
    unit: str
    meaning: str


@lru_cache(maxsize=1)
def constants() -> dict[str, Constant]:
    """All constants by name, in the order of the file."""
    text = resources.files("recommender.sizing").joinpath("serving_constants.csv").read_text("utf-8")
    found = {}
    for line in csv.DictReader(text.splitlines()):
        numbers = [float(line[name]) for name in COLUMNS[1:6]]
        if not numbers[1] <= numbers[0] <= numbers[2]:
            raise ReferenceDataError(f"serving_constants.csv: {line['name']} is outside its own bounds")
        value, low, high, prior, spread = numbers
        found[line["name"]] = Constant(
            line["name"], value, low, high, prior, spread, line["unit"], line["meaning"]
        )
    return found


@lru_cache(maxsize=1)
def shipped() -> Constants:
    """Name -> value."""
    return {name: item.value for name, item in constants().items()}


def as_csv(values: Constants) -> str:
    """The file with new values; bounds, priors and meanings as they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item in constants().values():
        numbers = (item.low, item.high, item.prior, item.spread)
        writer.writerow(
            [item.name, f"{values[item.name]:.4g}", *(f"{n:g}" for n in numbers), item.unit, item.meaning]
        )
    return out.getvalue()
