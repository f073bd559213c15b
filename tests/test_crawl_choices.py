"""What the configuration chooses reaches the spider: options, switches, signatures; on a loopback server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpufare.settings import Settings, load_settings
from gpufare.sources import check_choices, crawl_options
from tests.crawl_server import Answer, provider, run_one, write_spider
from warehouse.errors import UsageError
from warehouse.run_folder import read_run_folder

REGIONAL = """
def requests(self):
    for region in self.regions(["north", "south"], ["north"]):
        yield self.get("{url}/" + region, self.parse)
    yield self.get("{url}/spot", self.parse, source="cloud:spot")
"""
FACTS = 'options = {"regions": "regions that are read"}\nsources = ("cloud", "cloud:spot")'


def cloud(tmp_path: Path, url: str) -> None:
    write_spider(tmp_path / "spiders", "cloud", REGIONAL.replace("{url}", url), facts=FACTS)


def asked(host: Any) -> set[str]:
    return {path for _, path, _ in host.asked} - {"/robots.txt"}


def test_options_reach_the_spider_and_its_replay_takes_the_same_way(tmp_path: Path) -> None:
    with provider(north=Answer(), south=Answer(), spot=Answer()) as host:
        cloud(tmp_path, host.url)
        assert run_one(tmp_path, "cloud").offers == 2
        assert asked(host) == {"/north", "/spot"}
        chosen = {"cloud": {"regions": ["south", "north"]}}
        result = run_one(tmp_path, "cloud", choices=chosen)
    assert asked(host) == {"/north", "/south", "/spot"}
    assert result.offers == 3
    assert result.folder is not None
    assert json.loads(read_run_folder(result.folder).source["options"]) == chosen["cloud"]
    again = run_one(tmp_path, "cloud", replay=[result.folder])
    assert (again.state, again.offers) == ("good", 3)


@pytest.mark.parametrize(("off", "paths"), [("cloud:spot", {"/north"}), ("cloud:cloud", {"/spot"})])
def test_a_source_that_is_switched_off_gets_no_request(tmp_path: Path, off: str, paths: set[str]) -> None:
    with provider(north=Answer(), spot=Answer()) as host:
        cloud(tmp_path, host.url)
        result = run_one(tmp_path, "cloud", switched_off=frozenset({off, "other:spot"}))
    assert asked(host) == paths
    assert (result.state, result.offers) == ("good", 1)


def test_a_signed_request_carries_its_signature_and_the_archive_none_of_it(tmp_path: Path) -> None:
    facts = 'credential = ("A_KEY", "A_SECRET")'
    body = """
        def requests(self):
            from crawlers.signing import Signature
            sign = Signature("aws", "A_KEY", "A_SECRET", "A_TOKEN", service="ec2", region="eu-west-1")
            yield self.get("{url}/a?Action=X", self.parse, sign=sign)
    """
    secrets = {"A_KEY": "AKIDMADEUP1234567", "A_SECRET": "made-up-secret-7654321"}
    busy = Answer(b"", 503)
    with provider(a=lambda count: busy if count == 1 else Answer()) as host:
        write_spider(tmp_path / "spiders", "cloud", body.replace("{url}", host.url), facts=facts)
        result = run_one(tmp_path, "cloud", secrets=secrets)
    sent = [headers for _, path, headers in host.asked if path == "/a"]
    assert len(sent) == 2
    assert all("Credential=AKIDMADEUP1234567/" in headers["Authorization"] for headers in sent)
    assert all(headers["X-Amz-Date"].endswith("Z") for headers in sent)
    assert (result.state, result.offers) == ("good", 1)
    assert result.folder is not None
    kept = b"".join(file.read_bytes() for file in result.folder.iterdir())
    assert not any(secret.encode() in kept for secret in secrets.values())
    assert b"Signature=" not in kept


def test_the_choices_of_the_configuration_are_those_of_the_crawl(tmp_path: Path) -> None:
    (tmp_path / "gpufare.toml").write_text(
        'off = ["aws:spot"]\n[options.aws]\nregions = ["eu-west-2"]\n', "utf-8"
    )
    settings = load_settings(str(tmp_path), {})
    check_choices(settings)
    options = crawl_options(settings)
    assert options.choices == {"aws": {"regions": ["eu-west-2"]}}
    assert options.switched_off == {"aws:spot"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"switched_off": frozenset({"aws:sopt"})}, "did you mean aws:spot"),
        ({"switched_off": frozenset({"runpdo"})}, "did you mean runpod"),
        ({"switched_on": frozenset({"aws:spot"})}, "key on names 'aws:spot'"),
        ({"options": {"awz": {"regions": ["x"]}}}, "key options names 'awz'"),
        ({"options": {"aws": {"region": ["x"]}}}, "no such option; it has regions"),
        ({"options": {"akash": {"regions": ["x"]}}}, "no such option; it has none"),
        ({"options": {"aws": {"regions": "eu-west-2"}}}, "must be a list"),
    ],
)
def test_a_misspelt_choice_is_refused_in_one_line(
    tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        check_choices(Settings(home=tmp_path, **settings))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["options = 3", "[options]\naws = 1", "[options.aws]\nregions = [1]"])
def test_options_of_another_shape_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "gpufare.toml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match="options"):
        load_settings(str(tmp_path), {})
