"""Commitments: break-even, the optimum against enumeration of every mix, regret, traces, the command."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpufare.cli.main import main
from gpufare.exit_codes import ExitCode
from recommender.commitments import (
    DAYS_OF_MONTHS,
    Demand,
    Planner,
    Tariff,
    break_even_fall,
    break_even_utilisation,
    scales,
)
from recommender.demand_trace import read_trace, working_week
from warehouse.errors import UsageError


def cost_of_a_purchase(
    hours: Any, tariff: Tariff, bought: dict[int, list[int]], months: int, fall: float
) -> float:
    """US dollars of any purchase, hour by hour: `bought` has machines per period of each term; no layers."""
    scale = scales(fall, months)
    committed = np.zeros(months)
    days = np.resize(DAYS_OF_MONTHS, months)
    starts = np.resize(np.cumsum((0, *DAYS_OF_MONTHS[:-1])), months)
    usd = 0.0
    for term, price in tariff.terms:
        for period, number in enumerate(bought.get(term, [])):
            committed[period * term : (period + 1) * term] += number
            usd += (
                number * price * days[period * term : (period + 1) * term].sum() * 24 * scale[period * term]
            )
    assert tariff.on_demand is not None
    for month in range(months):
        need = hours[starts[month] * 24 : (starts[month] + days[month]) * 24] - committed[month]
        usd += float(np.maximum(need, 0).sum()) * tariff.on_demand * scale[month]
    return usd


def test_break_even_is_the_ratio_of_prices() -> None:
    assert break_even_utilisation(1.2, 2.0) == pytest.approx(0.6)
    tariff = Tariff(2.0, terms=((12, 1.2),))
    for busy, pays in ((14, False), (15, True)):  # of 24 hours: 58 % and 62.5 %
        planner = Planner(Demand([1] * busy + [0] * (24 - busy)), tariff, years=1)
        assert bool(planner.plan()[12].any()) is pays


def test_break_even_fall_makes_commitment_and_market_cost_the_same() -> None:
    fall = break_even_fall(1.2, 2.0, 1.0, 36)
    assert fall is not None
    assert 2.0 * float(np.mean(scales(fall, 36))) == pytest.approx(1.2, rel=1e-4)
    assert break_even_fall(1.2, 2.0, 0.5, 36) is None
    assert break_even_fall(0.01, 2.0, 1.0, 12) > break_even_fall(1.0, 2.0, 1.0, 12)  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(3))
def test_the_mix_is_the_best_of_all_purchases(seed: int) -> None:
    """Every number of machines in every half and year, against the planner, over a year of random demand."""
    dice = random.Random(seed)
    base = [dice.randint(0, 2) for _ in range(24)]
    weekend = [dice.randint(0, 1) for _ in range(24)]
    demand = Demand(base * 5 + weekend * 2)
    flexible = dice.uniform(1.5, 3)
    tariff = Tariff(
        flexible, terms=((6, flexible * dice.uniform(0.5, 0.9)), (12, flexible * dice.uniform(0.3, 0.8)))
    )
    fall = dice.choice([0.0, 0.3])
    planner = Planner(demand, tariff, years=1)
    ours = planner.cost(planner.plan(fall), fall)
    most = range(demand.layers + 1)
    best = min(
        cost_of_a_purchase(demand.hours, tariff, {12: [whole], 6: [first, second]}, 12, fall)
        for whole, first, second in itertools.product(most, most, most)
    )
    assert ours == pytest.approx(best, rel=1e-9)


def test_three_years_against_enumeration_of_years_and_three_years() -> None:
    demand = Demand([2] * 12 + [1] * 12)
    tariff = Tariff(2.0, terms=((12, 1.3), (36, 0.9)))
    for fall in (0.0, 0.2, 0.45):
        planner = Planner(demand, tariff, years=3)
        ours = planner.cost(planner.plan(fall), fall)
        best = min(
            cost_of_a_purchase(demand.hours, tariff, {36: [long], 12: list(years)}, 36, fall)
            for long in range(3)
            for years in itertools.product(range(3), repeat=3)
        )
        assert ours == pytest.approx(best, rel=1e-9)


def test_blocks_cover_busy_days_and_spot_only_what_lies_above_the_floor() -> None:
    week = working_week(2, 20, 3)
    planner = Planner(Demand(week), Tariff(3.0, block=2.0), years=1)
    mix = planner.mix(planner.plan())
    assert mix.on_demand_hours == 0  # 20 hours at 3 cost more than a day at 2
    assert mix.block_days == sum(1 for hour in range(0, 8760, 24) if week[hour % 168]) * 2
    spot = Planner(Demand([4.0]), Tariff(3.0, spot=1.0), years=1, floor=0.5)
    split = spot.mix(spot.plan())
    assert split.on_demand_hours == split.spot_hours == 2 * 8760


def test_regret_is_never_negative_and_nothing_where_nothing_is_bound() -> None:
    demand = Demand(working_week(3, 12, 5))
    bound = Planner(demand, Tariff(2.0, terms=((12, 0.6), (36, 0.4))), years=3)
    chosen = bound.plan()
    regrets = [bound.regret(chosen, fall) for fall in (-0.2, 0.0, 0.1, 0.3, 0.6)]
    assert min(regrets) >= -1e-6
    assert regrets[1] == pytest.approx(0, abs=1e-6)
    assert regrets[-1] > 0
    free = Planner(demand, Tariff(2.0), years=1)
    assert free.regret(free.plan(), 0.5) == 0


def test_a_demand_must_be_one() -> None:
    for bad in ([], [-1.0], [float("nan")], [1e9]):
        with pytest.raises(ValueError, match="at least one hour"):
            Demand(bad)
    assert Demand([0.2]).layers == 1
    assert Demand([2, 0]).utilisation == pytest.approx([0.5, 0.5])


def test_traces_are_read_and_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("hour,machines\n0,1\n1,2.5\n")
    assert read_trace(path, "machines") == [1, 2.5]
    for text, says in (
        ("hour,requests\n0,1\n", "no column 'machines'"),
        ("machines\nmany\n", "line 2: 'many'"),
        ("machines\n-1\n", "line 2: '-1'"),
        ("machines\n", "no rows"),
        ("machines\n" + "1\n" * 9000, "9,000 rows"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=says):
            read_trace(path, "machines")
    with pytest.raises(UsageError, match="No such file"):
        read_trace(tmp_path / "none.csv", "machines")
    with pytest.raises(UsageError, match="hours-per-day 25"):
        working_week(1, 25, 7)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


def test_the_command_answers_for_machines_and_for_a_service(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = ["commit", "machines", "--gpu", "a100", "--provider", "gcp", "--machines", "4"]
    assert main(["--home", home, *question, "--json"]) == ExitCode.STALE
    best = json.loads(capsys.readouterr().out)["data"][0]
    assert best["committed_machines"]
    assert best["saving"] > 0.2
    assert {price["price_kind"] for price in best["prices"]} >= {"on_demand", "reserved"}
    assert [item["fall_per_year"] for item in best["regret"]] == [0, 0.1, 0.25, 0.5]
    trace = tmp_path / "trace.csv"
    trace.write_text("requests_per_second\n" + "5\n" * 12 + "60\n" * 12)
    service = ["commit", "serve", "--model", "llama-3.1-8b", "--demand", str(trace), "--tpot-ms", "50"]
    main(["--home", home, *service])
    shown = capsys.readouterr().out
    assert shown.startswith("commit: of up to ")
    assert max(len(line) for line in shown.splitlines() if "http" not in line) <= 100


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["machines"], ExitCode.USAGE, "give --machines N or --demand"),
        (["machines", "--machines", "0"], ExitCode.USAGE, "0 in every hour"),
        (["machines", "--machines", "2", "--tpot-ms", "9"], ExitCode.USAGE, "tpot-ms does not go"),
        (["dance"], ExitCode.USAGE, "commit serve"),
        (["machines", "--machines", "2", "--fall", "2"], ExitCode.USAGE, "--fall 2"),
        (["machines", "--machines", "2", "--country", "ZZ"], ExitCode.NOTHING, "no machine matches"),
    ],
)
def test_bad_questions_get_one_line(
    home: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, says: str
) -> None:
    assert main(["--home", home, "commit", *arguments]) == code
    assert says in capsys.readouterr().err
