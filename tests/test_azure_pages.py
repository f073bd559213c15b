"""Azure's price pages beside its list: they annotate and check, and are never missed."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawlers.azure_pages import CHECKED, DETAILS, PRICES, REGIONS, contradictions, machine_key, page_prices
from crawlers.parsing import Row
from tests.spider_harness import FIXTURES, Replayed, edit_folder, replay

FIXTURE = FIXTURES / "azure" / "documented"


def with_pages(tmp_path: Path, price: Any) -> Replayed:
    """The fixture with both pages of the vendor; the machine costs 4.1 in westeurope by the list."""
    slug = "linux-nc24adsa100v4-standard"
    answers = {
        DETAILS: {
            "attributesByOffer": {slug: {"instanceName": "NC24ads A100 v4", "gpu": " 1X A100 (80 GB) "}}
        },
        PRICES.format(slug=CHECKED["westeurope"]): {slug: {"perhour": price}, "note": 1},
    }
    folder = edit_folder(FIXTURE, tmp_path / "azure" / "documented", lambda _, body: body)
    run = json.loads((folder / "run.json").read_text("utf-8"))
    for number, (url, data) in enumerate(answers.items()):
        body = json.dumps(data).encode()
        (folder / f"page-{number}.json").write_bytes(body)
        digest = hashlib.sha256(body).hexdigest()
        answer = {"status": 200, "headers": {"Content-Type": "application/json"}, "sha256": digest}
        run["exchanges"].append(
            {
                "request": {"method": "GET", "url": url, "body": None},
                "response": {**answer, "body_file": f"page-{number}.json"},
            }
        )
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    return replay(folder)


def test_both_spellings_of_a_machine_are_one() -> None:
    assert machine_key("Standard_NC24ads_A100_v4") == machine_key("linux-nc24adsa100v4-standard")
    assert machine_key("Standard_ND96isr_H100_v5") == machine_key("linux-nd96isrh100v5-lowpriority")
    assert set(CHECKED) <= set(REGIONS.split())


def test_a_pages_words_on_gpus_go_into_the_note(tmp_path: Path) -> None:
    result = with_pages(tmp_path, 4.1)
    assert result.report.state == "good", result.report.reason
    noted = {
        o.instance_type for o in result.offers if "GPU by the price page: 1X A100 (80 GB)" in str(o.note)
    }
    assert noted == {"Standard_NC24ads_A100_v4"}
    plain = [(o.instance_type, o.price_kind, o.price_raw) for o in replay(FIXTURE).offers]
    assert [(o.instance_type, o.price_kind, o.price_raw) for o in result.offers] == plain


@pytest.mark.parametrize("price", [5.2, {"value": 5.2}])
def test_a_page_that_asks_another_price_is_told_and_changes_nothing(tmp_path: Path, price: Any) -> None:
    result = with_pages(tmp_path, price)
    assert result.report.state == "partial"
    assert "costs 4.1 by the list and 5.2 on the price page" in str(result.report.reason)
    assert len(result.offers) == len(replay(FIXTURE).offers)


def test_entries_of_another_form_are_passed_over() -> None:
    odd = {
        "linux-nc6-standard": {"perhour": "soon"},
        "linux-nc12-standard": {},
        "windows-nc6-standard": {"perhour": 1},
    }
    assert page_prices(Row(odd)) == {}
    assert contradictions({"a": Decimal(1), "b": Decimal(2)}, {"a": Decimal("1.01")}) == []
