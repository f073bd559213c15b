"""What must never be kept is taken out; all else stays byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.redact import Redactor

KEY = "sk-live/0123456789+ab"


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://a.example/p?key=abc&page=2", "https://a.example/p?key=redacted&page=2"),
        ("https://a.example/p?page=2&API_KEY=abc#x", "https://a.example/p?page=2&API_KEY=redacted#x"),
        ("https://user:pass@a.example/p", "https://a.example/p"),
        ("https://a.example/p?pageToken=abc&monkey=1", "https://a.example/p?pageToken=abc&monkey=1"),
        (
            "https://a.example/p?q=sk-live%2F0123456789%2Bab",
            "https://a.example/p?q=redacted",
        ),
        ("https://a.example/p?token=", "https://a.example/p?token="),
    ],
)
def test_addresses_lose_keys_and_nothing_else(url: str, clean: str) -> None:
    assert Redactor([KEY]).url(url) == clean


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        (b'{"public_ipaddr": "81.2.69.142"}', b'{"public_ipaddr": "0.0.0.0"}'),
        (b'["81.2.69.142","81.2.69.143"]', b'["0.0.0.0","0.0.0.0"]'),
        (b'{"dns":"81.2.69.142,2a01:4f8::1"}', b'{"dns":"0.0.0.0,::"}'),
        (b'{"url":"http://81.2.69.142:8080/x"}', b'{"url":"http://0.0.0.0:8080/x"}'),
        (rb'push("{\"ip\":\"81.2.69.142\"}")', rb'push("{\"ip\":\"0.0.0.0\"}")'),
        (b"<td>81.2.69.142</td>", b"<td>0.0.0.0</td>"),
        (b'{"miner_hotkey":"5F3sa2TJAWMqDhXG6jhV4N8ko9"}', b'{"miner_hotkey":"redacted"}'),
        (b'{"username": "anna"}', b'{"username": "redacted"}'),
        (b'{"access_token":"eyJhbGciOi"}', b'{"access_token":"redacted"}'),
        (b'{"echo":"sk-live/0123456789+ab"}', b'{"echo":"redacted"}'),
        (b'{"cost": 1.25, "price": 2}', b'{"cost": null, "price": 2}'),
    ],
)
def test_bodies_lose_what_is_private(body: bytes, clean: bytes) -> None:
    assert Redactor([KEY], ["cost"]).body(body) == clean


@pytest.mark.parametrize(
    "body",
    [
        b'{"driver_version": "1.2.3.4", "at": "12:30:00", "price": 1.2345}',
        b'{"public_ipaddr": "0.0.0.0", "hotkey": null, "username": ""}',
        b'{"sku": "999.300.1.2", "mac": "aa:bb:cc:dd:ee:ff"}',
        b'{"key": "a100", "token_price": 0.5, "monkey": "x"}',
        b"\x1f\x8b\x08binary\x00",
    ],
)
def test_other_bodies_are_the_very_same_object(body: bytes) -> None:
    assert Redactor([KEY]).body(body) is body


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_secret_never_survives_wherever_it_stands(before: str, after: str) -> None:
    redactor = Redactor([KEY])
    assert KEY not in redactor.text(before + KEY + after)
    assert KEY.encode() not in redactor.body((before + KEY + after).encode())


def test_redacting_twice_changes_nothing_more() -> None:
    redactor = Redactor([KEY])
    once = redactor.body(b'{"ip":"81.2.69.142","password":"x","t":"sk-live/0123456789+ab"}')
    assert redactor.body(once) is once


def test_short_secrets_do_not_tear_holes_into_texts() -> None:
    assert Redactor(["h100"]).text("h100 costs 2") == "h100 costs 2"
