"""Every spider against variations of its answers: another order, more rows, a field less here or there.

A second capture of a provider is never the first one with other numbers: fields come in another order, rows
are added, names are new, an optional field is missing in some rows.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.spider_harness import FIXTURES, RECORDINGS, Replayed, edit_folder
from tests.test_spiders import FOLDERS, JSON_FIXTURES, edited, faults, identity, keys_of, named, run

SMALL_BYTES = 400_000


def amounts(result: Replayed) -> Counter[tuple[object, ...]]:
    """What is left of the rows when they may lose their region or another optional fact: their numbers."""
    numbers = ("price_raw", "price_kind", "units_per_eur", "input_raw", "output_raw", "intensity_raw")
    return Counter(tuple(getattr(record, field, None) for field in numbers) for record in result.records)


def small_recordings() -> list[Path]:
    """Recordings whose bodies are plain JSON of a size that is quickly read."""
    found = []
    for path in sorted(RECORDINGS.glob("*/*/run.json")):
        bodies = [file for file in path.parent.iterdir() if file.name not in ("run.json", "expected.csv")]
        spider = Path(__file__).parent.parent / "crawlers" / "spiders" / f"{path.parent.parent.name}.py"
        small = sum(file.stat().st_size for file in bodies) <= SMALL_BYTES
        if spider.exists() and small and all(file.suffix == ".json" for file in bodies):
            found.append(path.parent)
    return found


ANSWERS = [*JSON_FIXTURES, *small_recordings()]


def rows(result: Replayed) -> Counter[tuple[object, ...]]:
    return Counter(identity(record) for record in result.records)


# -- another order ------------------------------------------------------------------------------------

# Lists whose order is part of what they say: a walk that goes on from its last row,
IN_ORDER = {"vast", "genai_prices"}  # the price that holds today


def shuffled(seed: int, *, lists: bool) -> Callable[[Any], Any]:
    order = random.Random(seed)

    def mix(data: Any) -> Any:
        if isinstance(data, dict):
            names = list(data)
            order.shuffle(names)
            return {name: mix(data[name]) for name in names}
        if isinstance(data, list):
            values = [mix(value) for value in data]
            if lists and all(isinstance(value, dict) for value in values):
                order.shuffle(values)
            return values
        return data

    return mix


@pytest.mark.parametrize("folder", ANSWERS, ids=named)
def test_fields_and_rows_may_come_in_any_order(folder: Path, tmp_path: Path) -> None:
    whole = rows(run(folder))
    lists = folder.parent.name not in IN_ORDER
    for seed in (1, 2):
        result = edited(folder, tmp_path / str(seed), shuffled(seed, lists=lists))
        assert rows(result) == whole, (
            f"{folder.parent.name}: {(whole - rows(result)) or (rows(result) - whole)}"
        )


# -- a field that one row lacks -----------------------------------------------------------------------


def without_once(key: str) -> Callable[[Any], Any]:
    """Drops a key from the first object that has it."""
    done = []

    def drop(data: Any) -> Any:
        if isinstance(data, list):
            return [drop(value) for value in data]
        if not isinstance(data, dict):
            return data
        if key in data and not done:
            done.append(True)
            data = {name: value for name, value in data.items() if name != key}
        return {name: drop(value) for name, value in data.items()}

    return drop


# Keys of maps, which are names of machines and no fields, and fields whose absence says that there is none.
NAMES_OR_NONE = {
    "alibaba": re.compile(r".*::.*|years|hours"),
    "aws": re.compile(r"discountedSku|rates"),  # a rate of a machine that is not ours
    "azure": re.compile(r"savingsPlan"),
    "cudo": re.compile(r"gpuModel|maxGpuFree"),  # a CPU machine; one GPU then
    "genai_prices": re.compile(r"(?:in|out)put_mtok"),
    "latitude": re.compile(r"month|year"),
    "scaleway": re.compile(r"gpu|hardware|properties"),  # a machine without GPU
    "cloudrift": re.compile(r".*-\d"),
    "electricitymaps": re.compile(r"X.*"),
    "exoscale": re.compile(r"running_.*"),
    "gcp": re.compile(r"nextPageToken"),
    "hetzner": re.compile(r"[A-Z]{3}\d"),
    "ibm": re.compile(r"deployment_region"),
    "lambda_cloud": re.compile(r"gpu_\d.*"),
    "linode": re.compile(r"monthly"),
    "litellm": re.compile(r".*/.*"),
    "massed_compute": re.compile(r"gpu_\d.*"),
    "oci": re.compile(r"allowPreemptible"),
    "runpod": re.compile(
        r"(?:secure|community)SpotPrice|\w+MonthPrice|max(?:Gpu)?Count\w*|secureCloud|serverless"
    ),
    "tensordock": re.compile(r"3{8}-.*|.*-\d\dgb"),
    "thunder": re.compile(r".*_x\d_.*"),
    "upcloud": re.compile(r"server_plan_.*"),
    "vast": re.compile(r"min_bid"),
    "vultr": re.compile(r"monthly_cost|hourly_cost_preemptible|location_cost|fra"),
}


@pytest.mark.parametrize("folder", JSON_FIXTURES, ids=named)
def test_a_field_that_one_row_lacks_is_told_or_costs_nothing(folder: Path, tmp_path: Path) -> None:
    whole = amounts(run(folder))
    bodies = {file.name: json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")}
    bodies.pop("run.json")
    allowed, silent = NAMES_OR_NONE.get(folder.parent.name), []
    for number, key in enumerate(sorted({key for body in bodies.values() for key in keys_of(body)})):
        result = edited(folder, tmp_path / str(number), without_once(key))
        lost = whole - amounts(result)
        if lost and not faults(result) and not (allowed and allowed.fullmatch(key)):
            silent.append(f"{key}: {sorted(map(str, lost))[0]}")
    assert not silent, f"{folder.parent.name}: " + "\n".join(silent)


# -- more rows, new names -----------------------------------------------------------------------------

GPU_WORDS = (
    "H100",
    "H200",
    "A100",
    "L40S",
    "RTX 4090",
    "MI300X",
    "A10",
    "L4",
    "B200",
    "V100",
    "RTX4000",
    "T4",
)
NEW_CARD = {"H": "H900", "A": "A900", "L": "L900", "B": "B900", "V": "V900", "R": "RTX 9990", "M": "MI990X"}


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_a_gpu_that_nobody_knows_yet_is_a_row_like_the_others(folder: Path, tmp_path: Path) -> None:
    before = run(folder)
    if not before.offers:
        pytest.skip("no GPU is in these answers")
    texts = b"".join(
        file.read_bytes() for file in folder.iterdir() if file.suffix in (".json", ".html", ".md")
    )
    word = next((word for word in GPU_WORDS if word.encode() in texts), None)
    if word is None or word[0] not in NEW_CARD:
        pytest.skip("the source names machine types only")
    new = NEW_CARD[word[0]].encode()

    def rename(_: int, body: bytes) -> bytes:
        return re.sub(rb"(?<![A-Za-z0-9])" + word.encode() + rb"(?![0-9A-Za-z])", new, body)

    after = run(edit_folder(folder, tmp_path / folder.parent.name / folder.name, rename))
    assert len(after.offers) == len(before.offers) or faults(after), (
        f"{folder.parent.name}: {len(before.offers)} offers, {len(after.offers)} with a new name for {word}"
    )


@pytest.mark.parametrize("folder", JSON_FIXTURES, ids=named)
def test_one_odd_row_among_many_costs_itself_and_is_told(folder: Path, tmp_path: Path) -> None:
    """A row of another kind (null, a number, a text in the place of an object) must not end the source."""
    before = run(folder)

    def odd(data: Any) -> Any:
        if isinstance(data, dict):
            return {name: odd(value) for name, value in data.items()}
        if isinstance(data, list) and data and all(isinstance(value, dict) for value in data):
            return [odd(value) for value in data] + [None]
        return data

    result = edited(folder, tmp_path, odd)
    assert rows(result) == rows(before) or faults(result), f"{folder.parent.name}: rows are gone in silence"


def test_the_fixtures_that_are_varied_are_most_of_them() -> None:
    assert len(JSON_FIXTURES) >= 35
    assert len({folder.parent.name for folder in FOLDERS}) == len(list(FIXTURES.iterdir()))
