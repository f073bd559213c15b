"""Signed requests against the clouds' own published examples."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from scrapy import Request

from crawlers.signing import Signature, SigningMiddleware, alibaba_headers, aws_headers, signed
from tests.spider_harness import FIXTURES, replay, spider_class

# The key and moment of AWS's signature test suite and of its documentation's example.
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
MOMENT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)


def seal(headers: dict[str, str]) -> str:
    found = re.search(r"Signature=([0-9a-f]{64})$", headers["authorization"])
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),  # get-vanilla
        (
            "GET",  # get-vanilla-query-order-key-case
            "?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),  # post-vanilla
    ],
)
def test_requests_of_awss_test_suite_get_their_signature(method: str, query: str, expected: str) -> None:
    url = f"https://example.amazonaws.com/{query}"
    headers = aws_headers(method, url, b"", KEY, SECRET, "", ("us-east-1", "service"), MOMENT)
    assert seal(headers) == expected
    scope = "20150830/us-east-1/service/aws4_request"
    assert headers["authorization"].startswith(
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders=host;"
    )


def test_the_example_of_awss_documentation_gets_its_signature() -> None:
    headers = aws_headers(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        b"",
        KEY,
        SECRET,
        "",
        ("us-east-1", "iam"),
        MOMENT,
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
    )
    assert seal(headers) == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


def test_the_example_of_alibabas_documentation_gets_its_signature() -> None:
    url = "https://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai"
    run_instances = Signature("alibaba", "", "", "", action="RunInstances", version="2014-05-26")
    headers = alibaba_headers(
        "POST",
        url,
        b"",
        "YourAccessKeyId",
        "YourAccessKeySecret",
        "",
        run_instances,
        datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
        "3156853299f313e23d1673dc12e1703d",
    )
    assert seal(headers) == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_a_session_token_is_part_of_what_is_signed() -> None:
    plain, with_token = (
        aws_headers(
            "GET", "https://ec2.us-east-1.amazonaws.com/", b"", KEY, SECRET, token, ("r", "ec2"), MOMENT
        )
        for token in ("", "session")
    )
    assert with_token["x-amz-security-token"] == "session"
    assert "x-amz-security-token" in with_token["authorization"]
    assert seal(plain) != seal(with_token)


def test_a_request_is_signed_when_it_is_sent_and_again_when_it_is_repeated() -> None:
    sign = Signature("aws", "A_KEY", "A_SECRET", "A_TOKEN", service="ec2", region="eu-west-1")
    request = Request("https://ec2.eu-west-1.amazonaws.com/?Action=X", meta={"sign": sign})
    secrets = {"A_KEY": KEY, "A_SECRET": SECRET}
    now = signed(request, sign, secrets, MOMENT)
    later = signed(request, sign, secrets, MOMENT + timedelta(minutes=20))
    assert seal(now) != seal(later)

    spider = SimpleNamespace(secrets=secrets, sending_time=lambda: MOMENT)
    crawler: Any = SimpleNamespace(spider=spider)
    middleware = SigningMiddleware.from_crawler(crawler)
    middleware.process_request(request)
    assert KEY in request.headers["authorization"].decode()
    assert SECRET not in str(request.headers)
    assert KEY not in request.url
    plain = Request("https://ec2.eu-west-1.amazonaws.com/")
    middleware.process_request(plain)
    assert "authorization" not in plain.headers


def test_alibabas_signed_requests_name_their_operation_and_the_region() -> None:
    folder = FIXTURES / "alibaba" / "with_key"
    keys = dict.fromkeys(spider_class("alibaba").credential, "made-up-key")
    asked = [request for request in replay(folder, secrets=keys).requests if request.meta.get("sign")]
    found = [(request.meta["sign"].action, request.meta["region"]) for request in asked]
    assert found == [
        ("DescribeAvailableResource", "cn-beijing"),
        ("DescribeAvailableResource", "eu-central-1"),
        ("DescribeAvailableResource", "us-west-1"),
        ("DescribePrice", "us-west-1"),  # the only type in stock
    ]
    assert not [r for r in replay(folder).requests if r.meta.get("sign")]
    some = replay(folder, secrets=keys, chosen={"regions": ["cn-beijing"]}).requests
    assert {request.meta["region"] for request in some if request.meta.get("sign")} == {"cn-beijing"}
