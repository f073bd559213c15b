"""How often a machine could be had: what our polls saw, per provider, machine and way of selling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommender.market import OfferGroup

RARELY = 0.25  # available in fewer than this share of polls: such plans come after all others
ENOUGH_POLLS = 4  # fewer polls say nothing


@dataclass(frozen=True, slots=True)
class History:
    """Polls of one kind of machine at one provider, all regions together: the best region of each poll.

    Attributes:
        polls, polls_available: looks in which the source said whether it can be had, and in which it could.
        days, days_available: days with a look, and days on which it could be had at least once.
        last_available_at: None where it never was.
    """

    polls: int
    polls_available: int
    days: int
    days_available: int
    last_available_at: datetime | None

    @property
    def share(self) -> float:
        """Share of polls in which it could be had."""
        return self.polls_available / self.polls if self.polls else 0.0

    def row(self) -> dict[str, Any]:
        """As a record."""
        return {
            "polls": self.polls,
            "polls_available": self.polls_available,
            "days": self.days,
            "days_available": self.days_available,
            "last_available_at": self.last_available_at,
        }

    def sentence(self) -> str:
        """In words, for the reasons."""
        text = (
            f"could be had on {self.days_available} of {self.days} days watched "
            f"({self.polls_available} of {self.polls} looks)"
        )
        if self.last_available_at is not None and self.polls_available < self.polls:
            text += f", last on {self.last_available_at:%Y-%m-%d %H:%M} UTC"
        return text


HistoryKey = tuple[str, str | None, str]


def history_key(group: OfferGroup) -> HistoryKey:
    """Provider, instance type, price kind."""
    return group.provider, group.instance_type, group.price_kind


def read_histories(market: Any) -> dict[HistoryKey, History]:
    """Histories by provider, instance type and price kind; empty where the market keeps none yet."""
    names = {row[0] for row in market.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    if "availability" not in names:
        return {}
    rows = market.execute(_HISTORIES).fetchall()
    return {
        (provider, instance, kind): History(polls, had, days, days_had, last)
        for provider, instance, kind, polls, had, days, days_had, last in rows
    }


_HISTORIES = """
SELECT provider, instance_type, price_kind, max(polls)::INTEGER,
    arg_max(polls_available, polls_available / greatest(polls, 1))::INTEGER, max(days)::INTEGER,
    arg_max(days_available, days_available / greatest(days, 1))::INTEGER,
    make_timestamp(epoch_us(max(last_available_at)))
FROM availability GROUP BY ALL
"""


def rarely_had(group: OfferGroup, histories: dict[HistoryKey, History]) -> bool:
    """Watched often enough, seldom there, and not there now."""
    history = histories.get(history_key(group))
    if history is None or history.polls < ENOUGH_POLLS or group.available is True:
        return False
    return history.share < RARELY
