"""Every spider: against the recordings, against our own fixtures, and against answers that went wrong."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawlers.spiders.scaleway import ScalewaySpider
from tests.reference_rows import compare_carbon, compare_tokens
from tests.spider_harness import (
    FIXTURES,
    RECORDINGS,
    Replayed,
    compare_offers,
    edit_folder,
    price_per_hour,
    read_expected,
    replay,
    spider_class,
)
from warehouse.records import FxRate, GridCarbon, Offer, Record, TokenPrice

SPIDERS = Path(__file__).resolve().parent.parent / "crawlers" / "spiders"
PROVIDERS = sorted(file.stem for file in SPIDERS.glob("*.py") if file.stem != "__init__")
FOLDERS = sorted(path.parent for path in FIXTURES.glob("*/*/run.json"))
KEYLESS = [folder for folder in FOLDERS if folder.name != "with_key"]

# Fields whose loss costs rows of one kind only, by the provider's own rules: the sale is then not on offer.
# Some answers are maps: there the key is a machine's or plan's own name.
MAY_VANISH: dict[str, set[str]] = {
    "alibaba": {"years"}
    | {
        f"{place}::vpc::linux::optimized"
        for place in (
            "us-west-1::ecs.gn7i-c8g1.2xlarge",
            "cn-beijing::ecs.ebmgn7e.32xlarge",
            "eu-central-1::ecs.vgn7i-vws-m4.xlarge",
        )
    },
    "gcp": {"nextPageToken"},  # its absence is how the last page looks
    "litellm": {"acme_ai/writer-70b", "acme_ai/sorter", "local/writer-8b"},
    "electricitymaps": {"XA", "XB-N1"},
    "tensordock": {f"33333333-0000-4000-8000-00000000000{number}" for number in (1, 2)}
    | {"a100-pcie-80gb", "rtxa4000-pcie-16gb"},
    "upcloud": {"server_plan_GPU-24xCPU-192GB-4xL4"}
    | {f"server_plan_GPU-{kind}8xCPU-64GB-1xL40S" for kind in ("", "SPOT-")},
    "cloudrift": {"us-east-nc-1", "us-west-ca-1"},
    "ibm": {"deployment_region"},  # without it a price holds everywhere
    "exoscale": {"running_gpu_small", "running_gpu3_medium", "running_gpurtx6000pro_extra-large"},
    "hetzner": {"FSN1", "HEL1"},
    "thunder": {"a100xl_x1_prototyping", "h100_x2_production", "t4_x1_prototyping"},
    "azure": {"savingsPlan"},
    "linode": {"monthly"},
    "lambda_cloud": {"gpu_1x_a10", "gpu_8x_h100_sxm5"},  # names of machines, not of fields
    "massed_compute": {"gpu_1x_h100_pcie", "gpu_8x_h100_sxm5", "gpu_1x_a6000_spot"},  # likewise
    "runpod": {"secureSpotPrice", "communitySpotPrice", "oneMonthPrice", "sixMonthPrice"}
    | {"maxGpuCountSecureCloud", "secureCloud", "serverless"},
    "vast": {"min_bid"},
    "vultr": {"monthly_cost", "hourly_cost_preemptible", "location_cost", "fra"},
    "oci": {"allowPreemptible"},
}


def named(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}"


def run(folder: Path, **options: Any) -> Replayed:
    """Replay with made-up keys where the fixture was written for a run with keys."""
    cls = spider_class(folder.parent.name)
    keyed = folder.name.endswith("with_key") or cls.needs_credential
    secrets = {name: "made-up-name" if name.endswith(NAMES) else "made-up-key" for name in cls.credential}
    return replay(folder, secrets=secrets if keyed else None, **options)


NAMES = ("_ORGANIZATION", "_TEAM")  # these are parts of addresses, not keys


# -- recordings ---------------------------------------------------------------------------------------


def recorded() -> list[Path]:
    found = sorted(path.parent for name in PROVIDERS for path in RECORDINGS.glob(f"{name}/*/run.json"))
    return [path for path in found if path.name != "spot-advisor-2025-06-28"]  # no price: tests/test_aws.py


@pytest.mark.parametrize("folder", recorded() or [None], ids=lambda f: named(f) if f else "absent")
def test_a_recording_gives_the_rows_that_are_expected_of_it(folder: Path | None) -> None:
    if folder is None:
        pytest.skip("../shared/recordings is absent: the recordings were not replayed")
    result = run(folder)
    expected = read_expected(folder) if (folder / "expected.csv").exists() else []
    assert result.report.state in ("good", "partial"), result.report.reason
    assert result.report.rejected_count == REFUSED.get(folder.parent.name, 0), result.report.rejected[:3]
    if compare := OWN_COLUMNS.get(folder.parent.name):
        compared = compare(result.records, expected)
        assert compared.found == compared.expected, compared.missing[:20]
        assert not compared.extra
        return
    if folder.parent.name == "ccf_grid_factors":  # no expected.csv: 73 rows in three files, two refused
        assert len(result.records) == 71
    if folder.parent.name == "ecb_fx":
        assert rate_rows(result) == [(row["date"], row["currency"], row["units_per_eur"]) for row in expected]
        return
    found = compare_offers(folder.parent.name, result.offers, expected)
    assert not found.missing, "\n".join(found.missing[:20])
    assert all(explained(offer, folder) for offer in found.extra), [
        (offer.instance_type, offer.price_kind, offer.region)
        for offer in found.extra
        if not explained(offer, folder)
    ]


# Rows that a recording's own body states wrongly: a factor that lost its point, one that slipped by a cell.
REFUSED = {"ccf_grid_factors": 2}
OWN_COLUMNS = {
    "google_region_carbon": compare_carbon,
    "litellm": compare_tokens,
    "openrouter": compare_tokens,
}


def explained(offer: Offer, folder: Path) -> bool:
    """Rows beyond expected.csv that are right: each for a reason that the recording's own files give."""
    return {
        # the list price stands for all regions; availability adds a row for each, the monthly cap another
        "linode": offer.region is not None or offer.price_kind == "subscription",
        # preemptible by the published rule; a part of which no shape is known
        "oci": offer.price_kind == "spot" or offer.instance_type == "B93544",
        "ovh": offer.price_kind == "subscription",
        # the note calls the vcg rows edited by hand; bare metal has monthly prices too
        "vultr": str(offer.instance_type).startswith("vcg-") or offer.price_kind == "subscription",
        # the single-GPU inference price; dedicated inference and reserved ranges; containers
        "coreweave": offer.price_kind == "serverless",
        "together": offer.price_kind in ("serverless", "reserved"),
        "verda": offer.price_kind == "serverless",
        # the heading sells both products at the list price; "as low as" is kept as a floor
        "fal": offer.price_kind == "serverless",
        # "starting from" reservations, as floors
        "hyperstack": offer.is_floor and offer.price_kind == "reserved",
        "digitalocean": offer.price_kind == "subscription",
        # both DWS columns and the flexible commitments
        "gcp": offer.price_kind in ("flex", "savings_plan"),
        # invented reservations, as the note says; Trainium and Inferentia are no rows of expected.csv
        "aws": offer.price_kind == "reserved" or str(offer.instance_type).startswith(("trn", "inf")),
        # 0.5 without cloud flags, the other price within a factor of three: may be real
        "runpod": offer.price_raw == Decimal("0.5"),
        # composed prices: no rows are listed for them
        "cudo": str(offer.note).startswith("composed: "),
        "tensordock": str(offer.note).startswith("composed: "),
    }.get(folder.parent.name, False)


