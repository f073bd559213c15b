"""What an answer may use: where, what hardware, how sold, how dear, by when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from warehouse.errors import UsageError
from warehouse.records import PriceKind

DEFAULT_TOP = 10
COMMITTED_KINDS = ("reserved", "savings_plan", "capacity_block", "subscription")
OPEN_KINDS = ("on_demand", "flex")
INTERRUPTIBLE_KINDS = ("spot", "low_priority")


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
        spot_ok: interruptible prices may be used. commit_months: longest commitment.
        max_price_usd_per_gpu_hour.
        deadline_hours: latest end of a training job. budget_usd: of the job, or per month for serving.
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
    commit_months: int = 0
    max_price_usd_per_gpu_hour: float | None = None
    deadline_hours: float | None = None
    budget_usd: float | None = None
    include_sold_out: bool = False
    top: int = DEFAULT_TOP

    def __post_init__(self) -> None:
        known = {kind.value for kind in PriceKind}
        for kind in self.kinds:
            if kind not in known:
                raise UsageError(f"kind {kind!r} is not one of {', '.join(sorted(known))}")
        for field in (
            "gpu_count",
            "min_memory_gb",
            "max_price_usd_per_gpu_hour",
            "deadline_hours",
            "budget_usd",
        ):
            value = getattr(self, field)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{field.replace('_', '-')} {value:g} must be above 0")
        if not 1 <= self.top <= 10_000:
            raise UsageError(f"top {self.top} must be between 1 and 10,000")
        if not 0 <= self.commit_months <= 120:
            raise UsageError(f"commit-months {self.commit_months} must be between 0 and 120")

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
    def longest_term_months(self) -> int | None:
        """Longest commitment allowed, None for any (price kinds were named)."""
        if self.term_months is not None:
            return None
        return self.commit_months or None if self.kinds else self.commit_months
