"""The list of all sources: what the command line prints of them, and the site's page."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from site_market import NOW, SOURCES, SmallMarket, ordinary, source
from test_site import build, read

from crawlers.discover import spider_cards
from gpufare.cli.main import main
from gpufare.settings import Settings
from gpufare.source_list import source_list

CARDS = spider_cards()


def runs(*rows: tuple[str, str, float, str, str | None]) -> SmallMarket:
    """A market of runs only: (provider, state, days ago, origin, reason)."""
    market = SmallMarket()
    for number, (provider, state, days, origin, reason) in enumerate(rows):
        at = NOW - timedelta(days=days)
        market.rows["runs"].append(
            {"run_id": str(number), "provider": provider, "observed_at": at, "loaded_at": at}
            | {"state": state, "origin": origin, "reason": reason}
        )
    return market


def listed(tmp_path: Path, market: SmallMarket, **settings: Any) -> dict[str, dict[str, Any]]:
    tmp_path.mkdir(exist_ok=True)
    con = market.build(tmp_path / "market.duckdb")
    try:
        rows = source_list(Settings(home=tmp_path, **settings), con, now=NOW)
    finally:
        con.close()
    return {row["provider"]: row for row in rows}


def test_every_source_is_listed_with_what_its_spider_says(tmp_path: Path) -> None:
    found = listed(tmp_path, SmallMarket())
    assert list(found) == list(CARDS)
    for name, card in CARDS.items():
        row = found[name]
        assert row["price_kinds"] == list(card.price_kinds)
        assert (row["proof"], row["title"], row["credential"]) == (
            card.proof,
            card.title,
            list(card.credential),
        )
        assert (row["last_good_at"], row["age_hours"]) == (None, None)


def test_a_source_that_was_never_asked_says_why(tmp_path: Path) -> None:
    found = listed(tmp_path, SmallMarket(), switched_off=frozenset({"scaleway"}))
    assert found["scaleway"]["state"] == "switched off by the configuration"
    assert found["vast"]["state"] == "never asked"
    for name, card in CARDS.items():
        if not card.default_on:
            assert found[name]["state"] == f"off by default: {card.terms_note}"
        elif card.needs_credential:
            assert found[name]["state"] == f"needs {' and '.join(card.credential)}"
            keyed = listed(tmp_path / name, SmallMarket(), secrets=dict.fromkeys(card.credential, "k"))
            assert keyed[name]["state"] == "never asked"
    states = Counter(row["state"].partition(":")[0] for row in found.values())
    assert states["off by default"] > 3
    assert states["needs CHERRY_API_KEY"] == 1


def test_the_state_is_the_last_runs_and_the_success_the_last_good_ones(tmp_path: Path) -> None:
    market = runs(
        ("vast", "failed", 0.5, "live", "HTTP 503"),
        ("vast", "partial", 2, "live", "a page is lost"),
        ("vast", "good", 3, "live", None),
        ("oci", "held", 1, "replay", "R7"),
        ("linode", "good", 30, "bundled", None),
    )
    found = listed(tmp_path, market, switched_off=frozenset({"vast"}))
    vast = found["vast"]
    assert (vast["state"], vast["reason"], vast["age_hours"]) == ("failed", "HTTP 503", 48.0)
    assert vast["not_asked"] == "switched off by the configuration"
    assert (found["oci"]["state"], found["oci"]["last_good_at"]) == ("held", None)
    assert (found["linode"]["state"], found["linode"]["last_good_at"]) == ("never asked", None)


def test_no_secret_is_ever_listed(tmp_path: Path) -> None:
    names = {name for card in CARDS.values() for name in card.credential}
    found = listed(tmp_path, SmallMarket(), secrets=dict.fromkeys(names, "hunter2hunter2"))
    assert "hunter2" not in json.dumps(list(found.values()), default=str)


def test_providers_all_lists_every_source_and_the_default_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "providers", "--all", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["data"]
    assert [row["provider"] for row in rows] == list(CARDS)
    assert main([*home, "providers", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "source"
    assert len(lines) == len(CARDS) + 2
    assert any("needs CHERRY_API_KEY" in line and "documented" in line for line in lines)
    assert main([*home, "providers", "--json"]) == 0
    default = json.loads(capsys.readouterr().out)["data"]
    assert {"offers", "held", "last_run_state"} <= set(default[0])
    assert {row["state"] for row in default} == {"bundled"}


def test_the_page_of_sources_puts_trouble_first_and_says_what_is_known(tmp_path: Path) -> None:
    site = build(tmp_path, ordinary(), [], SOURCES)
    page = read(site / "sources.html")
    text = page.text
    assert "5 sources can be asked, 3 by default." in text
    assert "Last runs here: 1 gave data, 1 held, 1 failed; never asked: 2." in text
    assert "Proved on a recorded answer: 1; written from documents only: 4." in text
    for words in (
        "failed HTTP 503 9 days",
        "good 3 h on demand price page recorded api.alpha.example ALPHA_KEY (optional)",
        "needs LOCKED_API_KEY – on demand price page documented h0.locked.example",
        "h5.locked.example and 2 more LOCKED_API_KEY (needed)",
        "lists prices of others",
        "token prices, savings plan",
    ):
        assert words in text, words
    order = ("Broken failed", "held", "Alpha good", "Locked needs", "Never never asked")
    places = [text.index(words, text.index("Credential Broken")) for words in order]
    assert places == sorted(places)
    assert "provider/alpha.html" in page.links
    assert "provider/never.html" not in page.links
    assert not any(link.startswith("javascript:") for link in page.links)
    assert "\u202e" not in text
    assert "<script>alert" not in (site / "sources.html").read_text("utf-8")
    assert "sources.html" in read(site / "quality.html").links


def test_without_a_list_the_page_says_that_nothing_is_known(tmp_path: Path) -> None:
    site = build(tmp_path, ordinary(), [])
    assert "Nothing is known of the sources" in read(site / "sources.html").text
    (tmp_path / "one").mkdir()
    one = build(tmp_path / "one", ordinary(), [], [source("solo", "never asked")])
    assert "1 source can be asked, 1 by default." in read(one / "sources.html").text
