"""AWS: what may go wrong in its price files, savings plans, spot lists and Capacity Blocks page."""

from __future__ import annotations

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from crawlers import aws_regions
from crawlers.aws_answers import block, block_rows, interruption_band, spot_advice
from crawlers.aws_files import NEEDED, disk_gb, memory_size
from crawlers.aws_live import accelerators
from crawlers.parsing import Row, ShapeError, parse_json
from tests.spider_harness import FIXTURES, RECORDINGS, Replayed, edit_folder, replay
from warehouse.run_folder import SourceReport

FIXTURE = FIXTURES / "aws" / "documented"
PREAMBLE = 5


def texts(tmp_path: Path, old: str, new: str) -> Replayed:
    """The fixture with a text replaced in every body; the text must be there."""
    seen = []

    def rewrite(_: int, body: bytes) -> bytes:
        seen.append(old.encode() in body)
        return body.replace(old.encode(), new.encode())

    path = edit_folder(FIXTURE, tmp_path / "aws" / "edited", rewrite)
    assert any(seen), f"{old!r} is not in the fixture"
    return replay(path)


def state(result: Replayed, source: str = "aws") -> SourceReport:
    return next(report for report in result.report.sources if report.source == source)


def prices(result: Replayed, source: str = "aws") -> list[Decimal]:
    return sorted(offer.price_raw for offer in result.offers if offer.source == source)


@pytest.mark.parametrize("column", NEEDED)
def test_a_lost_column_of_the_price_file_holds_it_and_is_named(column: str, tmp_path: Path) -> None:
    def drop(_: int, body: bytes) -> bytes:
        if not body.startswith(b'"FormatVersion"'):
            return body
        lines = body.decode().splitlines(keepends=True)
        rows = list(csv.reader(lines[PREAMBLE:]))
        place, out = rows[0].index(column), io.StringIO()
        kept = [row[:place] + row[place + 1 :] for row in rows]
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(kept)
        return ("".join(lines[:PREAMBLE]) + out.getvalue()).encode()

    result = replay(edit_folder(FIXTURE, tmp_path / "aws" / "edited", drop))
    assert state(result).state == "held"
    assert repr(column) in str(state(result).reason)
    assert not prices(result)


WORDS = [
    ('"Shared"', '"Default"'),
    ('"Linux"', '"Linux/UNIX"'),
    ('"Used"', '"InUse"'),
    ('"No License required"', '"None"'),
]


@pytest.mark.parametrize(("old", "new"), WORDS, ids=[old for old, _ in WORDS])
def test_new_words_in_the_price_file_are_held_not_read_as_an_empty_market(
    old: str, new: str, tmp_path: Path
) -> None:
    found = state(texts(tmp_path, old, new))
    assert found.state == "held"
    assert "plain shared Linux" in str(found.reason)


def test_a_changed_unit_and_a_changed_term_are_repeated_in_the_reason(tmp_path: Path) -> None:
    unit = texts(tmp_path / "unit", '"Hrs"', '"Days"')
    assert any("price_unit 'Days'" in item["reason"] for item in unit.report.rejected)
    term = texts(tmp_path / "term", '"1yr"', '"2yr"')
    assert any("'2yr'" in item["reason"] for item in term.report.rejected)
    sale = texts(tmp_path / "sale", '"Reserved"', '"Prepaid"')
    assert any("TermType 'Prepaid'" in item["reason"] for item in sale.report.rejected)


def test_a_price_file_cut_in_half_is_held(tmp_path: Path) -> None:
    cut = lambda _, body: body[: len(body) // 2] if body.startswith(b'"FormatVersion"') else body  # noqa: E731
    found = state(replay(edit_folder(FIXTURE, tmp_path / "aws" / "edited", cut)))
    assert found.state == "held"
    assert "cannot be read" in str(found.reason)


def test_a_new_column_is_reported_and_old_files_need_not_have_the_newer_ones(tmp_path: Path) -> None:
    new = texts(tmp_path / "new", '"serviceName"', '"Brand New"')
    assert new.report.state == "good"
    assert new.report.unused_fields["Brand New"] == 1
    old = texts(tmp_path / "old", '"Region Code"', '"Zone Code"')
    assert {offer.region for offer in old.offers if offer.source == "aws"} == {"US East (N. Virginia)"}
    market = texts(tmp_path / "market", '"MarketOption"', '"Market"')
    assert prices(market) == prices(replay(FIXTURE))


def test_a_spot_price_far_from_the_advice_is_left_out_and_counted(tmp_path: Path) -> None:
    result = texts(tmp_path, '"19.4"', '"9.4"')
    assert prices(result, "aws:spot") == [Decimal("0.0875")]
    assert state(result, "aws:spot").state == "partial"
    assert "1 of 3 prices" in str(state(result, "aws:spot").reason)
    assert state(result).state == "good"


def test_without_the_advisor_spot_prices_stay_without_a_band(tmp_path: Path) -> None:
    result = texts(tmp_path, '"spot_advisor"', '"advice"')
    assert prices(result, "aws:spot") == [Decimal("0.0875"), Decimal("19.4")]
    assert all(offer.note is None for offer in result.offers if offer.source == "aws:spot")
    assert "spot_advisor" in str(state(result, "aws:spot_advisor").reason)


BLOCKS = [
    ("$40.4 USD", "EUR 40.4", "EUR 40.4"),
    ("8 x H100", "4 x H100", "is not 40.4"),
]


@pytest.mark.parametrize(("old", "new", "word"), BLOCKS)
def test_a_block_that_contradicts_itself_is_set_aside(old: str, new: str, word: str, tmp_path: Path) -> None:
    result = texts(tmp_path, old, new)
    assert word in result.report.rejected[0]["reason"]
    assert prices(result, "aws:capacity_blocks") == [Decimal(48)]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("Effective Hourly Rate", "Rate", "effective hourly rate"),
        ("P5 Pricing", "P5 Sizes", "itemHeading"),
        ("itemTableData", "itemTableBody", "itemTableData"),
        ("application/json", "text/plain", "itemHeading"),
    ],
)
def test_a_changed_block_page_is_held_with_the_lost_name(
    old: str, new: str, word: str, tmp_path: Path
) -> None:
    result = texts(tmp_path, old, new)
    found = state(result, "aws:capacity_blocks")
    assert found.state == "held"
    assert word in str(found.reason)
    assert state(result).state == "good"


