"""Regions: exact where a table says so, and no more than certain elsewhere."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from warehouse.reference import read_table
from warehouse.regions import SOMEWHERE, country_place, place

SHARED = Path(__file__).resolve().parents[2] / "shared"
CONTINENTS = {"europe", "north_america", "south_america", "asia", "oceania", "africa"}
needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared market data are not beside the project"
)


@pytest.mark.parametrize(
    ("provider", "region", "country", "city", "grid_zone"),
    [
        ("aws", "us-east-1", "US", "Ashburn", "US-MIDA-PJM"),
        ("aws", "US East (Dallas) Local Zone", "US", "Dallas", "US-TEX-ERCO"),
        ("aws", "eu-central-1", "DE", "Frankfurt", "DE"),
        ("aws", "Asia Pacific (Tokyo)", "JP", "Tokyo", "JP-TK"),
        ("azure", "swedencentral", "SE", "Gavle", "SE-SE3"),
        ("azure", "westus3", "US", "Phoenix", "US-SW-AZPS"),
        ("gcp", "europe-west4", "NL", "Eemshaven", "NL"),
        ("oci", "eu-frankfurt-1", "DE", "Frankfurt", "DE"),
        ("scaleway", "fr-par-2", "FR", "Paris", "FR"),
        ("ovh", "GRA11", "FR", "Gravelines", "FR"),
        ("vultr", "sea", "US", "Seattle", "US-NW-SCL"),
        ("akamai", "us-ord", "US", "Chicago", "US-MIDA-PJM"),
        ("datacrunch", "FIN-01", "FI", "Helsinki", "FI"),
        ("digitalocean", "nyc1", "US", "New York", "US-NY-NYIS"),
        ("lium", "Helsinki, FI", "FI", "Helsinki", "FI"),
        ("runpod", "CA-MTL-3", "CA", "Montreal", "CA-QC"),
    ],
)
def test_a_known_region_gives_country_city_and_grid(
    provider: str, region: str, country: str, city: str, grid_zone: str
) -> None:
    found = place(provider, region)
    assert found is not None
    assert (found.country, found.city, found.grid_zone) == (country, city, grid_zone)
    assert found.latitude is not None
    assert found.longitude is not None


@pytest.mark.parametrize(
    ("region", "country", "continent"),
    [
        ("Iowa, US", "US", "north_america"),
        ("Italy, IT", "IT", "europe"),
        (", US", "US", "north_america"),
        ("Türkiye, TR", "TR", "asia"),
        ("Georgia, US", "US", "north_america"),
        ("US", "US", "north_america"),
        ("United States", "US", "north_america"),
        ("EU-RO-1", "RO", "europe"),
        ("EUR-IS-1", "IS", "europe"),
        ("US-TX-3", "US", "north_america"),
        ("AP-JP-1", "JP", "asia"),
        ("uk-southeast-3", "GB", "europe"),
        ("eu-de", "DE", "europe"),
        ("no-luster-1", "NO", "europe"),
        ("NL-Amsterdam", "NL", "europe"),
        ("des-moines-usa-1", "US", "north_america"),
        ("us-east-nc-2", "US", "north_america"),
        ("US-CA-06 (California)", "US", "north_america"),
        ("us-central", "US", "north_america"),
        ("Europe", None, "europe"),
        ("NORTH AMERICA", None, "north_america"),
        ("eu-north-6", None, "europe"),
        ("SA", "SA", "asia"),
        ("Central Texas, USA; Georgia, USA", "US", "north_america"),
        ("PL / CH / IT", None, "europe"),
        ("NL / US", None, None),
    ],
)
def test_general_texts_say_what_is_certain_and_no_city(
    region: str, country: str | None, continent: str | None
) -> None:
    found = place("no-such-provider", region)
    assert found is not None
    assert (found.country, found.continent, found.city, found.latitude) == (country, continent, None, None)


@pytest.mark.parametrize(
    ("region", "country", "grid_zone"),
    [
        ("Texas, US", "US", "US-TEX-ERCO"),
        ("US-TX-3", "US", "US-TEX-ERCO"),
        ("Springfield, Virginia", "US", "US-MIDA-PJM"),
        ("California, US", "US", None),
        ("US-CA-2", "US", None),
        ("Quebec, CA", "CA", "CA-QC"),
        ("US:4", "US", None),
        ("SE:2; SE:1", "SE", None),
        ("US:4; JP:2; CZ:1", None, None),
        ("Macao, MO", "MO", "MO"),
    ],
)
def test_states_served_by_one_grid_have_its_zone_and_counts_are_no_part_of_a_place(
    region: str, country: str | None, grid_zone: str | None
) -> None:
    found = place("vast", region)
    assert found is not None
    assert (found.country, found.grid_zone, found.city) == (country, grid_zone, None)


@pytest.mark.parametrize(
    ("region", "country", "city"),
    [
        ("Chicago, IL", "US", "Chicago"),
        ("Tel Aviv, IL", "IL", "Tel Aviv"),
        ("Kansas City, MO", "US", "Kansas City"),
        ("San Jose, CA", "US", "San Jose"),
        ("Toronto, ON", "CA", "Toronto"),
        ("Ashburn, Virginia", "US", "Ashburn"),
        ("Melbourne, VIC", "AU", "Melbourne"),
    ],
)
def test_a_town_with_its_state_is_not_taken_for_one_of_the_country_of_that_code(
    region: str, country: str, city: str
) -> None:
    found = place("no-such-provider", region)
    assert found is not None
    assert (found.country, found.city) == (country, city)


def test_a_list_of_a_providers_ids_is_read_and_one_with_a_stranger_is_not() -> None:
    found = place("vultr", "ewr,ord")
    assert found is not None
    assert (found.country, found.city) == ("US", None)
    assert place("vultr", "ewr,nowhere") is None
    assert place("nobody", "Tbilisi, Georgia") is None


@pytest.mark.parametrize(
    "region", ["global", "any", "secure", "asia-pacific", "a3111bd4-550a-47d0-838a-0a52bff2ae3f"]
)
def test_a_price_for_many_places_has_no_place_but_is_understood(region: str) -> None:
    assert place("runpod", region) is SOMEWHERE


@pytest.mark.parametrize(
    "region",
    [None, "", "  ", "moon-base-1", "xx", "sa", "me-7", "sa-riyadh-1", "EU-JP-1"],
)
def test_what_is_not_known_is_none(region: str | None) -> None:
    assert place("runpod", region) is None


def test_one_providers_region_is_not_anothers() -> None:
    assert place("alibaba", "us-west-1") != place("aws", "us-west-1")
    found = place("unknown_cloud", "us-west-1")
    assert found is not None
    assert (found.country, found.city) == ("US", None)


def test_countries_sit_on_a_continent_and_have_two_letter_codes() -> None:
    for _, row in read_table("countries.csv"):
        assert len(row["country"]) == 2
        assert row["continent"] in CONTINENTS
    assert country_place("uk") is None
    assert place("any_provider", "UK") == place("any_provider", "GB")


def test_coordinates_lie_on_the_globe_and_grid_zones_belong_to_the_country() -> None:
    for _, row in read_table("places.csv"):
        assert -90 <= float(row["latitude"]) <= 90
        assert -180 <= float(row["longitude"]) <= 180
        assert row["grid_zone"] == "" or row["grid_zone"].split("-")[0] == row["country"], row


@needs_shared
def test_all_regions_of_the_google_carbon_list_are_known() -> None:
    path = SHARED / "recordings" / "google_region_carbon" / "2024" / "expected.csv"
    regions = [row["region"] for row in csv.DictReader(path.open(encoding="utf-8"))]
    unknown = [
        region for region in regions if (found := place("gcp", region)) is None or found.country is None
    ]
    assert unknown == []


@needs_shared
def test_every_region_of_the_market_table_is_understood() -> None:
    rows = csv.DictReader((SHARED / "market" / "offers_latest.csv").open(encoding="utf-8"))
    pairs = {(row["provider"], row["region"]) for row in rows if row["region"]}
    assert len(pairs) > 200
    assert [pair for pair in pairs if place(*pair) is None] == []