def rate_rows(result: Replayed) -> list[tuple[str, str, str]]:
    return [
        (rate.rate_date.isoformat(), rate.currency, format(rate.units_per_eur, "f")) for rate in result.rates
    ]


# -- our own fixtures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_a_fixture_gives_exactly_its_rows_in_any_order_of_answers(folder: Path) -> None:
    expected = read_expected(folder)
    for newest_first in (False, True):
        result = run(folder, newest_first=newest_first)
        assert result.report.state == "good", result.report.reason
        assert result.report.rejected_count == 0, result.report.rejected
        if result.rates:
            assert rate_rows(result) == [
                (row["date"], row["currency"], row["units_per_eur"]) for row in expected
            ]
        else:
            assert_same_rows(folder.parent.name, result.records, expected)


def assert_same_rows(provider: str, offers: list[Record], expected: list[dict[str, str]]) -> None:
    """Every row of both sides has its twin; a difference names provider, row and field."""
    columns = list(expected[0])
    got = Counter(tuple(cell(offer, column) for column in columns) for offer in offers)
    want = Counter(tuple(row[column] for column in columns) for row in expected)
    problems = []
    for row in (want - got).elements():
        near = max(got - want, key=lambda other: sum(map(str.__eq__, row, other)), default=None)
        differing = [
            f"{column} is {other!r}, expected {value!r}"
            for column, value, other in zip(columns, row, near or row, strict=True)
            if value != other
        ]
        problems.append(f"{provider} {row[0]}: {'; '.join(differing) or 'missing'}")
    problems += [f"{provider} {row[0]}: not expected: {row}" for row in (got - want).elements()]
    assert not problems, "\n".join(problems)


