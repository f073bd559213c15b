"""robots.txt is obeyed for every request, not only for the first that waits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.crawl_server import Answer, gets, provider, run_one, write_spider

TEXT = {"Content-Type": "text/plain"}
SIX = [f"private/{number}" for number in range(6)]


def robots(text: str, status: int = 200) -> Answer:
    return Answer(text.encode(), status, TEXT)


def test_none_of_six_disallowed_urls_queued_at_start_is_fetched(tmp_path: Path) -> None:
    """Scrapy 2.14 to 2.19 fetches two to four of them."""
    pages = {path: Answer() for path in SIX}
    with provider(robots=robots("User-agent: *\nDisallow: /private/\n"), **pages) as host:
        write_spider(tmp_path / "spiders", "shy", gets(*(f"{host.url}/{path}" for path in SIX)))
        result = run_one(tmp_path, "shy")
    assert host.paths() == []
    assert (result.state, result.offers) == ("failed", 0)
    assert result.reason is not None
    assert "Forbidden by robots.txt" in result.reason
    assert "and 5 more" in result.reason


def test_rules_for_our_own_name_win_over_those_for_all(tmp_path: Path) -> None:
    rules = "User-agent: gpufare\nDisallow: /a\n\nUser-agent: *\nDisallow: /b\n"
    with provider(robots=robots(rules), a=Answer(), b=Answer()) as host:
        write_spider(tmp_path / "spiders", "shy", gets(f"{host.url}/a", f"{host.url}/b"))
        result = run_one(tmp_path, "shy")
    assert host.paths() == ["/b"]
    assert result.state == "partial"


def test_a_missing_file_allows_everything(tmp_path: Path) -> None:
    with provider(a=Answer(), b=Answer()) as host:
        write_spider(tmp_path / "spiders", "open", gets(f"{host.url}/a", f"{host.url}/b"))
        result = run_one(tmp_path, "open")
    assert sorted(host.paths()) == ["/a", "/b"]
    assert len(host.times("/robots.txt")) == 1
    assert result.state == "good"


def test_a_server_error_is_waited_for_and_then_nothing_is_fetched(tmp_path: Path) -> None:
    with provider(robots=robots("", 503), a=Answer()) as host:
        write_spider(tmp_path / "spiders", "ill", gets(f"{host.url}/a"))
        result = run_one(tmp_path, "ill")
    assert host.paths() == []
    assert len(host.times("/robots.txt")) == 3  # two repeats
    assert result.state == "failed"
    assert result.reason is not None
    assert "HTTP 503" in result.reason
    assert "robots.txt" in result.reason


def test_a_server_error_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    with provider(robots=lambda count: robots("", 503 if count == 1 else 404), a=Answer()) as host:
        write_spider(tmp_path / "spiders", "ill", gets(f"{host.url}/a"))
        assert run_one(tmp_path, "ill").state == "good"


def test_crawl_delay_spaces_the_requests(tmp_path: Path) -> None:
    rules = robots("User-agent: *\nCrawl-delay: 0.25\n")
    with provider(robots=rules, a=Answer(), b=Answer(), c=Answer()) as host:
        write_spider(tmp_path / "spiders", "slow", gets(*(f"{host.url}/{path}" for path in "abc")))
        assert run_one(tmp_path, "slow").state == "good"
    times = [host.times(f"/{path}")[0] for path in "abc"]
    assert min(b - a for a, b in pairwise(times)) >= 0.24
