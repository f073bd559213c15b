"""Google Cloud: how parts add up to machines, what is no price, and the price page's two forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawlers.gcp_catalogue import MACHINES, compose, part_of, sale_of
from crawlers.gcp_page import price_in
from tests.spider_harness import FIXTURES, Replayed, edit_folder, replay
from warehouse.instance_types import instance_type
from warehouse.records import Offer

KEYED, KEYLESS = FIXTURES / "gcp" / "with_key", FIXTURES / "gcp" / "documented"
SECRETS = {"GCP_BILLING_API_KEY": "made-up-key"}


def skus(tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> Replayed:
    """The fixture with a key, each SKU passed through `edit`."""

    def rewrite(_: int, body: bytes) -> bytes:
        if not body.startswith(b"{"):
            return body
        data = json.loads(body)
        for sku in data["skus"]:
            edit(sku)
        return json.dumps(data).encode()

    return replay(edit_folder(KEYED, tmp_path / "gcp" / "with_key", rewrite), secrets=SECRETS)


def page(tmp_path: Path, edit: Callable[[str], str]) -> Replayed:
    """The fixture without a key, its page passed through `edit`."""
    rewrite = lambda _, body: edit(body.decode()).encode() if body.startswith(b"<") else body  # noqa: E731
    return replay(edit_folder(KEYLESS, tmp_path / "gcp" / "documented", rewrite))


def composed(result: Replayed, name: str, kind: str = "on_demand") -> list[Offer]:
    return [o for o in result.offers if (o.source, o.instance_type, o.price_kind) == ("gcp", name, kind)]


def reason(result: Replayed, source: str) -> str:
    return next(str(report.reason) for report in result.report.sources if report.source == source)


def test_the_machines_are_those_of_the_reference_table() -> None:
    for machine in MACHINES:
        if machine.name.startswith("n1-"):
            continue
        known = instance_type("gcp", machine.name)
        assert known is not None, machine.name
        stated = (float(machine.gpus), machine.vcpus, machine.memory_gib)
        assert stated == (known.gpu_count, known.vcpus, known.memory_gib), machine.name


@pytest.mark.parametrize(
    ("text", "usage", "kind", "term", "part"),
    [
        ("A2 Instance Core running in Iowa", "OnDemand", "on_demand", None, "A2 core"),
        ("A3Plus Instance Ram running in Iowa", "OnDemand", "on_demand", None, "A3Plus ram"),
        ("Nvidia Tesla A100 GPU running in Iowa", "OnDemand", "on_demand", None, "gpu A100"),
        ("Nvidia Tesla A100 80GB GPU running in Iowa", "OnDemand", "on_demand", None, "gpu A100-80"),
        ("Nvidia H100 80GB Plus GPU running in Iowa", "OnDemand", "on_demand", None, "gpu H100-Plus"),
        ("Nvidia H100 80GB Mega GPU running in Iowa", "OnDemand", "on_demand", None, "gpu H100-Plus"),
        ("Nvidia H100 80GB GPU running in Iowa", "OnDemand", "on_demand", None, "gpu H100"),
        ("Nvidia B200 (1 gpu slice) running in Iowa", "OnDemand", "on_demand", None, "gpu B200"),
        ("Nvidia GB200 (1 gpu slice) running in Iowa", "OnDemand", "on_demand", None, None),
        (
            "Nvidia L4 GPU attached to Spot Preemptible VMs running in Iowa",
            "OnDemand",
            "spot",
            None,
            "gpu L4",
        ),
        ("Spot Preemptible G2 Instance Core running in Iowa", "Preemptible", "spot", None, "G2 core"),
        ("DWS Flex-start Nvidia L4 GPU running in Iowa", "OnDemand", "flex", None, "gpu L4"),
        ("Commitment v1: G2 Ram in Iowa for 3 Years", "Commit3Yr", "reserved", 36, "G2 ram"),
        ("Commitment v1: G2 Cpu in Iowa for 1 Year", "Commit1Yr", "reserved", 12, "G2 core"),
        ("SSD backed Local Storage in Iowa", "OnDemand", "on_demand", None, "ssd"),
    ],
)
def test_descriptions_say_sale_and_part(
    text: str, usage: str, kind: str, term: int | None, part: str | None
) -> None:
    sale = sale_of(text, usage)
    assert sale is not None
    assert (sale[0].value, sale[1]) == (kind, term)
    assert part_of(text)[0] == part


@pytest.mark.parametrize(
    "text",
    [
        "G2 Sole Tenancy Instance Core running in Iowa",
        "Reserved Nvidia L4 GPU in Iowa",
        "Custom Instance Core running in Iowa",
        "DWS Something New Nvidia L4 GPU running in Iowa",
        "Commitment v1: G2 Cpu in Iowa for 5 Years",
        "Suspended VM State Ram",
    ],
)
def test_what_nobody_rents_is_dropped(text: str) -> None:
    assert sale_of(text, "OnDemand") is None


def test_a_machine_without_one_of_its_parts_has_no_price() -> None:
    machine = next(machine for machine in MACHINES if machine.name == "a2-ultragpu-1g")
    prices = dict.fromkeys(machine.parts(), Decimal(1))
    found = compose(machine, prices)
    assert found is not None
    assert found[0] == 1 + 12 + 170 + 375
    for part in machine.parts():
        assert compose(machine, {key: value for key, value in prices.items() if key != part}) is None


def test_a_region_without_ram_gets_no_price(tmp_path: Path) -> None:
    result = replay(KEYED, secrets=SECRETS)
    assert {offer.region for offer in composed(result, "a2-ultragpu-1g")} == {"us-central1"}


def test_another_currency_or_unit_is_refused_with_its_name(tmp_path: Path) -> None:
    def money(sku: dict[str, Any]) -> None:
        sku["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]["currencyCode"] = "IDR"

    def unit(sku: dict[str, Any]) -> None:
        sku["pricingInfo"][0]["pricingExpression"]["usageUnit"] = "mo"

    for name, edit in (("IDR", money), ("mo", unit)):
        result = skus(tmp_path / name, edit)
        assert not composed(result, "g2-standard-4")
        assert result.report.state == "held"
        assert name in str(result.report.rejected[0]["reason"])


def test_two_prices_of_one_part_are_said(tmp_path: Path) -> None:
    def twice(sku: dict[str, Any]) -> None:
        if sku["description"] == "A2 Instance Ram running in Iowa":
            sku["description"] = "A2 Instance Core running in Iowa"

    assert "A2 core has two prices" in skus(tmp_path, twice).report.rejected[0]["reason"]


def test_a_gpu_that_no_machine_has_is_reported(tmp_path: Path) -> None:
    def rename(sku: dict[str, Any]) -> None:
        sku["description"] = sku["description"].replace("Nvidia L4", "Nvidia Z9")

    result = skus(tmp_path, rename)
    assert not composed(result, "g2-standard-4")
    assert any("Nvidia Z9 GPU" in name for name in result.report.unused_fields)


def test_a_lost_second_page_is_partial(tmp_path: Path) -> None:
    rewrite = lambda _, body: body.replace(b'"SECOND"', b'"THIRD"')  # noqa: E731
    folder = edit_folder(KEYED, tmp_path / "gcp" / "with_key", rewrite)
    data = json.loads((folder / "run.json").read_text())
    data["exchanges"] = data["exchanges"][:2]
    (folder / "run.json").write_text(json.dumps(data))
    result = replay(folder, secrets=SECRETS)
    assert result.report.state == "partial"
    assert not composed(result, "a4-highgpu-8g")


def test_without_a_key_the_catalogue_is_skipped_with_the_variable_to_set() -> None:
    result = replay(KEYLESS)
    assert "GCP_BILLING_API_KEY" in reason(result, "gcp")
    assert result.report.state == "good"


@pytest.mark.parametrize(
    ("cell", "price", "readable"),
    [
        ("$64.4400 / 1 hour", "64.4400", True),
        ("$2 .0000/ 1 hour", "2.0000", True),
        ("$1,064.5 / 1 hour", "1064.5", True),
        ("N/A", None, True),
        ("-", None, True),
        ("", None, True),
        ("g2-standard-24-spot", None, False),
        ("$64.44 / 1 month", None, False),
        ("€64.44 / 1 hour", None, False),
    ],
)
def test_a_cell_is_read_in_one_form_only(cell: str, price: str | None, readable: bool) -> None:
    assert price_in(cell) == (Decimal(price) if price else None, readable)


@pytest.mark.parametrize("header", ["Machine type", "GPU", "Components", "Price (USD)", "Current Spot"])
def test_a_lost_header_of_the_page_is_held_and_named(header: str, tmp_path: Path) -> None:
    result = page(tmp_path, lambda text: text.replace(f"<p>{header}", "<p>Else"))
    assert header in reason(result, "gcp:pages")
    assert result.report.state == "held"


def test_a_changed_unit_of_the_page_gives_no_price_and_is_counted(tmp_path: Path) -> None:
    result = page(tmp_path, lambda text: text.replace("1 hour", "1 month"))
    assert not result.offers
    assert result.report.state == "held"
    assert any("month" in name for name in result.report.unused_fields)


def test_a_machine_that_does_not_say_its_gpus_is_refused(tmp_path: Path) -> None:
    result = page(tmp_path, lambda text: text.replace("GPUs: 8", "Units: 8"))
    assert "how many GPUs" in result.report.rejected[0]["reason"]


HEADERS = ["Machine type", "GPU", "Components", "Price (USD)", "Current Spot pricing (USD)"]
ROW = ["g2-standard-4", "NVIDIA L4", "GPUs: 1 vCPUs: 4 Memory: 16GiB", "$0.81 / 1 hour", "$0.4 / 1 hour"]


def scripted(row: list[str], place: int = 1) -> str:
    """A page without tables, with the data of two regions in a script."""

    def cell(text: str) -> list[Any]:
        return [None, None, None, [None, [None, f"<p>{text}</p>"][: place + 1]]]

    blocks = [
        [[cell(text) for text in HEADERS], [[cell(text) for text in row]], name]
        for name in ("Iowa (us-central1)", "Netherlands (europe-west4)")
    ]
    call = (
        f"AF_initDataCallback({{key: 'ds:1', hash: '2', data:{json.dumps([[blocks]])}, sideChannel: {{}}}});"
    )
    return f"<!doctype html><html><body><script>{call}</script></body></html>"


def test_without_tables_the_data_of_every_region_is_read(tmp_path: Path) -> None:
    offers = page(tmp_path, lambda _: scripted(ROW)).offers
    assert [(o.region, o.price_kind.value, str(o.price_raw)) for o in offers] == [
        ("us-central1", "on_demand", "0.81"),
        ("us-central1", "spot", "0.4"),
        ("europe-west4", "on_demand", "0.81"),
        ("europe-west4", "spot", "0.4"),
    ]
    assert {(o.gpu_count, o.vcpus, o.memory_gib) for o in offers} == {(1, 4, 16)}


def test_data_in_another_shape_is_held(tmp_path: Path) -> None:
    result = page(tmp_path, lambda _: scripted(ROW, place=0))
    assert "[3][1][1]" in reason(result, "gcp:pages")
    short = page(tmp_path / "short", lambda _: scripted(ROW[:4]))
    assert "4 cells under 5 headers" in reason(short, "gcp:pages")
    empty = page(tmp_path / "empty", lambda _: "<html><body>Sign in</body></html>")
    assert "Machine type" in reason(empty, "gcp:pages")
