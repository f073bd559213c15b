"""How values become text: the one place where the site rounds money, ages, sizes and times.

Everything here is pure. `None` is "not known" and prints as `UNKNOWN`; a number is never invented for it.
"""

from __future__ import annotations

import hashlib
import math
import re
from datetime import UTC, date, datetime

from warehouse.units import SECONDS_PER_HOUR

UNKNOWN = "–"
CLIP_AT = 72
ADDRESS_LIMIT = 2000
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

KIND_WORDS = {
    "on_demand": "on demand",
    "spot": "spot",
    "reserved": "reserved",
    "savings_plan": "savings plan",
    "capacity_block": "capacity block",
    "low_priority": "low priority",
    "flex": "flex start",
    "serverless": "serverless",
    "subscription": "subscription",
}
_FAMILY_WORDS = {
    "ada": "Ada",
    "gaudi": "Gaudi",
    "gaudi2": "Gaudi 2",
    "gaudi3": "Gaudi 3",
    "inferentia": "Inferentia",
    "inferentia2": "Inferentia 2",
    "max": "Max",
    "q": "Q",
    "quadro": "Quadro",
    "titan": "Titan",
    "trainium": "Trainium",
    "trainium1": "Trainium 1",
    "trainium2": "Trainium 2",
    "trainium3": "Trainium 3",
}


def unit_price(value: float | None) -> str:
    """A price per hour in dollars, without the sign: the unit stands in the column's heading."""
    if value is None:
        return UNKNOWN
    if value < 0.1:
        return f"{value:.3f}" if value >= 0.001 else f"{value:.2g}"
    return f"{value:,.2f}"


def dollars(value: float | None) -> str:
    """An amount of money in prose: ``$2.53``, ``$412``, ``$12,300``, ``$4.2 million``."""
    if value is None:
        return UNKNOWN
    if value >= 1_000_000:
        return f"${_significant(value / 1_000_000, 3)} million"
    return "$" + (unit_price(value) if value < 100 else f"{_round_significant(value, 3):,.0f}")


def amount(value: float | None) -> str:
    """A cost in dollars for a column headed USD: three significant digits."""
    if value is None:
        return UNKNOWN
    return unit_price(value) if value < 100 else f"{_round_significant(value, 3):,.0f}"


def number(value: float | None, digits: int = 3) -> str:
    """A quantity to `digits` significant digits, thousands separated, without an exponent."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{_round_significant(value, digits):,.0f}"
    return _significant(value, digits)


def count(value: int | float | None) -> str:
    """A whole number with thousands separated; a fraction keeps two decimals (a slice of a GPU)."""
    if value is None:
        return UNKNOWN
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.2f}".rstrip("0")


def plural(value: int, noun: str, many: str | None = None) -> str:
    """``1 offer``, ``1,204 offers``."""
    return f"{value:,} {noun if value == 1 else many or noun + 's'}"


def percent(ratio: float | None) -> str:
    """A change as a signed percentage; `ratio` is new / old - 1."""
    if ratio is None:
        return UNKNOWN
    points = ratio * 100
    shown = f"{abs(points):.0f}" if abs(points) >= 10 else f"{abs(points):.1f}"
    return ("+" if points >= 0 else "−") + shown + " %"


def age(hours: float | None) -> str:
    """An age in words: ``40 min``, ``3 h``, ``2 days``, ``91 days``."""
    if hours is None or not math.isfinite(hours):
        return UNKNOWN
    if hours < 0:
        return "0 min"
    if hours < 1:
        return f"{math.floor(hours * 60)} min"
    if hours < 48:
        return f"{math.floor(hours)} h"
    return f"{math.floor(hours / 24)} days"


def duration(hours: float | None) -> str:
    """How long something takes: ``25 s``, ``34 min``, ``5.2 h``, ``12 days``, ``2.4 years``."""
    if hours is None or not math.isfinite(hours):
        return UNKNOWN
    if hours * SECONDS_PER_HOUR < 90:
        return f"{number(hours * SECONDS_PER_HOUR, 2)} s"
    if hours < 1.5:
        return f"{number(hours * 60, 2)} min"
    if hours < 72:
        return f"{number(hours, 2)} h"
    days = hours / 24
    return f"{number(days, 2)} days" if days < 730 else f"{number(days / 365, 2)} years"


def milliseconds(value: float | None) -> str:
    """A latency: ``18 ms``, ``2.3 s``."""
    if value is None:
        return UNKNOWN
    return f"{number(value, 2)} ms" if value < 1000 else f"{number(value / 1000, 2)} s"


def byte_size(size: int) -> str:
    """A file's size: ``812 B``, ``41 kB``, ``1.3 MB`` (powers of ten, as file managers print)."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def day(value: date | datetime | None) -> str:
    """``22 Aug 2026``; the same in every locale."""
    if value is None:
        return UNKNOWN
    found = utc(value).date() if isinstance(value, datetime) else value
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def short_day(value: date) -> str:
    """``22 Aug``: where the year is plain from what stands beside it."""
    return f"{value.day} {_MONTHS[value.month - 1]}"


def moment(value: datetime | None) -> str:
    """``22 Aug 2026, 09:30 UTC``."""
    return UNKNOWN if value is None else f"{day(value)}, {utc(value):%H:%M} UTC"


def stamp(value: datetime) -> str:
    """Machine-readable UTC time for `<time datetime>` and feeds: ``2026-08-22T09:30:00Z``."""
    return f"{utc(value):%Y-%m-%dT%H:%M:%SZ}"


def utc(value: datetime) -> datetime:
    """The same moment in UTC; a naive value is taken as UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def kind(price_kind: str | None, term_months: int | None = None) -> str:
    """A price kind in words, with its term: ``reserved, 12 months``."""
    words = KIND_WORDS.get(price_kind or "", clip(price_kind, 24).replace("_", " "))
    return words if term_months is None else f"{words}, {plural(term_months, 'month')}"


def family(name: str | None) -> str:
    """A family's id as people write it: ``h100`` -> H100, ``rtx-pro-6000`` -> RTX PRO 6000."""
    words = [_FAMILY_WORDS.get(part, _family_part(part)) for part in clip(name, 32).split("-")]
    return " ".join(words)


def clean(text: str | None) -> str:
    """Scraped text without control characters, direction overrides and invisible spaces."""
    return UNKNOWN if text is None else _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def clip(text: str | None, limit: int = CLIP_AT) -> str:
    """`clean` text cut to `limit` characters with an ellipsis."""
    whole = clean(text)
    return whole if len(whole) <= limit else whole[: limit - 1].rstrip() + "…"


def page_name(name: str) -> str:
    """A file name for an id; an id that is not a plain lower-case name gets a safe one with a hash."""
    if _SAFE_NAME.fullmatch(name) and ".." not in name:
        return name
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    return f"{readable or 'x'}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def web_address(url: str | None) -> str | None:
    """The address where it is a plain http(s) one, else None: nothing else becomes a link."""
    if url is None or len(url) > ADDRESS_LIMIT or not url.startswith(("https://", "http://")):
        return None
    return None if _UNPRINTABLE.search(url) or " " in url else url


def sentence_list(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def _family_part(part: str) -> str:
    return part if re.fullmatch(r"v\d\w?", part) else part.upper()


def _round_significant(value: float, digits: int) -> float:
    return round(value, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def _significant(value: float, digits: int) -> str:
    rounded = _round_significant(value, digits)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
