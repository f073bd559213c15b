"""View models of the market's sections: index, matrix, availability, value, watches, own error.

As in `reports.view_models`: finished text and geometry, sort keys beside it, a sentence where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.charts import Bar, RangeBar, Sparkline
from reports.heat import HeatStrip
from reports.scatter import Scatter
from reports.view_models_base import Link


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the index over a horizon with its band; `state` is up, down or empty (band holds zero)."""

    text: str
    band: str
    key: float
    state: str


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One market's index: its newest value, its moves, what it rests on and how many offers came and went."""

    name: Link
    remark: str
    value: str
    value_key: float
    spark: Sparkline | None
    moves: tuple[Move, ...]
    providers: int
    matched: int
    churn: str
    churn_key: int
    median: str
    median_key: float


@dataclass(frozen=True, slots=True)
class IndexBoard:
    """The market index; without rows `empty` says why."""

    rows: tuple[IndexRow, ...]
    horizons: tuple[str, ...]
    note: str
    without: str
    empty: str


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """The cheapest of one provider and family; `step` is the colour step of its distance to the cheapest."""

    text: str
    key: float
    step: int
    old: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One provider's prices, a cell per family; None where it lists none."""

    provider: Link
    cells: tuple[MatrixCell | None, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Providers by accelerator families, on demand."""

    columns: tuple[Link, ...]
    rows: tuple[MatrixRow, ...]
    has_old: bool
    more: str
    empty: str


@dataclass(frozen=True, slots=True)
class StockRow:
    """One family: a month of days, who has it today, and the cheapest that can be had."""

    name: Link
    strip: HeatStrip | None
    free: str
    free_key: int
    month: str
    month_key: float
    where: Link | None
    price: str
    price_key: float


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """How often one machine could be had."""

    provider: Link
    machine: str
    accelerator: Link | None
    region: str
    kind: str
    share: str
    share_key: float
    bar: Bar
    days: str
    now: str
    state: str
    last: str


@dataclass(frozen=True, slots=True)
class Stock:
    """Availability; without rows `empty` says why. `first`, `last`: days at the ends of the strips."""

    rows: tuple[StockRow, ...]
    first: str
    last: str
    note: str
    empty: str


@dataclass(frozen=True, slots=True)
class ValueRow:
    """What an accelerator's performance costs at its best on-demand price."""

    accelerator: Link
    remark: str
    front: bool
    price: str
    price_key: float
    where: Link
    age: str
    compute: str
    compute_key: float
    compute_bar: Bar | None
    bandwidth: str
    bandwidth_key: float
    memory: str
    memory_key: float


@dataclass(frozen=True, slots=True)
class Value:
    """Price against performance."""

    rows: tuple[ValueRow, ...]
    charts: tuple[Scatter, ...]
    sentence: str
    more: str
    empty: str


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How far our own predictions were from measurements: measured / predicted, 10th to 90th percentile."""

    what: str
    group: str
    low: str
    high: str
    bar: RangeBar | None


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What one rule found at one provider in its last 30 days, and what became of it."""

    provider: Link
    rule: str
    meaning: str
    last: str
    found: str
    found_key: int
    runs: str
    held: str
    decided: str
    example: str


@dataclass(frozen=True, slots=True)
class WatchRow:
    """One watch of the configuration and what it says today."""

    name: str
    asks: str
    state: str
    state_text: str
    answer: str
    where: Link | None
    source_url: str | None


@dataclass(frozen=True, slots=True)
class DataColumn:
    """One column of a download."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True, slots=True)
class CostChoice:
    """One way to have a job done: rent, buy or call an API; a bar for the cost."""

    way: str
    what: str
    cost: str
    cost_key: float
    per: str
    bar: Bar | None
    note: str
    age: str
    source_url: str | None


@dataclass(frozen=True, slots=True)
class Ownership:
    """Rent, buy or API for one job."""

    title: str
    href: str
    choices: tuple[CostChoice, ...]
    answer: str
    turns: tuple[str, ...]
