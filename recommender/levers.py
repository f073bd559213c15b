"""Levers: what each change of a workload would save, in order, with its condition.

Every computed lever is the same question asked again with one thing changed, on the same market; a published
effect is a factor on the work of an hour, applied to the plan that wins today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from recommender.availability import rarely_had, read_histories
from recommender.carbon import read_grids, within_limit
from recommender.constraints import Constraints
from recommender.engine import Evaluation, evaluate
from recommender.fields import TEXT_OUT
from recommender.hosted import HostedPrice
from recommender.lever_list import PUBLISHED, Change, Effect, changes
from recommender.market import FRESH, OfferGroup, read_groups
from recommender.places import settle_data_places
from recommender.plans import Candidate
from recommender.ways import api_usd, hosted_for
from recommender.what_if import at_speed
from recommender.workload import Workload
from warehouse.errors import NothingFoundError, UsageError

COMPUTED, PUBLISHED_EFFECT, LISTED = "computed", "published effect", "token price"
TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class Lever:
    """One change and what it does to the cost.

    Attributes:
        name, title, condition: of the change.
        basis: `computed` (the question asked again), `published effect` or `token price`.
        usd, usd_p10, usd_p90: cost after it, in the time that the answer counts; None where it cannot be.
        saves_usd: against the plan of today, negative where it costs more. percent: the same as a share.
        best: the plan after the change, None for an API or where there is none.
        seller, what: whom to pay for what. reason: why it cannot be, or "".
        source: of a published effect. counted: sizing assumes the change already, it saves nothing more.
    """

    name: str
    title: str
    condition: str
    basis: str
    usd: float | None
    usd_p10: float | None
    usd_p90: float | None
    saves_usd: float | None
    percent: float | None
    best: Candidate | None
    seller: str
    what: str
    reason: str = ""
    source: str = ""
    counted: bool = False

    def row(self) -> dict[str, Any]:
        """As a record; money in US dollars, unknown is None."""
        best = self.best
        return {
            "lever": self.name,
            "title": self.title,
            "basis": self.basis,
            "usd": _cents(self.usd),
            "usd_p10": _cents(self.usd_p10),
            "usd_p90": _cents(self.usd_p90),
            "saves_usd": _cents(self.saves_usd),
            "saves_percent": None if self.percent is None else round(self.percent, 1),
            "seller": self.seller or None,
            "what": self.what or None,
            "accelerator_id": best.choice.part.accelerator_id if best else None,
            "gpus_per_node": best.group.gpu_count if best else None,
            "nodes": best.machines[1] if best else None,
            "price_kind": best.group.price_kind if best else None,
            "term_months": best.group.term_months if best else None,
            "hours": round(best.hours.p50, 3) if best else None,
            "condition": self.condition,
            "reason": self.reason or None,
            "source": self.source or None,
            "counted_already": self.counted,
        }


@dataclass(frozen=True, slots=True)
class LeverAnswer:
    """All levers of a workload, largest saving first; those that save nothing or cannot be come last.

    today: the plan that they are measured against. per: "month" or "job". together: the computed levers that
    leave the model's answers as they are, all at once; None where fewer than two of them save.
    """

    workload: Workload
    today: Candidate
    per: str
    levers: tuple[Lever, ...]
    together: Lever | None
    warnings: tuple[str, ...]
    stale: bool

    def rows(self) -> list[dict[str, Any]]:
        """The levers as records, ranked; the combination last."""
        found = [*self.levers, *([self.together] if self.together else [])]
        base = {"per": self.per, "today_usd": _cents(self.today.cost.p50)}
        return [{"rank": rank, **lever.row(), **base} for rank, lever in enumerate(found, 1)]


def levers(
    workload: Workload,
    constraints: Constraints,
    market: Any,
    *,
    now: datetime,
    effects: Sequence[Effect] = (),
) -> LeverAnswer:
    """What each change of this question would save.

    Args:
        market: DuckDB connection with the published tables. now: ages are counted to it.
        effects: published or measured effects of the reader's own; one of a known name replaces it.

    Raises:
        NothingFoundError: nothing can run the workload as it stands; the text names what binds.
        UsageError: a place of data that nobody knows.
    """
    constraints = replace(constraints, data_in=settle_data_places(market, constraints.data_in))
    asker = _Asker(market, now)
    found = asker.ask(workload, constraints)
    today = asker.best(found)
    if today is None:
        from recommender.nothing import explain_nothing

        raise explain_nothing(workload, constraints, market, now, found)
    tried = [
        (change, asker.lever(change, workload, constraints, today))
        for change in changes(workload, constraints)
    ]
    all_levers = _without_idle_terms([lever for _, lever in tried])
    all_levers += _hosted(workload, market, today)
    all_levers += _published(asker, found, today, effects)
    ordered = sorted(
        all_levers, key=lambda lever: (lever.counted, lever.saves_usd is None, -(lever.saves_usd or 0))
    )
    return LeverAnswer(
        workload,
        today,
        "job" if workload.is_job else "month",
        tuple(ordered),
        _together(asker, tried, workload, constraints, today),
        tuple(_warnings(workload, constraints, today)),
        today.group.tier != FRESH,
    )


class _Asker:
    """Asks the market changed questions; offers are read once per set of limits."""

    def __init__(self, market: Any, now: datetime) -> None:
        self.market, self.now = market, now
        self.histories = read_histories(market)
        self._groups: dict[Constraints, list[OfferGroup]] = {}

    def ask(self, workload: Workload, constraints: Constraints) -> Evaluation:
        key = replace(constraints, deadline_hours=None, budget_usd=None)
        if key not in self._groups:
            by_place = constraints.max_co2_kg is not None
            self._groups[key] = read_groups(self.market, constraints, now=self.now, by_place=by_place)
        groups = self._groups[key]
        found = evaluate(workload, constraints, self.market, now=self.now, groups=groups)
        limit = constraints.max_co2_kg
        if limit is None or not found.usable:
            return found
        return within_limit(found, limit, read_grids(self.market))

    def best(self, found: Evaluation, tier: int | None = None) -> Candidate | None:
        """The cheapest plan that can be had; from prices as fresh as `tier` where there are any."""
        allowed = found.allowed
        fresh = [item for item in allowed if tier is not None and item.group.tier <= tier] or found.usable
        return min(
            fresh, key=lambda item: (rarely_had(item.group, self.histories), item.cost.p50), default=None
        )

    def lever(self, change: Change, workload: Workload, constraints: Constraints, today: Candidate) -> Lever:
        try:
            changed, limits = change.apply(workload, constraints)
            item = self.best(self.ask(changed, limits), today.group.tier)
        except (UsageError, NothingFoundError) as error:
            return _impossible(change, str(error))
        if item is None:
            return _impossible(change, "nothing on the market can run it this way within these limits")
        if not change.workload and item.cost.p50 > today.cost.p50:
            item = today  # a limit given up: the plan of today is still allowed
        return _lever(change, today, item, change.times)


def _lever(change: Change, today: Candidate, item: Candidate, times: float) -> Lever:
    usd = item.cost.p50 * times
    saves = today.cost.p50 - usd
    group = item.group
    return Lever(
        change.name,
        change.title,
        change.condition,
        COMPUTED,
        usd,
        item.cost.p10 * times,
        item.cost.p90 * times,
        saves,
        saves / today.cost.p50 * 100,
        item,
        group.provider,
        f"{item.machines[1]} x {group.instance_type or _machine(item)}",
    )


def _machine(item: Candidate) -> str:
    return f"{item.group.gpu_count} x {item.choice.part.accelerator_id}"


def _impossible(change: Change, reason: str) -> Lever:
    none = (None,) * 5
    return Lever(change.name, change.title, change.condition, COMPUTED, *none, None, "", "", reason)


def _hosted(workload: Workload, market: Any, today: Candidate) -> list[Lever]:
    """Calling an API that sells the same model."""
    sold: list[HostedPrice] = hosted_for(workload, market) if workload.task in TEXT_OUT else []
    if not sold:
        return []
    usd = api_usd(workload, sold[0])
    saves = today.cost.p50 - usd
    condition = (
        "if prompts may leave the house; rate limits, and sellers differ in number format and quality; "
        "gpufare decide shows from which volume on it turns"
    )
    return [
        Lever(
            "api", "call an API instead", condition, LISTED, usd, usd, usd, saves,
            saves / today.cost.p50 * 100, None, sold[0].provider, sold[0].model,
        )
    ]  # fmt: skip


def _published(asker: _Asker, found: Evaluation, today: Candidate, own: Sequence[Effect]) -> list[Lever]:
    """Published effects on today's best plans; the best plan after it may be another one."""
    named = {effect.name for effect in own}
    effects = [*own, *(effect for effect in PUBLISHED if effect.name not in named)]
    result = []
    for effect in effects:
        if effect.tasks and found.pricer.workload.task not in effect.tasks:
            continue
        item = today if effect.counted else asker.best(_at_speed(found, effect.factor), today.group.tier)
        if item is None:
            continue
        change = Change(effect.name, f"{effect.title} (x {effect.factor:g})", effect.condition)
        lever = _lever(change, today, item, 1.0)
        result.append(replace(lever, basis=PUBLISHED_EFFECT, source=effect.source, counted=effect.counted))
    return result


