"""Alibaba Cloud: the files behind its price calculator, whose version the price page names.

The international list is in US dollars, that of the Chinese site in yuan: the address decides where the file
itself does not say, and where the page names both lists, the dollars are read. Without the file of machine
types only names tell which ones have GPUs. With a key the signed interface adds stock and spot prices; its
list prices are those of the files under older names of the regions, and are not asked for.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.alibaba_live import (
    KEY,
    SPOT_QUERY,
    STOCK,
    STOCK_QUERY,
    ecs_address,
    ecs_signature,
    spot_price,
    stock_states,
)
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
    price_kinds = ("on_demand", "reserved", "spot")
    refetch = timedelta(hours=24)
    credential = (
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECURITY_TOKEN",
    )
    options: ClassVar[dict[str, str]] = {
        "regions": "regions whose stock and spot prices are asked for, with a key; default: all"
    }
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
        """The rows of machines with GPUs; with a key they wait until the stock of their regions is known."""
        if self.prices is None:
            return
        response, entries = self.prices
        rows: list[dict[str, Any]] = []
        for key, entry in entries.data.items():
            region, name, *system = key.split("::")
            has_gpu = name in self.types if self.types else GPU_NAME.fullmatch(name)
            if has_gpu and "::".join(system) == LINUX:
                rows.append({"region": region, "name": name, **self.row(entry, key).data})
        self.stock: dict[tuple[str, str], bool] = {}
        listed = Gather(partial(self.list_rows, response, rows))
        sold = sorted({row["region"] for row in rows})
        asked = self.regions(sold) if self.secret(KEY) else ()
        ask = partial(self.ask_ecs, action="DescribeAvailableResource", parse=self.parse_stock, gather=listed)
        requests = [ask(region, query=STOCK_QUERY) for region in asked if region in sold]
        yield from requests or self.list_rows(response, rows)

    def list_rows(self, response: Response, rows: list[dict[str, Any]]) -> Iterator[Any]:
        yield from self.each(rows, "pricingInfo", partial(self.parse_entry, response))
        for row in rows:
            if self.stock.get((row["region"], row["name"])):
                query, name = {"InstanceType": row["name"], **SPOT_QUERY}, row["name"]
                yield self.ask_ecs(
                    row["region"], "DescribePrice", self.parse_spot, query, optional=True, name=name
                )

    def ask_ecs(self, region: str, action: str, parse: Any, query: dict[str, str], **options: Any) -> Any:
        url, sign = ecs_address(region, query), ecs_signature(action)
        return self.get(url, parse, source="alibaba:api", needs=KEY, sign=sign, region=region, **options)

    def parse_stock(self, response: Response) -> None:
        """A type is in stock in a region where one of its zones has it."""
        for name, state in stock_states(self.row(self.json(response))):
            place = response.meta["region"], name
            self.stock[place] = self.stock.get(place, False) or STOCK.get(state, False)
            if state not in STOCK:
                self.unused[f"StatusCategory={state}"] += 1

    def parse_spot(self, response: Response) -> Iterator[Any]:
        price, currency = spot_price(self.row(self.json(response)))
        name = response.meta["name"]
        yield from self.offer(
            response,
            instance_type=name,
            region=response.meta["region"],
            available=True,
            price_kind=PriceKind.SPOT,
            price_raw=price,
            price_unit="per instance-hour",
            currency=currency,
            **(self.machine(self.types[name]) if self.types else {}),
        )

    def parse_entry(self, response: Response, row: Row) -> Iterator[Any]:
        name = row.text("name")
        values = {
            "instance_type": name,
            "region": row.text("region"),
            "currency": self.currency,
            "available": self.stock.get((row.text("region"), name)),
            **(self.machine(self.types[name]) if self.types else {}),
        }
        for hour in row.items("hours")[:1]:
            price = self.row(hour, "hours[]").price("price")
            yield from self.offer(response, price_raw=price, price_unit="per instance-hour", **values)
        years = [self.row(year, "years[]") for year in row.take("years") or row.take("year") or ()]
        for year in [year for year in years if str(year.take("period", 1)) == "1"][:1]:
            yield from self.offer(
                response,
                price_kind=PriceKind.RESERVED,
                term_months=12,
                price_raw=year.price("price"),
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
