"""Oracle Cloud: price list by part number, joined with the shapes that are built of the parts.

A GPU part's price is per GPU; the shape says how many of them. One price holds for all commercial regions.
Preemptible capacity costs half of on-demand where a shape allows it: a published rule, not a listed price.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.parsing import Row, ValueUnreadable, price
from crawlers.price_spider import Gather, PriceSpider
from warehouse.records import PriceKind

PRODUCTS = "https://apexapps.oracle.com/pls/apex/cetools/api/v1/products/?currencyCode=USD"
ESTIMATOR = "https://www.oracle.com/a/ocom/docs/cloudestimator2/data"
UNITS = {"GPU Per Hour": "per gpu-hour"}
PREEMPTIBLE_SHARE = Decimal("0.5")


class OciSpider(PriceSpider):
    name = "oci"
    title = "Oracle Cloud Infrastructure"
    homepage = "https://www.oracle.com/cloud/compute/gpu/"
    price_kinds = ("on_demand", "spot")
    expected_offers = (15, 60)
    billing_increment_seconds = 1
    minimum_seconds = 60
    gpu_spellings: ClassVar[dict[str, str]] = {
        "Compute - GPU Standard - V2": "v100-sxm2-16gb",
        "Compute - GPU - E3": "a100-sxm4-40gb",
        "Compute - Bare Metal GPU Standard - X7": "p100-sxm2-16gb",
        "Compute - Virtual Machine GPU Standard - X7": "p100-sxm2-16gb",
    }
    proof = "recorded"
    ignored_fields = """
        description processorType shapeType subType products billingModel status hidden metricName
        currencyCodeLocalizations
    """

    def requests(self) -> Iterator[Any]:
        self.parts: dict[str, tuple[Response, dict[str, Any]]] = {}
        self.shapes: list[dict[str, Any]] = []
        both = Gather(self.join)
        fallback = f"{ESTIMATOR}/products.json"
        yield self.get(PRODUCTS, self.parse_products, otherwise=[fallback], gather=both)
        yield self.get(f"{ESTIMATOR}/shapes.json", self.parse_shapes, source="oci:shapes", gather=both)

    def parse_products(self, response: Response) -> Iterator[Any]:
        items = self.row(self.json(response)).items("items")
        for part, facts in self.each(items, "items[]", self.part):
            self.parts[part] = (response, facts)
        return iter(())

    def part(self, row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
        name, metric = row.text("displayName"), row.text("metricName")
        if " ".join(row.text("serviceCategory").split()) != "Compute - GPU" or "AI Enterprise" in name:
            return  # licences
        if row.take("pricetype.value", "HOUR") != "HOUR":
            metric = f"{metric} by {row.take('pricetype.value')}"
        localized = [
            self.row(data, "currencyCodeLocalizations[]") for data in row.items("currencyCodeLocalizations")
        ]
        values = [
            price(self.row(data, "prices[]").need("value"))
            for place in localized
            if place.need("currencyCode") == "USD"
            for data in place.items("prices")
            if self.row(data, "prices[]").need("model") == "PAY_AS_YOU_GO"
        ]
        if len(values) > 1:  # two prices: which holds is not said
            self.unused[f"part {row.need('partNumber')} with {len(values)} prices in USD"] += 1
            return
        if not values:
            raise ValueUnreadable(
                f"{row.need('partNumber')}: {len(values)} pay-as-you-go prices in USD, not one"
            )
        facts = {"gpu_name_raw": name, "price_raw": values[0], "price_unit": UNITS.get(metric, metric)}
        yield row.text("partNumber"), {**facts, "currency": "USD"}

    def parse_shapes(self, response: Response) -> Iterator[Any]:
        items = self.row(self.json(response)).items("items")
        self.shapes += self.each(items, "shapes.items[]", self.shape)
        return iter(())

    def shape(self, row: Row) -> Iterator[dict[str, Any]]:
        count = row.number("gpuQty") if row.need("gpuQty") else None
        if count is None or row.usual("hidden") or row.usual("status", "ACTIVE") != "ACTIVE":
            return
        memory = row.number("gpuMemoryQty")  # of all GPUs together
        yield {
            "parts": [self.row(data, "products[]").text("partNumber") for data in row.items("products")],
            "preemptible": row.take("allowPreemptible") is True,
            "machine": {
                "instance_type": row.text("name"),
                "gpu_count": count,
                "gpu_memory_gb": memory / count if memory else None,
                "memory_gib": row.number("bundleMemoryQty"),
            },
        }

    def join(self) -> Iterator[Any]:
        used = set()
        for shape in self.shapes:
            for part in set(shape["parts"]) & self.parts.keys():
                used.add(part)
                response, facts = self.parts[part]
                sold = partial(self.offer, response, offer_key=part, **shape["machine"])
                yield from sold(**facts)
                if shape["preemptible"] and facts["price_raw"]:
                    half = facts["price_raw"] * PREEMPTIBLE_SHARE
                    note = "half of on-demand: the published rule for preemptible capacity"
                    yield from sold(
                        **{**facts, "price_raw": half, "price_kind": PriceKind.SPOT, "note": note}
                    )
        for part, (response, facts) in self.parts.items():
            if part not in used:
                note = "price of the part, per GPU; no shape of it is known"
                yield from self.offer(
                    response, instance_type=part, gpu_count=1.0, offer_key=part, note=note, **facts
                )
