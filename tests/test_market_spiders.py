"""Traps of marketplaces, resellers and compiled catalogues; what all spiders share is in test_spiders."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawlers.compiled import cloud_id, moment
from crawlers.composed import Shape, clipped, composed
from crawlers.parsing import ShapeError
from crawlers.redact import Redactor
from crawlers.spiders.hyperbolic import HyperbolicSpider
from crawlers.spiders.lium import LiumSpider
from crawlers.spiders.prime_intellect import memory_of_one
from tests.spider_harness import FIXTURES, Replayed, edit_folder, replay, spider_class


def edited(provider: str, fixture: str, tmp_path: Path, edit: Callable[[Any], Any]) -> Replayed:
    """The fixture with every JSON answer passed through `edit`."""
    rewrite = lambda _, body: json.dumps(edit(json.loads(body))).encode()  # noqa: E731
    path = edit_folder(FIXTURES / provider / fixture, tmp_path / provider / fixture, rewrite)
    return replay(path, secrets=dict.fromkeys(spider_class(provider).credential, "made-up-key"))


def test_what_the_supplier_gets_and_where_hosts_are_is_not_kept() -> None:
    body = b'{"providerCostPerHourCents":217,"costPerHourCents":319}'
    assert b"217" not in Redactor((), HyperbolicSpider.private_fields).body(body)
    assert b"319" in Redactor((), HyperbolicSpider.private_fields).body(body)
    host = b'{"executor_ip_address":"203.0.113.77","miner_hotkey":"5Fabc"}'
    kept = Redactor((), LiumSpider.private_fields).body(host)
    assert b"203.0.113.77" not in kept
    assert b"5Fabc" not in kept


def test_an_option_of_two_nodes_costs_half_of_it_per_node(tmp_path: Path) -> None:
    rows = replay(FIXTURES / "hyperbolic" / "documented").offers
    cluster = next(offer for offer in rows if offer.interconnect == "infiniband")
    assert (cluster.gpu_count, cluster.price_raw) == (8, Decimal(2800))
    odd = edited("hyperbolic", "documented", tmp_path, lambda rows: [{**row, "gpuCount": 15} for row in rows])
    assert "gpuCount" in str(odd.report.reason)
    assert not [offer for offer in odd.offers if offer.gpu_count == 8]


def test_a_next_page_that_cannot_be_asked_for_is_said(tmp_path: Path) -> None:
    more = edited("voltage_park", "documented", tmp_path, lambda data: {**data, "has_next": True})
    assert more.report.state == "partial"
    assert "further pages" in str(more.report.reason)
    assert len(more.offers) == 3


def test_no_location_at_all_is_a_fault_and_no_sell_out(tmp_path: Path) -> None:
    empty = edited("tensordock", "with_key", tmp_path, lambda _: {"data": {"locations": []}})
    assert empty.report.state == "held"
    assert "deposit" in str(empty.report.reason)


@pytest.mark.parametrize(
    ("name", "stated", "count", "memory"),
    [
        ("H100_80GB", 640, 8, 80),
        ("H100_80GB", 80, 8, 80),
        ("H100_80GB", 300, 8, None),
        ("RTX_4090", 24, 1, 24),
        ("RTX_4090", 48, 2, None),
    ],
)
def test_memory_of_all_gpus_is_told_from_that_of_one(
    name: str, stated: float, count: float, memory: float | None
) -> None:
    assert memory_of_one(name, stated, count) == memory


def test_a_composed_price_needs_its_gpu_and_names_its_parts() -> None:
    prices = {"gpu": Decimal("1.5"), "vcpu": Decimal("0.01"), "ram": None, "disk": Decimal(0)}
    price, note = composed(Shape(2, 16, 64, 200), prices)
    assert price == Decimal("3.16")
    assert note == "composed: 2 gpu x 1.5 + 16 vcpu x 0.01"
    assert composed(Shape(1, 8, 32, 100), {**prices, "gpu": None})[0] is None
    assert [clipped(8, 10, None), clipped(8, None, 4), clipped(8, 1, 16)] == [10, 4, 8]


def test_a_compiled_row_is_never_dated_by_our_own_fetch(tmp_path: Path) -> None:
    source = FIXTURES / "skypilot_catalog" / "documented"
    path = edit_folder(source, tmp_path / "skypilot_catalog" / "documented", lambda _, body: body)
    data = json.loads((path / "run.json").read_text("utf-8"))
    for exchange in data["exchanges"]:
        del exchange["response"]["headers"]["Last-Modified"]
    (path / "run.json").write_text(json.dumps(data), "utf-8")
    undated = replay(path)
    assert not undated.offers
    assert "when the file was made" in str(undated.report.reason)


def test_a_stale_provider_of_a_compiled_list_keeps_its_own_day(tmp_path: Path) -> None:
    def lose(data: Any) -> Any:
        del data["providers"]["lambda"]["last_verified"]
        return data

    assert "last_verified" in str(edited("gpurentalprices", "documented", tmp_path, lose).report.reason)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vastai", "vast"),
        ("Lambda Labs", "lambda_cloud"),
        ("hot-aisle", "hot_aisle"),
        ("runpod", "runpod"),
        ("packet-ai", "packet_ai"),
    ],
)
def test_clouds_of_compiled_lists_have_our_ids(name: str, expected: str) -> None:
    assert cloud_id(name) == expected


def test_a_version_that_is_none_is_repeated(tmp_path: Path) -> None:
    source = FIXTURES / "gpuhunt_catalog" / "documented"
    swap = lambda _, body: b"not a version" if body.startswith(b"2026") else body  # noqa: E731
    lost = replay(edit_folder(source, tmp_path / "gpuhunt_catalog" / "documented", swap))
    assert lost.report.state == "held"
    assert "not a version" in str(lost.report.reason)
    with pytest.raises(ShapeError, match="not a time"):
        moment("soon")


def test_alibaba_without_its_list_of_types_goes_by_names_and_is_partial(tmp_path: Path) -> None:
    cut = lambda _, body: body[:-4] if body.startswith(b"var instance") else body  # noqa: E731
    result = replay(
        edit_folder(FIXTURES / "alibaba" / "documented", tmp_path / "alibaba" / "documented", cut)
    )
    assert {offer.instance_type for offer in result.offers} == {
        "ecs.gn7i-c8g1.2xlarge",
        "ecs.ebmgn7e.32xlarge",
        "ecs.vgn7i-vws-m4.xlarge",
    }
    assert {offer.gpu_count for offer in result.offers} == {None}
    assert result.report.state == "partial"
    assert "has no end" in str(result.report.reason)


def test_alibaba_prices_of_the_chinese_site_are_yuan(tmp_path: Path) -> None:
    source = FIXTURES / "alibaba" / "documented"
    chinese = lambda _, body: body.replace(b"ecs-price-info-intl", b"ecs-price-info")  # noqa: E731
    path = edit_folder(source, tmp_path / "alibaba" / "documented", chinese)
    run = (path / "run.json").read_text("utf-8")
    (path / "run.json").write_text(run.replace("-intl/2.0.400", "/2.0.399"), "utf-8")
    assert {offer.currency for offer in replay(path).offers} == {"CNY"}


def test_ibm_profiles_billed_by_component_are_counted_and_make_no_price() -> None:
    result = replay(FIXTURES / "ibm" / "documented")
    assert result.report.unused_fields["profiles without a price of the whole instance"] == 1
    assert not [offer for offer in result.offers if "v100" in str(offer.instance_type)]


def test_ibm_reads_all_pages_of_its_profiles(tmp_path: Path) -> None:
    def many(data: Any) -> Any:
        if "resources" not in data:
            return data
        more = [{"id": f"bx-{number}", "name": f"bx-{number}"} for number in range(96)]
        return {**data, "count": 150, "resources": data["resources"] + more}

    rewrite = lambda _, body: json.dumps(many(json.loads(body))).encode() if b"resources" in body else body  # noqa: E731
    path = edit_folder(FIXTURES / "ibm" / "documented", tmp_path / "ibm" / "documented", rewrite)
    result = replay(path)
    assert [request.url for request in result.requests if request.url.endswith("_offset=100")]
    assert result.report.state == "partial"


def test_a_compiled_price_file_that_is_no_outline_is_held_with_its_line(tmp_path: Path) -> None:
    source = FIXTURES / "gcosts_catalog" / "documented"
    spoil = lambda _, body: body.replace(b"cpu: 24", b"- cpu")  # noqa: E731
    result = replay(edit_folder(source, tmp_path / "gcosts_catalog" / "documented", spoil))
    assert result.report.state == "held"
    assert "'- cpu'" in str(result.report.reason)


def test_an_azure_spot_price_equal_to_the_on_demand_price_is_kept_and_said(tmp_path: Path) -> None:
    source = FIXTURES / "azure" / "documented"
    assert not [offer for offer in replay(source).offers if "no discount" in str(offer.note)]
    rise = lambda _, body: body.replace(b'"retailPrice": 0.82', b'"retailPrice": 4.10')  # noqa: E731
    for newest_first in (False, True):
        path = edit_folder(source, tmp_path / str(newest_first) / "azure" / "documented", rise)
        marked = [o for o in replay(path, newest_first=newest_first).offers if "no discount" in str(o.note)]
        assert [(o.price_kind, o.price_raw) for o in marked] == [("spot", Decimal("4.10"))]


def test_alibaba_a_currency_in_the_file_goes_before_that_of_the_address(tmp_path: Path) -> None:
    def say(_: int, body: bytes) -> bytes:
        return body.replace(b'{"version"', b'{"currency": "CNY", "version"')

    path = edit_folder(FIXTURES / "alibaba" / "documented", tmp_path / "alibaba" / "documented", say)
    assert {offer.currency for offer in replay(path).offers} == {"CNY"}
