"""Watches: what the configuration waits for, whether it is there, and telling so by webhook or command.

```toml
[[watch]]
name = "H100 on demand under 2.00 in Europe"
gpu = "h100"                 # a part, a family or a name that means several
kind = "on_demand"           # one or several price kinds, separated by commas; this is the default
continent = "europe"         # also: country, region, provider, gpus (in the machine)
under = 2.00                 # USD per GPU-hour
webhook = "https://example.org/hook"          # or "secret:NAME", an address kept among the secrets
command = ["notify-send", "gpufare"]          # gets the same JSON on its standard input

[[watch]]
name = "B200 back at Lambda"
gpu = "b200"
provider = "lambda_cloud"
restocked = true             # a machine that the provider says is free
```

A watch is *met* by a fresh price only. It tells once when it becomes met, and again after it was not met in
between. What was told is kept in ``watches.json`` of the home folder; a message that could not be delivered
is tried again the next time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpufare.settings import Settings
from warehouse.errors import GpufareError, UsageError

STATE_FILE = "watches.json"
TIMEOUT_SECONDS = 10
COMMAND_SECONDS = 30
FRESH = ("ok", "aging")
PLACES = ("provider", "region", "country", "continent")
KEYS = frozenset({"name", "gpu", "kind", "gpus", "under", "restocked", "webhook", "command", *PLACES})
SECRET = "secret:"
KIND_WORDS = {"on_demand": "on demand"}
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch of the configuration; `webhook` may hold a secret and is never printed.

    Attributes:
        id: the name as a plain word, for the state file and the feed. gpu, kind, gpus and `places` (provider,
            region, country, continent): which offers. under: USD per GPU-hour. restocked: free machines only.
        webhook, command: how it tells; both may be missing, then the page and the feed tell.
    """

    id: str
    name: str
    gpu: str
    kind: str
    gpus: float | None
    places: Mapping[str, str]
    under: float | None
    restocked: bool
    webhook: str = ""
    command: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Watch({self.id!r})"

    @property
    def asks(self) -> str:
        """What it waits for, in words."""
        words = [self.gpu.upper() if self.gpu.islower() else self.gpu]
        words.append(", ".join(KIND_WORDS.get(kind, kind.replace("_", " ")) for kind in self.kind.split(",")))
        if self.gpus is not None:
            words.append(f"{self.gpus:g} in the machine")
        words += [f"{name} {value}" for name, value in self.places.items()]
        if self.under is not None:
            words.append(f"under ${self.under:.2f} per GPU-hour")
        return ", ".join(words) + (", free now" if self.restocked else "")


@dataclass(frozen=True, slots=True)
class Found:
    """What a watch says now: met, not_met or unknown, in words, with the offer behind it and since when."""

    watch: Watch
    state: str
    answer: str
    since: datetime | None
    offer: Mapping[str, Any] | None

    def record(self) -> dict[str, Any]:
        """For the site, the feed, the webhook and ``--json``; no address or command of the watch in it."""
        offer = self.offer or {}
        return {
            "id": self.watch.id,
            "name": self.watch.name,
            "asks": self.watch.asks,
            "state": self.state,
            "answer": self.answer,
            "since": self.since,
            "provider": offer.get("provider"),
            "instance_type": offer.get("instance_type"),
            "accelerator_id": offer.get("accelerator_id"),
            "region": offer.get("region"),
            "price_usd_per_gpu_hour": offer.get("price_usd_per_gpu_hour"),
            "available": offer.get("available"),
            "source_url": offer.get("source_url"),
        }


def read_watches(settings: Settings) -> tuple[Watch, ...]:
    """The watches of the configuration, checked.

    Raises:
        UsageError: an unknown or missing key, a value of the wrong kind, two watches of one name, a secret
            that is not set.
    """
    found = tuple(_watch(number, table, settings) for number, table in enumerate(settings.watches, 1))
    names = [watch.id for watch in found]
    twice = next((watch.name for watch in found if names.count(watch.id) > 1), None)
    if twice is not None:
        raise UsageError(f"two watches are called {twice!r}; give each a name of its own")
    return found