def cell(record: Record, column: str) -> str:
    hourly = isinstance(record, Offer) and column == "price_per_hour"
    value = price_per_hour(record) if isinstance(record, Offer) and hourly else getattr(record, column)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)


def test_every_spider_has_one_name_everywhere_and_a_fixture() -> None:
    for provider in PROVIDERS:
        assert spider_class(provider).name == provider, f"crawlers/spiders/{provider}.py"
        assert (FIXTURES / provider).is_dir(), f"{provider}: no fixture folder tests/fixtures/{provider}"
    for folder in FOLDERS:
        data = json.loads((folder / "run.json").read_text("utf-8"))
        assert data["provider"] == folder.parent.name
        assert folder.parent.name in PROVIDERS, f"fixture {folder.parent.name} has no spider"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_spider_stays_one_short_file_with_its_facts(provider: str) -> None:
    cls = spider_class(provider)
    source = (SPIDERS / f"{provider}.py").read_text("utf-8")
    assert len(source.splitlines()) <= 180, f"{provider}.py has {len(source.splitlines())} lines"
    assert cls.title
    assert cls.homepage.startswith("https://")
    assert cls.kind in ("list", "marketplace", "serverless", "reference")
    assert cls.proof in ("recorded", "documented")


def test_a_key_travels_in_a_header_and_never_in_an_address() -> None:
    for folder in FOLDERS:
        for request in run(folder).requests:
            assert "made-up-key" not in request.url
            login = request.url.endswith("/oauth2/token")  # client credentials travel in the body there
            assert login or b"made-up-key" not in request.body
    keyed = [r for r in run(FIXTURES / "runpod" / "with_key").requests if r.headers.get("Authorization")]
    assert [r.headers["Authorization"] for r in keyed] == [b"Bearer made-up-key"] * 2
    assert all("/v2/" in r.url for r in keyed)


# -- answers that went wrong --------------------------------------------------------------------------


def edited(folder: Path, tmp_path: Path, edit: Callable[[Any], Any]) -> Replayed:
    """The fixture with every JSON body passed through `edit`."""

    def rewrite(_: int, body: bytes) -> bytes:
        is_json = body.lstrip().startswith((b"{", b"["))
        return body if not is_json else json.dumps(edit(json.loads(body))).encode()

    return run(edit_folder(folder, tmp_path / folder.parent.name / folder.name, rewrite))


def texts(folder: Path, tmp_path: Path, old: str, new: str) -> Replayed:
    """The fixture with a text replaced in every body; the text must be there."""
    seen = []

    def rewrite(_: int, body: bytes) -> bytes:
        seen.append(old.encode() in body)
        return body.replace(old.encode(), new.encode())

    path = edit_folder(folder, tmp_path / folder.parent.name / folder.name, rewrite)
    assert any(seen), f"{old!r} is not in the fixture"
    return run(path)


def without(key: str) -> Callable[[Any], Any]:
    def drop(data: Any) -> Any:
        if isinstance(data, dict):
            return {name: drop(value) for name, value in data.items() if name != key}
        return [drop(value) for value in data] if isinstance(data, list) else data

    return drop


