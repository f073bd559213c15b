"""What an answer may use: where, what hardware, how sold, how dear, by when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recommender.fields import LIMIT_FIELDS
from warehouse.errors import UsageError
from warehouse.records import PriceKind

DEFAULT_TOP = 10
COMMITTED_KINDS = ("reserved", "savings_plan", "capacity_block", "subscription")
OPEN_KINDS = ("on_demand", "flex")
INTERRUPTIBLE_KINDS = ("spot", "low_priority")
BY_COST, BY_TIME = "cost", "time"


@dataclass(frozen=True, slots=True)
class DataPlace:
    """Data that the job reads: where it lies and how much.

    Attributes:
        region: as its provider writes it. gigabytes: decimal GB, > 0.
        provider: whose region it is, None where the name alone says it (the market knows).
    """

    region: str
    gigabytes: float
    provider: str | None = None

    def __str__(self) -> str:
        where = f"{self.provider}/{self.region}" if self.provider else self.region
        return f"{where}:{self.gigabytes:g}"


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """Limits on the offers and on the plan; empty means no limit.

    Attributes:
        gpus: accelerator filters, `h100`, `a100-80gb`, `h100-sxm5-80gb`.
        gpu_count: accelerators per machine. min_memory_gb: per accelerator.
        providers, regions, countries (alpha-2), continents.
        kinds: price kinds; empty takes on-demand, with `spot_ok` spot too, and commitments up to
            `commit_months`.
        term_months: exactly this commitment. available_only: only what the provider says can be had now.
        interconnect: part of the interconnect's name as printed.
        spot_ok: interruptible prices may be used. on_demand_floor: share of a service's machines that is
            never interruptible; None offers plans of spot alone and mixed ones. commit_months: longest
            commitment.
        max_price_usd_per_gpu_hour.
        deadline_hours: latest end of a job. budget_usd: of the job, or per month for serving.
        max_co2_kg: kg CO2e of the job, or per month for serving; plans whose grid is not known do not count.
        data_in: data that must reach the machines. rank_by: `cost` or `time`, None: implied.
        include_sold_out: offers known not to be available are used too.
        top: plans to return.
    """

    gpus: tuple[str, ...] = ()
    gpu_count: int | None = None
    min_memory_gb: float | None = None
    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    continents: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    term_months: int | None = None
    available_only: bool = False
    interconnect: str | None = None
    spot_ok: bool = False
    on_demand_floor: float | None = None
    commit_months: int = 0
    max_price_usd_per_gpu_hour: float | None = None
    deadline_hours: float | None = None
    budget_usd: float | None = None
    max_co2_kg: float | None = None
    data_in: tuple[DataPlace, ...] = ()
    rank_by: str | None = None
    include_sold_out: bool = False
    top: int = DEFAULT_TOP

    def __post_init__(self) -> None:
        known = {kind.value for kind in PriceKind}
        for kind in self.kinds:
            if kind not in known:
                raise UsageError(f"kind {kind!r} is not one of {', '.join(sorted(known))}")
        for item in LIMIT_FIELDS:
            value = getattr(self, item.name)
            if item.low is None or item.high is None or value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"{item.option} {value!r} is not a number")
            if not math.isfinite(value) or not item.low <= value <= item.high:
                raise UsageError(f"{item.option} {value:g} must be between {item.low:g} and {item.high:g}")
        if self.rank_by not in (None, BY_COST, BY_TIME):
            raise UsageError(f"--rank-by {self.rank_by!r} is not one of {BY_COST}, {BY_TIME}")
        if self.on_demand_floor is not None and not self.interruptible_kinds:
            raise UsageError("--on-demand-floor needs --spot-ok; without spot everything is on demand")

    @property
    def price_kinds(self) -> tuple[str, ...]:
        """The price kinds that may be used."""
        if self.kinds:
            return self.kinds
        kinds: tuple[str, ...] = OPEN_KINDS
        if self.spot_ok:
            kinds += INTERRUPTIBLE_KINDS
        if self.commit_months or self.term_months:
            kinds += COMMITTED_KINDS
        return kinds

    @property
    def interruptible_kinds(self) -> tuple[str, ...]:
        """The price kinds that may be used and can be taken away."""
        return tuple(kind for kind in self.price_kinds if kind in INTERRUPTIBLE_KINDS)

    @property
    def longest_term_months(self) -> int | None:
        """Longest commitment allowed, None for any (price kinds were named)."""
        if self.term_months is not None:
            return None
        return self.commit_months or None if self.kinds else self.commit_months

    def objective(self, is_job: bool) -> str:
        """What plans are ranked by: as asked, else time for a job under a budget alone, else cost."""
        if self.rank_by is not None:
            return self.rank_by
        return BY_TIME if is_job and self.budget_usd is not None and self.deadline_hours is None else BY_COST


def parse_data_place(text: str) -> DataPlace:
    """``us-east-1:500`` or ``aws/us-east-1:500``. Raises UsageError."""
    where, colon, size = text.strip().rpartition(":")
    try:
        gigabytes = float(size)
    except ValueError:
        gigabytes = math.nan
    if not colon or not where or not 0 < gigabytes < 1e12:
        raise UsageError(f"--data-in {text!r} is not REGION:GB; example: --data-in aws/us-east-1:500")
    provider, slash, region = where.partition("/")
    if not slash:
        return DataPlace(where, gigabytes)
    if not provider or not region:
        raise UsageError(f"--data-in {text!r} is not PROVIDER/REGION:GB; example: aws/us-east-1:500")
    return DataPlace(region, gigabytes, provider.lower())
