"""The text of a new provider's files: a spider that runs and says what it found, and an example answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

CAPTURE = "documented"
NOTE = "An example that gpufare scaffold wrote, not the provider's answer; write the documented shape here."
EXAMPLE_JSON = {
    "machines": [
        {
            "name": "example-8x-h100",
            "gpu": "NVIDIA H100 80GB HBM3",
            "gpu_count": 8,
            "region": "example-1",
            "price_per_hour": "19.92",
            "currency": "USD",
        },
        {
            "name": "example-1x-l4",
            "gpu": "NVIDIA L4",
            "gpu_count": 1,
            "region": "example-1",
            "price_per_hour": "0.71",
            "currency": "USD",
        },
    ]
}
EXAMPLE_PAGE = """<!doctype html>
<html lang="en"><head><title>Example prices</title></head><body>
<table>
<thead><tr><th>GPU</th><th>GPUs</th><th>VRAM</th><th>Price</th></tr></thead>
<tbody>
<tr><td>NVIDIA H100 SXM</td><td>8</td><td>80 GB</td><td>$19.92</td></tr>
<tr><td>NVIDIA L4</td><td>1</td><td>24 GB</td><td>$0.71</td></tr>
</tbody>
</table>
</body></html>
"""
SPIDER = '''"""{title}: TODO: say in one line what is read from where, and what is odd about it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from scrapy.http import Response

from crawlers.first_look import {look}
from crawlers.parsing import ShapeError
from crawlers.price_spider import PriceSpider

URL = "{url}"


class {class_name}(PriceSpider):
    name = "{name}"
    title = "{title}"
    homepage = "{homepage}"  # TODO: the page of prices that people read
    price_kinds = ("on_demand",)
    refetch = timedelta(hours=24)
    default_on = False  # TODO: take this line and the next one out when the fields are mapped
    terms_note = "not finished: the fields of its answer have no meaning yet"
    proof = "documented"  # "recorded" once a recorded answer was read

    def requests(self) -> Iterator[Any]:
        yield self.get(URL, self.parse_answer)

    def parse_answer(self, response: Response) -> Iterator[Any]:
        # TODO: yield offers instead (docs/add-a-provider.md). Until then every field counts as unused, and
        # the source is held with what it answered.
        seen = {look}({argument})
        self.unused.update(seen.fields)
        raise ShapeError(f"no field is mapped yet; the answer holds {{seen}}")
'''


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a provider on its first day; `html`: its answer is a page, else JSON."""

    name: str
    title: str
    url: str
    html: bool

    @property
    def class_name(self) -> str:
        """acme_cloud -> AcmeCloudSpider."""
        return "".join(part.capitalize() for part in self.name.split("_")) + "Spider"


def files_of(source: Source) -> dict[str, str]:
    """The files by path in the checkout: the spider, the example body and its run.json."""
    body_name = "prices.html" if source.html else "prices.json"
    body = EXAMPLE_PAGE if source.html else json.dumps(EXAMPLE_JSON, indent=1) + "\n"
    folder = f"tests/fixtures/{source.name}/{CAPTURE}"
    return {
        f"crawlers/spiders/{source.name}.py": spider_text(source),
        f"{folder}/{body_name}": body,
        f"{folder}/run.json": run_json(source, body_name, body),
    }


def spider_text(source: Source) -> str:
    """The spider's code."""
    return SPIDER.format(
        title=source.title,
        name=source.name,
        class_name=source.class_name,
        url=source.url,
        homepage=f"https://{urlsplit(source.url).netloc}",
        look="look_at_page" if source.html else "look_at_json",
        argument="response" if source.html else "self.json(response)",
    )


def run_json(source: Source, body_name: str, body: str) -> str:
    """The run folder's `run.json`: one request, answered with the example."""
    kind = "text/html; charset=utf-8" if source.html else "application/json"
    response = {
        "status": 200,
        "headers": {"Content-Type": kind},
        "body_file": body_name,
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }
    run = {
        "format": 1,
        "provider": source.name,
        "recorded_at": "2026-01-01T00:00:00Z",
        "partial": False,
        "source": {"origin": "gpufare", "licence": "", "fidelity": "written", "note": NOTE},
        "exchanges": [
            {"request": {"method": "GET", "url": source.url, "body": None}, "response": response},
        ],
    }
    return json.dumps(run, indent=1, ensure_ascii=False) + "\n"