def keys_of(data: Any) -> set[str]:
    if isinstance(data, dict):
        return set(data) | {key for value in data.values() for key in keys_of(value)}
    return {key for value in data for key in keys_of(value)} if isinstance(data, list) else set()


def faults(result: Replayed) -> str:
    """All reasons of a run: of its sources and of the rows it refused."""
    reasons = [source.reason or "" for source in result.report.sources if source.state != "good"]
    return " | ".join(reasons + [str(item["reason"]) for item in result.report.rejected])


def only_json(folder: Path) -> bool:
    return all(file.suffix == ".json" or file.name == "expected.csv" for file in folder.iterdir())


JSON_FIXTURES = [folder for folder in FOLDERS if len(list(folder.glob("*.json"))) > 1]


@pytest.mark.parametrize("folder", JSON_FIXTURES, ids=named)
def test_losing_any_field_is_never_silent(folder: Path, tmp_path: Path) -> None:
    """Whatever key disappears: either the same rows come out, or the run says what it misses."""
    whole = {identity(record) for record in run(folder).records}
    bodies = {file.name: json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")}
    bodies.pop("run.json")
    silent = []
    for number, key in enumerate(sorted({key for body in bodies.values() for key in keys_of(body)})):
        result = edited(folder, tmp_path / str(number), without(key))
        lost = whole - {identity(record) for record in result.records}
        if lost and not faults(result) and key not in MAY_VANISH.get(folder.parent.name, set()):
            silent.append(f"{key}: {len(lost)} offers gone, first {sorted(map(str, lost))[0]}")
    assert not silent, f"{folder.parent.name}: " + "\n".join(silent)


def identity(record: Record) -> tuple[object, ...]:
    """What makes a row what it is, its number among it."""
    fields = {
        Offer: ("instance_type", "region", "price_kind", "term_months", "price_raw"),
        FxRate: ("rate_date", "currency", "units_per_eur"),
        TokenPrice: ("provider", "model", "mode", "input_raw", "output_raw", "context_length"),
        GridCarbon: ("provider", "region", "period", "intensity_raw", "intensity_unit"),
    }[type(record)]
    return tuple(getattr(record, field) for field in fields)


LOST = {
    "azure": "retailPrice",
    "vast": "dph_total",
    "runpod": "securePrice",
    "linode": "hourly",
    "oci": "metricName",
    "ovh": "intervalUnit",
    "vultr": "hourly_cost",
    "scaleway": "unit_of_measure",
    "openrouter": "prompt",
    "litellm": "input_cost_per_token",
    "genai_prices": "output_mtok",
    "hyperbolic": "costPerHourCents",
    "voltage_park": "gpu_price_infiniband",
    "gpu_ai": "price_per_hour",
    "lium": "price_per_gpu",
    "prime_intellect": "onDemand",
    "latitude": "hour",
    "upcloud": "price",
    "cudo": "gpuPriceHr",
    "tensordock": "price",
    "cloudrift": "cost_per_hour",
    "thunder": "additional_vcpus",
    "shadeform": "hourly_price",
    "novita": "price",
    "hetzner": "hourly",
    "mithril": "last_instance_price",
    "leaseweb": "monthly",
    "exoscale": "usd",
    "cherry": "price",
    "akash": "med",
    "ionet": "vmaas_price",
    "alibaba": "hours",
    "ibm": "charge_unit_name",
}


@pytest.mark.parametrize("provider", sorted(LOST))
def test_a_lost_price_field_holds_the_run_and_is_named(provider: str, tmp_path: Path) -> None:
    result = edited(FIXTURES / provider / "documented", tmp_path, without(LOST[provider]))
    main = next(source for source in result.report.sources if source.source == provider)
    assert main.state == "held"
    assert LOST[provider] in str(main.reason)
    assert LOST[provider] in str(result.report.reason)


UNITS = [
    ("ibm", '"unit": "Hour"', '"unit": "Fortnight"', "fortnight"),
    ("ibm", '"unit": "Hour"', '"unit": "Month"', "month"),
    ("gcosts_catalog", " hour: ", " hour_cents: ", "hour"),
    ("gcosts_catalog", "hour: 7.5", "hour: $7.5", "hour"),
    ("gcosts_catalog", "timestamp:", "time:", "about.timestamp"),
    ("alibaba", "ecs-price-info", "price-info", "ecs-price-info"),
    ("spheron", "/hr", "/day", "/hr"),
    ("yotta", "/hr", "/day", "On-demand"),
    ("civo", "per hour", "per month", "per hour"),
    ("denvr", "/ GPU", "/ node", "/ GPU"),
    ("gmicloud", "GPU-hour", "GPU-month", "GPU-hour"),
    ("leadergpu", "month", "week", "month"),
    ("mithril", "$", "EUR ", "last_instance_price"),
    ("prime_intellect", '"currency": "USD"', '"currency": "credits"', "credits"),
    ("voltage_park", '_infiniband": "', '_infiniband": "$', "gpu_price_infiniband"),
    ("cudo", '"value": "', '"value": "GBP ', "PriceHr.value"),
    ("cherry", '"taxed": false', '"taxed": true', "taxed"),
    ("novita", '"price": "', '"price": "$', "price"),
    ("ecb_fx", 'rate="1.1500"', 'rate="1,1500"', "rate"),
    ("scaleway", '"unit": "minute"', '"unit": "fortnight"', "fortnight"),
    ("scaleway", '"unit": "minute"', '"unit": "hour"', "unit_of_measure"),
    ("azure", '"1 Hour"', '"1 Month"', "1 Month"),
    ("azure", '"1 Year"', '"18 Months"', "18 Months"),
    ("oci", "GPU Per Hour", "GPU Per Month", "GPU Per Month"),
    ("ovh", '"intervalUnit": "hour"', '"intervalUnit": "day"', "price_unit 'day'"),
    ("vast", '"dph_total": ', '"dph_total": 1', "dph_total"),
    ("linode", '"hourly"', '"hourly_cents"', "price.hourly"),
    ("vultr", '"hourly_cost"', '"hourly_cost_cents"', "hourly_cost"),
    ("runpod", '"securePrice"', '"securePriceCents"', "securePrice"),
    ("lambda_cloud", "PRICE/GPU/HR*", "PRICE/GPU/MONTH*", "PRICE/GPU/HR*"),
    ("lambda_cloud", "$", "€", "PRICE/GPU/HR*"),
    ("openrouter", '"prompt": "', '"prompt": "$', "pricing.prompt"),
    ("litellm", '"output_cost_per_token"', '"output_cost_per_1k_tokens"', "output_cost_per_token"),
    ("genai_prices", '"input_mtok"', '"input_ktok"', "input_mtok"),
    ("google_region_carbon", "(gCO2eq / kWh)", "(lb / MWh)", "lb / MWh"),
    ("coreweave", "Spot Price (Per Hour)", "Spot Price (Per Day)", "Spot Price (Per Hour)"),
    ("coreweave", "REGION: ", "AREA: ", "REGION"),
    ("coreweave", "VRAM (GB)", "VRAM (GiB)", "VRAM (GB)"),
    ("crusoe", "/GPU-hr", "/GPU-month", "On-demand"),
    ("crusoe", "Current spot", "Reserved", "Current spot"),
    ("nebius", "On-demand, GPU-hour", "On-demand, GPU-month", "GPU-hour"),
    ("nebius", "$", "€", "On-demand, GPU-hour"),
    ("hyperstack", "Pricing Per Hour", "Pricing Per Month", "Pricing Per Hour"),
    ("hyperstack", "Spot VM", "Interruptible VM", "Spot VM"),
    ("massed_compute", "/hr", "/day", "price"),
    ("massed_compute", "×", "x", "count"),
    ("together", "per GPU per hour", "per GPU per day", "per GPU per hour"),
    ("together", "Pay as you go", "Hourly", "Pay as you go"),
    ("fal", "List Price", "Price", "List Price"),
    ("fal", "/h<", "/s<", "List Price"),
    ("deepinfra", "/ GPU-hour", "/ GPU-minute", "Price"),
    ("deepinfra", "Memory", "VRAM", "Memory"),
    ("hot_aisle", "/GPU/hr", "/GPU/day", "/GPU/day"),
    ("sf_compute", "pricesByHardwareType", "prices", "pricesByHardwareType"),
    ("sf_compute", "avg", "mean", "avg"),
    ("digitalocean", "per hour", "per month", "Price"),
    ("digitalocean", "spot-gpu-droplet-pricing", "spot-pricing", "spot-gpu-droplet-pricing"),
    ("verda", "price_per_hour", "price_per_day", "price_per_hour"),
    ("modal", "/ sec", "/ hour", "/ sec"),
    ("beam", "/sec", "/hour", "/sec"),
    ("cerebrium", "/ s<", "/ h<", "/ s"),
    ("koyeb", "/hour", "/month", "/hour"),
    ("baseten", "per minute", "per hour", "per minute"),
    ("replicate", "/hr", "/day", "$/hr"),
    ("replicate", "$7.20/hr", "$9.20/hr", "gpu-2x-l40s"),
    ("replicate", "GPU RAM", "VRAM", "GPU RAM"),
    ("salad", "vCPUs", "cores", "vCPUs"),
    ("jarvislabs", "$", "₹", "$2.69"),
    ("seeweb", "Hourly Cost", "Monthly Cost", "Hourly Cost"),
    ("seeweb", " €", " $", "Hourly Cost"),
    ("hf_endpoints", "Hourly rate", "Monthly rate", "Hourly rate"),
    ("fireworks", "per hour", "per second", "per hour"),
]


@pytest.mark.parametrize(("provider", "old", "new", "word"), UNITS, ids=[f"{u[0]}-{u[3]}" for u in UNITS])
def test_a_changed_unit_is_held_with_its_words(
    provider: str, old: str, new: str, word: str, tmp_path: Path
) -> None:
    result = texts(FIXTURES / provider / "documented", tmp_path, old, new)
    main = next(source for source in result.report.sources if source.source == provider)
    one_row = result.report.rejected_count == 1 and result.report.state == "partial"
    assert "held" in (main.state, result.report.state) or one_row, result.report.reason
    assert word in faults(result)


@pytest.mark.parametrize("folder", KEYLESS, ids=named)
def test_a_new_field_is_reported_on_day_one(folder: Path, tmp_path: Path) -> None:
    if folder.parent.name == "ecb_fx":
        result = texts(folder, tmp_path, 'currency="USD"', 'currency="USD" brand_new="1"')
    elif folder.parent.name == "exoscale":
        pytest.skip("an answer of names and prices: it has no fields")
    elif only_csv(folder):
        path = edit_folder(folder, tmp_path / folder.parent.name / folder.name, with_new_column)
        result = run(path)
    elif not only_json(folder):
        if not any("</th></tr></thead>" in page.read_text("utf-8") for page in folder.glob("*.html")):
            pytest.skip("this page has no table that could get a new column")
        result = widen(folder, tmp_path / "wide")
    else:
        result = edited(folder, tmp_path, with_new_field)
    assert result.report.state == "good", result.report.reason
    assert any("brand_new" in name for name in result.report.unused_fields), result.report.unused_fields


def only_csv(folder: Path) -> bool:
    return all(file.suffix == ".csv" or file.name == "run.json" for file in folder.iterdir())


def with_new_column(_: int, body: bytes) -> bytes:
    header, *rows = body.decode().splitlines()
    return "\n".join([f"{header},brand_new", *(f"{row},1" for row in rows)]).encode()


# A key that tells a row of offers from a map or an envelope.
ROW_LIKE = {"id", "planCode", "skuId", "partNumber", "sku", "gpuQty", "gpuType", "gpu_type", "slug"}
ROW_LIKE |= {"last_instance_price", "prices"}
ROW_LIKE |= {
    "litellm_provider",
    "specs",
    "gpu_amount",
    "machineType",
    "product_name",
    "displayName",
    "cost_per_hour",
    "usd_hr",
    "model",
    "hardware_name",
    "charge_unit_name",
    "flavor",
}


def with_new_field(data: Any) -> Any:
    if isinstance(data, list):
        return [with_new_field(value) for value in data]
    if not isinstance(data, dict):
        return data
    inner = {name: with_new_field(value) for name, value in data.items()}
    row_like = any(name in data for name in ROW_LIKE)
    return {**inner, "brand_new": 1} if row_like else inner


def widen(folder: Path, tmp_path: Path) -> Replayed:
    """A further column in every table of the page."""

    def further(_: int, body: bytes) -> bytes:
        text = body.decode().replace("</th></tr></thead>", "</th><th>brand_new</th></tr></thead>")
        return text.replace("</td></tr>", "</td><td>1</td></tr>").encode()

    return run(edit_folder(folder, tmp_path / folder.parent.name / folder.name, further))


# What is taken out of a page to leave it without offers; elsewhere the bodies of its tables.
PAGE_ROWS = {
    "aws": r'"AAAA0.*?\n',
    "ecb_fx": r"<Cube currency.*?/>",
    "lambda_cloud": r"<tr data-plan.*?</tr>",
    "coreweave": r'<div role="listitem".*?\n',
    "crusoe": r'<div class="pricing_gpu-item".*?\n',
    "nebius": r',\[\\"(?:NVIDIA|AMD).*?\\"\](?=[,\]])',
    "hyperstack": r'<div class="page-price_card_row_item .*?\n',
    "massed_compute": r"<script>.*?</script>",
    "sf_compute": r'\{\\"date.*\}(?=\])',
    "hot_aisle": r'<div class="card".*?\n',
    **dict.fromkeys(("modal", "beam", "cerebrium", "koyeb"), r'<div class="card".*?\n'),
    **dict.fromkeys(("baseten", "fireworks", "jarvislabs", "salad", "seeweb"), r'<div class="card".*?\n'),
    **dict.fromkeys(("spheron", "civo", "denvr", "gmicloud", "leadergpu"), r'<div class="card".*?\n'),
    "hf_endpoints": r"\| (?:aws|gcp).*\n",
    "gcosts_catalog": r" +(?:hour|month)\w*: .*\n",
    "alibaba": r'(?<="pricingInfo": \{).*(?=\}\})',
    "verda": r"(?s)<script.*?</script>|(?<=\[)\n \{.*(?=\])",
}


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_empty_lists_hold_the_run(folder: Path, tmp_path: Path) -> None:
    packed = any(folder.glob("*.zip"))
    if only_csv(folder) or packed:
        edit = emptied_zip if packed else lambda _, body: body.splitlines(keepends=True)[0]
        result = run(edit_folder(folder, tmp_path / folder.parent.name / folder.name, edit))
        assert result.report.state == "held", result.report
        assert not result.records
        return
    if not only_json(folder):
        pattern = PAGE_ROWS.get(folder.parent.name, r"(?s)<tbody.*?</tbody>")
        edit = lambda _, body: re.sub(pattern.encode(), b"", body.replace(b'"gpu_', b'"_'))  # noqa: E731
        result = run(edit_folder(folder, tmp_path / folder.parent.name / folder.name, edit))
        assert result.report.sources[0].state == "held"
        return
    result = edited(folder, tmp_path, emptied)
    assert result.report.state == "held", result.report
    assert result.report.reason
    assert not result.records


def emptied_zip(_: int, body: bytes) -> bytes:
    """The archive with the header lines of its tables."""
    if not body.startswith(b"PK"):
        return body
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).splitlines(keepends=True)[0])
    return target.getvalue()


