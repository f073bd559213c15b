"""Why the answer differs from an earlier day's: the question replayed on both days, and the offers compared.

Both days are answered with today's model, so what differs between the two replays is the market. Where the
answer that was given then is at hand (`recommend --json`), what it says otherwise than the replay is our
model, or a price that was corrected since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommender.constraints import Constraints
from recommender.engine import Plan, recommend
from recommender.sensitivity import name
from recommender.workload import Workload
from warehouse.database import fetch_dicts
from warehouse.errors import NothingFoundError

PRICE, STOCK, NEW, WITHDRAWN, FAULT, MODEL, AGE = (
    "price",
    "stock",
    "new offer",
    "withdrawn offer",
    "data fault",
    "our model",
    "age",
)
SAME = 0.002  # costs that differ by less are the same


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason. kind: a constant above. offer: seller and machine. before, after: USD an hour or None."""

    kind: str
    offer: str
    text: str
    before: float | None
    after: float | None

    def row(self) -> dict[str, Any]:
        """As a record."""
        return {
            "kind": self.kind,
            "offer": self.offer,
            "text": self.text,
            "usd_per_hour_then": self.before,
            "usd_per_hour_now": self.after,
        }


@dataclass(frozen=True, slots=True)
class Why:
    """Both answers and what lies between. then, now: the first plans; `then` None where nothing could."""

    then: Plan | None
    now: Plan
    causes: tuple[Cause, ...]
    stale: bool

    @property
    def same_plan(self) -> bool:
        """Is it the same offer on both days?"""
        return self.then is not None and name(self.then.candidate) == name(self.now.candidate)

    @property
    def change_usd(self) -> float | None:
        """Median cost now less then."""
        return None if self.then is None else self.now.candidate.cost.p50 - self.then.candidate.cost.p50

    def rows(self) -> list[dict[str, Any]]:
        """The causes as records, with both answers."""
        ends = {
            "plan_then": None if self.then is None else name(self.then.candidate),
            "plan_now": name(self.now.candidate),
            "usd_then": None if self.then is None else round(self.then.candidate.cost.p50, 2),
            "usd_now": round(self.now.candidate.cost.p50, 2),
        }
        return [{**cause.row(), **ends} for cause in self.causes]


def why(
    workload: Workload,
    constraints: Constraints,
    before: Any,
    today: Any,
    *,
    then: datetime,
    now: datetime,
    given: Mapping[str, Any] | None = None,
) -> Why:
    """What changed the answer between two days.

    Args:
        before, today: connections to the market as it was known `then` and as it is.
        given: first row of the answer that was given then (`recommend --json`), where it was kept.

    Raises:
        NothingFoundError: nothing can run it today; the text names what binds.
    """
    one = replace(constraints, top=1)
    answer = recommend(workload, one, today, now=now)
    new = answer.plans[0]
    try:
        old: Plan | None = recommend(workload, one, before, now=then).plans[0]
    except NothingFoundError as error:
        old, reason = None, str(error)
    causes: list[Cause] = []
    if old is None:
        causes.append(
            Cause(NEW, name(new.candidate), f"nothing could run it then: {reason}", None, _price(new))
        )
    else:
        if given is not None:
            causes += _ours(given, old)
        first, second = _find(before, old), _find(today, new)
        if first is not None and second is not None and first["offer_id"] == second["offer_id"]:
            causes += _moved(new, _price(old), _price(new))
        else:
            causes += _lost(old, first, today) + _won(new, second, before)
    return Why(old, new, tuple(causes), answer.stale)


def _price(plan: Plan) -> float:
    return plan.candidate.group.price_usd_per_hour


def _find(market: Any, plan: Plan) -> dict[str, Any] | None:
    """The offer of a plan on its own day."""
    return _one(market, "rowid = $key", plan.candidate.group.rowid)


def _one(market: Any, where: str, key: Any) -> dict[str, Any] | None:
    query = f"SELECT offer_id, price_usd_per_hour, available, observed_at FROM offers WHERE {where} LIMIT 1"  # noqa: S608
    rows = fetch_dicts(market, query, {"key": key})
    return rows[0] if rows else None


