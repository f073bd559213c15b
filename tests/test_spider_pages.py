"""Pages without tables: new columns, names nobody knows, hidden and repeated rows, data that breaks off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scrapy.http import HtmlResponse

from crawlers.flight import Flight
from crawlers.parsing import ShapeError
from crawlers.price_text import priced_names
from tests.spider_harness import FIXTURES, Replayed, edit_folder, replay, spider_class

# provider: the end of a header line and of a row, as our fixture writes them, with one more cell each
NEW_COLUMN = {
    "coreweave": (
        (r"(Price\(Per Hour\)²</div></div>)", r'\1<div><div class="table-header-text">brand_new</div></div>'),
        (r"(</div>)(</div></div>\n)(?=<div role=|</div></div>)", r'\1<div class="table-v2-cell">1</div>\2'),
    ),
    "crusoe": (
        (r"(Current spot</div>)", r'\1<div class="pricing-heading">brand_new</div>'),
        (
            r"(</div>)(</div>\n)(?=<div class=\"pricing_gpu|</div></div>\n)",
            r'\1<div class="pricing-rich">1</div>\2',
        ),
    ),
    "hyperstack": (
        (r"(Hour</span></div>)", r'\1<div class="page-price_card_head_item">brand_new</div>'),
        (r"(col5\">.*?</div>)", r'\1<div class="page-price_card_row_item_col">1</div>'),
    ),
    "nebius": (
        (r'(2026\)\\")\]', r'\1,\\"brand_new\\"]'),
        (r'(\\"(?:\$4\.80|––|\[Contact us\]\(#form\))\\")\]', r'\1,\\"1\\"]'),
    ),
}


def changed(provider: str, tmp_path: Path, *edits: tuple[str, str]) -> Replayed:
    """The provider's page with every pattern replaced; each must be there."""

    def edit(_: int, body: bytes) -> bytes:
        text = body.decode()
        for pattern, new in edits:
            text, count = re.subn(pattern, new, text)
            assert count, f"{pattern} is not in the fixture of {provider}"
        return text.encode()

    return replay(edit_folder(FIXTURES / provider / "documented", tmp_path / provider / "documented", edit))


@pytest.mark.parametrize("provider", sorted(NEW_COLUMN))
def test_a_new_column_of_a_page_is_reported_and_costs_no_row(provider: str, tmp_path: Path) -> None:
    before = replay(FIXTURES / provider / "documented").offers
    result = changed(provider, tmp_path, *NEW_COLUMN[provider])
    assert result.report.state == "good", result.report.reason
    assert "brand_new" in result.report.unused_fields
    assert [(o.instance_type, o.price_raw) for o in result.offers] == [
        (o.instance_type, o.price_raw) for o in before
    ]


@pytest.mark.parametrize("provider", ["modal", "beam", "cerebrium", "koyeb"])
def test_a_card_under_a_name_nobody_knows_makes_the_answer_partial(provider: str, tmp_path: Path) -> None:
    result = changed(provider, tmp_path, (r"<p>(Nvidia )?H100[^<]*</p>", "<p>Hopper One</p>"))
    assert result.report.state == "partial"
    assert "1 prices stand beside no GPU name" in str(result.report.reason)


def test_a_price_never_goes_to_the_name_before_the_last() -> None:
    page = "<p>H100</p><p>sold out</p><p>A100</p><p>$2.00 /hour</p><p>L4</p><p>$0.50 /hour</p>"
    found, strange = priced_names(html(page), "[A-Z]+[0-9]+", r"\$(\d\.\d\d) /hour", example="$2.00 /hour")
    assert [(card.name, str(card.price)) for card in found] == [("A100", "2.00"), ("L4", "0.50")]
    assert not strange


def test_a_card_without_price_does_not_take_that_of_the_cpu() -> None:
    page = "<p>L4</p><p>$0.50 /hour</p><p>T4</p><p>Contact us</p><p>Large CPU</p><p>$0.10 /hour</p>"
    found, strange = priced_names(html(page), "[A-Z]+[0-9]+", r"\$(\d\.\d\d) /hour", example="$2.00 /hour")
    assert [(card.name, str(card.price)) for card in found] == [("L4", "0.50")]
    assert not strange


def test_text_in_scripts_is_no_price() -> None:
    page = "<script>H100</script><style>H100</style><template><p>H100</p><p>$9.99 /hour</p></template>"
    with pytest.raises(ShapeError, match="no GPU with a price like"):
        priced_names(html(page), "H100", r"\$(\d\.\d\d) /hour", example="$9.99 /hour")


def test_together_reads_the_visible_table_not_the_hidden_one(tmp_path: Path) -> None:
    prices = {str(offer.price_raw) for offer in replay(FIXTURES / "together" / "documented").offers}
    assert "9.99" not in prices
    result = changed("together", tmp_path, ('class="hide"', 'class="shown"'))
    assert {str(offer.price_raw) for offer in result.offers} == prices


