"""Fleets: the solver against enumeration, limits, demand over time, the command."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path

import pytest

from gpufare.cli.main import main
from gpufare.exit_codes import ExitCode
from recommender import Constraints, Workload
from recommender.fleet import fleet
from recommender.fleet_demand import Size, assumed_sizes, follow, rate_over_time, read_sizes
from recommender.fleet_solver import Kind, cheapest_fleet, undominated
from tests.market_rows import NOW, offer
from tests.test_recommend import TUNE, Market, market  # noqa: F401  (the fixture)
from warehouse.errors import NothingFoundError, UsageError

CHAT = Workload(task="serve", model="llama-3.1-8b", requests_per_second=20)


def enumerated(kinds: list[Kind], demand: list[float], slices: int, most_sellers: int | None) -> float | None:
    """The cheapest fleet by trying every way to give every slice to a kind."""
    best = None
    splits = [
        split for split in itertools.product(range(slices + 1), repeat=len(kinds)) if sum(split) == slices
    ]
    for chosen in itertools.product(splits, repeat=len(demand)):
        load = [0.0] * len(kinds)
        possible = True
        for i, split in enumerate(chosen):
            for j, number in enumerate(split):
                if number and kinds[j].rates[i] <= 0:
                    possible = False
                elif number:
                    load[j] += demand[i] / slices * number / kinds[j].rates[i]
        counts = [math.ceil(value - 1e-9) for value in load]
        sellers = {kind.seller for kind, count in zip(kinds, counts, strict=True) if count}
        if not possible or (most_sellers is not None and len(sellers) > most_sellers):
            continue
        if any(kind.most is not None and n > kind.most for kind, n in zip(kinds, counts, strict=True)):
            continue
        usd = sum(n * kind.usd_per_hour for kind, n in zip(kinds, counts, strict=True))
        best = usd if best is None or usd < best else best
    return best


@pytest.mark.parametrize("seed", range(30))
def test_the_solver_equals_enumeration_on_small_fleets(seed: int) -> None:
    draw = random.Random(seed)
    kinds = [
        Kind(
            draw.choice([1.0, 1.5, 2.2, 4.0, 7.5]) * draw.uniform(0.8, 1.2),
            tuple(draw.choice([0.0, draw.uniform(0.5, 6)]) if j else draw.uniform(0.5, 6) for _ in range(2)),
            draw.choice("ab"),
            draw.choice([None, None, 1, 2]) if j else None,
        )
        for j in range(3)
    ]
    demand = [draw.uniform(0.2, 9), draw.uniform(0.2, 9)]
    most_sellers = draw.choice([None, 1, 2])
    wanted = enumerated(kinds, demand, 3, most_sellers)
    found = cheapest_fleet(kinds, demand, slices=3, most_sellers=most_sellers)
    assert wanted is not None
    assert found is not None
    assert found.usd_per_hour == pytest.approx(wanted, rel=1e-6)
    for i, rate in enumerate(demand):
        assert sum(row[i] for row in found.served) == pytest.approx(rate)
    for kind, number, row in zip(kinds, found.machines, found.served, strict=True):
        load = sum(served / rate for served, rate in zip(row, kind.rates, strict=True) if served)
        assert load <= number + 1e-6
        assert kind.most is None or number <= kind.most


@pytest.mark.parametrize("seed", range(20))
def test_divisible_sizes_equal_enumeration_of_all_numbers_of_machines(seed: int) -> None:
    """Every number of each kind is tried; whether it carries the demand is a linear programme of its own."""
    draw = random.Random(1000 + seed)
    kinds = [
        Kind(draw.uniform(1, 5), tuple(draw.uniform(0.5, 4) for _ in range(2)), draw.choice("ab"))
        for _ in range(3)
    ]
    demand = [draw.uniform(0.5, 6), draw.uniform(0.5, 6)]
    best = math.inf
    for counts in itertools.product(range(9), repeat=3):
        usd = sum(n * kind.usd_per_hour for n, kind in zip(counts, kinds, strict=True))
        if usd < best - 1e-9 and carries(kinds, demand, counts):
            best = usd
    found = cheapest_fleet(kinds, demand)
    sliced = cheapest_fleet(kinds, demand, slices=4)
    assert found is not None
    assert sliced is not None
    assert found.usd_per_hour == pytest.approx(best, rel=1e-6)
    assert found.usd_per_hour <= sliced.usd_per_hour + 1e-9


def carries(kinds: list[Kind], demand: list[float], counts: tuple[int, ...]) -> bool:
    """Whether that many machines of each kind can share the demand."""
    from scipy.optimize import linprog

    cells = [(j, i) for j in range(len(kinds)) for i in range(len(demand))]
    load = [[demand[i] / kinds[k].rates[i] if k == j else 0.0 for j, i in cells] for k in range(len(kinds))]
    whole = [[1.0 if i == size else 0.0 for _, i in cells] for size in range(len(demand))]
    found = linprog(
        [0.0] * len(cells), A_ub=load, b_ub=[n + 1e-9 for n in counts], A_eq=whole, b_eq=[1.0] * len(demand)
    )
    return bool(found.status == 0)


def test_a_mix_beats_every_single_kind_where_sizes_differ() -> None:
    """Small requests on small machines, long ones on big ones (the paper's point)."""
    small, big = Kind(1.0, (4.0, 0.1), "a"), Kind(4.0, (8.0, 2.0), "a")
    both = cheapest_fleet([small, big], [8.0, 2.0])
    assert both is not None
    assert both.usd_per_hour == pytest.approx(6.0)
    assert both.machines == (2, 1)
    alone = cheapest_fleet([big], [8.0, 2.0])
    assert alone is not None
    assert alone.usd_per_hour == pytest.approx(8.0)


def test_a_limit_on_sellers_costs_and_none_at_all_is_no_fleet() -> None:
    kinds = [Kind(1.0, (4.0, 0.0), "a"), Kind(4.0, (0.0, 2.0), "b"), Kind(9.0, (3.0, 2.0), "c")]
    free = cheapest_fleet(kinds, [4.0, 2.0])
    one = cheapest_fleet(kinds, [4.0, 2.0], most_sellers=1)
    assert free is not None
    assert one is not None
    assert free.usd_per_hour == pytest.approx(5.0)
    assert one.usd_per_hour > free.usd_per_hour
    assert {kinds[j].seller for j, n in enumerate(one.machines) if n} == {"c"}
    assert cheapest_fleet(kinds[:2], [4.0, 2.0], most_sellers=1) is None
    assert cheapest_fleet([], [1.0]) is None


def test_finer_slices_are_never_dearer_when_they_divide() -> None:
    kinds = [Kind(1.0, (1.3,), "a"), Kind(2.7, (4.1,), "a")]
    costs = [cheapest_fleet(kinds, [9.7], slices=n) for n in (1, 2, 4, 8, 16, None)]
    usd = [found.usd_per_hour for found in costs if found]
    assert usd == sorted(usd, reverse=True)


def test_dominated_kinds_are_left_out_and_scarce_ones_dominate_nothing() -> None:
    kinds = [Kind(1.0, (2.0,), "a"), Kind(1.5, (1.0,), "b"), Kind(0.5, (2.0,), "c", 1)]
    assert undominated(kinds, across_sellers=True) == [0, 2]
    assert undominated(kinds, across_sellers=False) == [0, 1, 2]


def test_spikes_of_ten_and_growth_of_a_half_a_week() -> None:
    """a16z: spikes of 10x, growth of 50 % a week."""
    rates = rate_over_time(4.0, weeks=2, growth_per_week=0.5, spike=10, spike_hours=2)
    assert len(rates) == 336
    assert rates[0] == pytest.approx(40)
    assert rates[168] == pytest.approx(60)
    assert rates[170] / rates[169] == pytest.approx(0.1, rel=0.01)


def test_following_a_demand() -> None:
    """One spike hour of four: 4 hours at the peak, or 3 small hours, a big one, and its start-up."""
    found = follow([1.0, 1.0, 10.0, 1.0], [2.0, 2.0, 20.0, 2.0], 0.25)
    assert found.peak_usd == 80
    assert found.known_usd == pytest.approx(26 + 18 * 0.25)
    assert found.late_share == pytest.approx(9 * 0.25 / 13)
    assert found.headroom == 10
    flat = follow([3.0] * 5, [4.0] * 5, 0.25)
    assert (flat.known_usd, flat.late_share, flat.headroom) == (20, 0, 1)


def test_assumed_sizes_keep_the_means() -> None:
    sizes = assumed_sizes(1000, 200)
    assert sum(size.share for size in sizes) == pytest.approx(1)
    assert sum(size.share * size.input_tokens for size in sizes) == pytest.approx(1000, rel=0.01)
    assert sum(size.share * size.output_tokens for size in sizes) == pytest.approx(200, rel=0.01)


def test_a_fleet_carries_what_it_says_and_costs_no_more_than_one_kind(market: Market) -> None:  # noqa: F811
    con = market(
        offer("l4-24gb", 0.4, provider="small"), offer(price=2.5, provider="big"),
        offer("a100-sxm4-80gb", 1.4, provider="old"),
    )  # fmt: skip
    sizes = [Size(200, 50, 0.7), Size(6000, 1000, 0.3)]
    found = fleet(CHAT, Constraints(), con, now=NOW, sizes=sizes)
    assert found.single_usd_per_month is not None
    assert found.usd_per_month <= found.single_usd_per_month * (1 + 1e-6)
    for place, size in enumerate(sizes):
        assert sum(part.served[place] for part in found.parts) == pytest.approx(20 * size.share)
    one = fleet(CHAT, Constraints(), con, now=NOW, sizes=sizes, most_sellers=1)
    assert len({part.group.provider for part in one.parts}) == 1
    assert one.usd_per_month >= found.usd_per_month * (1 - 1e-6)


def test_only_so_many_machines_can_be_had(market: Market) -> None:  # noqa: F811
    scarce = offer(price=1, provider="scarce", available=True, available_count=1)
    found = fleet(CHAT, Constraints(), market(scarce, offer(price=3)), now=NOW, sizes=[Size(4000, 800, 1)])
    machines = {part.group.provider: part.machines for part in found.parts}
    assert machines["scarce"] == 1
    assert machines["acme"] >= 1
    with pytest.raises(NothingFoundError, match="fewer machines can be had"):
        fleet(CHAT, Constraints(), market(scarce), now=NOW, sizes=[Size(4000, 800, 1)])


def test_what_is_no_fleet_is_said(market: Market) -> None:  # noqa: F811
    con = market(offer())
    with pytest.raises(UsageError, match="serves"):
        fleet(TUNE, Constraints(), con, now=NOW, sizes=[Size(1, 1, 1)])
    with pytest.raises(UsageError, match="max-providers"):
        fleet(CHAT, Constraints(), con, now=NOW, sizes=[Size(1, 1, 1)], most_sellers=0)
    with pytest.raises(NothingFoundError, match="no machine on the market serves"):
        fleet(CHAT, Constraints(), market(offer("l4-24gb", 0.3)), now=NOW, sizes=[Size(90_000, 30_000, 1)])


def test_sizes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sizes.csv"
    file.write_text("input_tokens,output_tokens,share\n100,20,3\n2000,400,1\n")
    assert read_sizes(file) == (Size(100, 20, 0.75), Size(2000, 400, 0.25))
    for text, words in (("a,b\n", "no column"), ("input_tokens,output_tokens,share\n1,x,1\n", "line 2")):
        file.write_text(text)
        with pytest.raises(UsageError, match=words):
            read_sizes(file)
    with pytest.raises(UsageError, match="missing"):
        read_sizes(tmp_path / "missing.csv")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = ["fleet", "--model", "llama-3.1-8b", "--requests-per-second", "20", "--spike", "10"]
    code = main(["--home", str(tmp_path), *question, "--weeks", "0.5", "--max-providers", "1", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == ExitCode.STALE
    assert len({row["provider"] for row in answer["data"]}) == 1
    assert sum(row["share_of_requests"] for row in answer["data"]) == pytest.approx(1, abs=0.001)
    assert any("standing at the peak" in text for text in answer["warnings"])
    assert (
        main(["--home", str(tmp_path), "fleet", "--model", "llama-3.1-8b", "--spike", "0"]) == ExitCode.USAGE
    )
    assert "--spike 0 must be" in capsys.readouterr().err