def _moved(plan: Plan, before: float, after: float) -> list[Cause]:
    """The same offer on both days: its price, or nothing."""
    if abs(after / before - 1) < SAME:
        return []
    text = (
        f"{name(plan.candidate)} is still the best; its price went from {before:,.4g} to {after:,.4g} USD/h"
    )
    return [Cause(PRICE, name(plan.candidate), text, before, after)]


def _lost(old: Plan, first: dict[str, Any] | None, today: Any) -> list[Cause]:
    """What became of the plan of then."""
    offer, before = name(old.candidate), _price(old)
    found = None if first is None else _one(today, "offer_id = $key", first["offer_id"])
    if found is None:
        held = None if first is None else _held(today, first["offer_id"])
        if held is not None:
            return [Cause(FAULT, offer, f"{offer} is held back: {held}", before, None)]
        return [Cause(WITHDRAWN, offer, f"{offer} is no longer listed", before, None)]
    after = found["price_usd_per_hour"]
    if found["available"] is False and old.candidate.group.available is not False:
        return [Cause(STOCK, offer, f"{offer} is sold out", before, after)]
    if after is not None and after > before * (1 + SAME):
        text = f"{offer} rose from {before:,.4g} to {after:,.4g} USD/h ({after / before - 1:+.0%})"
        return [Cause(PRICE, offer, text, before, after)]
    if first is not None and found["observed_at"] <= first["observed_at"]:
        text = f"the price of {offer} was not seen again since {found['observed_at']:%Y-%m-%d %H:%M} UTC"
        return [Cause(AGE, offer, text, before, after)]
    return []


def _won(new: Plan, second: dict[str, Any] | None, before: Any) -> list[Cause]:
    """Where the plan of today was then."""
    offer, after = name(new.candidate), _price(new)
    found = None if second is None else _one(before, "offer_id = $key", second["offer_id"])
    if found is None:
        return [Cause(NEW, offer, f"{offer} was not known then", None, after)]
    earlier = found["price_usd_per_hour"]
    if found["available"] is False:
        return [Cause(STOCK, offer, f"{offer} was sold out then", earlier, after)]
    if earlier is not None and earlier > after * (1 + SAME):
        text = f"{offer} fell from {earlier:,.4g} to {after:,.4g} USD/h ({after / earlier - 1:+.0%})"
        return [Cause(PRICE, offer, text, earlier, after)]
    return []


def _held(market: Any, offer_id: int) -> str | None:
    """The rule and evidence that hold an offer back today, None where none does."""
    tables = {row[0] for row in market.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    if "quarantine" not in tables:
        return None
    query = "SELECT rule, evidence FROM quarantine WHERE offer_id = $key AND status = 'held' LIMIT 1"
    rows = market.execute(query, {"key": offer_id}).fetchall()
    return f"{rows[0][0]}, {rows[0][1]}" if rows else None


def _ours(given: Mapping[str, Any], old: Plan) -> list[Cause]:
    """What the answer given then says otherwise than its replay of today."""
    said, price = _number(given, "cost_usd", "p50"), _number(given, "offer", "price_usd_per_hour")
    offer, replayed = name(old.candidate), old.candidate.cost.p50
    where = (given.get("provider"), given.get("instance_type"))
    same_offer = where == (old.candidate.group.provider, old.candidate.group.instance_type)
    if same_offer and price and abs(price / _price(old) - 1) > SAME:
        text = f"the price of {offer} as it was answered then, {price:,.4g} USD/h, was corrected since"
        return [Cause(FAULT, offer, text, price, _price(old))]
    if said and (not same_offer or abs(said / replayed - 1) > SAME):
        was = f"{where[0]} {where[1] or ''}".strip()
        text = f"our model says {replayed:,.0f} USD on {offer} for that day now; it said {said:,.0f} on {was}"
        return [Cause(MODEL, offer, text, price, _price(old))]
    return []


def _number(row: Mapping[str, Any], outer: str, inner: str) -> float | None:
    found = row.get(outer)
    value = found.get(inner) if isinstance(found, Mapping) else None
    return float(value) if isinstance(value, int | float) else None
