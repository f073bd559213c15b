"""Where a provider's region is: country, city, coordinates and electricity grid zone.

A provider's own region ids and names come from `reference/regions.csv`; texts such as "Helsinki, FI",
"US-TX-3", "Europe" or "eu-north-6" are read by rules that hold for every provider. What they do not settle
stays None: "eu-west-7" of an unknown provider is in Europe and no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from warehouse.errors import ReferenceDataError
from warehouse.instance_types import ALIASES
from warehouse.reference import optional_float, read_table


@dataclass(frozen=True, slots=True)
class Place:
    """A place, as exactly as it is known.

    Attributes:
        country: ISO 3166 alpha-2, None where several or not known.
        continent: europe, north_america, south_america, asia, oceania, africa; None where several.
        city: None where not known.
        latitude, longitude: of the city, degrees, good to a few kilometres.
        grid_zone: key in the style of Electricity Maps ("DE", "US-TEX-ERCO"), None where not known.
    """

    country: str | None = None
    continent: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    grid_zone: str | None = None


SOMEWHERE = Place()
"""A price that holds in many places, or in one that is not told."""

_PROVIDER_ALIASES = {
    **ALIASES,
    "datacrunch": "verda",
    "hetzner:auction": "hetzner",
    "lambda": "lambda_cloud",
    "vastai": "vast",
}
_MANY = {
    *("global", "any", "all", "worldwide", "multi", "multiple", "various", "secure", "community"),
    *("asia-pacific", "asia pacific", "apac", "emea", "americas", "international"),
}
_CONTINENTS = {
    "europe": "europe",
    "eu": "europe",
    "north america": "north_america",
    "south america": "south_america",
    "latin america": "south_america",
    "asia": "asia",
    "oceania": "oceania",
    "africa": "africa",
}
_DIRECTION = r"(?:north|south|east|west|central|mid)+"
_CODE = re.compile(rf"([a-z]+)-(?:{_DIRECTION}|midwest)(?:-[a-z]{{2}})*(?:-?\d+)?(?:-?[a-z0-9]{{1,2}})?")
_TOWN = re.compile(r"([a-z]{2})-[a-z]{4,}-\d+|([A-Z]{2})-[A-Z][a-z]+")
_TOWN_FIRST = re.compile(r"[a-z]{3,}(?:-[a-z]+)*-([a-z]{3,})-\d+")
_REMARK = re.compile(r"\s*\([^()]*\)$")
_CODE_COUNTRIES = {
    **{code: code.upper() for code in ("us", "ca", "gb", "jp", "in", "au", "br", "kr", "sg")},
    "uk": "GB",
    "india": "IN",
    "japan": "JP",
    "canada": "CA",
    "australia": "AU",
    "northamerica": None,
}
_CODE_CONTINENTS = {
    "eu": "europe",
    "europe": "europe",
    "asia": "asia",
    "northamerica": "north_america",
    "southamerica": "south_america",
}
_SITE = re.compile(r"(us|ca|eu|eur|ap|oc|sea|af|sa|me)-([a-z]{2,3})(?:-\d+[a-z]?)?")
_SITE_PREFIX = {"eu": "europe", "eur": "europe", "ap": "asia", "oc": "oceania", "sea": "asia", "af": "africa"}
_AIRPORTS = {"mtl": "montreal", "tor": "toronto"}
_OPAQUE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A UUID: the provider tells its places apart and does not tell where they are."""
_LISTS = re.compile(r"\s*[/;|]\s*|\s*,\s*(?=[a-z]{2}-)")
_COUNT = re.compile(r"\s*:\s*\d+$")
"""How many offers a place has, behind its name: "US:4"."""
_CODES = re.compile(r"[a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)+")
_WORLD_PARTS = frozenset(("me", "sa", "af", "ap", "na"))
"""Two-letter words that are countries in upper case and parts of the world in lower case."""


