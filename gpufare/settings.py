"""Settings: the only reader of the environment and of the configuration file.

Order, later wins: defaults, ``gpufare.toml`` (in the home folder, or where ``GPUFARE_CONFIG`` points), the
environment, the command line. Everything else in the project takes arguments.

```toml
contact = "ops@example.org"        # sent in the User-Agent, so that a provider can reach you
concurrency = 3                    # providers crawled side by side
off = ["runpod", "aws:spot"]       # providers or single sources that are never asked
on = ["coreweave"]                 # sources that are off by default
secrets_file = "~/.config/gpufare/secrets.toml"   # NAME = "value" lines, mode 600
report_at = "06:30"                # UTC, for `gpufare schedule`
site_url = "https://prices.example.org/"   # where the site is published: sitemap, preview image, JSON feed

[[watch]]                          # see gpufare.watches
name = "H100 under 2.00"
gpu = "h100"
under = 2.00

[options.aws]                      # choices of one source; docs/sources.md lists which it has
regions = ["us-east-1", "eu-west-2"]
```
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warehouse.errors import UsageError

PROJECT_URL = ""
KNOWN_KEYS = {
    *("contact", "project_url", "concurrency", "off", "on", "secrets_file", "report_at", "options"),
    *("watch", "site_url"),
}
NETWORK_KEYS = {
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
}
SECRET_ENDINGS = (
    "_KEY",
    "_TOKEN",
    "_SECRET",
    "_SECRET_KEY",
    "_CLIENT_ID",
    "_PASSWORD",
    "_USERNAME",
    "_ID",
    "_TEAM",
    "_ORGANIZATION",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured.

    Attributes:
        home: folder of run folders, warehouse, market and site.
        contact: a person's address for the User-Agent; empty says none was configured.
        project_url: page about this crawler for the User-Agent.
        concurrency: providers crawled side by side.
        switched_off, switched_on: provider or source ids.
        options: choices by provider and option, as written; `gpufare.sources` checks that there are such.
        secrets: credentials by environment name; never printed (kept out of `repr`).
        report_at: hour and minute (UTC) of the daily report of `gpufare schedule`.
        site_url: where the site is published; empty where that is not said.
        watches: the [[watch]] tables as written; `gpufare.watches` checks them.
        plain: True where colour and animation are unwanted (NO_COLOR or a dumb terminal).
        network_environment: proxies and certificate files that crawl processes need.
    """

    home: Path
    contact: str = ""
    project_url: str = PROJECT_URL
    concurrency: int = 3
    switched_off: frozenset[str] = frozenset()
    switched_on: frozenset[str] = frozenset()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    report_at: tuple[int, int] = (6, 30)
    site_url: str = ""
    watches: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    plain: bool = False
    network_environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> Path:
        """Folder of the run folders."""
        return self.home / "runs"


def load_settings(home: str | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read configuration file and environment.

    Args:
        home: the command line's ``--home``; wins over ``GPUFARE_HOME`` and the default.
        environment: for tests; the process environment where None.

    Raises:
        UsageError: the file is unreadable, or holds an unknown or malformed key.
    """
    env = os.environ if environment is None else environment
    folder = _home(home, env)
    config = _read_config(folder, env)
    secrets = {**_read_secrets_file(config.get("secrets_file")), **_secrets_from(env)}
    return Settings(
        home=folder,
        contact=_text(config, "contact", ""),
        project_url=_text(config, "project_url", PROJECT_URL),
        concurrency=_whole(config, "concurrency", 3, low=1, high=16),
        switched_off=frozenset(_names(config, "off")),
        switched_on=frozenset(_names(config, "on")),
        options=_options(config),
        secrets=secrets,
        report_at=_time_of_day(_text(config, "report_at", "06:30")),
        site_url=_web_address(config, "site_url"),
        watches=_watches(config),
        plain=bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb",
        network_environment={key: value for key, value in env.items() if key in NETWORK_KEYS},
    )


def _home(home: str | None, env: Mapping[str, str]) -> Path:
    chosen = home or env.get("GPUFARE_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    data = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".local" / "share")
    return Path(data) / "gpufare"


def _read_config(home: Path, env: Mapping[str, str]) -> dict[str, Any]:
    named = env.get("GPUFARE_CONFIG")
    file = Path(named).expanduser() if named else home / "gpufare.toml"
    if not file.exists():
        if named:
            raise UsageError(
                f"GPUFARE_CONFIG names {file}, which does not exist; create it or unset the variable"
            )
        return {}
    config = _read_toml(file)
    unknown = sorted(set(config) - KNOWN_KEYS)
    if unknown:
        raise UsageError(f"{file}: unknown key {unknown[0]!r}; known keys: {', '.join(sorted(KNOWN_KEYS))}")
    return config


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as TOML: {error}") from None


def _read_secrets_file(name: object) -> dict[str, str]:
    if not name:
        return {}
    file = Path(str(name)).expanduser()
    if not file.exists():
        raise UsageError(
            f"secrets_file {file} does not exist; create it or take the key out of the configuration"
        )
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"secrets_file {file} can be read by others; run: chmod 600 {file}")
    return {key: str(value) for key, value in _read_toml(file).items()}


def _secrets_from(env: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in env.items() if value and key.endswith(SECRET_ENDINGS)}


def _text(config: dict[str, Any], key: str, default: str) -> str:
    value = config.get(key, default)
    if not isinstance(value, str) or any(ord(character) < 32 for character in value):
        raise UsageError(f"configuration key {key} must be one line of text, found {value!r}")
    return value


def _whole(config: dict[str, Any], key: str, default: int, *, low: int, high: int) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(
            f"configuration key {key} must be a whole number from {low} to {high}, found {value!r}"
        )
    return value


def _names(config: dict[str, Any], key: str) -> list[str]:
    value = config.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"configuration key {key} must be a list of provider ids, found {value!r}")
    return value


def _options(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    value = config.get("options", {})
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise UsageError("configuration key options must be tables: [options.aws], then regions = [...]")
    for provider, chosen in value.items():
        for name, choice in chosen.items():
            words = choice if isinstance(choice, list) else [choice]
            if not words or not all(isinstance(word, str) and word.strip() for word in words):
                raise UsageError(
                    f"configuration key options.{provider}.{name} must be text or a list, not {choice!r}"
                )
    return value


def _watches(config: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    value = config.get("watch", [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UsageError("configuration key watch must be tables: [[watch]], then name, gpu and under")
    return tuple(value)


def _web_address(config: dict[str, Any], key: str) -> str:
    value = _text(config, key, "")
    if value and not value.startswith(("https://", "http://")):
        raise UsageError(f"configuration key {key} must be an address like https://prices.example.org/")
    return value


def _time_of_day(text: str) -> tuple[int, int]:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise UsageError(f"configuration key report_at must look like 06:30 (UTC), found {text!r}")
    return int(hour), int(minute)