def _at_speed(found: Evaluation, factor: float) -> Evaluation:
    """All plans on machines that do `factor` times the work of ours."""
    changed = [at_speed(found.pricer, item, factor) for item in found.candidates]
    return replace(found, candidates=[item for item in changed if item is not None])


def _without_idle_terms(found: Sequence[Lever]) -> list[Lever]:
    """Longer commitments only where they are cheaper than the shorter ones."""
    kept: list[Lever] = []
    cheapest = float("inf")
    for lever in found:
        if lever.name.startswith("commit_") and lever.usd is not None:
            if lever.usd >= cheapest - 0.005:
                continue
            cheapest = lever.usd
        kept.append(lever)
    return kept


def _together(
    asker: _Asker,
    tried: Sequence[tuple[Change, Lever]],
    workload: Workload,
    constraints: Constraints,
    today: Candidate,
) -> Lever | None:
    """All computed changes that save and leave the answers alone; of one field the one that saves most."""
    good = [(change, lever) for change, lever in tried if change.keeps_answers and (lever.saves_usd or 0) > 0]
    good.sort(key=lambda pair: -(pair[1].saves_usd or 0))
    merged = Change(TOGETHER, "", "all their conditions")
    titles: list[str] = []
    for change, _ in good:
        if set(change.workload) & set(merged.workload) or set(change.limits) & set(merged.limits):
            continue
        merged = replace(
            merged,
            workload={**merged.workload, **change.workload},
            limits={**merged.limits, **change.limits},
        )
        titles.append(change.title)
    if len(titles) < 2:
        return None
    lever = asker.lever(replace(merged, title=" + ".join(titles)), workload, constraints, today)
    return lever if lever.saves_usd is not None else None


def _warnings(workload: Workload, constraints: Constraints, today: Candidate) -> list[str]:
    found = workload.assumptions()
    if today.group.tier != FRESH:
        found.append(f"prices are up to {today.group.age_hours / 24:.0f} days old; crawl to renew them")
    if constraints.budget_usd is not None:
        found.append("levers are compared by cost; the budget holds for each of them")
    found.append("savings do not add up: the last line is computed with all of its changes at once")
    return found


def _cents(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 2)