@lru_cache(maxsize=8192)
def place(provider: str, region: str | None) -> Place | None:
    """Where `region` of `provider` is; None where that is not known.

    A text that means many places ("global") gives `SOMEWHERE`, whose fields are all None.
    """
    text = " ".join((region or "").split())
    if not text:
        return None
    provider = _PROVIDER_ALIASES.get(provider, provider).partition(":")[0]
    known = _regions().get((provider, text.lower()))
    return known or _general(provider, text)


def _without_count(provider: str, text: str) -> Place | None:
    """ "US:4": a place with the number of its offers."""
    bare = _COUNT.sub("", text)
    return place(provider, bare) if bare != text else None


def country_place(code: str) -> Place | None:
    """The place of a country's alpha-2 code, None where the code is not known."""
    return _countries()[0].get(code.upper())


def _general(provider: str, text: str) -> Place | None:
    lower = text.lower()
    if lower in _MANY or _OPAQUE.fullmatch(lower):
        return SOMEWHERE
    if lower in _CONTINENTS:
        return Place(continent=_CONTINENTS[lower])
    named = _country(text) or _city_and_country(text) or _site(_REMARK.sub("", lower))
    return (
        named
        or _several(provider, text)
        or _code(lower)
        or _town(text)
        or _known_codes(provider, text)
        or _without_count(provider, text)
    )


def _country(text: str) -> Place | None:
    """ "FR", "United States": a country by code or name."""
    codes, names = _countries()
    if text.islower() and text in _WORLD_PARTS:
        return None
    return codes.get(text.upper()) or names.get(text.lower())


def _city_and_country(text: str) -> Place | None:
    """ "Helsinki, FI", "Texas, USA", ", US": the last part is the country, or a state ("Chicago, IL").

    A code of both ("IL") is the state's where the town before it is known there and not in the country.
    """
    head, comma, tail = (part.strip() for part in text.rpartition(","))
    if not comma:
        return None
    country, town = _country(tail), head.lower()
    if country and (found := _cities().get((town, str(country.country)))):
        return found
    for code in ("US", "CA", "AU"):
        if (code, tail.lower()) in _subdivisions() and (found := _cities().get((town, code))):
            return found
    if country is None:
        return _state(tail.lower())
    return _subdivision(country, town) or country


def _state(name: str) -> Place | None:
    """The country of a state by its whole name, which no country has ("Georgia" has); its grid zone."""
    if name == "georgia":
        return None
    for code in ("US", "CA", "AU"):
        country = country_place(code) if len(name) > 3 and (code, name) in _subdivisions() else None
        if country is not None:
            return _subdivision(country, name) or country
    return None


def _site(lower: str) -> Place | None:
    """ "US-TX-3", "EU-RO-1", "CA-MTL-2": world part or country, then state, country or airport."""
    found = _SITE.fullmatch(lower)
    if found is None:
        return None
    first, second = found.groups()
    if first in ("us", "ca"):
        inside = country_place(first) if len(second) == 2 else None
        state = _subdivision(inside, second) if inside else None
        return _places().get(_AIRPORTS.get(second, "")) or state or inside
    country = country_place(second) if len(second) == 2 else None
    return country if country and country.continent == _SITE_PREFIX.get(first) else None


def _several(provider: str, text: str) -> Place | None:
    """ "GRA/SBG", "Utah, USA; Georgia, USA": what the named places share."""
    parts = [part for part in _LISTS.split(text) if part]
    if len(parts) < 2:
        return None
    found = [place(provider, part) for part in parts]
    if None in found:
        return None
    known = [one for one in found if one is not None]
    return Place(
        country=_shared({one.country for one in known}),
        continent=_shared({one.continent for one in known}),
        grid_zone=_shared({one.grid_zone for one in known}),
    )


