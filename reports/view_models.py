"""View models: what a page shows, finished. Templates loop, branch and print; they compute nothing.

Every text is ready to print (escaping is the template's), every number is formatted, and beside each
sortable number stands its sort key. A href is relative to the site's root; templates put the page's own
way to the root before it. None means there is nothing to show, and the template says so in a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.charts import Bar, DotStrip, LineChart, RangeBar, Sparkline, Tick
from reports.scatter import Scatter
from reports.section_models import (
    DataColumn,
    ErrorRow,
    FindingRow,
    IndexBoard,
    Matrix,
    Ownership,
    ShapeRow,
    Stock,
    Value,
    WatchRow,
)
from reports.view_models_base import Link as Link
from reports.view_models_base import When as When


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and its value, with an optional remark and link."""

    term: str
    value: str
    remark: str = ""
    link: Link | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page of one build shares: when, from what, and how fresh.

    Attributes:
        built: when the site was built.
        market: newest observation, None in an empty warehouse.
        freshness: one sentence on the age and origin of the prices.
        stale: True where that sentence is a warning.
        licence: what may be done with the data.
        address: where the site is published, with a slash at its end; empty where that is not known.
        preview: what the preview image says.
    """

    built: When
    market: When | None
    freshness: str
    stale: bool
    licence: str
    address: str = ""
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Availability:
    """Can it be had? `state` is yes, no or unknown."""

    text: str
    state: str


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One line of an offers table; ends in `_key` where a column sorts by something else than its text."""

    provider: Link
    machine: str
    machine_note: str
    gpus: str
    gpus_key: float
    region: str
    kind: str
    usd_per_gpu_hour: str
    price_key: float
    usd_per_hour: str
    hour_key: float
    native: str
    availability: Availability
    age: str
    age_key: float
    state: str
    accelerator: Link | None
    source_url: str | None
    run_id: str
    sha: str
    origin: str


@dataclass(frozen=True, slots=True)
class OfferTable:
    """An offers table with the sentence that says what was left out."""

    rows: tuple[OfferRow, ...]
    shown: str
    empty: str


@dataclass(frozen=True, slots=True)
class Buy:
    """The best offer of one kind."""

    price: str
    price_key: float
    provider: Link
    place: str
    kind: str
    gpus: str
    availability: Availability
    age: str
    stale: bool
    fair: str
    verdict: str
    source_url: str | None


@dataclass(frozen=True, slots=True)
class BuyRow:
    """One accelerator's best buys: on demand, interruptible, committed."""

    accelerator: Link
    remark: str
    on_demand: Buy | None
    spot: Buy | None
    committed: Buy | None


@dataclass(frozen=True, slots=True)
class SpreadRow:
    """One accelerator's spread over providers, on demand."""

    accelerator: Link
    remark: str
    strip: DotStrip
    low: str
    median: str
    high: str
    low_key: float
    median_key: float
    high_key: float
    providers: int
    trend: Sparkline | None


@dataclass(frozen=True, slots=True)
class Spread:
    """The dot strips under one axis."""

    rows: tuple[SpreadRow, ...]
    ticks: tuple[Tick, ...]
    width: float


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One month of a history in figures."""

    day: str
    level: str
    low: str
    quartiles: str
    providers: int


@dataclass(frozen=True, slots=True)
class History:
    """A history chart, its figures, or the sentence why there is none."""

    name: str
    link: Link | None
    chart: LineChart | None
    rows: tuple[HistoryRow, ...]
    empty: str
    unit: str = "USD per GPU-hour"


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of one offer."""

    at: When
    what: str
    state: str
    provider: Link
    accelerator: Link | None
    name: str
    region: str
    kind: str
    old: str
    new: str
    moved: str
    moved_key: float
    money: str
    money_key: float
    source_url: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """A list of changes with its summary sentence; the sentence alone where there are none."""

    summary: str
    rows: tuple[ChangeRow, ...]
    more: Link | None


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider in the list of providers."""

    provider: Link
    kind: str
    offers: str
    offers_key: int
    held: str
    held_key: int
    accelerators: int
    last_good: str
    age_key: float
    state: str
    state_text: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One way to run a job."""

    rank: int
    anchor: str
    machine: str
    accelerator: Link | None
    provider: Link
    region: str
    kind: str
    cost: str
    cost_range: str
    cost_key: float
    cost_bar: RangeBar | None
    time: str
    time_range: str
    memory: str
    memory_bar: Bar | None
    layout: str
    precision: str
    throughput: str
    per_million: str
    availability: Availability
    age: str
    pareto: bool
    reasons: tuple[str, ...]
    source_url: str | None
    run_id: str
    sha: str


