"""Every source we know, asked or not, as plain records for the command line and the site."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gpufare.settings import Settings

if TYPE_CHECKING:
    from crawlers.discover import SpiderCard

NEVER_ASKED = "never asked"
TOP_LEVELS = {"com", "network", "net", "org", "xyz", "dev", "cloud", "solutions"}
_OWN_RUNS = """
    SELECT provider, origin, observed_at, state, reason FROM runs WHERE origin <> 'bundled'
    ORDER BY provider, observed_at, loaded_at
"""


def source_list(settings: Settings, market: Any, *, now: datetime) -> list[dict[str, Any]]:
    """All sources by name.

    Args:
        settings: says which sources are asked here, and which keys there are.
        market: a connection to the published copy. now: the clock, for ages.

    Returns:
        Records with: provider, title, homepage; ``state``: of the last run (good, partial, held, failed), or
        where there was none why: "needs VAST_API_KEY", "off by default: ...", "switched off", "never asked";
        ``reason`` of the last run; ``not_asked``: why it is not asked by default now, None where it is;
        last_run_at, last_good_at and age_hours of that (our own runs and replays, never the bundled
        snapshot); price_kinds, proof, hosts, credential (names only), needs_credential, first_party, kind,
        refetch_hours, default_on, terms_note.
    """
    from crawlers.discover import spider_cards

    runs = _own_runs(market)
    return [_record(card, settings, runs.get(card.provider), now) for card in spider_cards().values()]


def read_source_list(settings: Settings, *, now: datetime) -> list[dict[str, Any]]:
    """`source_list` of the home's own market, which is opened for it."""
    from gpufare.market import open_market

    with open_market(settings, now) as market:
        return source_list(settings, market, now=now)


def asked_hosts(card: SpiderCard) -> list[str]:
    """The hosts a spider asks. A card errs on the safe side: paths of fields look like hosts to it."""
    names = [(name, name.rpartition(".")[2]) for name in sorted(card.hosts)]
    return [name for name, top in names if len(top) == 2 or top in TOP_LEVELS]


def _own_runs(market: Any) -> dict[str, dict[str, Any]]:
    """The last run of each provider and the time of its last good one."""
    from warehouse.database import fetch

    found: dict[str, dict[str, Any]] = {}
    for provider, _, observed_at, state, reason in fetch(market, _OWN_RUNS)[1]:
        good = observed_at if state in ("good", "partial") else found.get(provider, {}).get("last_good_at")
        found[provider] = {
            "state": state,
            "reason": reason,
            "last_run_at": observed_at,
            "last_good_at": good,
        }
    return found


def _record(
    card: SpiderCard, settings: Settings, run: dict[str, Any] | None, now: datetime
) -> dict[str, Any]:
    from warehouse.offer_rows import age_hours

    not_asked = _not_asked(card, settings)
    state: dict[str, Any] = {
        "state": not_asked or NEVER_ASKED,
        "reason": None,
        "last_run_at": None,
        "last_good_at": None,
    }
    state |= run or {}
    good = state["last_good_at"]
    return {
        "provider": card.provider,
        "title": card.title,
        "homepage": card.homepage,
        **state,
        "age_hours": age_hours(good, now) if good else None,
        "not_asked": not_asked,
        "price_kinds": list(card.price_kinds),
        "proof": card.proof,
        "hosts": asked_hosts(card),
        "credential": list(card.credential),
        "needs_credential": card.needs_credential,
        "first_party": card.first_party,
        "kind": card.kind,
        "refetch_hours": card.refetch / timedelta(hours=1),
        "default_on": card.default_on,
        "terms_note": card.terms_note,
    }


def _not_asked(card: SpiderCard, settings: Settings) -> str | None:
    """Why a source is not asked by default, in the fewest words; None where it is."""
    if card.provider in settings.switched_off:
        return "switched off by the configuration"
    if not card.default_on and card.provider not in settings.switched_on:
        return f"off by default: {card.terms_note}"
    missing = [name for name in card.credential if not settings.secrets.get(name)]
    return f"needs {' and '.join(missing)}" if missing and card.needs_credential else None