def test_sizes_are_read_as_printed_or_not_at_all() -> None:
    assert [memory_size(text) for text in ("2,048 GiB", "640 GB HBM3", "NA", None)] == [2048, 640, None, None]
    assert disk_gb("8 x 3800 GB NVMe SSD") == 30400
    assert disk_gb("2 x 900 NVMe SSD") == 1800
    assert disk_gb("EBS only") is None


def test_the_recorded_advisor_gives_bands_and_no_price() -> None:
    folder = RECORDINGS / "aws" / "spot-advisor-2025-06-28"
    if not folder.exists():
        pytest.skip("../shared/recordings is absent")
    advice = spot_advice(Row(parse_json((folder / "0001.json").read_text("utf-8"), "advisor")))
    raw = json.loads((folder / "0001.json").read_text("utf-8"))
    cell = raw["spot_advisor"]["us-east-1"]["Linux"]["g5.xlarge"]
    labels = {band["index"]: band["label"] for band in raw["ranges"]}
    share, band = advice["us-east-1", "g5.xlarge"]
    assert (share, band) == (1 - Decimal(cell["s"]) / 100, interruption_band(labels[cell["r"]]))
    assert not any(name.startswith(("c5", "m5", "r5")) for _, name in advice)
    assert not replay(folder).offers


def test_an_advisor_that_lost_a_field_is_named() -> None:
    answer = {"ranges": [], "spot_advisor": {"us-east-1": {"Linux": {"p5.48xlarge": {"r": 1}}}}}
    with pytest.raises(ShapeError, match="'s' is missing"):
        spot_advice(Row(answer))


# -- with a key ---------------------------------------------------------------------------------------

KEYS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "made-up-key")


def keyed(tmp_path: Path, old: str, new: str) -> Replayed:
    """The keyed fixture with a text replaced in every body."""
    edit = lambda _, body: body.replace(old.encode(), new.encode())  # noqa: E731
    return replay(
        edit_folder(FIXTURES / "aws" / "with_key", tmp_path / "aws" / "with_key", edit), secrets=KEYS
    )


@pytest.mark.parametrize(
    ("label", "band"),
    [("<5%", (0, 0.05)), ("5-10%", (0.05, 0.1)), (">20%", (0.2, None)), ("rarely", (None, None))],
)
def test_the_advisors_labels_are_bands_of_a_month(
    label: str, band: tuple[float | None, float | None]
) -> None:
    assert interruption_band(label) == band


def test_the_signed_requests_name_the_region_and_carry_no_key() -> None:
    result = replay(
        FIXTURES / "aws" / "with_key", secrets=KEYS, chosen={"regions": ["us-east-1", "eu-west-2"]}
    )
    signed = [request for request in result.requests if request.meta.get("sign")]
    assert {request.meta["sign"].region for request in signed} == {"us-east-1"}  # the index names no other
    assert all("made-up-key" not in request.url for request in signed)
    assert "no price file of the region 'eu-west-2'" in str(state(result).reason)