def emptied(data: Any) -> Any:
    """The answer's envelope with empty lists and maps in it."""
    if isinstance(data, list):
        return []
    return {
        name: emptied(value)
        if name == "data" and isinstance(value, dict)
        else type(value)()
        if isinstance(value, list | dict)
        else 0
        if name.lower().startswith("total") or name == "results"
        else value
        for name, value in data.items()
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_a_body_cut_in_half_is_held_and_gives_no_row_of_that_source(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / folder.parent.name / folder.name
    result = run(edit_folder(folder, target, lambda _, body: body[: len(body) // 2]))
    assert all(source.state in ("held", "good", "skipped") for source in result.report.sources)
    assert result.report.state == "held", result.report.reason
    kept = {source.source for source in result.report.sources if source.state == "good"}
    assert not [offer for offer in result.offers if offer.source in kept and kept == {offer.source}]


def test_a_login_page_in_place_of_json_is_held_with_its_first_words(tmp_path: Path) -> None:
    folder = FIXTURES / "azure" / "documented"
    path = edit_folder(folder, tmp_path / "azure" / "documented", lambda *_: b"<html>Please sign in</html>")
    report = run(path).report
    assert report.state == "held"
    assert "Please sign in" in str(report.reason)


# -- single traps -------------------------------------------------------------------------------------


def test_vast_goes_on_after_a_cut_list_and_says_when_it_cannot(tmp_path: Path) -> None:
    def fill(number: int, body: bytes) -> bytes:
        data = json.loads(body)
        if [offer["gpu_name"] for offer in data["offers"]] != ["RTX 4090", "RTX 4090"]:
            return body
        first = data["offers"][0]
        many = [{**first, "id": 6_000_000 + step, "dph_total": 0.7} for step in range(64)]
        return json.dumps({"offers": many}).encode()

    folder = edit_folder(FIXTURES / "vast" / "documented", tmp_path / "vast" / "documented", fill)
    result = run(folder)
    more = [request for request in result.requests if b'"dph_total":{"gte":0.7}' in request.body]
    assert len(more) == 1
    assert len({o.instance_type for o in result.offers if o.gpu_name_raw == "RTX 4090"}) == 65
    assert result.report.state == "partial"


def test_azure_does_not_follow_a_next_page_to_another_host(tmp_path: Path) -> None:
    result = texts(
        FIXTURES / "azure" / "documented", tmp_path, '"https://prices.azure.com/', '"https://evil.example/'
    )
    assert result.report.state == "held"
    assert "evil.example" in str(result.report.reason)
    assert all("evil" not in request.url for request in result.requests)


def test_scaleway_sold_out_and_lost_stock_differ(tmp_path: Path) -> None:
    stock = {o.instance_type: o.available for o in run(FIXTURES / "scaleway" / "documented").offers}
    assert stock == {"H100-1-80G": True, "L40S-2-48G": False, "RENDER-S": True, "H100-SXM-8-80G": None}
    result = edited(FIXTURES / "scaleway" / "documented", tmp_path, without("availability"))
    assert {offer.available for offer in result.offers} == {None}
    assert len(result.offers) == 4
    assert result.report.state == "partial"
    assert "availability" in str(result.report.reason)


def test_scaleway_counts_what_the_catalogue_promises(tmp_path: Path) -> None:
    result = edited(FIXTURES / "scaleway" / "documented", tmp_path, promise_more)
    assert result.report.state == "partial"
    assert len(result.offers) == 4


def promise_more(data: Any) -> Any:
    return {**data, "total_count": 9} if data.get("products") else data


def test_scaleway_asks_every_zone_once() -> None:
    urls = [request.url for request in run(FIXTURES / "scaleway" / "documented").requests]
    assert len(urls) == len(set(urls))
    assert sum("zone=it-mil-1" in url for url in urls) == 1
    assert ScalewaySpider.expected_offers is not None


def test_lambda_without_a_key_reads_the_page_only() -> None:
    assert [request.url for request in run(FIXTURES / "lambda_cloud" / "documented").requests] == [
        "https://lambda.ai/pricing"
    ]


def test_oracle_falls_back_to_the_estimator_list_and_keeps_parts_without_shapes(tmp_path: Path) -> None:
    source = FIXTURES / "oci" / "documented"
    path = edit_folder(source, tmp_path / "oci" / "documented", lambda _, body: body)
    data = json.loads((path / "run.json").read_text("utf-8"))
    data["exchanges"][0]["request"]["url"] = (
        "https://www.oracle.com/a/ocom/docs/cloudestimator2/data/products.json"
    )
    del data["exchanges"][1]
    (path / "run.json").write_text(json.dumps(data), "utf-8")
    result = run(path)
    assert sorted(str(offer.instance_type) for offer in result.offers) == ["B112237", "B95909", "B98415"]
    assert result.report.state == "partial"
    assert "shapes.json" in str(result.report.reason)
