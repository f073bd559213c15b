"""Publishing: only what changed, the front page and the manifest last, and safe to cut off."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest
from site_market import SmallMarket, ordinary
from test_site import build

from reports import publish as publishing
from reports.publish import PublishError, publish


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("published"), ordinary())


def site_of(tmp_path: Path, market: SmallMarket) -> Path:
    tmp_path.mkdir(exist_ok=True)
    return build(tmp_path, market)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_first_publish_copies_everything_and_a_second_one_nothing(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "www"
    done = publish(site, str(target))
    assert files(target) == files(site)
    assert done.sent == len(files(site)) - 1
    again = publish(site, str(target))
    assert (again.sent, again.removed) == (0, 0)
    assert again.same == done.sent


def test_only_what_changed_is_sent_and_what_is_gone_is_removed(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "www"
    publish(site, str(target))
    changed = ordinary()
    changed.rows["changes"].clear()
    sent: list[str] = []
    other = site_of(tmp_path / "b", changed)
    publish(other, str(target), step=sent.append)
    assert files(target) == files(other)
    assert "data/offers.parquet" not in sent
    assert "index.html" in sent


def test_the_front_page_goes_up_after_what_it_links_to(site: Path, tmp_path: Path) -> None:
    sent: list[str] = []
    publish(site, str(tmp_path / "www"), step=sent.append)
    assert sent[-1] == "index.html"
    assert sent.index("feed.xml") > max(sent.index(name) for name in sent if name.startswith("provider/a"))


def test_a_publish_that_was_cut_off_is_whole_after_the_next(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "www"
    first, second = site, site_of(tmp_path / "b", ordinary().change("gamma", 5.0, 6.9))
    publish(first, str(target))
    kept = publishing._write

    def fails(system: object, path: str, body: bytes) -> None:
        if path.endswith("feed.xml"):
            raise OSError("the line is down")
        kept(system, path, body)

    monkeypatch.setattr(publishing, "_write", fails)
    with pytest.raises(PublishError, match="publish again"):
        publish(second, str(target))
    assert (target / "index.html").read_bytes() == (first / "index.html").read_bytes()
    monkeypatch.setattr(publishing, "_write", kept)
    publish(first, str(target))  # back to the first one: what the second had sent is put right
    assert files(target) == files(first)


def test_an_object_store_gets_the_same_files(site: Path) -> None:
    publish(site, "memory://prices/site")
    system = fsspec.filesystem("memory")
    found = {
        name.removeprefix("/prices/site/"): system.cat_file(name) for name in system.find("/prices/site")
    }
    assert found == files(site)


def test_a_place_that_holds_something_else_is_refused(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "www"
    target.mkdir()
    (target / "thesis.txt").write_text("mine", "utf-8")
    with pytest.raises(PublishError, match="not a gpufare site"):
        publish(site, str(target))
    assert files(target) == {"thesis.txt": b"mine"}


def test_a_folder_without_a_site_and_an_unknown_address_say_what_to_do(site: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="run gpufare report"):
        publish(tmp_path, str(tmp_path / "www"))
    with pytest.raises(PublishError, match="nosuch://"):
        publish(site, "nosuch://bucket/x")


def test_no_password_of_an_address_is_told(site: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError) as caught:
        publish(site, "nosuch://user:hunter2@bucket/x?sig=abc")
    assert "hunter2" not in str(caught.value)
    assert "sig=abc" not in str(caught.value)


def test_a_manifest_cannot_name_files_outside_the_target(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "www"
    publish(site, str(target))
    manifest = json.loads((target / "manifest.json").read_text("utf-8"))
    manifest["files"]["../keep.txt"] = {"bytes": 1, "sha256": "0"}
    (target / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (tmp_path / "keep.txt").write_text("mine", "utf-8")
    publish(site, str(target))
    assert (tmp_path / "keep.txt").read_text("utf-8") == "mine"
