"""Two times on every fact: what was true at the provider, and since when this warehouse knew it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gpufare.cli.main import main
from tests.warehouse_runs import ask, day, fleet, load, offer, write_run
from warehouse.as_of import open_as_of
from warehouse.database import open_warehouse
from warehouse.errors import NothingFoundError
from warehouse.ingest import ingest
from warehouse.queries import OfferFilter, offers, open_market, run_sql


def known(home: Path, moment: datetime) -> dict[str, float]:
    """Prices by machine as known at a moment, by both ways of asking, which must agree."""
    connection = open_market(home)
    rows = offers(connection, OfferFilter(as_of=moment, include_stale=True), now=moment).rows
    connection.close()
    inline = {row["instance_type"]: row["price_per_hour"] for row in rows}
    connection = open_as_of(home, moment)
    laid = run_sql(connection, "SELECT instance_type, price_per_hour FROM offers")[1]
    connection.close()
    assert {row["instance_type"]: row["price_per_hour"] for row in laid} == inline
    return inline


def revise(home: Path, first: Path, records: list[Any], moment: datetime, now: datetime) -> Any:
    """Load a second parse of a run folder, as reparse makes it, at `now`."""
    made = write_run(home / "scratch", records, moment)
    folder = made.rename(first.with_name(f"{first.name}.r2"))
    return ingest(home, [folder], now=now)[0]


def test_what_was_loaded_later_is_not_known_earlier(tmp_path: Path) -> None:
    load(tmp_path, [offer("a", "2")], day(0))
    late = write_run(tmp_path / "runs", [offer("a", "3")], day(2))
    ingest(tmp_path, [late], now=day(5))
    assert known(tmp_path, day(1)) == {"a": 2.0}
    assert known(tmp_path, day(3)) == {"a": 2.0}, "the run of day 2 was loaded on day 5"
    assert known(tmp_path, day(6)) == {"a": 3.0}


def test_a_backfilled_run_changes_the_past_only_for_those_who_ask_later(tmp_path: Path) -> None:
    load(tmp_path, [offer("a", "2")], day(0))
    load(tmp_path, [offer("a", "2")], day(4))
    old = write_run(tmp_path / "runs", [offer("a", "2.4")], day(2))
    ingest(tmp_path, [old], now=day(6))
    assert known(tmp_path, day(3)) == {"a": 2.0}
    assert known(tmp_path, day(5)) == {"a": 2.0}
    spans = ask(tmp_path, "SELECT valid_from, price_per_hour FROM spans ORDER BY valid_from")
    assert [(row["valid_from"], row["price_per_hour"]) for row in spans] == [
        (day(0), 2.0),
        (day(2), 2.4),
        (day(4), 2.0),
    ]


def test_an_end_is_not_known_before_it_is_sure(tmp_path: Path) -> None:
    load(tmp_path, [offer("a"), offer("b")], day(0))
    for number in (1, 2, 3):
        load(tmp_path, [offer("a")], day(number))
    assert set(known(tmp_path, day(1.5))) == {"a", "b"}
    assert set(known(tmp_path, day(2.5))) == {"a", "b"}
    assert set(known(tmp_path, day(3.5))) == {"a"}
    connection = open_as_of(tmp_path, day(2.5))
    rows = run_sql(connection, "SELECT missing_runs FROM offers WHERE instance_type = 'b'")[1]
    connection.close()
    assert rows == [{"missing_runs": 2}]


def test_a_revision_answers_now_and_the_first_parse_answers_for_then(tmp_path: Path) -> None:
    first = write_run(tmp_path / "runs", [offer("a", "20"), offer("b", "3")], day(0))
    ingest(tmp_path, [first], now=day(0))
    load(tmp_path, [offer("a", "20"), offer("b", "3")], day(1))
    result = revise(tmp_path, first, [offer("a", "2.5"), offer("b", "3"), offer("c", "4")], day(0), day(5))
    assert result.state == "good"
    assert known(tmp_path, day(0.5)) == {"a": 20.0, "b": 3.0}
    assert known(tmp_path, day(4)) == {"a": 20.0, "b": 3.0}
    prices = ask(
        tmp_path,
        "SELECT instance_type, price_per_hour FROM spans JOIN offer_keys USING (offer_id) "
        "WHERE valid_from = TIMESTAMPTZ '2026-11-10 06:00:00+00' ORDER BY 1",
    )
    assert [row["price_per_hour"] for row in prices] == [2.5, 3.0, 4.0]
    runs = ask(tmp_path, "SELECT revision, state, superseded_state FROM runs ORDER BY observed_at, revision")
    assert [(row["revision"], row["state"], row["superseded_state"]) for row in runs] == [
        (1, "superseded", "good"),
        (2, "good", None),
        (1, "good", None),
    ]
    with open_warehouse(tmp_path) as connection:  # the first parse is kept whole
        kept = connection.execute(
            "SELECT count(*) FROM raw_sightings JOIN runs USING (run_no) WHERE revision = 1"
        ).fetchall()
    assert kept == [(4,)]


def test_a_revision_of_the_newest_run_is_todays_market(tmp_path: Path) -> None:
    first = write_run(tmp_path / "runs", fleet(3, "20"), day(0))
    ingest(tmp_path, [first], now=day(0))
    revise(tmp_path, first, fleet(3, "2.5"), day(0), day(2))
    assert {row["price_per_hour"] for row in ask(tmp_path, "SELECT price_per_hour FROM offers")} == {2.5}
    days = ask(tmp_path, "SELECT median_usd_per_gpu_hour AS usd FROM price_days")
    assert days == [{"usd": 2.5}]
    connection = open_as_of(tmp_path, day(1))
    then = run_sql(connection, "SELECT median_usd_per_gpu_hour AS usd FROM price_days")[1]
    states = run_sql(connection, "SELECT state FROM runs")[1]
    connection.close()
    assert (then, states) == ([{"usd": 20.0}], [{"state": "good"}])


def test_a_revision_that_is_held_supersedes_nothing(tmp_path: Path) -> None:
    first = write_run(tmp_path / "runs", fleet(12, "2.5"), day(0))
    ingest(tmp_path, [first], now=day(0))
    unknown = [offer(f"m{number}", "2.5", gpu_name_raw="Mystery 9000") for number in range(12)]
    result = revise(tmp_path, first, unknown, day(0), day(1))
    assert result.state == "held"
    assert len(ask(tmp_path, "SELECT * FROM offers")) == 12
    states = ask(tmp_path, "SELECT state FROM runs ORDER BY revision")
    assert [row["state"] for row in states] == ["good", "held"]


def test_an_attribute_that_changed_is_remembered_as_it_was(tmp_path: Path) -> None:
    load(tmp_path, [offer("a", vcpus=8.0)], day(0))
    load(tmp_path, [offer("a", vcpus=16.0)], day(2))
    connection = open_market(tmp_path)
    found = [
        offers(connection, OfferFilter(as_of=day(number)), now=day(3)).rows[0]["vcpus"] for number in (1, 2.5)
    ]
    connection.close()
    assert found == [8.0, 16.0]


def test_before_the_first_fact_there_is_an_answer_in_words(tmp_path: Path) -> None:
    load(tmp_path, fleet(1), day(0))
    with pytest.raises(
        NothingFoundError, match=r"knew nothing on 2026-11-09 .* first facts are of 2026-11-10"
    ):
        open_as_of(tmp_path, day(-1))


@pytest.mark.parametrize(
    "command",
    [
        ["offers"],
        ["history", "--gpu", "h100"],
        ["providers"],
        ["gpus"],
        ["quarantine", "list"],
        ["changes", "--since", "2026-11-01"],
        ["sql", "SELECT instance_type, price_per_hour FROM offers"],
        ["recommend", "serve", "--model", "llama-3.1-8b", "--requests-per-second", "1"],
    ],
)
def test_every_reading_command_takes_as_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    load(tmp_path, fleet(2, "2"), day(0))
    load(tmp_path, [*fleet(2, "7"), offer("new", "1")], day(3))
    code = main(["--home", str(tmp_path), *command, "--as-of", "2026-11-12", "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code in (0, 3)
    assert body["as_of"].startswith("2026-11-12")
    text = json.dumps(body["data"])
    assert "new" not in text.replace("newest", "")
    if command[0] in ("offers", "sql"):
        assert {row["price_per_hour"] for row in body["data"]} == {2.0}
    if command[0] == "recommend":
        assert body["data"][0]["offer"]["price_per_hour"] == 2.0
    if command[0] == "changes":
        assert body["data"] == []


def test_as_of_tomorrow_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, fleet(1), day(0))
    assert main(["--home", str(tmp_path), "gpus", "--as-of", "2999-01-01"]) == 2
    assert "lies in the future" in capsys.readouterr().err
