"""`gpufare scaffold`: the files it writes run at once, say what they found, and replace nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crawlers.discover import find_card, load_spider
from crawlers.first_look import look_at_json
from gpufare.cli.main import main
from gpufare.cli.scaffold import checked_url
from gpufare.scaffold import Source, spider_text
from tests.spider_harness import replay
from warehouse.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("crawlers", "gpufare", "warehouse", "recommender", "reports")
URL = "https://api.acme.example/v1/machines?all=1"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Folders that look like a source checkout."""
    root = tmp_path / "checkout"
    for folder in ("crawlers/spiders", "tests/fixtures"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text("", "utf-8")
    return root


def scaffold(
    root: Path, name: str = "acme_cloud", title: str = "Acme Cloud", url: str = URL, *more: str
) -> int:
    return main(["scaffold", name, "--title", title, "--url", url, "--checkout", str(root), *more])


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("kind", "found", "fields"),
    [
        ("--json", "2 rows in machines[]", {"machines[].gpu": 2, "machines[].price_per_hour": 2}),
        (
            "--html",
            "table 1 with 2 rows under GPU, GPUs, VRAM, Price",
            {"table 1: GPU": 2, "prices in text": 2},
        ),
    ],
)
def test_a_new_spider_is_held_with_what_it_found_and_every_field_counts_as_unused(
    checkout: Path, kind: str, found: str, fields: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"acme_{kind[2:]}"
    assert scaffold(checkout, name, "Acme {Cloud} é", URL, kind) == 0
    spiders = checkout / "crawlers" / "spiders"
    card = find_card(name, spiders)
    assert (card.title, card.default_on, card.hosts) == ("Acme {Cloud} é", False, {"api.acme.example"})
    monkeypatch.setattr("tests.spider_harness.spider_class", lambda _: load_spider(name, spiders))
    result = replay(checkout / "tests" / "fixtures" / name / "documented")
    assert result.report.state == "held"
    assert result.records == []
    assert "no field is mapped yet" in str(result.report.reason)
    assert found in str(result.report.reason)
    assert fields.items() <= result.report.unused_fields.items()


def test_in_a_copy_of_the_tree_crawl_dry_run_reads_the_new_provider(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "fixtures").mkdir(parents=True)

    def gpufare(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gpufare", "--home", str(tmp_path / "home"), *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    made = gpufare("scaffold", "acme_cloud", "--title", "Acme Cloud", "--url", URL)
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines() == [
        "crawlers/spiders/acme_cloud.py",
        "tests/fixtures/acme_cloud/documented/prices.json",
        "tests/fixtures/acme_cloud/documented/run.json",
    ]
    assert "gpufare crawl acme_cloud --dry-run" in made.stderr
    tried = gpufare("crawl", "--replay", "tests/fixtures/acme_cloud", "--dry-run")
    assert tried.returncode == 1
    assert "acme_cloud: held: acme_cloud: no field is mapped yet; the answer holds 2 rows" in tried.stderr
    assert "acme_cloud: unused field machines[].price_per_hour in 2 rows" in tried.stderr


def test_the_new_spider_passes_the_formatter_and_the_linter(tmp_path: Path) -> None:
    folder = tmp_path / "spiders"
    folder.mkdir()
    for html in (False, True):
        source = Source("acme_cloud", "Acme Cloud", URL, html)
        (folder / f"acme_{html}.py").write_text(spider_text(source), "utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["format", "--check"], ["check"]):
        command = [*ruff, *words, "--no-cache", "--config", str(ROOT / "pyproject.toml"), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_ever_overwritten(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scaffold(checkout) == 0
    spider = checkout / "crawlers" / "spiders" / "acme_cloud.py"
    spider.write_text("mine", "utf-8")
    capsys.readouterr()
    assert scaffold(checkout) == 2
    assert "crawlers/spiders/acme_cloud.py exists and is not overwritten" in capsys.readouterr().err
    spider.unlink()
    assert scaffold(checkout) == 2
    assert "tests/fixtures/acme_cloud exists" in capsys.readouterr().err
    assert not spider.exists()


def test_where_a_file_cannot_be_written_none_is_left(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(checkout / "tests" / "fixtures")
    (checkout / "tests" / "fixtures").write_text("a file in the way", "utf-8")
    assert scaffold(checkout) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert files(checkout) == {"pyproject.toml", "tests/fixtures"}


@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "acme-cloud",
        "../acme",
        "acme/x",
        "_acme",
        "acme_",
        "a__b",
        "9acme",
        "class",
        "é",
        "a" * 41,
        "",
    ],
)
def test_a_bad_name_is_refused_in_one_line(
    checkout: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert scaffold(checkout, name) == 2
    told = capsys.readouterr()
    assert "cannot be a provider's name" in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert files(checkout) == {"pyproject.toml"}


@pytest.mark.parametrize("title", ["", "  ", "two\nlines", 'a "quoted" one', "back\\slash", "x" * 61])
def test_a_title_that_would_break_the_code_is_refused(
    checkout: Path, capsys: pytest.CaptureFixture[str], title: str
) -> None:
    assert scaffold(checkout, "acme_cloud", title) == 2
    assert "--title" in capsys.readouterr().err
    assert files(checkout) == {"pyproject.toml"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("api.acme.example/v1", "write it whole"),
        ("http://api.acme.example/v1", "write it whole"),
        ("https://localhost/v1", "write it whole"),
        ("https://[acme.example/", "write it whole"),
        ("https://acme.example:port/", "write it whole"),
        ('https://acme.example/"+x', "write it whole"),
        ("https://acme.example/a b", "write it whole"),
        ("https://me:secret@acme.example/", "carries a credential"),
        ("https://acme.example/?api_key=abc", "carries a credential"),
        ("https://acme.example/?access-token=", "carries a credential"),
    ],
)
def test_an_address_that_cannot_be_asked_or_committed_is_refused(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        checked_url(url)


def test_outside_a_checkout_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scaffold(tmp_path) == 2
    told = capsys.readouterr().err
    assert "is no source checkout of gpufare" in told
    assert told.count("\n") == 1


def test_html_and_json_exclude_one_another(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scaffold(checkout, "acme_cloud", "Acme", URL, "--html", "--json") == 2
    assert "exclude one another" in capsys.readouterr().err


def test_a_first_look_sees_nested_lists_maps_and_single_objects() -> None:
    answer = json.loads(
        '{"total": 2, "page": {"next": null}, "plans": '
        '[{"id": "a", "zones": [{"name": "x"}, {"name": "y"}]}], '
        '"prices": {"h100": {"usd": 2}, "l4": {"usd": 1}}, "tags": ["gpu"]}'
    )
    look = look_at_json(answer)
    assert look.fields == {
        "total": 1,
        "tags": 1,
        "plans[].id": 1,
        "plans[].zones[].name": 2,
        "prices{}.usd": 2,
        "page.next": 1,
    }
    assert str(look_at_json([])) == "nothing that looks like rows or prices"
    assert str(look_at_json("an error")) == "nothing that looks like rows or prices"
