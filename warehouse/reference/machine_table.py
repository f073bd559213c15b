"""Kinds of machines whose provider names no type: what links their GPUs, and the network between them.

Machines with a type of their own are in `recommender/fabrics.csv`. A part that exists on one board only
(SXM, OAM) has its link in the accelerator table; a card that takes a bridge needs a row here to be taken for
bridged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from warehouse.errors import ReferenceDataError
from warehouse.reference import TOPOLOGIES, accelerators, optional_float, read_table

TABLE = "machine_kinds.csv"


@dataclass(frozen=True, slots=True)
class MachineKind:
    """One kind of machine.

    Attributes:
        provider: its id.
        instance_type: its name, empty where the provider has none: any machine of these accelerators.
        accelerator_id, gpu_count: what is in it.
        gpu_link: one of `TOPOLOGIES`.
        fabric_gbit_per_s: network of one machine, one direction, all ports together; None where not stated.
        fabric_kind: "InfiniBand", "RoCE", empty where not stated.
        source, read_on: where and when it was read.
        notes: what a reader of the row should know.
    """

    provider: str
    instance_type: str
    accelerator_id: str
    gpu_count: int
    gpu_link: str
    fabric_gbit_per_s: float | None
    fabric_kind: str
    source: str
    read_on: date
    notes: str


@lru_cache(maxsize=1)
def machine_kinds() -> tuple[MachineKind, ...]:
    """All rows in the order of the table. Raises ReferenceDataError with the line to correct."""
    found: list[MachineKind] = []
    for line, row in read_table(TABLE):
        try:
            one = MachineKind(
                provider=row["provider"],
                instance_type=row["instance_type"],
                accelerator_id=row["accelerator_id"],
                gpu_count=int(row["gpu_count"]),
                gpu_link=row["gpu_link"],
                fabric_gbit_per_s=optional_float(row["fabric_gbit_per_s"]),
                fabric_kind=row["fabric_kind"],
                source=row["source"],
                read_on=date.fromisoformat(row["read_on"]),
                notes=row["notes"],
            )
            if one.accelerator_id not in accelerators() or one.gpu_link not in TOPOLOGIES:
                raise ValueError(f"{one.accelerator_id!r} or {one.gpu_link!r} is not known")
        except (KeyError, ValueError) as error:
            raise ReferenceDataError(f"{TABLE} line {line}: {error}; correct the row") from None
        found.append(one)
    return tuple(found)


def machine_kind(
    provider: str, instance_type: str | None, accelerator_id: str, gpu_count: float
) -> MachineKind | None:
    """The row of that machine: by its type first, then any of that provider with these accelerators."""
    alike = [
        one
        for one in machine_kinds()
        if (one.provider, one.accelerator_id, one.gpu_count) == (provider, accelerator_id, gpu_count)
    ]
    name = (instance_type or "").lower()
    named = [one for one in alike if one.instance_type and one.instance_type.lower() == name]
    return next(iter([*named, *(one for one in alike if not one.instance_type)]), None)
