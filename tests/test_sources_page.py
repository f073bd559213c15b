"""docs/sources.md is what the spiders say, and says of each what a reader must know before asking it."""

from __future__ import annotations

from bench.sources import PAGE, page
from crawlers.discover import spider_cards
from gpufare.source_list import asked_hosts


def test_the_page_of_sources_is_not_stale() -> None:
    assert PAGE.read_text("utf-8") == page(spider_cards()), "write it anew with: python -m bench.sources"


def test_every_source_is_on_the_page_with_its_credential_and_proof() -> None:
    rows = {
        line.split("`")[1]: line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")
    }
    cards = spider_cards()
    assert list(rows) == list(cards)
    for name, card in cards.items():
        assert rows[name].endswith(f"| {card.proof} |")
        assert all(f"`{variable}`" in rows[name] for variable in card.credential)
        assert ("needed" in rows[name]) is card.needs_credential
        assert ("*off*" in rows[name]) is not card.default_on
        assert asked_hosts(card), f"{name}: no host is known"
        assert all(host in rows[name] for host in asked_hosts(card))
