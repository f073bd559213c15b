"""Takes out of URLs, headers, bodies and messages what must never be kept; changes nothing else.

Three kinds of things go: credentials (the values we were given, and fields and query parameters that hold
one by name), addresses of hosts (IPv4, IPv6), and names of people and wallets by field name. Work is done on
the raw bytes, so that what is not redacted stays byte for byte what the provider sent.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

REDACTED = "redacted"
NO_ADDRESS_4, NO_ADDRESS_6 = b"0.0.0.0", b"::"
SHORTEST_SECRET = 8

SECRET_PARAMETERS = (
    "key",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "token",
    "access_token",
    "auth_token",
    "authorization",
    "client_secret",
    "password",
    "secret",
    "sig",
    "signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
)
SECRET_FIELDS = (
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "password",
    "secret_key",
)
PERSONAL_FIELDS = (
    "hotkey",
    "coldkey",
    "miner_hotkey",
    "miner_coldkey",
    "validator_hotkey",
    "wallet",
    "wallet_address",
    "wallet_key",
    "username",
    "user_name",
    "user_email",
    "owner_name",
    "owner_email",
)
_PARAMETER = re.compile(
    r"(?P<head>[?&;](?:" + "|".join(map(re.escape, SECRET_PARAMETERS)) + r")=)(?P<value>[^&#;\s\"'<>]*)", re.I
)
_USER_INFO = re.compile(r"(?P<head>https?://)[^/@\s\"'<>]+@", re.I)
_ADDRESS_4 = re.compile(
    rb"(?P<head>[\">@,]|//)(?P<ip>(?:\d{1,3}\.){3}\d{1,3})(?=[\"<:/,\\]|$)(?!\.)",
)
_ADDRESS_6 = re.compile(
    rb"(?P<head>[\">\[,])(?P<ip>[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?=[\"<\]/,\\])"
)
_LOOKS_LIKE_4 = re.compile(rb"\d\.\d{1,3}\.\d{1,3}\.\d")
_VERSION_BEFORE = re.compile(rb"(?:version|driver|release|build)[a-z_]*\\*\"\s*:\s*\\*$", re.I)
_LOOK_BACK_BYTES = 48


class Redactor:
    """Redacts with the secrets of one run and the private fields of one spider.

    Args:
        secrets: values that must not be kept; those shorter than `SHORTEST_SECRET` are found only under a
            secret's name, since a short text may occur anywhere.
        private_fields: further JSON keys whose values go (numbers too).
    """

    def __init__(self, secrets: Iterable[str] = (), private_fields: Iterable[str] = ()) -> None:
        forms = {form for value in secrets if len(value) >= SHORTEST_SECRET for form in _forms(value)}
        ordered = sorted(forms, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._secret_bytes = (
            re.compile(b"|".join(re.escape(form.encode()) for form in ordered)) if ordered else None
        )
        self._private_fields = tuple(private_fields)

    def url(self, url: str) -> str:
        """An address without user info, secret parameters and known secrets."""
        return self.text(url)

    def text(self, text: str) -> str:
        """A message, header or request body without credentials."""
        text = _USER_INFO.sub(r"\g<head>", text)
        text = _PARAMETER.sub(lambda match: match["head"] + (REDACTED if match["value"] else ""), text)
        return self._secrets.sub(REDACTED, text) if self._secrets else text

    def request_body(self, body: str | None) -> str | None:
        """A request's body without credentials."""
        return body if not body else self.body(self.text(body).encode()).decode()

    def body(self, body: bytes) -> bytes:
        """A response body without credentials, host addresses and personal fields.

        Returns the very same object where nothing had to go.
        """
        clean = self._secret_bytes.sub(REDACTED.encode(), body) if self._secret_bytes else body
        lowered = clean.lower()
        clean = _sub_fields(clean, lowered, (*SECRET_FIELDS, *PERSONAL_FIELDS), numbers=False)
        clean = _sub_fields(clean, lowered, self._private_fields, numbers=True)
        if _LOOKS_LIKE_4.search(clean):
            clean = _ADDRESS_4.sub(_blank_address, clean)
        clean = _ADDRESS_6.sub(_blank_address, clean)
        return body if clean == body else clean

    def holds_secret(self, text: str) -> bool:
        """Does a text hold one of the known secrets?"""
        return bool(self._secrets and self._secrets.search(text))

    def plain(self, value: object) -> object:
        """Any JSON-like value with all its texts redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        return value


def _forms(secret: str) -> set[str]:
    """A secret as it stands, in a URL, and inside a JSON text."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def _sub_fields(body: bytes, lowered: bytes, names: tuple[str, ...], *, numbers: bool) -> bytes:
    """Blank the named fields; only names that occur at all cost a pass over the body."""
    present = tuple(name for name in names if name.lower().encode() in lowered)
    return _fields_pattern(present, numbers=numbers).sub(_blank, body) if present else body


@lru_cache(maxsize=64)
def _fields_pattern(names: tuple[str, ...], *, numbers: bool) -> re.Pattern[bytes]:
    """``"name": "value"`` with any depth of escaped quotes (JSON inside a page's script)."""
    keys = b"|".join(re.escape(name.encode()) for name in names)
    text = rb"(?P<quote>(?P=slash)\")(?P<value>[^\"\\]+)(?=(?P=slash)\")"
    value = rb"(?:" + text + (rb"|(?P<number>-?\d[\d.eE+-]*)" if numbers else rb"") + rb")"
    return re.compile(
        rb"(?P<head>(?P<slash>\\*)\"(?:" + keys + rb")(?P=slash)\"\s*:\s*)" + value, re.IGNORECASE
    )


def _blank(match: re.Match[bytes]) -> bytes:
    parts = match.groupdict()
    if parts.get("number") is not None:
        return match["head"] + b"null"
    return match["head"] + match["quote"] + REDACTED.encode()


def _blank_address(match: re.Match[bytes]) -> bytes:
    """The unspecified address instead of a real one; four-part version numbers stay."""
    try:
        address = ipaddress.ip_address(match["ip"].decode())
    except ValueError:
        return match[0]
    if address.is_unspecified or address.is_loopback:
        return match[0]
    before = match.string[max(0, match.start() - _LOOK_BACK_BYTES) : match.start()]
    if _VERSION_BEFORE.search(before):
        return match[0]
    return match["head"] + (NO_ADDRESS_4 if address.version == 4 else NO_ADDRESS_6)
