"""The known models: `models.csv`, one row per architecture, each with its source."""

from __future__ import annotations

import csv
import difflib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from recommender.sizing.models import ModelArchitecture
from warehouse.errors import ReferenceDataError, UnknownNameError

_INTEGERS = [
    "layers",
    "hidden",
    "heads",
    "kv_heads",
    "head_dim",
    "ffn",
    "vocab",
    "experts",
    "experts_per_token",
    "expert_ffn",
    "shared_ffn",
    "dense_layers",
    "q_lora_rank",
    "kv_lora_rank",
    "nope_dim",
    "rope_dim",
    "v_dim",
    "window_layers",
    "positions",
]
_FLAGS = ("tied", "gated")


@lru_cache(maxsize=1)
def models() -> dict[str, ModelArchitecture]:
    """All known models by short name, in the order of the table."""
    return {row["name"]: _architecture(row) for row in _rows()}


@lru_cache(maxsize=1)
def aliases() -> dict[str, str]:
    """Every accepted spelling (lower case) to the short name."""
    found: dict[str, str] = {}
    for row in _rows():
        for spelling in (
            row["name"],
            row["hub_id"],
            row["hub_id"].split("/")[-1],
            *row["aliases"].split(" "),
        ):
            if spelling:
                found.setdefault(spelling.lower(), row["name"])
    return found


@lru_cache(maxsize=1)
def hub_ids() -> dict[str, str]:
    """Short name to the name under which the checkpoint is published."""
    return {row["name"]: row["hub_id"] for row in _rows()}


def find_model(name: str) -> ModelArchitecture:
    """A model by short name, published name, alias, or the path of a ``config.json`` (or its folder).

    Raises:
        UnknownNameError: no such model; names the nearest ones.
        UsageError: the file is not a description that can be sized.
    """
    text = name.strip()
    path = Path(text)
    if text.endswith(".json") or (path.is_dir() and (path / "config.json").exists()):
        from recommender.sizing.config_json import read_config

        return read_config(path if text.endswith(".json") else path / "config.json")
    known = aliases()
    short = known.get(text.lower()) or known.get(text.lower().removesuffix("-instruct"))
    if short:
        return models()[short]
    near = [known[spelling] for spelling in difflib.get_close_matches(text.lower(), known, n=5, cutoff=0.5)]
    raise UnknownNameError(
        "model",
        name,
        list(dict.fromkeys(near)),
        "gpufare models lists all; --params 70e9 or a config.json works for any other",
    )


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, str]]:
    text = resources.files("recommender.sizing").joinpath("models.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _architecture(row: dict[str, str]) -> ModelArchitecture:
    try:
        numbers: dict[str, Any] = {key: int(row[key] or 0) for key in _INTEGERS}
        flags: dict[str, Any] = {key: row[key] == "yes" for key in _FLAGS}
        return ModelArchitecture(
            name=row["name"],
            window=int(row["window"]) if row["window"] else None,
            max_context=int(row["max_context"]) if row["max_context"] else None,
            native_precision=row["native_precision"],
            source=row["source"],
            note=row["note"],
            **numbers,
            **flags,
        )
    except (KeyError, ValueError) as error:
        raise ReferenceDataError(f"models.csv, row {row.get('name')!r}: {error}") from None
