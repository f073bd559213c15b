"""The signed answers of EC2: spot prices per zone, and what accelerators each machine type has.

On the wire they are XML; tools that record them print the same names as JSON, with a capital in front. Both
are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from scrapy.http import Response

from crawlers.aws_files import ACCELERATED
from crawlers.parsing import Row, ShapeError, parse_json
from crawlers.signing import Signature
from warehouse.units import MIB_PER_GIB

VERSION = "2016-11-15"
FAMILIES = ("p*", "g*", "trn*", "inf*", "dl*")
MAKERS = {"nvidia", "amd", "aws", "habana", "intel"}
KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
SPOT_PAGE, TYPES_PAGE = 1000, 100


def ec2_address(region: str, action: str, parameters: dict[str, str], token: str = "") -> str:
    """The address of an EC2 operation, for machine types with accelerators only."""
    chosen = {f"Filter.1.Value.{number}": family for number, family in enumerate(FAMILIES, start=1)}
    query = {"Action": action, "Version": VERSION, **parameters, "Filter.1.Name": "instance-type", **chosen}
    if token:
        query["NextToken"] = token
    return f"https://ec2.{region}.amazonaws.com/?{urlencode(query)}"


def ec2_signature(region: str) -> Signature:
    """The signature that EC2 asks for in a region."""
    return Signature("aws", KEY, SECRET, TOKEN, service="ec2", region=region)


def ec2_answer(response: Response) -> Row:
    """The answer as an object whose names begin with a capital, however it was printed."""
    text = response.text
    if text.lstrip().startswith("{"):
        return Row(parse_json(text, response.url), "answer")
    try:
        root = ElementTree.fromstring(response.body)
    except ElementTree.ParseError as error:
        raise ShapeError(f"{response.url.split('?')[0]}: the answer is not whole XML ({error})") from None
    found = _plain(root)
    return Row(found if isinstance(found, dict) else {}, "answer")


def rows_under(answer: Row, *names: str) -> list[Any]:
    """The list under the first of several names. Raises ShapeError where there is none of them."""
    for name in names:
        value = answer.take(name)
        if isinstance(value, list):
            return value
        if name in answer.data and not value:  # an empty element
            return []
    raise ShapeError(f"answer: field {names[0]!r} is missing")


def accelerators(row: Row) -> dict[str, Any] | None:
    """What a machine type has, as fields of an offer; None for types without accelerators.

    A name that is only the maker's ("NVIDIA" was seen for p5en) is none; types with a part of a GPU count 0
    GPUs and state the part's memory.
    """
    gpus = _devices(row, "GpuInfo", "Gpus")
    devices = gpus or _devices(row, "NeuronInfo", "NeuronDevices")
    if not devices:
        return None
    first = devices[0]
    name, count = first.text("Name"), sum(device.number("Count") or 0 for device in devices)
    share = first.number("GpuPartitionSize")
    memory = first.number("MemoryInfo.SizeInMiB", per=MIB_PER_GIB)
    part = share is not None and share < 1
    return {
        "gpu_name_raw": None if name.casefold() in MAKERS else name,
        "gpu_count": share if part else count or None,
        "gpu_memory_gb": memory / share if part and memory and share else memory,
        "partition": f"1/{1 / share:g}" if part and share else None,
    }


def zone_region(zone: str) -> str:
    """The region (or local zone) that a zone's letter belongs to: ``us-east-1`` of ``us-east-1a``."""
    return zone[:-1] if zone[-1:].isalpha() else zone


def is_accelerated(name: str) -> bool:
    """Does a machine type's name say that it has accelerators?"""
    return ACCELERATED.match(name) is not None


def _devices(row: Row, info: str, field: str) -> list[Row]:
    found = row.take(f"{info}.{field}") or []
    return [Row(device, f"{info}.{field}[]") for device in found]


def _plain(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return (element.text or "").strip() or None
    if all(_name(child) == "Item" for child in children):
        return [_plain(child) for child in children]
    return dict(_pairs(children))


def _pairs(children: list[ElementTree.Element]) -> Iterator[tuple[str, Any]]:
    for child in children:
        yield _name(child), _plain(child)


def _name(element: ElementTree.Element) -> str:
    tag = element.tag.rpartition("}")[2]
    return tag[:1].upper() + tag[1:]
