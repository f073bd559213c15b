"""On the wire: who we say we are, Retry-After, redirects, private addresses, size and time limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from scrapy import Request
from scrapy.http import HtmlResponse

from crawlers.botwall import challenge
from crawlers.politeness import is_private, leaks_key, redirect_refusal
from crawlers.redact import Redactor
from crawlers.scrapy_settings import WireLimits, live_settings, replay_settings, request_delay, user_agent
from tests.crawl_server import LIMITS, Answer, gets, provider, run_one, write_spider


def spider(tmp_path: Path, *urls: str) -> None:
    write_spider(tmp_path / "spiders", "cloud", gets(*urls))


def test_the_user_agent_is_ours_and_names_a_contact(tmp_path: Path) -> None:
    with provider(a=Answer()) as host:
        spider(tmp_path, f"{host.url}/a")
        run_one(tmp_path, "cloud", contact="ops@a.example", project_url="https://a.example")
    headers = host.asked[-1][2]
    assert headers["User-Agent"].startswith("gpufare/")
    assert headers["User-Agent"].endswith(" (+https://a.example; ops@a.example)")
    assert "Cookie" not in headers
    assert "Referer" not in headers


def test_a_user_agent_invents_nothing() -> None:
    assert user_agent("1.0", "", "") == "gpufare/1.0"
    assert user_agent("1.0", "", "a@b.example") == "gpufare/1.0 (a@b.example)"


def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    busy = Answer(b"", 429, {"Retry-After": "1"})
    with provider(a=lambda count: busy if count == 1 else Answer()) as host:
        spider(tmp_path, f"{host.url}/a")
        result = run_one(tmp_path, "cloud")
    first, second = host.times("/a")
    assert second - first >= 0.99
    assert (result.state, result.offers) == ("good", 1)


def test_a_wait_that_is_too_long_is_not_waited_for(tmp_path: Path) -> None:
    with provider(a=Answer(b"", 429, {"Retry-After": "3600"})) as host:
        spider(tmp_path, f"{host.url}/a")
        result = run_one(tmp_path, "cloud")
    assert len(host.times("/a")) == 1
    assert result.state == "failed"
    assert result.reason is not None
    assert "HTTP 429 (asks to wait 3600)" in result.reason


def test_a_server_error_is_asked_again_with_growing_pauses(tmp_path: Path) -> None:
    with provider(a=Answer(b"", 500)) as host:
        spider(tmp_path, f"{host.url}/a")
        result = run_one(tmp_path, "cloud", limits=replace(LIMITS, backoff_seconds=0.1))
    one, two, three = host.times("/a")
    assert two - one >= 0.1
    assert three - two >= 0.2
    assert result.state == "failed"
    assert result.reason is not None
    assert result.reason.endswith("/a: HTTP 500")


def test_a_redirect_to_another_host_is_refused(tmp_path: Path) -> None:
    with provider(b=Answer()) as other, provider() as host:
        target = other.url.replace("127.0.0.1", "localhost") + "/b"
        host.routes["/a"] = Answer(b"", 302, {"Location": target})
        spider(tmp_path, f"{host.url}/a")
        result = run_one(tmp_path, "cloud")
    assert other.asked == []
    assert result.state == "failed"
    assert result.reason is not None
    assert "redirects to another host (localhost): not followed" in result.reason


def test_a_redirect_at_home_is_followed_and_kept_for_the_replay(tmp_path: Path) -> None:
    with provider(a=Answer(b"", 302, {"Location": "/b"}), b=Answer()) as host:
        spider(tmp_path, f"{host.url}/a")
        live = run_one(tmp_path, "cloud")
    assert (live.state, live.offers) == ("good", 1)
    again = run_one(tmp_path, "cloud", replay=[live.folder])  # the server is gone
    assert (again.state, again.offers) == ("good", 1)


@pytest.mark.parametrize(
    ("source", "target", "refused"),
    [
        ("https://api.example.com/x", "https://www.example.com/y", False),
        ("http://example.com/", "https://example.com/", False),
        ("https://example.com/", "http://example.com/", True),
        ("https://a.co.uk/", "https://b.co.uk/", True),
        ("https://one.github.io/", "https://two.github.io/", True),
        ("https://1.2.3.4/", "https://1.2.3.5/", True),
    ],
)
def test_redirects_stay_within_the_registrable_domain(source: str, target: str, refused: bool) -> None:
    assert bool(redirect_refusal(source, target)) is refused


def test_private_addresses_are_not_asked(tmp_path: Path) -> None:
    limits = replace(LIMITS, allow_private=False)
    with provider(a=Answer()) as host:
        spider(tmp_path, f"{host.url}/a")
        by_number = run_one(tmp_path, "cloud", limits=limits)
        spider(tmp_path, host.url.replace("127.0.0.1", "localhost") + "/a")
        by_name = run_one(tmp_path, "cloud", limits=limits)
    assert host.asked == []
    for result in (by_number, by_name):
        assert result.state == "failed"
        assert result.reason is not None
        assert "is a private address" in result.reason


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("169.254.169.254", True),
        ("[::1]", True),
        ("::ffff:192.168.0.1", True),
        ("metadata.google.internal", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("api.a.example", False),
    ],
)
def test_private_means_outside_the_public_internet(host: str, private: bool) -> None:
    assert is_private(host) is private


def test_an_oversize_answer_is_cut_off(tmp_path: Path) -> None:
    with provider(a=Answer(b"[" + b"1," * 100_000 + b"1]"), b=Answer()) as host:
        spider(tmp_path, f"{host.url}/a", f"{host.url}/b")
        result = run_one(tmp_path, "cloud", limits=replace(LIMITS, max_body_bytes=50_000, retries=0))
    assert (result.state, result.offers) == ("partial", 1)
    assert result.reason is not None
    assert "max size (50000)" in result.reason


def test_a_slow_answer_is_cut_off(tmp_path: Path) -> None:
    with provider(a=Answer(slow_seconds=60), b=Answer()) as host:
        spider(tmp_path, f"{host.url}/a", f"{host.url}/b")
        result = run_one(tmp_path, "cloud", limits=replace(LIMITS, timeout_seconds=0.5, retries=0))
    assert (result.state, result.offers) == ("partial", 1)
    assert result.reason is not None
    assert "DownloadTimeoutError" in result.reason
    assert result.seconds < 40  # the answer takes 60


@pytest.mark.parametrize(
    ("headers", "target", "leaks"),
    [
        ({"X-Key": "very-secret-value"}, "https://files.example.com/", True),
        ({"X-Key": "very-secret-value"}, "https://api.example.com/other", False),
        ({}, "https://files.example.com/", False),
    ],
)
def test_a_key_is_not_sent_to_another_host_of_the_same_domain(
    headers: dict[str, str], target: str, leaks: bool
) -> None:
    request = Request("https://api.example.com/a", headers=headers)
    assert leaks_key(request, target, Redactor(["very-secret-value"])) is leaks


def test_a_challenge_page_is_held_and_never_asked_again(tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
    with provider(a=Answer(page, 503, {"Content-Type": "text/html"})) as host:
        spider(tmp_path, f"{host.url}/a")
        result = run_one(tmp_path, "cloud")
    assert len(host.times("/a")) == 1
    assert result.state == "held"
    assert result.reason is not None
    assert "challenge page (just a moment)" in result.reason
    assert result.folder is not None
    assert [file.read_bytes() for file in result.folder.glob("*.html")] == [page]


def test_a_price_page_that_mentions_captchas_is_no_challenge() -> None:
    page = b"<html><head><title>GPU pricing</title></head><script src='/recaptcha.js'></script></html>"
    assert challenge(HtmlResponse("https://a.example", body=page)) is None


def test_no_door_stands_open() -> None:
    for settings in (live_settings("a", 1.0, WireLimits()), replay_settings()):
        assert settings["REMOTE_CONTROL_ENABLED"] is False
        assert settings["TELNETCONSOLE_ENABLED"] is False
        assert settings["EXTENSIONS"]["scrapy.extensions.remote_control.RemoteControl"] is None
        assert settings["COOKIES_ENABLED"] is False


def test_the_names_of_the_doors_exist_in_the_installed_scrapy() -> None:
    from scrapy.settings import default_settings

    own = {"GPUFARE_ALLOW_PRIVATE", "GPUFARE_BACKOFF_SECONDS", "GPUFARE_PROXY_HOSTS"}
    own |= {"GPUFARE_RETRY_AFTER_CAP_SECONDS", "GPUFARE_FILE_TIMEOUT_SECONDS", "GPUFARE_FILE_MAX_BYTES"}
    for settings in (live_settings("a", 1.0, WireLimits()), replay_settings()):
        for name in set(settings) - own:
            assert hasattr(default_settings, name), name
        for extension in settings["EXTENSIONS"]:
            assert extension in default_settings.EXTENSIONS_BASE or extension.startswith("crawlers.")


def test_a_host_with_an_untrusted_certificate_gets_no_request(tmp_path: Path) -> None:
    """Scrapy does not look at certificates unless told to."""
    files = self_signed(tmp_path)
    with provider(files, a=Answer()) as host:
        spider(tmp_path, f"{host.url}/a")
        stranger = run_one(tmp_path, "cloud", limits=replace(LIMITS, retries=0))
        asked = list(host.asked)
        friend = run_one(tmp_path, "cloud", environment={"SSL_CERT_FILE": str(files[0])})
    assert asked == []
    assert stranger.state == "failed"
    assert stranger.reason is not None
    assert "certificate verify failed" in stranger.reason
    assert friend.state == "good"


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Certificate and key for localhost, signed by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem, secret


def test_never_more_than_the_stated_rate() -> None:
    assert request_delay(1.0, WireLimits()) * 0.8 >= 1.0
    assert request_delay(0.2, WireLimits()) * 0.8 >= 5.0
    assert request_delay(50.0, WireLimits()) * 0.8 >= 1.0  # one a second is the most
