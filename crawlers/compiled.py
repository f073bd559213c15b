"""What the compiled lists share: other spellings of the clouds they describe, and when a file was made."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from scrapy.http import Response

from crawlers.parsing import ShapeError

_CLOUDS = {
    "akamai": "linode",
    "datacrunch": "verda",
    "do": "digitalocean",
    "googlecloud": "gcp",
    "hotaisle": "hot_aisle",
    "lambda": "lambda_cloud",
    "lambdalabs": "lambda_cloud",
    "massedcompute": "massed_compute",
    "oracle": "oci",
    "ovhcloud": "ovh",
    "primeintellect": "prime_intellect",
    "sfcompute": "sf_compute",
    "thundercompute": "thunder",
    "vastai": "vast",
    "voltagepark": "voltage_park",
}


def cloud_id(name: str) -> str:
    """Our id of a cloud that a compiled list names in its own way."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    return _CLOUDS.get(plain.replace("_", ""), plain)


def moment(text: str) -> datetime:
    """A time in ISO 8601 as UTC; a day alone is its beginning. ShapeError for anything else."""
    try:
        read = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ShapeError(f"{text!r} is not a time") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def last_modified(response: Response) -> datetime | None:
    """When the server says that the file was changed; None where it does not say."""
    stated = (response.headers.get("Last-Modified") or b"").decode("latin-1")
    try:
        return parsedate_to_datetime(stated).astimezone(UTC)
    except (TypeError, ValueError):
        return None
