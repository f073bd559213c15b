"""What is inside a provider's machine type, where the type's name and a table say it.

Two tables answer: `reference/instance_types.csv` (one row per type) and `reference/instance_patterns.toml`
(rules for names that follow one). None means "not known here", which is also the answer for machines without
an accelerator: spiders report accelerator machines only, so an unknown type is a gap worth a look, not a CPU
machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from warehouse.errors import ReferenceDataError
from warehouse.reference import accelerators, optional_float, read_table, read_toml

ALIASES = {
    "akamai": "linode",
    "alicloud": "alibaba",
    "aliyun": "alibaba",
    "aws-sagemaker": "aws",
    "google": "gcp",
    "oracle": "oci",
    "ovhcloud": "ovh",
}
_SUFFIX = re.compile(r"\s*(?:\([^()]*\)|spot)\s*$")
_AZURE_NOISE = re.compile(r"[\s_-]+")
_AZURE_EDGES = re.compile(r"^(?:standard|basic)|(?:promo)$")


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One machine type.

    Attributes:
        provider, name: as in the table; for a rule, the name that was asked for.
        candidates: the accelerators it may have: one where it is settled.
        gpu_count: accelerators in the machine, a fraction for a slice of one, None where not known.
        partition: the slice ("1/6", "4 GB"), None for whole GPUs.
        vcpus: virtual CPUs, None where not known.
        memory_gib: host memory, GiB, None where not known.
        source, source_date: where and when this was read.
    """

    provider: str
    name: str
    candidates: tuple[str, ...]
    gpu_count: float | None
    partition: str | None
    vcpus: float | None
    memory_gib: float | None
    source: str
    source_date: str

    @property
    def accelerator_id(self) -> str | None:
        """The accelerator, None where the candidates are several."""
        return self.candidates[0] if len(self.candidates) == 1 else None


@lru_cache(maxsize=8192)
def instance_type(provider: str, name: str) -> InstanceType | None:
    """The machine type of that provider, or None where it is not known."""
    provider = ALIASES.get(provider, provider)
    key = normal_form(provider, name)
    row = _rows().get((provider, key))
    return row or next((found for rule in _rules() if (found := rule(provider, key, name))), None)


@lru_cache(maxsize=8192)
def any_instance_type(name: str) -> InstanceType | None:
    """The machine type of that name where only one provider has such a name; else None."""
    found = [known for provider in _providers() if (known := instance_type(provider, name))]
    return found[0] if len(found) == 1 else None


def normal_form(provider: str, name: str) -> str:
    """One spelling for a machine type: lower case, without remarks; Azure without separators and prefix.

    Azure writes one size as "Standard_NC16as_T4_v3", "NC16asT4 v3" and "NC16as T4 v3".
    """
    text = _SUFFIX.sub("", name.strip().lower())
    if provider == "azure":
        return _AZURE_EDGES.sub("", _AZURE_NOISE.sub("", text))
    return text.removeprefix("ml.") if provider == "aws" else text


@lru_cache(maxsize=1)
def _rows() -> dict[tuple[str, str], InstanceType]:
    rows: dict[tuple[str, str], InstanceType] = {}
    for line, row in read_table("instance_types.csv"):
        key = (row["provider"], normal_form(row["provider"], row["name"]))
        if key in rows:
            raise ReferenceDataError(f"instance_types.csv line {line}: {row['name']} is listed twice")
        rows[key] = InstanceType(
            provider=row["provider"],
            name=row["name"],
            candidates=_known_ids(row["accelerators"].split("|"), f"instance_types.csv line {line}"),
            gpu_count=optional_float(row["gpu_count"]),
            partition=row["partition"] or None,
            vcpus=optional_float(row["vcpus"]),
            memory_gib=optional_float(row["memory_gib"]),
            source=row["source"],
            source_date=row["source_date"],
        )
    return rows


@lru_cache(maxsize=1)
def _rules() -> tuple[Callable[[str, str, str], InstanceType | None], ...]:
    return tuple(_rule(data) for data in read_toml("instance_patterns.toml")["pattern"])


@lru_cache(maxsize=1)
def _providers() -> tuple[str, ...]:
    rules = read_toml("instance_patterns.toml")["pattern"]
    return tuple(dict.fromkeys([*(key[0] for key in _rows()), *(rule["provider"] for rule in rules)]))


def _rule(data: dict[str, Any]) -> Callable[[str, str, str], InstanceType | None]:
    """A function (provider, normal form, name) -> InstanceType or None for one pattern of the table."""
    pattern = re.compile(data["name"])
    by_word: dict[str, list[str]] = data.get("by_word", {})
    for ids in [data.get("accelerators", []), *by_word.values()]:
        _known_ids(ids, f"instance_patterns.toml {data['name']!r}")

    def apply(provider: str, key: str, name: str) -> InstanceType | None:
        found = pattern.fullmatch(key) if provider == data["provider"] else None
        if found is None:
            return None
        groups = found.groupdict()
        candidates = tuple(by_word.get(groups["gpu"], ()) if by_word else data["accelerators"])
        if not candidates:
            return None
        memory_gb = (
            data.get("vram_per_gpu", {}).get(groups.get("gpu")) or accelerators()[candidates[0]].memory_gb
        )
        count, partition = _count(data.get("gpu_count"), groups, memory_gb)
        source, source_date = data["source"], data["source_date"]
        return InstanceType(provider, name, candidates, count, partition, None, None, source, source_date)

    return apply


def _count(
    stated: float | None, groups: dict[str, str | None], memory_gb: float
) -> tuple[float | None, str | None]:
    """GPU count and slice from a pattern's number, its group "count", or "vram" / memory of one GPU."""
    if stated is not None:
        return float(stated), None
    if vram := groups.get("vram"):
        count = float(vram) / memory_gb
        return (count, f"{vram} GB") if count < 0.9 else (float(round(count)), None)
    if "count" in groups:
        return float(groups["count"] or 1), None
    return None, None


def _known_ids(ids: list[str], where: str) -> tuple[str, ...]:
    for key in ids:
        if key not in accelerators():
            raise ReferenceDataError(f"{where}: {key!r} is not in accelerators.csv")
    return tuple(ids)
