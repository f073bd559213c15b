"""Which providers are due: a pure function of the last success, the refetch interval and the switches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from crawlers.discover import SpiderCard

RETRY_AFTER_FAILURE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Due:
    """One provider and the time from which it is due (in the past: due now)."""

    provider: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Skipped:
    """A provider that is not asked by default, and the one line that says why."""

    provider: str
    reason: str


def enabled(
    cards: Iterable[SpiderCard],
    *,
    secrets: Mapping[str, str],
    switched_off: Collection[str] = (),
    switched_on: Collection[str] = (),
) -> tuple[list[SpiderCard], list[Skipped]]:
    """Split spiders into those that are crawled by default and those that are not, with the reason.

    A spider is left out where the configuration switches it off, where it is off by default and not
    switched on, or where it needs a credential that is not there.
    """
    wanted: list[SpiderCard] = []
    skipped: list[Skipped] = []
    for card in cards:
        reason = why_not(card, secrets=secrets, switched_off=switched_off, switched_on=switched_on)
        if reason is None:
            wanted.append(card)
        else:
            skipped.append(Skipped(card.provider, reason))
    return wanted, skipped


def why_not(
    card: SpiderCard,
    *,
    secrets: Mapping[str, str],
    switched_off: Collection[str] = (),
    switched_on: Collection[str] = (),
) -> str | None:
    """Why a provider is not crawled by default, None where it is."""
    if card.provider in switched_off:
        return "switched off by the configuration"
    if not card.default_on and card.provider not in switched_on:
        return f"off by default ({card.terms_note}); add it to `on` in gpufare.toml to crawl it"
    missing = [name for name in card.credential if not secrets.get(name)]
    if missing and card.needs_credential:
        return f"needs {' and '.join(missing)} in the environment or the secrets file"
    return None


def due(
    cards: Iterable[SpiderCard],
    *,
    now: datetime,
    last_good: Mapping[str, datetime],
    last_tried: Mapping[str, datetime] | None = None,
    retry_after: timedelta = RETRY_AFTER_FAILURE,
) -> list[Due]:
    """Providers that are due at `now`, longest overdue first.

    Args:
        cards: the providers in question (see `enabled`).
        now: the clock.
        last_good: time of each provider's last good run; absent where there was none.
        last_tried: time of the last run of any outcome: after a failed one, `retry_after` must pass (or the
            refetch interval, where that is shorter).
        retry_after: pause after a run that was not good.
    """
    tried = last_tried or {}
    times = [Due(card.provider, next_time(card, last_good, tried, retry_after, now)) for card in cards]
    return sorted(
        (item for item in times if item.due_at <= now), key=lambda item: (item.due_at, item.provider)
    )


def next_time(
    card: SpiderCard,
    last_good: Mapping[str, datetime],
    last_tried: Mapping[str, datetime],
    retry_after: timedelta,
    now: datetime,
) -> datetime:
    """When a provider is next due. One that was never tried is due now; a clock set back does not stall."""
    good, tried = last_good.get(card.provider), last_tried.get(card.provider)
    if good is not None and good > now:
        good = now
    if tried is not None and tried > now:
        tried = None
    if tried is None or (good is not None and good >= tried):
        return now if good is None else good + card.refetch
    pause = tried + min(retry_after, card.refetch)
    return pause if good is None else max(pause, good + card.refetch)