def _known_codes(provider: str, text: str) -> Place | None:
    """ "ewr,ord,fra": a list of region ids that the provider has, every one of them in the table."""
    if not _CODES.fullmatch(text):
        return None
    parts = [part.strip() for part in text.split(",")]
    if any((provider, part) not in _regions() for part in parts):
        return None
    return _several(provider, ";".join(parts))


def _shared(values: set[str | None]) -> str | None:
    return values.pop() if len(values) == 1 else None


def _code(lower: str) -> Place | None:
    """ "us-east-1", "us-east-nc-2", "uk-southeast-3", "eu-de": only what the first word says for certain."""
    found = _CODE.fullmatch(lower)
    if found is None:
        first, _, second = lower.partition("-")
        inside = country_place(second) if first == "eu" and len(second) == 2 else None
        return inside if inside and inside.continent == "europe" else None
    if country := _CODE_COUNTRIES.get(found[1]):
        return country_place(country)
    continent = _CODE_CONTINENTS.get(found[1])
    return Place(continent=continent) if continent else None


def _town(text: str) -> Place | None:
    """ "no-luster-1", "NL-Amsterdam", "houston-usa-1": a town with a country's code or name."""
    found = _TOWN.fullmatch(text)
    if named := _TOWN_FIRST.fullmatch(text):
        return _countries()[1].get(named[1])
    code = (found[1] or found[2]) if found else None
    return None if code is None or code in _WORLD_PARTS else country_place(code)


def _subdivision(country: Place, text: str) -> Place | None:
    """A state or province by code or name, where one grid zone serves it (nearly) whole."""
    zone = _subdivisions().get((str(country.country), text))
    return replace(country, grid_zone=zone) if zone else None


@lru_cache(maxsize=1)
def _subdivisions() -> dict[tuple[str, str], str]:
    """Grid zones by country and lower-case code or name of the state, empty where several serve it."""
    zones: dict[tuple[str, str], str] = {}
    for _, row in read_table("subdivisions.csv"):
        for name in (row["code"], row["name"], *filter(None, row["aliases"].split("|"))):
            zones[(row["country"], name.lower())] = row["grid_zone"]
    return zones


@lru_cache(maxsize=1)
def _countries() -> tuple[dict[str, Place], dict[str, Place]]:
    """Countries by code ("UK" too) and by lower-case name."""
    codes: dict[str, Place] = {}
    names: dict[str, Place] = {}
    for _, row in read_table("countries.csv"):
        found = Place(row["country"], row["continent"], grid_zone=row["grid_zone"] or None)
        codes[row["country"]] = found
        for name in (row["name"], *filter(None, row["aliases"].split("|"))):
            names[name.lower()] = found
    return codes, names


@lru_cache(maxsize=1)
def _places() -> dict[str, Place]:
    places: dict[str, Place] = {}
    for line, row in read_table("places.csv"):
        country = country_place(row["country"])
        if country is None or row["key"] in places:
            raise ReferenceDataError(f"places.csv line {line}: unknown country or second {row['key']!r}")
        places[row["key"]] = Place(
            country=row["country"],
            continent=country.continent,
            city=row["city"],
            latitude=optional_float(row["latitude"]),
            longitude=optional_float(row["longitude"]),
            grid_zone=row["grid_zone"] or None,
        )
    return places


@lru_cache(maxsize=1)
def _cities() -> dict[tuple[str, str], Place]:
    cities = {(str(one.city).lower(), str(one.country)): one for one in _places().values()}
    cities[("frankfurt am main", "DE")] = _places()["frankfurt"]
    return cities


@lru_cache(maxsize=1)
def _regions() -> dict[tuple[str, str], Place]:
    regions: dict[tuple[str, str], Place] = {}
    for line, row in read_table("regions.csv"):
        found = _places().get(row["place"])
        if found is None:
            raise ReferenceDataError(f"regions.csv line {line}: place {row['place']!r} is not in places.csv")
        for name in (row["region"], *filter(None, row["aliases"].split("|"))):
            regions[(row["provider"], name.lower())] = found
    return regions