def check_watches(
    settings: Settings, market: Any, *, now: datetime, watches: Sequence[Watch] | None = None
) -> list[Found]:
    """What every watch says of the market `market` (a connection to the published copy) at `now`."""
    kept = _read_state(settings.home)
    chosen = read_watches(settings) if watches is None else watches
    return [_check(watch, market, kept.get(watch.id, {}), now) for watch in chosen]


def tell_watches(settings: Settings, found: Sequence[Found], *, now: datetime, tell: Tell) -> int:
    """Deliver what became met and was not told yet; keep what was told. Returns how many were delivered.

    `tell` gets one line per message and per failure; neither ever holds an address beyond its host.
    """
    kept = _read_state(settings.home)
    state: dict[str, dict[str, Any]] = {}
    delivered = 0
    for item in found:
        before = kept.get(item.watch.id, {})
        entry: dict[str, Any] = {"state": item.state, "since": _stamp(item.since)}
        if item.state == "unknown":  # nothing new is known: what was told stays told
            entry = {**entry, **before} if before else entry
        elif item.state == "met":
            told = before.get("told") if before.get("state") == "met" else None
            if not told and _deliver(item, tell):
                told, delivered = _stamp(now), delivered + 1
            entry["told"] = told
        state[item.watch.id] = entry
    if state or kept:
        _write_state(settings.home, state)
    return delivered


def send(item: Found, *, test: bool = False) -> list[str]:
    """Tell by every way that the watch has; the failures, one line each (empty: all went through)."""
    body = json.dumps(
        {"gpufare": "watch", "test": test, **item.record()}, default=_json_value, ensure_ascii=False
    ).encode()
    failures = []
    if item.watch.webhook:
        failures.append(_post(item.watch.webhook, body))
    if item.watch.command:
        failures.append(_run(item.watch.command, body))
    return [text for text in failures if text]


def _deliver(item: Found, tell: Tell) -> bool:
    failures = send(item)
    for text in failures:
        tell(f"watch {item.watch.name}: {text}; it is tried again next time")
    if not failures:
        tell(f"watch {item.watch.name}: {item.answer}")
    return not failures


def _check(watch: Watch, market: Any, before: Mapping[str, Any], now: datetime) -> Found:
    from warehouse.queries import OfferFilter, offers

    asked = OfferFilter(
        gpu=watch.gpu,
        gpus=watch.gpus,
        kinds=watch.kind,
        provider=watch.places.get("provider"),
        region=watch.places.get("region"),
        country=watch.places.get("country"),
        continent=watch.places.get("continent"),
    )
    try:
        answer = offers(market, asked, now=now)
    except UsageError as error:  # a provider or region that is not in this market (yet)
        return Found(watch, "unknown", str(error), None, None)
    rows = [
        row
        for row in answer.rows
        if row["price_usd_per_gpu_hour"] is not None
        and row["available"] is not False
        and not row["partition"]
    ]
    fresh = [row for row in rows if row["state"] in FRESH]
    able = [row for row in fresh if row["available"] or not watch.restocked]
    good = [row for row in able if watch.under is None or row["price_usd_per_gpu_hour"] < watch.under]
    if good:
        since = _time(before.get("since")) if before.get("state") == "met" else now
        return Found(watch, "met", _offer_words(good[0]), since or now, good[0])
    if able:
        return Found(watch, "not_met", f"the cheapest is {_offer_words(able[0])}", None, able[0])
    if fresh:
        return Found(watch, "not_met", "listed, but none is known to be free", None, None)
    if rows:
        return Found(watch, "unknown", f"only old prices: {_offer_words(rows[0])}", None, rows[0])
    return Found(watch, "not_met", "nobody lists one", None, None)


def _offer_words(row: Mapping[str, Any]) -> str:
    place = f", {row['region']}" if row["region"] else ""
    hours = row["age_hours"]
    seen = (
        "" if hours is None else f", seen {hours:.0f} h ago" if hours < 48 else f", {hours / 24:.0f} days old"
    )
    return f"${row['price_usd_per_gpu_hour']:.2f} per GPU-hour at {row['provider']}{place}{seen}"