@dataclass(frozen=True, slots=True)
class Job:
    """A reference job answered: the question, the best plans, what was refused and why."""

    job_id: str
    title: str
    question: str
    href: str
    cost_heading: str
    time_heading: str
    time_note: str
    plans: tuple[PlanRow, ...]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    trade: Scatter | None
    command: str
    answer: str
    empty: str


@dataclass(frozen=True, slots=True)
class Download:
    """One file of the data folder."""

    name: str
    href: str
    what: str
    size: str


@dataclass(frozen=True, slots=True)
class QualityRow:
    """Held rows of one rule."""

    rule: str
    meaning: str
    status: str
    rows: int
    providers: int
    since: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One held row with its evidence."""

    provider: Link
    rule: str
    name: str
    region: str
    kind: str
    price: str
    price_key: float
    evidence: str
    since: str
    confirmations: str
    source_url: str | None
    run_id: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of one provider."""

    provider: Link
    at: When
    state: str
    reason: str
    origin: str
    offers: str
    rejected: str
    held: str
    requests: str
    seconds: str
    run_id: str


@dataclass(frozen=True, slots=True)
class FrontPage:
    """index.html."""

    headline: str
    lead: tuple[Fact, ...]
    trust: tuple[Fact, ...]
    buys: tuple[BuyRow, ...]
    buys_more: str
    jobs: tuple[Job, ...]
    jobs_empty: str
    ownership: tuple[Ownership, ...]
    ownership_empty: str
    changes: Changes
    index: IndexBoard
    histories: tuple[History, ...]
    spread: Spread
    spread_more: str
    matrix: Matrix
    stock: Stock
    value: Value
    providers: tuple[ProviderRow, ...]
    providers_more: str
    watches: tuple[WatchRow, ...]
    watches_empty: str
    quality: tuple[QualityRow, ...]
    quality_sentence: str
    errors: tuple[ErrorRow, ...]
    error_sentence: str
    downloads: tuple[Download, ...]
    inputs: str
    rebuild: str


@dataclass(frozen=True, slots=True)
class AcceleratorPage:
    """gpu/<accelerator_id>.html."""

    title: str
    lead: str
    specification: tuple[Fact, ...]
    specification_source: str
    best: tuple[Buy, ...]
    providers: tuple[SpreadRow, ...]
    provider_ticks: tuple[Tick, ...]
    offers: OfferTable
    histories: tuple[History, ...]
    changes: Changes


@dataclass(frozen=True, slots=True)
class ProviderPage:
    """provider/<provider>.html."""

    title: str
    lead: str
    facts: tuple[Fact, ...]
    notice: str
    offers: OfferTable
    changes: Changes
    runs: tuple[RunRow, ...]
    held: tuple[HeldRow, ...]


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """changes/<date>.html."""

    title: str
    changes: Changes
    others: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class QualityPage:
    """quality.html."""

    lead: str
    rules: tuple[QualityRow, ...]
    held: tuple[HeldRow, ...]
    held_more: str
    providers: tuple[ProviderRow, ...]
    runs: tuple[RunRow, ...]
    findings: tuple[FindingRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source that can be asked, in the list of all; `state` names the mark before `state_text`.

    `seller` is empty where the prices are the source's own.
    """

    source: Link | None
    name: str
    home: Link | None
    state: str
    state_text: str
    reason: str
    last_good: str
    age_key: float
    prices: str
    hosts: tuple[str, ...]
    credential: str
    seller: str
    proof: str


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """sources.html; without rows the lead says that nothing is known."""

    lead: str
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True, slots=True)
class MethodPage:
    """method.html: prose lives in the template, the build's own numbers here."""

    build: tuple[Fact, ...]
    limits: tuple[Fact, ...]
    rates: tuple[Fact, ...]
    errors: tuple[ErrorRow, ...]
    error_sentence: str
    downloads: tuple[Download, ...]


@dataclass(frozen=True, slots=True)
class MarketPage:
    """market.html: the index of every family and part, and the price level in dollars."""

    index: IndexBoard
    parts: IndexBoard
    charts: tuple[History, ...]
    levels: tuple[History, ...]
    level_note: str


@dataclass(frozen=True, slots=True)
class StockPage:
    """availability.html."""

    stock: Stock
    shapes: tuple[ShapeRow, ...]
    shapes_empty: str


@dataclass(frozen=True, slots=True)
class ProvidersPage:
    """provider/index.html."""

    lead: str
    rows: tuple[ProviderRow, ...]


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """archive/index.html: days by month, newest first."""

    lead: str
    months: tuple[tuple[str, tuple[Link, ...]], ...]


@dataclass(frozen=True, slots=True)
class DictionaryPage:
    """data/index.html."""

    columns: tuple[DataColumn, ...]


@dataclass(frozen=True, slots=True)
class ListPage:
    """An index of accelerators: gpu/index.html."""

    title: str
    lead: str
    spread: Spread
    others: tuple[Link, ...]
