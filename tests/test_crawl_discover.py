"""Spiders are found by their files; cards read from source equal the classes; due follows from times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crawlers.discover import SpiderCard, SpiderError, find_card, load_spider, spider_cards
from crawlers.due import due, enabled, why_not
from tests.crawl_server import gets, write_spider
from warehouse.errors import UnknownNameError

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
FACTS = (
    "title",
    "homepage",
    "kind",
    "first_party",
    "refetch",
    "credential",
    "needs_credential",
    "default_on",
    "proof",
    "terms_note",
    "requests_per_second",
    "price_kinds",
    "sources",
)


@pytest.mark.parametrize("name", sorted(spider_cards()))
def test_a_card_read_from_source_equals_the_class(name: str) -> None:
    card, spider = find_card(name), load_spider(name)
    assert spider.name == name == card.provider
    assert {fact: getattr(card, fact) for fact in FACTS} == {fact: getattr(spider, fact) for fact in FACTS}
    assert card.hosts, f"{card.file} spells out no address, so nothing keeps its host from being shared"


def test_unknown_names_come_with_near_ones(tmp_path: Path) -> None:
    for name in ("lambda_cloud", "scaleway", "vast"):
        write_spider(tmp_path, name, gets("https://a.example/"))
    for asked, near in (("Lambda", "lambda_cloud"), ("vastai", "vast"), ("scale-way", "scaleway")):
        with pytest.raises(UnknownNameError, match=f"did you mean {near}"):
            find_card(asked, tmp_path)
    with pytest.raises(UnknownNameError, match="unknown provider 'zzzz'; gpufare providers"):
        find_card("zzzz", tmp_path)


def test_helpers_are_no_spiders(tmp_path: Path) -> None:
    (tmp_path / "_shared.py").write_text("X = 1\n", "utf-8")
    (tmp_path / "__init__.py").write_text("", "utf-8")
    write_spider(tmp_path, "vast", gets("https://a.example/"))
    assert list(spider_cards(tmp_path)) == ["vast"]


def test_hosts_are_those_of_the_code_not_of_the_homepage(tmp_path: Path) -> None:
    write_spider(tmp_path, "vast", gets("https://api.a.example/x", "https://b.example:8443/y?u=1"))
    assert find_card("vast", tmp_path).hosts == {"api.a.example", "b.example"}


def test_hosts_of_addresses_that_are_put_together_count_too(tmp_path: Path) -> None:
    body = """
    def requests(self):
        for host in ("eu.api.a.example", "us.api.a.example"):
            yield self.get(f"https://{host}/v1", self.parse)
    """
    write_spider(tmp_path, "vast", body)
    assert find_card("vast", tmp_path).hosts == {"eu.api.a.example", "us.api.a.example"}


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ('name = "other"', "no class states name = 'vast'"),
        ("default_on = bool(1)", "default_on must be a plain literal"),
        ('title = ""', "states no title"),
    ],
)
def test_a_spider_that_misstates_its_facts_is_refused(tmp_path: Path, facts: str, says: str) -> None:
    write_spider(tmp_path, "vast", gets("https://a.example/"), facts=facts)
    if facts.startswith("name"):
        file = tmp_path / "vast.py"
        file.write_text(file.read_text("utf-8").replace('name = "vast"', ""), "utf-8")
    with pytest.raises(SpiderError, match=says):
        find_card("vast", tmp_path)


def test_a_broken_file_costs_its_own_source(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_spider(tmp_path, "vast", gets("https://a.example/"))
    (tmp_path / "torn.py").write_text("class Torn(PriceSpider:", "utf-8")
    assert list(spider_cards(tmp_path)) == ["vast"]
    assert "source torn is left out" in caplog.text
    with pytest.raises(SpiderError, match=r"torn\.py"):
        find_card("torn", tmp_path)


def card(name: str, **facts: object) -> SpiderCard:
    plain = SpiderCard(
        provider=name,
        file=Path(f"{name}.py"),
        hosts=frozenset({f"{name}.example"}),
        title=name,
        homepage=f"https://{name}.example",
        kind="list",
        first_party=True,
        refetch=timedelta(hours=12),
        credential=(),
        needs_credential=False,
        default_on=True,
        proof="documented",
        terms_note="terms not read",
        requests_per_second=1.0,
    )
    return replace(plain, **facts)  # type: ignore[arg-type]


def test_what_is_asked_by_default_and_why_the_rest_is_not() -> None:
    cards = [
        card("plain"),
        card("keyed", credential=("A_KEY", "B_KEY"), needs_credential=True),
        card("better_with_key", credential=("A_KEY",)),
        card("shy", default_on=False, terms_note="robots forbidden by terms"),
        card("off"),
    ]
    wanted, skipped = enabled(cards, secrets={"A_KEY": "x"}, switched_off={"off"})
    assert [item.provider for item in wanted] == ["plain", "better_with_key"]
    reasons = {item.provider: item.reason for item in skipped}
    assert reasons["keyed"] == "needs B_KEY in the environment or the secrets file"
    assert "robots forbidden by terms" in reasons["shy"]
    assert reasons["off"] == "switched off by the configuration"


def test_switched_off_wins_over_switched_on() -> None:
    both = {"x"}
    assert why_not(card("x", default_on=False), secrets={}, switched_on=both) is None
    assert why_not(card("x", default_on=False), secrets={}, switched_on=both, switched_off=both) is not None


def hours(count: float) -> datetime:
    return NOW - timedelta(hours=count)


@pytest.mark.parametrize(
    ("good", "tried", "is_due"),
    [
        (None, None, True),
        (hours(13), hours(13), True),
        (hours(12), hours(12), True),
        (hours(11.9), hours(11.9), False),
        (hours(30), hours(0.5), False),
        (hours(30), hours(1.5), True),
        (None, hours(0.5), False),
        (hours(2), hours(1.5), False),
        (NOW + timedelta(days=300), NOW + timedelta(days=300), False),
    ],
    ids=[
        "new",
        "old",
        "just",
        "fresh",
        "failed now",
        "failed before",
        "never good",
        "bad but fresh",
        "clock",
    ],
)
def test_due_follows_from_the_last_good_and_the_last_tried_run(
    good: datetime | None, tried: datetime | None, is_due: bool
) -> None:
    found = due(
        [card("x")],
        now=NOW,
        last_good={"x": good} if good else {},
        last_tried={"x": tried} if tried else {},
    )
    assert bool(found) is is_due


def test_the_longest_overdue_comes_first() -> None:
    cards = [card("a"), card("b"), card("c", refetch=timedelta(hours=1))]
    found = due(cards, now=NOW, last_good={"a": hours(13), "b": hours(40), "c": hours(5)})
    assert [item.provider for item in found] == ["b", "c", "a"]
