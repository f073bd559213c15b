"""Every source that can be asked: whom it asks, with which key, what it prices, and how it went last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reports import formatting as fmt
from reports.build_views import labels, offers
from reports.market_views import Market
from reports.view_models import Link, SourceRow, SourcesPage

SourceRecords = Sequence[Mapping[str, Any]]
"""Records of sources, from the caller: provider, title, homepage, state, reason, not_asked, last_good_at,
price_kinds, proof, hosts, credential (names only), needs_credential and first_party."""

RUN_STATES = ("failed", "held", "partial", "good")
KINDS = {"token_price": "token prices", "grid_carbon": "grid carbon", "exchange_rate": "exchange rates"}
SHOWN_HOSTS = 6


def sources_page(market: Market, titles: dict[str, str], known: SourceRecords) -> SourcesPage:
    """The page: those with trouble first, then those that answered, then those never asked, by name."""
    rows = [_row(market, titles, record) for record in sorted(known, key=_order)]
    return SourcesPage(_lead(known), tuple(rows))


def _order(record: Mapping[str, Any]) -> tuple[int, str]:
    state = record["state"]
    place = RUN_STATES.index(state) if state in RUN_STATES else len(RUN_STATES)
    return (place, str(record["title"]).casefold())


def _lead(known: SourceRecords) -> str:
    if not known:
        return "Nothing is known of the sources: this site was built without the list of them."
    states = Counter(record["state"] for record in known)
    proofs = Counter(record["proof"] for record in known)
    asked = sum(record["not_asked"] is None for record in known)
    told = [f"{fmt.count(states['good'] + states['partial'])} gave data"]
    told += [f"{fmt.count(states[state])} {state}" for state in ("held", "failed") if states[state]]
    never = len(known) - sum(states[state] for state in RUN_STATES)
    return (
        f"{fmt.plural(len(known), 'source')} can be asked, {fmt.count(asked)} by default."
        f" Last runs here: {', '.join(told)}; never asked: {fmt.count(never)}."
        f" Proved on a recorded answer: {fmt.count(proofs['recorded'])};"
        f" written from documents only: {fmt.count(proofs['documented'])}."
    )


def _row(market: Market, titles: dict[str, str], record: Mapping[str, Any]) -> SourceRow:
    provider, state = record["provider"], record["state"]
    hours = labels.hours_since(market, record["last_good_at"]) if record["last_good_at"] else None
    ran = state in RUN_STATES
    reasons = [record["reason"] if state != "good" else None, record["not_asked"] if ran else None]
    home = fmt.web_address(record["homepage"])
    name = fmt.clip(record["title"], 40)
    return SourceRow(
        source=Link(name, labels.provider_href(provider)) if provider in titles else None,
        name=name,
        home=Link("price page", home, external=True) if home else None,
        state=state if ran else "never",
        state_text=fmt.clip(state, 120),
        reason=fmt.clip("; ".join(reason for reason in reasons if reason), 160),
        last_good=fmt.UNKNOWN if hours is None else fmt.age(hours),
        age_key=offers.LAST if hours is None else round(hours, 2),
        prices=", ".join(KINDS.get(kind, fmt.kind(kind)) for kind in record["price_kinds"]),
        hosts=_hosts(list(record["hosts"])),
        credential=_credential(record),
        seller="" if record["first_party"] else "lists prices of others",
        proof=fmt.clip(record["proof"], 24),
    )


def _hosts(hosts: list[str]) -> tuple[str, ...]:
    shown = [fmt.clip(host, 60) for host in hosts[:SHOWN_HOSTS]]
    return (*shown, *([f"and {len(hosts) - SHOWN_HOSTS} more"] if len(hosts) > SHOWN_HOSTS else []))


def _credential(record: Mapping[str, Any]) -> str:
    names = ", ".join(fmt.clip(name, 40) for name in record["credential"])
    return f"{names} ({'needed' if record['needs_credential'] else 'optional'})" if names else "none"
