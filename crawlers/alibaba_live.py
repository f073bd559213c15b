"""The signed answers of Alibaba Cloud: which types a region has in stock, and what they cost as spot."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import urlencode

from crawlers.parsing import Row, ShapeError
from crawlers.signing import Signature

VERSION = "2014-05-26"
KEY, SECRET = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"
STOCK_QUERY = {"DestinationResource": "InstanceType", "InstanceChargeType": "PostPaid"}
SPOT_QUERY = {"PriceUnit": "Hour", "SpotStrategy": "SpotAsPriceGo"}
STOCK = {"WithStock": True, "ClosedWithStock": True, "WithoutStock": False, "ClosedWithoutStock": False}


def ecs_address(region: str, query: dict[str, str]) -> str:
    """The address of an ECS operation; its name is a header that the signature brings."""
    return f"https://ecs.{region}.aliyuncs.com/?{urlencode({'RegionId': region, **query})}"


def ecs_signature(action: str) -> Signature:
    """The signature of an ECS operation."""
    return Signature("alibaba", KEY, SECRET, TOKEN, action=action, version=VERSION)


def stock_states(answer: Row) -> Iterator[tuple[str, str]]:
    """Type and stock state, one for each zone that has the type."""
    for zone in answer.items("AvailableZones.AvailableZone"):
        for resource in Row(zone, "AvailableZone[]").items("AvailableResources.AvailableResource"):
            for item in Row(resource, "AvailableResource[]").items("SupportedResources.SupportedResource"):
                row = Row(item, "SupportedResource[]")
                yield row.text("Value"), row.text("StatusCategory")


def spot_price(answer: Row) -> tuple[Decimal | None, str]:
    """The machine's own part of a price, and the currency; a system disk is another part."""
    price = Row(answer.need("PriceInfo.Price"), "Price")
    parts = [Row(part, "ResourcePriceModel[]") for part in price.items("DetailInfos.ResourcePriceModel")]
    machine = [part for part in parts if part.need("Resource") == "instanceType"]
    if len(machine) != 1:
        raise ShapeError(f"DescribePrice: {len(machine)} parts are called 'instanceType', not one")
    return machine[0].price("TradePrice"), price.text("Currency")
