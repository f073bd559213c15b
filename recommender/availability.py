"""How often a machine could be had: what our polls saw, per provider, kind of machine and way of selling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recommender.market import SEPARATOR, OfferGroup
from warehouse.database import columns_of

WINDOW_DAYS = 30
RARELY = 0.25  # available in fewer than this share of polls: such plans come after all others
ENOUGH_POLLS = 4  # fewer polls say nothing


@dataclass(frozen=True, slots=True)
class History:
    """Polls of one kind of machine at one provider in the last 30 days, in the region where it was had most.

    Attributes:
        region: that region, None where the source names none.
        polls, polls_available: looks in which the source said whether it can be had, and in which it could.
        days, days_available: days with a look, and days on which it could be had at least once.
        last_available_at: None where it never was. offers_available: offers of it that can be had now.
    """

    region: str | None
    polls: int
    polls_available: int
    days: int
    days_available: int
    last_available_at: datetime | None
    offers_available: int | None = None

    @property
    def share(self) -> float:
        """Share of polls in which it could be had."""
        return self.polls_available / self.polls if self.polls else 0.0

    def row(self) -> dict[str, Any]:
        """As a record."""
        return {
            "region": self.region,
            "window_days": WINDOW_DAYS,
            "polls": self.polls,
            "polls_available": self.polls_available,
            "days": self.days,
            "days_available": self.days_available,
            "last_available_at": self.last_available_at,
        }

    def sentence(self) -> str:
        """In words, for the reasons."""
        now = f"{self.offers_available} free now; " if self.offers_available else ""
        where = f" in {self.region}" if self.region else ""
        text = (
            f"{now}could be had{where} on {self.days_available} of the {self.days} days watched "
            f"({self.polls_available} of {self.polls} looks in {WINDOW_DAYS} days)"
        )
        if self.last_available_at is not None and self.polls_available < self.polls and not now:
            text += f", last on {self.last_available_at:%Y-%m-%d %H:%M} UTC"
        return text


HistoryKey = tuple[str, str | None, str, int, str]


def history_key(group: OfferGroup) -> HistoryKey:
    """Provider, instance type, parts, GPUs, price kind."""
    parts = SEPARATOR.join(group.parts)
    return group.provider, group.instance_type, parts, group.gpu_count, group.price_kind


_COLUMNS = {
    "provider",
    "instance_type",
    "accelerator_id",
    "candidates",
    "gpu_count",
    "partition",
    "region",
    "price_kind",
    "window_days",
    "polls",
    "polls_available",
    "days",
    "days_available",
    "last_available_at",
    "offers_available",
}
_HISTORIES = """
SELECT provider, instance_type, coalesce(accelerator_id, array_to_string(list_sort(candidates), '|')) AS part,
    gpu_count::INTEGER AS gpus, price_kind, region, polls::INTEGER, polls_available::INTEGER, days::INTEGER,
    days_available::INTEGER, epoch_us(last_available_at), offers_available::INTEGER
FROM availability
WHERE window_days = $window AND "partition" IS NULL AND polls > 0
QUALIFY row_number() OVER (
    PARTITION BY provider, instance_type, part, gpus, price_kind
    ORDER BY polls_available / polls DESC, polls DESC
) = 1
"""


def read_histories(market: Any) -> dict[HistoryKey, History]:
    """Histories of all kinds of machine; empty where the market keeps none (an older copy)."""
    if not columns_of(market, "availability") >= _COLUMNS:
        return {}
    found = {}
    for row in market.execute(_HISTORIES, {"window": WINDOW_DAYS}).fetchall():
        *key, region, polls, had, days, days_had, last_us, free = row
        last = None if last_us is None else datetime.fromtimestamp(last_us / 1e6, UTC)
        found[tuple(key)] = History(region, polls, had, days, days_had, last, free)
    return found


def rarely_had(group: OfferGroup, histories: dict[HistoryKey, History]) -> bool:
    """Watched often enough, seldom there, and not there now."""
    history = histories.get(history_key(group))
    if history is None or history.polls < ENOUGH_POLLS or group.available is True:
        return False
    return history.share < RARELY
