"""Recognises challenge pages: a bot wall's answer instead of the provider's (rule R18 of the quality list).

A challenge is never retried and never worked around: the source is held with "challenge page", and its last
good data stays.
"""

from __future__ import annotations

import re

from scrapy.http import Response

LARGEST_CHALLENGE_BYTES = 200_000
_HEADERS = (
    ("cf-mitigated", re.compile(rb"challenge", re.I), "Cloudflare"),
    ("x-vercel-mitigated", re.compile(rb"challenge|deny", re.I), "Vercel"),
    ("x-amzn-waf-action", re.compile(rb"challenge|captcha", re.I), "AWS WAF"),
)
_TITLE = re.compile(
    rb"<title[^>]*>[^<]*(just a moment|attention required|verify(?:ing)? (?:you are|that you are|you're) "
    rb"(?:a )?human|are you a (?:human|robot)|captcha|security checkpoint|bot verification|"
    rb"checking your browser|pardon our interruption)[^<]*</title>",
    re.I,
)
_MARKS = (
    (b"geo.captcha-delivery.com", "DataDome"),
    (b"_Incapsula_Resource", "Imperva"),
    (b"px-captcha", "PerimeterX"),
    (b"awsWafCookieDomainList", "AWS WAF"),
    (b"window._cf_chl_opt", "Cloudflare"),
)


def challenge(response: Response) -> str | None:
    """Which bot wall answered, as a reason ("challenge page (Cloudflare)"), or None for an honest answer."""
    for header, pattern, wall in _HEADERS:
        if pattern.search(response.headers.get(header) or b""):
            return f"challenge page ({wall})"
    body = response.body
    if len(body) > LARGEST_CHALLENGE_BYTES or b"<" not in body[:2000]:
        return None
    for mark, wall in _MARKS:
        if mark in body:
            return f"challenge page ({wall})"
    title = _TITLE.search(body)
    return f"challenge page ({title[1].decode('ascii', 'replace').lower()})" if title else None
