"""The known models: `models.csv`, one row per architecture, each with its source."""

from __future__ import annotations

import csv
import difflib
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from recommender.sizing.models import ModelArchitecture, assumed_architecture
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
    "linear_layers",
    "linear_parameters",
    "linear_state",
    "expert_hidden",
    "attention_stated",
]
_OPTIONAL = ("window", "max_context", "attention_layers", "mlp_layers", "attention_limit")
_FLAGS = ("tied", "gated", "encoder")


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
    short = resolve(text)
    if short:
        return models()[short]
    known = aliases()
    near = [known[spelling] for spelling in difflib.get_close_matches(text.lower(), known, n=5, cutoff=0.5)]
    raise UnknownNameError(
        "model",
        name,
        list(dict.fromkeys(near)),
        "gpufare models lists all; --params 70e9 or a config.json works for any other",
    )


SAME_MODEL = 0.15  # counts of one architecture differ by embeddings, vision towers and rounding

# Endings that name a checkpoint of the same architecture, not another one.
_VARIANTS = re.compile(
    r"[-_](instruct|chat|base|hf|it|thinking|pre-?train(ing)?|fine-?tuning|gptq|awq|fp8|nvfp4|mxfp4|bf16|int4|int8|delta|"
    r"0324|0528|2507|dev|preview|v0\.[123]|static|pertensor)$"
)


@lru_cache(maxsize=4096)
def resolve(name: str) -> str | None:
    """Short name of a published spelling, None where no architecture is known.

    Case, owner ("meta-llama/"), separators, a leading "meta-" and endings that name a variant of the same
    architecture (-Instruct, -FP8, -GPTQ ...) do not matter: "LLAMA3_70B" is llama-3.1-70b.
    """
    known = aliases()
    text = re.sub(r"\s*\(.*\)$", "", name.strip().lower())
    owner = text.split("/")[-1]
    for start in dict.fromkeys((text, owner, re.sub(r"[ _]+", "-", owner))):
        candidate = start
        while candidate:
            for spelling in (candidate, candidate.removeprefix("meta-"), _compact(candidate)):
                if spelling in known:
                    return known[spelling]
            shorter = _VARIANTS.sub("", candidate)
            if shorter == candidate:
                break
            candidate = shorter
    return _compact_aliases().get(_compact(_strip(re.sub(r"[ _]+", "-", owner))))


def architecture_of(name: str, total: float | None, active: float | None) -> ModelArchitecture | None:
    """The architecture of a model that a table names, checked against its stated parameter count.

    The known architecture where the count agrees within 15 % (or is not stated); else one assumed from the
    counts; None where neither is given.
    """
    total = None if total is not None and total <= 0 else total
    short = resolve(name)
    if short and (total is None or abs(models()[short].total_parameters / total - 1) < SAME_MODEL):
        return models()[short]
    if total is None:
        return None
    sparse = active is not None and active < 0.95 * total
    return assumed_architecture(total, active if sparse else None)


def _strip(text: str) -> str:
    shorter = _VARIANTS.sub("", text)
    return text if shorter == text else _strip(shorter)


def _compact(text: str) -> str:
    """Only letters, digits and dots, without "meta" in front and a "v" before a number ("llama v3.1")."""
    return re.sub(r"[^a-z0-9.]", "", re.sub(r"v(?=\d)", "", text.removeprefix("meta-")))


@lru_cache(maxsize=1)
def _compact_aliases() -> dict[str, str]:
    found: dict[str, str] = {}
    for spelling, name in aliases().items():
        found.setdefault(_compact(spelling.split("/")[-1]), name)
    return found


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, str]]:
    text = resources.files("recommender.sizing").joinpath("models.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _architecture(row: dict[str, str]) -> ModelArchitecture:
    try:
        numbers: dict[str, Any] = {key: int(row[key] or 0) for key in _INTEGERS}
        flags: dict[str, Any] = {key: row[key] == "yes" for key in _FLAGS}
        optional: dict[str, Any] = {key: int(row[key]) if row[key] else None for key in _OPTIONAL}
        return ModelArchitecture(
            name=row["name"],
            kv_stated=float(row["kv_stated"] or 0),
            native_precision=row["native_precision"],
            source=row["source"],
            note=row["note"],
            **numbers,
            **flags,
            **optional,
        )
    except (KeyError, ValueError) as error:
        raise ReferenceDataError(f"models.csv, row {row.get('name')!r}: {error}") from None