def test_hot_aisle_never_lists_the_rate_of_existing_customers() -> None:
    prices = {str(offer.price_raw) for offer in replay(FIXTURES / "hot_aisle" / "documented").offers}
    assert prices == {"3.05", "3.45"}


def test_sf_compute_is_as_old_as_its_newest_day() -> None:
    result = replay(FIXTURES / "sf_compute" / "documented")
    assert {offer.observed_at.isoformat() for offer in result.offers} == {"2026-10-04T23:59:59+00:00"}


def test_verda_reads_instances_from_the_page_only_where_the_list_fails(tmp_path: Path) -> None:
    target = tmp_path / "verda" / "documented"
    broken = edit_folder(
        FIXTURES / "verda" / "documented", target, lambda number, body: body if number else b"[]"
    )
    names = [offer.instance_type for offer in replay(broken).offers]
    assert names.count("1x H100 SXM5 80GB") == 1
    assert "1x H100 SXM5 80GB" not in {
        offer.instance_type for offer in replay(FIXTURES / "verda" / "documented").offers
    }


def test_jarvislabs_prices_in_rupees_are_held_and_the_page_stands(tmp_path: Path) -> None:
    def in_rupees(_: int, body: bytes) -> bytes:
        return body.replace(b'"price_per_hour": 2.', b'"price_per_hour": 23')

    folder = edit_folder(
        FIXTURES / "jarvislabs" / "with_key", tmp_path / "jarvislabs" / "with_key", in_rupees
    )
    result = replay(folder, secrets={"JARVISLABS_API_KEY": "made-up-key"})
    assert {offer.source for offer in result.offers} == {"jarvislabs"}
    assert result.report.state == "partial"
    assert "H100 2369: the page's cards do not show that this is in dollars" in str(result.report.reason)


def test_the_operator_switches_coreweave_on() -> None:
    assert spider_class("coreweave").default_on is False
    assert "automated access" in spider_class("coreweave").terms_note


def test_flight_data_that_breaks_off_is_said_so() -> None:
    script = r'<script>self.__next_f.push([1,"2d:{\"prices\":{\"H100\":[1,"])</script>'
    with pytest.raises(ShapeError, match="breaks off"):
        Flight(html(script)).value("prices")
    with pytest.raises(ShapeError, match=r"no self\.__next_f\.push"):
        Flight(html("<p>moved</p>"))


def html(body: str) -> HtmlResponse:
    text = f"<html><body>{body}</body></html>"
    return HtmlResponse("https://example.com/pricing", body=text.encode(), encoding="utf-8")


# -- pages beside an API with a key -------------------------------------------------------------------


def keyed(provider: str, tmp_path: Path, old: str, new: str) -> Replayed:
    """The provider's keyed fixture with a text replaced in every body; it must be there."""
    seen = []

    def edit(_: int, body: bytes) -> bytes:
        seen.append(old.encode() in body)
        return body.replace(old.encode(), new.encode())

    folder = edit_folder(FIXTURES / provider / "with_key", tmp_path / provider / "with_key", edit)
    assert any(seen), f"{old!r} is not in the fixture of {provider}"
    return run(folder)


def run(folder: Path) -> Replayed:
    names = spider_class(folder.parent.name).credential
    ends = ("_ORGANIZATION", "_TEAM")
    return replay(folder, secrets={n: "made-up-name" if n.endswith(ends) else "made-up-key" for n in names})


def test_a_price_book_that_the_page_contradicts_is_left_out_and_counted(tmp_path: Path) -> None:
    result = keyed("hyperstack", tmp_path, '"24.80"', '"99.80"')
    api = {o.instance_type for o in result.offers if o.source == "hyperstack:api"}
    assert api == {"n3-RTX-A6000x2"}
    assert "price book and the page differ on 1 machines" in str(result.report.reason)


def test_a_priority_costs_what_the_page_adds_for_its_container(tmp_path: Path) -> None:
    result = keyed("salad", tmp_path, '"0.300"', '"0.500"')
    prices = {o.offer_key: str(o.price_raw) for o in result.offers if o.instance_type == "RTX 5090 32GB"}
    assert prices["priority high"] == "0.560"  # 0.26 on the page, 0.20 at the lowest priority of the API
    (alone,) = [o for o in result.offers if o.instance_type == "RTX 2060 6GB"]
    assert alone.note == "priority batch, the GPU alone"


def test_a_machine_of_several_models_is_set_aside_not_read_as_its_first(tmp_path: Path) -> None:
    both = '"model": "MI300X"}, {"count": 1, "model": "MI210"'
    result = keyed("hot_aisle", tmp_path, '"model": "MI300X"', both)
    assert not [o for o in result.offers if o.source == "hot_aisle:api"]
    assert "'Specs.gpus' has 2 entries" in str(result.report.rejected[0]["reason"])
