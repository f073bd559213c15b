"""Signed requests: AWS Signature Version 4, and the third signature version of Alibaba Cloud.

A spider names the signature (`PriceSpider.get(..., sign=...)`); the requests are signed here, at the moment
of sending: both clouds refuse a signature that is more than a few minutes old, and a crawl may wait longer
than that for its turn. Credentials travel in headers only, which the archive never keeps.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler

    from crawlers.price_spider import PriceSpider

AWS_ALGORITHM, ALIBABA_ALGORITHM = "AWS4-HMAC-SHA256", "ACS3-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request is signed as.

    Attributes:
        kind: ``aws`` or ``alibaba``.
        key, secret, token: environment names of the credential's parts; `token` may not be set.
        service, region: scope of an AWS signature (``ec2``, ``us-east-1``).
        action, version: name and version of an Alibaba operation.
    """

    kind: str
    key: str
    secret: str
    token: str
    service: str = ""
    region: str = ""
    action: str = ""
    version: str = ""


class SigningMiddleware:
    """Downloader middleware: signs requests that ask for it; a request sent again is signed again."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> SigningMiddleware:
        """Built by Scrapy."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Add the headers of the signature."""
        signature = request.meta.get("sign")
        if signature is not None:
            spider: PriceSpider = self._crawler.spider  # type: ignore[assignment]
            for name, value in signed(request, signature, spider.secrets, spider.sending_time()).items():
                request.headers[name] = value


def signed(
    request: Request, signature: Signature, secrets: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """The headers that sign a request at `now`."""
    key, secret = (secrets.get(name, "") for name in (signature.key, signature.secret))
    token = secrets.get(signature.token, "")
    if signature.kind == "aws":
        scope = (signature.region, signature.service)
        return aws_headers(request.method, request.url, request.body, key, secret, token, scope, now)
    return alibaba_headers(
        request.method, request.url, request.body, key, secret, token, signature, now, uuid.uuid4().hex
    )


def aws_headers(
    method: str,
    url: str,
    body: bytes,
    key: str,
    secret: str,
    token: str,
    scope: tuple[str, str],
    now: datetime,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Headers of AWS Signature Version 4.

    The request is written down in one form (method, path, sorted query, headers, hash of the body); a key
    derived from the secret, the day, the region and the service signs its hash. Reference: AWS General
    Reference, "Signature Version 4 signing process". Paths are taken as they are, without dots or doubled
    slashes in them.

    Args:
        scope: region and service. now: the moment of sending. more: further headers that are signed.
    """
    region, service = scope
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": urlsplit(url).netloc, "x-amz-date": moment, **(more or {})}
    if token:
        headers["x-amz-security-token"] = token
    written, names = _canonical(method, url, headers, hashlib.sha256(body).hexdigest())
    place = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([AWS_ALGORITHM, moment, place, hashlib.sha256(written.encode()).hexdigest()])
    own = f"AWS4{secret}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        own = hmac.digest(own, part.encode(), "sha256")
    seal = hmac.digest(own, text.encode(), "sha256").hex()
    said = f"{AWS_ALGORITHM} Credential={key}/{place}, SignedHeaders={names}, Signature={seal}"
    return {**{name: value for name, value in headers.items() if name != "host"}, "authorization": said}


def alibaba_headers(
    method: str,
    url: str,
    body: bytes,
    key: str,
    secret: str,
    token: str,
    signature: Signature,
    now: datetime,
    nonce: str,
) -> dict[str, str]:
    """Headers of Alibaba Cloud's signature version 3 (``ACS3-HMAC-SHA256``).

    Like AWS's, but the secret itself signs, and operation, version and a number used once are headers.
    Reference: Alibaba Cloud OpenAPI, "V3 request body & signature mechanism".
    """
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": urlsplit(url).netloc,
        "x-acs-action": signature.action,
        "x-acs-content-sha256": digest,
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": signature.version,
    }
    if token:
        headers["x-acs-security-token"] = token
    written, names = _canonical(method, url, headers, digest)
    text = f"{ALIBABA_ALGORITHM}\n{hashlib.sha256(written.encode()).hexdigest()}"
    seal = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
    said = f"{ALIBABA_ALGORITHM} Credential={key},SignedHeaders={names},Signature={seal}"
    return {**{name: value for name, value in headers.items() if name != "host"}, "authorization": said}


def _canonical(method: str, url: str, headers: Mapping[str, str], digest: str) -> tuple[str, str]:
    """A request in the form that is signed, and the names of its headers."""
    parts = urlsplit(url)
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    query = "&".join(f"{name}={value}" for name, value in pairs)
    names = ";".join(sorted(headers))
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    return "\n".join([method, parts.path or "/", query, *lines, "", names, digest]), names
