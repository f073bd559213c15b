"""Watches: read with one clear line for every mistake, met by fresh prices only, told once."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from site_market import NOW, SmallMarket

from gpufare.settings import Settings, load_settings
from gpufare.watches import check_watches, read_watches, send, tell_watches
from warehouse.errors import UsageError

H100 = {"name": "H100 under 2", "gpu": "h100", "under": 2.0}


def settings_of(home: Path, *tables: dict[str, Any], **secrets: str) -> Settings:
    return Settings(home=home, watches=tables, secrets=secrets)


def market_of(usd: float, **changed: Any) -> Any:
    market = SmallMarket().provider("alpha").offer("alpha", "h100-sxm5-80gb", usd, **changed)
    con = market.build()
    con.execute("ALTER TABLE offers ADD COLUMN fast BOOLEAN DEFAULT false")
    for name in ("newest_list_at", "newest_fast_at"):
        con.execute(f"ALTER TABLE offers ADD COLUMN {name} TIMESTAMPTZ")
    con.execute("UPDATE offers SET newest_list_at = observed_at")
    con.execute("CREATE TABLE offer_keys AS SELECT * FROM offers")
    return con


def answer(home: Path, con: Any, table: dict[str, Any]) -> Any:
    return check_watches(settings_of(home, table), con, now=NOW)[0]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"gpu": "h100", "under": 2}, "needs a name"),
        ({"name": "x", "under": 2}, "needs a gpu"),
        ({"name": "x", "gpu": "h100"}, "waits for nothing"),
        ({"name": "x", "gpu": "h100", "under": "two"}, "under must be a number"),
        ({"name": "x", "gpu": "h100", "under": -1}, "above 0"),
        ({"name": "x", "gpu": "no-such-gpu", "under": 1}, "'x'.*no-such-gpu"),
        ({"name": "x", "gpu": "h100", "under": 1, "colour": "red"}, "unknown key 'colour'"),
        ({"name": "x", "gpu": "h100", "under": 1, "webhook": "file:///etc/passwd"}, "no http"),
        ({"name": "x", "gpu": "h100", "under": 1, "webhook": "secret:HOOK_TOKEN"}, "HOOK_TOKEN.*not set"),
        ({"name": "x", "gpu": "h100", "under": 1, "command": "rm -rf /"}, "list of words"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_watch(tmp_path: Path, table: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_watches(settings_of(tmp_path, table))


def test_two_watches_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two watches"):
        read_watches(settings_of(tmp_path, H100, {**H100, "under": 1.0}))


def test_watches_are_read_from_the_configuration_file(tmp_path: Path) -> None:
    text = '[[watch]]\nname = "a"\ngpu = "h100"\nunder = 2\n'
    (tmp_path / "gpufare.toml").write_text(text, "utf-8")
    assert [watch.name for watch in read_watches(load_settings(str(tmp_path), {}))] == ["a"]
    (tmp_path / "gpufare.toml").write_text("watch = 3\n", "utf-8")
    with pytest.raises(UsageError, match="must be tables"):
        load_settings(str(tmp_path), {})


def test_a_price_below_the_threshold_meets_it_and_one_at_it_does_not(tmp_path: Path) -> None:
    met = answer(tmp_path, market_of(1.99), H100)
    assert (met.state, met.since) == ("met", NOW)
    assert "$1.99 per GPU-hour at alpha" in met.answer
    missed = answer(tmp_path, market_of(2.0), H100)
    assert missed.state == "not_met"
    assert "the cheapest is $2.00" in missed.answer


def test_an_old_price_meets_nothing(tmp_path: Path) -> None:
    old = answer(tmp_path, market_of(1.0, observed_at=NOW - timedelta(days=40)), H100)
    assert old.state == "unknown"
    assert "only old prices" in old.answer


@pytest.mark.parametrize(("free", "state"), [(True, "met"), (None, "not_met"), (False, "not_met")])
def test_back_in_stock_needs_a_machine_that_is_said_to_be_free(
    tmp_path: Path, free: bool | None, state: str
) -> None:
    table = {"name": "back", "gpu": "h100", "restocked": True}
    assert answer(tmp_path, market_of(3.0, available=free), table).state == state


def test_a_place_narrows_it_down_and_an_unknown_place_is_not_known(tmp_path: Path) -> None:
    assert answer(tmp_path, market_of(1.0), {**H100, "continent": "europe"}).state == "not_met"
    assert answer(tmp_path, market_of(1.0), {**H100, "continent": "north_america"}).state == "met"
    assert answer(tmp_path, market_of(1.0), {**H100, "provider": "nobody"}).state == "unknown"


class Hook(BaseHTTPRequestHandler):
    seen: list[dict[str, Any]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append(json.loads(body))
        self.send_response(type(self).status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def hook() -> Iterator[tuple[type[Hook], str]]:
    handler = type("OneHook", (Hook,), {"seen": [], "status": 200})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}/services/T0P/s3cr3t"
    server.shutdown()
    server.server_close()


def test_what_becomes_met_is_told_once_and_again_after_a_pause(
    tmp_path: Path, hook: tuple[type[Hook], str]
) -> None:
    handler, address = hook
    table = {**H100, "webhook": address}
    said: list[str] = []
    for usd, told in ((1.9, 1), (1.8, 1), (2.5, 1), (1.7, 2)):
        settings = settings_of(tmp_path, table)
        found = check_watches(settings, market_of(usd), now=NOW)
        tell_watches(settings, found, now=NOW, tell=said.append)
        assert len(handler.seen) == told
    assert handler.seen[0]["state"] == "met"
    assert handler.seen[0]["price_usd_per_gpu_hour"] == 1.9
    assert "s3cr3t" not in json.dumps(handler.seen) + "".join(said)


def test_a_message_that_failed_is_tried_again_and_the_log_keeps_the_secret(
    tmp_path: Path, hook: tuple[type[Hook], str]
) -> None:
    handler, address = hook
    settings = settings_of(tmp_path, {**H100, "webhook": "secret:HOOK_TOKEN"}, HOOK_TOKEN=address)
    said: list[str] = []
    handler.status = 500
    for status, told in ((500, 0), (200, 1), (200, 0)):
        handler.status = status
        found = check_watches(settings, market_of(1.0), now=NOW)
        assert tell_watches(settings, found, now=NOW, tell=said.append) == told
    assert len(handler.seen) == 2
    assert "the webhook at 127.0.0.1 answered 500" in said[0]
    assert "s3cr3t" not in "".join(said) + (tmp_path / "watches.json").read_text("utf-8")
    assert "s3cr3t" not in repr(found) + repr(settings)


def test_a_host_that_does_not_answer_is_a_line_and_no_crash(tmp_path: Path) -> None:
    found = answer(tmp_path, market_of(1.0), {**H100, "webhook": "http://127.0.0.1:9/x"})
    assert send(found) == ["the webhook at 127.0.0.1 could not be reached (URLError)"]


def test_a_command_gets_the_record_on_its_standard_input_without_a_shell(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code = f"import sys, pathlib; pathlib.Path({str(out)!r}).write_text(sys.stdin.read())"
    found = answer(tmp_path, market_of(1.0), {**H100, "command": [sys.executable, "-c", code]})
    assert send(found, test=True) == []
    told = json.loads(out.read_text("utf-8"))
    assert (told["name"], told["test"], told["provider"]) == ("H100 under 2", True, "alpha")
    broken = answer(tmp_path, market_of(1.0), {**H100, "command": ["/no/such/program; true"]})
    assert "could not be started" in send(broken)[0]