def _watch(number: int, table: Mapping[str, Any], settings: Settings) -> Watch:
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f'watch {number} needs a name: name = "H100 under 2.00"')
    unknown = sorted(set(table) - KEYS)
    if unknown:
        raise UsageError(f"watch {name!r}: unknown key {unknown[0]!r}; known keys: {', '.join(sorted(KEYS))}")
    gpu = table.get("gpu")
    if not isinstance(gpu, str) or not gpu:
        raise UsageError(f'watch {name!r} needs a gpu: gpu = "h100"')
    under, gpus = (_positive(name, key, table.get(key)) for key in ("under", "gpus"))
    restocked = table.get("restocked", False)
    if not isinstance(restocked, bool):
        raise UsageError(f"watch {name!r}: restocked is true or false, found {restocked!r}")
    if under is None and not restocked:
        raise UsageError(f"watch {name!r} waits for nothing: give it under = 2.00 or restocked = true")
    _known_gpu(name, gpu)
    return Watch(
        id=re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or f"watch-{number}",
        name=name.strip(),
        gpu=gpu,
        kind=_word(name, "kind", table.get("kind", "on_demand")),
        gpus=gpus,
        places={key: _word(name, key, table[key]) for key in PLACES if key in table},
        under=under,
        restocked=restocked,
        webhook=_webhook(name, table.get("webhook", ""), settings),
        command=_command(name, table.get("command", [])),
    )


def _positive(name: str, key: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise UsageError(f"watch {name!r}: {key} must be a number above 0, found {value!r}")
    return float(value)


def _word(name: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"watch {name!r}: {key} must be text, found {value!r}")
    return value


def _known_gpu(name: str, gpu: str) -> None:
    from warehouse.identify import match_gpu_filter

    try:
        match_gpu_filter(gpu)
    except UsageError as error:
        raise UsageError(f"watch {name!r}: {error}") from None


def _webhook(name: str, value: Any, settings: Settings) -> str:
    if not isinstance(value, str):
        raise UsageError(f"watch {name!r}: webhook must be an address or secret:NAME")
    if value.startswith(SECRET):
        key = value.removeprefix(SECRET)
        if not settings.secrets.get(key):
            raise UsageError(f"watch {name!r}: the secret {key} of its webhook is not set")
        value = settings.secrets[key]
    if value and not re.match(r"https?://[^/\s]+", value):
        raise UsageError(f"watch {name!r}: its webhook is no http(s) address")
    return str(value)


def _command(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise UsageError(f'watch {name!r}: command is a list of words: ["notify-send", "gpufare"]')
    return tuple(value)


def _post(address: str, body: bytes) -> str:
    """Send JSON; the failure in words, without the address beyond its host."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    host = urlsplit(address).hostname or "the webhook"
    request = Request(address, data=body, headers={"Content-Type": "application/json"}, method="POST")
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS):
            return ""
    except HTTPError as error:
        return f"the webhook at {host} answered {error.code}"
    except (URLError, OSError, HTTPException, ValueError) as error:
        return f"the webhook at {host} could not be reached ({type(error).__name__})"


def _run(command: Sequence[str], body: bytes) -> str:
    """Run the command with the JSON on its standard input, no shell; the failure in words."""
    import subprocess

    try:
        done = subprocess.run(
            list(command), input=body, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the command {command[0]} took longer than {COMMAND_SECONDS} s"
    except OSError as error:
        return f"the command {command[0]} could not be started ({error.strerror})"
    return "" if done.returncode == 0 else f"the command {command[0]} ended with {done.returncode}"


def _read_state(home: Path) -> dict[str, dict[str, Any]]:
    """What was told; nothing where there is no file yet or it is broken."""
    try:
        found = json.loads((home / STATE_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, dict)}


def _write_state(home: Path, state: Mapping[str, Any]) -> None:
    file = home / STATE_FILE
    beside = file.with_suffix(".new")
    try:
        beside.write_text(json.dumps(state, indent=1) + "\n", "utf-8")
        beside.replace(file)
    except OSError as error:
        raise GpufareError(f"{file} cannot be written: {error.strerror}") from None


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _json_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
