"""Alibaba Cloud: the files behind its price calculator, whose version the price page names.

The international list is in US dollars, that of the Chinese site in yuan: the address decides where the file
itself does not say, and where the page names both lists, the dollars are read. Without the file of machine
types only names tell which ones have GPUs. The signed interface (spot prices, stock) is not read.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from scrapy.http import Response

from crawlers.parsing import Row, ShapeError, parse_json
from crawlers.price_spider import Gather, PriceSpider
from crawlers.tables import whole_page
from warehouse.records import PriceKind

PAGE = "https://www.aliyun.com/price/ecs/ecs-pricing/zh"
FILES = re.compile(re.escape("https://g.alicdn.com/aliyun/ecs-price-info") + r"(-intl)?/\d+(?:\.\d+)+")
GPU_NAME = re.compile(r"ecs\.(?:ebm|scc|s|v)*gn\w*[.-].*")
OBJECT = re.compile(r"\{[^{}]*\}")
PAIR = re.compile(r"[\"']?(\w+)[\"']?\s*:\s*(\"(?:[^\"\\]|\\.)*\"|-?\d+(?:\.\d+)?)")
LINUX = "vpc::linux::optimized"


class AlibabaSpider(PriceSpider):
    name = "alibaba"
    title = "Alibaba Cloud"
    homepage = "https://www.alibabacloud.com/product/ecs/pricing"
    price_kinds = ("on_demand", "reserved")
    refetch = timedelta(hours=24)
    proof = "documented"
    ignored_fields = "months month period"

    def requests(self) -> Iterator[Any]:
        yield self.get(PAGE, self.parse_page)

    def parse_page(self, response: Response) -> Iterator[Any]:
        found = sorted(FILES.finditer(whole_page(response).text), key=lambda match: not match[1])
        if not found:
            raise ShapeError(f"{response.url}: the page does not name the price files (ecs-price-info)")
        self.types: dict[str, Row] = {}
        self.prices: tuple[Response, Row] | None = None
        base, both = found[0][0], Gather(self.join)
        definitions = f"{base}/price/js_price/filter_price/instanceTypeDefinition.js"
        currency = "USD" if found[0][1] else "CNY"
        prices = f"{base}/price/download/instancePrice.json"
        yield self.get(prices, self.parse_prices, gather=both, currency=currency)
        yield self.get(definitions, self.parse_types, gather=both, source="alibaba:types")

    def parse_types(self, response: Response) -> Iterator[Any]:
        text = response.text.strip()
        if not text.endswith(("]", "];")):
            raise ShapeError(f"{response.url}: the list of types has no end, so part of it is missing")
        for body in OBJECT.findall(text):
            pairs = {name: parse_json(value, response.url) for name, value in PAIR.findall(body)}
            row = self.row(pairs, "instanceTypeDefinition[]")
            if row.number("GPUAmount"):
                self.types[row.text("InstanceTypeId")] = row
        if not self.types:
            raise ShapeError(f"{response.url}: no type with a GPUAmount is in the list")
        yield from ()

    def parse_prices(self, response: Response) -> Iterator[Any]:
        answer = self.row(self.json(response))
        self.currency = answer.take("currency") or response.meta["currency"]
        self.prices = response, self.row(answer.need("pricingInfo"), "pricingInfo")
        yield from ()

    def join(self) -> Iterator[Any]:
        if self.prices is None:
            return
        response, entries = self.prices
        rows = []
        for key, entry in entries.data.items():
            region, name, *system = key.split("::")
            has_gpu = name in self.types if self.types else GPU_NAME.fullmatch(name)
            if has_gpu and "::".join(system) == LINUX:
                rows.append({"region": region, "name": name, **self.row(entry, key).data})
        yield from self.each(rows, "pricingInfo", partial(self.parse_entry, response))

    def parse_entry(self, response: Response, row: Row) -> Iterator[Any]:
        name = row.text("name")
        values = {
            "instance_type": name,
            "region": row.text("region"),
            "currency": self.currency,
            **(self.machine(self.types[name]) if self.types else {}),
        }
        for hour in row.items("hours")[:1]:
            price = self.row(hour, "hours[]").price("price")
            yield from self.offer(response, price_raw=price, price_unit="per instance-hour", **values)
        for year in (row.take("years") or row.take("year") or [])[:1]:
            yield from self.offer(
                response,
                price_kind=PriceKind.RESERVED,
                term_months=12,
                price_raw=self.row(year, "years[]").price("price"),
                price_unit="per instance-term",
                **values,
            )

    def machine(self, known: Row) -> dict[str, Any]:
        """What the list of types says; a memory beside a fraction of a GPU is that of the fraction."""
        count, memory = known.number("GPUAmount"), known.number("GPUMemorySize")
        return {
            "gpu_name_raw": known.take("GPUSpec") or None,
            "gpu_count": count,
            "gpu_memory_gb": memory if count and count >= 1 else None,
            "vcpus": known.number("CpuCoreCount"),
            "memory_gib": known.number("MemorySize"),
        }
