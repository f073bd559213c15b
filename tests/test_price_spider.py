"""The base spider's verdict on a run: good, partial, held or failed, always with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from scrapy import Request
from scrapy.exceptions import IgnoreRequest
from scrapy.http import TextResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawlers.price_spider import REPLAY_MISS, Gather, HeldAnswer, PriceSpider, body_digest

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
URL = "https://api.cloud.example/prices"


class Cloud(PriceSpider):
    name = "cloud"
    title = "Cloud"
    homepage = "https://cloud.example"
    sources = ("cloud", "cloud:spot")

    def requests(self) -> Iterator[Request]:
        yield self.get(URL, self.parse)

    def parse(self, response: TextResponse, **kwargs: Any) -> Iterator[Any]:
        yield from self.offer(response, **good_offer())


def good_offer(**more: Any) -> dict[str, Any]:
    return {
        "gpu_name_raw": "H100",
        "price_kind": "on_demand",
        "price_raw": Decimal("2.5"),
        "price_unit": "per gpu-hour",
        "currency": "USD",
        **more,
    }


def spider(**options: Any) -> Cloud:
    return Cloud(now=NOW, **options)


def ask(cloud: Cloud, source: str = "cloud", **meta: Any) -> Request:
    return cloud.get(URL, cloud.parse, source=source, **meta)


def answer(request: Request, body: bytes = b"{}", status: int = 200, **headers: str) -> TextResponse:
    return TextResponse(URL, status=status, body=body, headers=headers, request=request)


def offers(cloud: Cloud, source: str = "cloud", **values: Any) -> list[Any]:
    return list(cloud.offer(answer(ask(cloud, source)), **good_offer(**values)))


def lose(cloud: Cloud, error: Exception, source: str = "cloud", **meta: Any) -> None:
    failure = Failure(error)
    failure.request = ask(cloud, source, **meta)  # type: ignore[attr-defined]
    cloud.on_error(failure)


def http(status: int, **headers: str) -> HttpError:
    return HttpError(TextResponse(URL, status=status, headers=headers))


def verdict(cloud: Cloud) -> tuple[str, str]:
    report = cloud.parse_report("1", 1)
    return report.state, report.reason or ""


def test_all_sources_with_offers_are_good() -> None:
    cloud = spider()
    offers(cloud)
    offers(cloud, "cloud:spot")
    assert verdict(cloud) == ("good", "")


def test_nothing_reached_is_failed() -> None:
    cloud = spider()
    lose(cloud, http(503))
    state, reason = verdict(cloud)
    assert state == "failed"
    assert "HTTP 503" in reason


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_lost_request_among_good_ones_is_partial_whichever_comes_first(lost_first: bool) -> None:
    cloud = spider()
    if lost_first:
        lose(cloud, http(500))
    offers(cloud)
    offers(cloud, "cloud:spot")
    if not lost_first:
        lose(cloud, http(500))
    state, reason = verdict(cloud)
    assert state == "partial"
    assert "cloud: GET https://api.cloud.example/prices: HTTP 500" in reason
    assert cloud.reports["cloud"].state == "partial"


def test_several_lost_requests_are_one_line() -> None:
    cloud = spider()
    for _ in range(3):
        lose(cloud, http(500))
    assert verdict(cloud)[1].endswith("HTTP 500 (and 2 more)")


def test_one_held_source_leaves_the_others_usable() -> None:
    cloud = spider()
    offers(cloud)
    offers(cloud, "cloud:spot")
    cloud.held("field 'price' is missing", "cloud:spot")
    assert verdict(cloud) == ("partial", "cloud:spot: field 'price' is missing")


def test_a_held_answer_holds_its_source() -> None:
    cloud = spider()
    lose(cloud, HeldAnswer("challenge page (Cloudflare)"))
    assert verdict(cloud) == ("held", f"cloud: {URL}: challenge page (Cloudflare)")


def test_a_refusal_keeps_its_own_words() -> None:
    cloud = spider()
    lose(cloud, IgnoreRequest("redirects to another host (x.example): not followed"))
    assert verdict(cloud)[1].endswith("redirects to another host (x.example): not followed")


def test_how_long_to_wait_is_said() -> None:
    cloud = spider()
    lose(cloud, http(429, **{"Retry-After": "3600"}))
    assert "HTTP 429 (asks to wait 3600)" in verdict(cloud)[1]


def test_a_key_in_an_address_is_in_no_reason() -> None:
    cloud = spider()
    failure = Failure(http(500))
    failure.request = cloud.get(URL + "?key=very-secret", cloud.parse)  # type: ignore[attr-defined]
    cloud.on_error(failure)
    assert "very-secret" not in verdict(cloud)[1]


def test_a_source_that_answered_without_offers_is_held() -> None:
    cloud = spider()
    offers(cloud)
    ask(cloud, "cloud:spot")
    assert verdict(cloud) == ("partial", "cloud:spot: the answers held no offer")


def test_a_source_that_was_never_asked_is_skipped() -> None:
    cloud = spider()
    offers(cloud)
    assert verdict(cloud) == ("good", "")
    assert cloud.reports["cloud:spot"].state == "skipped"


def test_too_many_refused_rows_hold_the_run() -> None:
    cloud = spider()
    for _ in range(18):
        offers(cloud)
    for _ in range(2):
        offers(cloud, price_raw=Decimal("-1"))
    state, reason = verdict(cloud)
    assert state == "held"
    assert "10%" in reason
    assert "-1" in reason


def test_one_refused_row_of_a_short_list_makes_it_partial_and_is_told() -> None:
    cloud = spider()
    for _ in range(9):
        offers(cloud)
    offers(cloud, price_raw=Decimal("-1"))
    assert verdict(cloud) == (
        "partial",
        "one row was refused: price_raw -1 is not a price: it must be finite and above 0",
    )


def parsed(cloud: Any, rows: list[Any], read: Any) -> str:
    """The verdict on a list whose rows are read by `read`; each gives an offer."""
    response = answer(ask(cloud), b"[]")

    def parse(row: Any) -> Any:
        read(row)
        yield from cloud.offer(response, **good_offer())

    list(cloud.each(rows, "rows[]", parse))
    return " ".join(verdict(cloud))


def test_a_field_that_one_row_lacks_costs_that_row_and_no_other() -> None:
    cloud = spider()
    rows = [{"price": 1}] * 40 + [{}]
    assert parsed(cloud, rows, lambda row: row.need("price")) == "good "
    assert cloud.rejected_count == 1
    assert "field 'price' is missing" in str(cloud.rejected[0]["reason"])


def test_a_field_that_most_rows_lack_holds_the_source_and_is_named() -> None:
    told = parsed(spider(), [{"price": 1}] * 3 + [{}] * 4, lambda row: row.need("price"))
    assert told.startswith("held cloud: field 'price' is missing in 4 of 7 rows")


def test_a_usual_field_may_be_missing_but_not_everywhere() -> None:
    assert parsed(spider(), [{"region": "eu"}, {}], lambda row: row.label("region")) == "good "
    told = parsed(spider(), [{}, {}], lambda row: row.label("region"))
    assert told == "partial cloud: no row has the field 'region' any more"


def test_a_switched_off_source_is_not_asked_and_what_waits_for_it_goes_on() -> None:
    cloud = spider(switched_off={"cloud:spot"})
    done = []
    gather = Gather(lambda: done.append("joined") or ())  # type: ignore[func-returns-value]
    asked = [
        cloud.get(URL, cloud.parse, gather=gather),
        cloud.get(URL, cloud.parse, source="cloud:spot", gather=gather),
    ]
    cloud.requests = lambda: iter(asked)
    assert [request.meta["source"] for request in cloud.opening()] == ["cloud"]
    list(cloud._guarded(lambda _: None, answer(asked[0], b"")))
    assert done == ["joined"]
    assert cloud.reports["cloud:spot"].reason == "switched off by the configuration"


def test_the_time_of_sending_goes_on_from_the_clock_that_the_spider_was_given() -> None:
    late = spider(clock=NOW + timedelta(minutes=20))
    assert timedelta(minutes=20) <= late.sending_time() - NOW < timedelta(minutes=21)
    assert timedelta(0) <= spider().sending_time() - NOW < timedelta(minutes=1)


def test_an_option_that_the_spider_does_not_declare_is_our_own_mistake() -> None:
    cloud = spider(chosen={"regions": ["eu"]})
    with pytest.raises(KeyError, match="declares no option"):
        cloud.regions(["us"])
    type(cloud).options = {"regions": "regions to ask"}
    assert cloud.regions(["us"]) == ("eu",)
    assert spider().regions(["us", "ca"], ["ca"]) == ("ca",)
    assert spider(chosen={"regions": ["all"]}).regions(["us", "ca"], ["ca"]) == ("us", "ca")
    assert spider(replay_partial=True).regions(["us", "ca"], ["ca"]) == ("us", "ca")
    assert spider().choice("regions", None) is None
    type(cloud).options = {}


def test_a_price_of_none_is_no_row_and_no_fault() -> None:
    cloud = spider()
    assert offers(cloud, price_raw=None) == []
    assert cloud.rejected_count == 0


def test_a_miss_of_a_partial_recording_is_no_fault() -> None:
    miss = http(404, **{REPLAY_MISS: "1"})
    partial, whole = spider(replay_partial=True), spider()
    for cloud in (partial, whole):
        lose(cloud, miss)
    assert verdict(partial)[0] == "good"
    assert verdict(whole)[0] == "failed"


def test_an_optional_address_may_be_lost() -> None:
    cloud = spider()
    offers(cloud)
    offers(cloud, "cloud:spot")
    lose(cloud, http(404), optional=True)
    assert verdict(cloud) == ("good", "")


def test_an_alternative_address_starts_clean() -> None:
    cloud = spider()
    request = cloud.get(URL, cloud.parse, otherwise=("https://other.example/prices",))
    request.meta.update(retry_times=2, download_slot="api.cloud.example", body_sha256="x", archive_asked=[])
    failure = Failure(http(404))
    failure.request = request  # type: ignore[attr-defined]
    (again,) = cloud.on_error(failure)
    assert again.url == "https://other.example/prices"
    assert again.meta["source"] == "cloud"
    assert not {"retry_times", "download_slot", "body_sha256", "archive_asked"} & set(again.meta)


def test_the_digest_that_the_archive_noted_wins_over_that_of_the_bytes() -> None:
    request = ask(spider())
    plain = body_digest(answer(request, b"x"))
    request.meta["body_sha256"] = "0" * 64
    assert len(plain) == 64
    assert body_digest(answer(request, b"x")) == "0" * 64