def test_regions_follow_the_configuration_and_a_partial_recording_is_asked_for_all(tmp_path: Path) -> None:
    def asked(**setup: object) -> set[str]:
        result = replay(FIXTURE, **setup)
        return {request.meta["region"] for request in result.requests if request.meta.get("region")}

    assert asked() == {"us-east-1"}
    assert asked(chosen={"regions": ["ap-south-1"]}) == set(aws_regions.KNOWN) & {"ap-south-1"}
    folder = edit_folder(FIXTURE, tmp_path / "aws" / "edited", lambda _, body: body)
    data = json.loads((folder / "run.json").read_text("utf-8"))
    data["partial"] = True
    data["exchanges"] = [item for item in data["exchanges"] if "index.json" not in item["request"]["url"]]
    for item in data["exchanges"]:
        item["request"]["url"] = item["request"]["url"].replace(
            "20261120000000/us-east-1", "current/sa-east-1"
        )
    (folder / "run.json").write_text(json.dumps(data), "utf-8")
    result = replay(folder)
    assert prices(result) == prices(replay(FIXTURE))  # found under a region that is not read by default


def test_a_zone_that_speaks_for_itself_wins_over_the_list(tmp_path: Path) -> None:
    result = replay(FIXTURES / "aws" / "with_key", secrets=KEYS)
    spot = {(o.source, o.instance_type, o.offer_key) for o in result.offers if o.price_kind == "spot"}
    assert ("aws:spot", "p5.48xlarge", None) not in spot
    assert ("aws:spot_live", "p5.48xlarge", "us-east-1b") in spot
    unsigned = keyed(tmp_path, "spotPriceHistorySet", "otherSet")
    assert state(unsigned, "aws:spot_live").state == "held"
    assert "SpotPriceHistory" in str(state(unsigned, "aws:spot_live").reason)
    assert Decimal("19.4") in prices(unsigned, "aws:spot")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("spotPrice>", "price>", "SpotPrice"),
        ("availabilityZone", "zone", "AvailabilityZone"),
        ("</DescribeSpot", "", "whole XML"),
        ("<spotPrice>20.15", "<spotPrice>$20.15", "SpotPrice"),
    ],
)
def test_a_spot_history_that_went_wrong_says_so(old: str, new: str, word: str, tmp_path: Path) -> None:
    result = keyed(tmp_path, old, new)
    reasons = " | ".join(
        [str(state(result, "aws:spot_live").reason), *(r["reason"] for r in result.report.rejected)]
    )
    assert word in reasons
    assert result.report.state in ("partial", "held")


def test_a_makers_name_is_no_gpu_and_a_part_of_a_gpu_says_which(tmp_path: Path) -> None:
    result = keyed(tmp_path, "<name>H100</name>", "<name>NVIDIA</name>")
    live = next(o for o in result.offers if o.source == "aws:spot_live" and o.instance_type == "p5.48xlarge")
    assert (live.gpu_name_raw, live.gpu_count) == (None, 8)
    slice_of_l4 = {
        "Gpus": [{"Name": "L4", "Count": 0, "GpuPartitionSize": 0.125, "MemoryInfo": {"SizeInMiB": 2861}}]
    }
    assert accelerators(Row({"GpuInfo": slice_of_l4})) == {
        "gpu_name_raw": "L4",
        "gpu_count": 0.125,
        "gpu_memory_gb": pytest.approx(22.35, abs=0.01),
        "partition": "1/8",
    }


def test_counts_that_the_machine_types_contradict_are_told(tmp_path: Path) -> None:
    result = keyed(tmp_path, "<count>8</count>", "<count>4</count>")
    assert state(result, "aws:specs").state == "partial"
    assert "p5.48xlarge: 8 GPUs in the price file, 4 here" in str(state(result, "aws:specs").reason)


def test_the_recorded_machine_types_are_read_with_name_count_and_memory() -> None:
    folder = RECORDINGS / "aws" / "instance-types-2026-08-02"
    if not folder.exists():
        pytest.skip("../shared/recordings is absent")
    types = parse_json(gzip.decompress((folder / "0001.json.gz").read_bytes()).decode(), "types")
    found = {row["InstanceType"]: accelerators(Row(row)) for row in types["InstanceTypes"]}
    with (folder / "expected.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            machine = found[row["instance_type_raw"]]
            assert machine is not None
            count = machine["gpu_count"] if row["gpu_count"] not in ("", "0") else None
            assert machine["gpu_name_raw"] == row["gpu_name_raw"]
            assert count == (float(row["gpu_count"]) if count is not None else None)


def test_an_older_capacity_blocks_page_is_read_by_how_its_cells_are_written() -> None:
    rows = [{"idProperty": "row1", "2": "<p>US West (Oregon)</p>", "3": "$40 USD ($5 USD)", "4": "8 x H100"}]
    table = {"rowDefinitions": [{"id": "row1", "label": "p5.48xlarge"}], "items": rows}
    page = {"data": {"items": [{"fields": {"jsonData": {"heading": "P5 Pricing", "table": table}}}]}}
    (row,) = block_rows([json.dumps(page)])
    assert block(Row(row)) == {
        "instance_type": "p5.48xlarge",
        "gpu_name_raw": "H100",
        "gpu_count": 8,
        "region": "US West (Oregon)",
        "price_raw": Decimal(40),
        "price_unit": "per instance-hour",
        "currency": "USD",
    }
