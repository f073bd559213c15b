"""The tables of facts: accelerators, regions, instance types, exchange rates.

Each table is a CSV or TOML file beside this module; each row says where its numbers were read and when.
An empty cell is "not known" and comes out as None. `docs/reference-data.md` describes the tables.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import ReferenceDataError

if TYPE_CHECKING:
    from warehouse.reference.provider_table import ProviderFacts

_FOLDER = Path(__file__).parent
TOPOLOGIES = ("switch", "mesh", "cube_mesh", "torus_2d", "torus_3d", "ring", "bridge", "pcie", "none")
"""How the links between accelerators lie; "none": rented singly or on a board of its own."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One part that can be rented: what its vendor or a measurement says it can do, per device.

    All rates are dense (never with structured sparsity) and None where they are not known or the part does
    not have the format. A device is what a framework or a price list counts: one GPU of a board with four
    (A16), one GPU of a superchip (GB200), one TPU or Trainium chip.

    Attributes:
        accelerator_id: model, form factor where the part exists in several, memory: ``h100-sxm5-80gb``.
        title: name for people.
        family: the model without form factor and memory: ``h100``.
        vendor, architecture, form_factor: as the field calls them ("SXM5", "PCIe", "OAM").
        launch_year: year of first sale.
        compute_capability: NVIDIA's number (8.9, 9.0), None for others.
        memory_gb: the label, GB.
        memory_gib_usable: what the driver reports, GiB.
        memory_bandwidth_gb_per_s: peak, GB/s.
        dense_fp32_tflops ... dense_fp4_tflops: peak rates in TFLOPS (int8: TOPS); fp32 is the vector rate,
            fp16 and bf16 are with fp32 accumulation.
        fp32_accumulate_share: the fp16 rate with fp32 accumulation over the one with fp16 accumulation: 0.5
            on GeForce cards and some others, 1 on full-rate parts, None where not known.
        interconnect: the link to other accelerators ("NVLink4", "PCIe4 x16").
        interconnect_gb_per_s: one direction, sum over all links of one GPU, GB/s.
        scale_up_domain: how many GPUs can share that link; 1 where there is only PCIe.
        topology: how the links lie, one of `TOPOLOGIES`.
        peer_gb_per_s: one direction, from one GPU to one neighbour, GB/s: all of `interconnect_gb_per_s`
            behind a switch, one link of a mesh or a torus (the slowest of a mesh with unequal ones).
        pcie_generation: of the device's own PCIe port, None where it has none or it is not stated.
        host_gb_per_s: one direction, between one device and its host (PCIe; C2C on superchips), GB/s.
        tdp_w: board power, W.
        source, source_date: where and when the numbers were read.
        weak_fields: names of attributes whose value is contested, recalled or seen in one place only.
        derived_fields: names of attributes that follow from others by a rule that `source` or `notes` states.
        notes: what a reader of the numbers should know.
    """

    accelerator_id: str
    title: str
    family: str
    vendor: str
    architecture: str
    form_factor: str
    launch_year: int | None
    compute_capability: float | None
    memory_gb: float
    memory_gib_usable: float | None
    memory_bandwidth_gb_per_s: float | None
    dense_fp32_tflops: float | None
    dense_tf32_tflops: float | None
    dense_bf16_tflops: float | None
    dense_fp16_tflops: float | None
    dense_fp8_tflops: float | None
    dense_int8_tops: float | None
    dense_fp4_tflops: float | None
    fp32_accumulate_share: float | None
    interconnect: str
    interconnect_gb_per_s: float | None
    scale_up_domain: int
    topology: str
    peer_gb_per_s: float | None
    pcie_generation: int | None
    host_gb_per_s: float | None
    tdp_w: float | None
    source: str
    source_date: str
    weak_fields: tuple[str, ...]
    derived_fields: tuple[str, ...]
    notes: str


@lru_cache(maxsize=1)
def accelerators() -> dict[str, Accelerator]:
    """All accelerators by id, in the order of the table. Read once and shared: do not change the answer."""
    table: dict[str, Accelerator] = {}
    for line, row in read_table("accelerators.csv"):
        part = _accelerator(line, row)
        if part.accelerator_id in table:
            raise ReferenceDataError(
                f"accelerators.csv line {line}: {part.accelerator_id} is listed twice; keep one row"
            )
        table[part.accelerator_id] = part
    return table


@lru_cache(maxsize=1)
def families() -> dict[str, tuple[str, ...]]:
    """Accelerator ids by family, in the order of the table."""
    groups: dict[str, list[str]] = {}
    for part in accelerators().values():
        groups.setdefault(part.family, []).append(part.accelerator_id)
    return {family: tuple(ids) for family, ids in groups.items()}


def provider_facts() -> dict[str, ProviderFacts]:
    """What providers say of billing, egress, storage, stopped machines and certificates, by provider id.

    Raises:
        ReferenceDataError: a cell of the table cannot be right.
    """
    from warehouse.reference.provider_table import read_provider_facts

    return read_provider_facts()


def read_table(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV table beside this module with their line numbers. Raises ReferenceDataError."""
    try:
        with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            for cells in reader:
                if len(cells) != len(header):
                    raise ReferenceDataError(
                        f"{name} line {reader.line_num}: {len(cells)} cells, the header has {len(header)}"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except (OSError, StopIteration, UnicodeDecodeError) as error:
        raise ReferenceDataError(
            f"reference table {name} cannot be read ({error}); reinstall gpufare"
        ) from None


def read_toml(name: str) -> dict[str, Any]:
    """A TOML table beside this module. Raises ReferenceDataError."""
    import tomllib  # only wanted where names are identified

    try:
        return tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReferenceDataError(
            f"reference table {name} cannot be read ({error}); reinstall gpufare"
        ) from None


def optional_float(text: str) -> float | None:
    """A number, or None for an empty cell."""
    return float(text) if text else None


def _accelerator(line: int, row: dict[str, str]) -> Accelerator:
    try:
        return Accelerator(**{name: convert(row[name]) for name, convert in _COLUMNS.items()})
    except (KeyError, ValueError) as error:
        raise ReferenceDataError(f"accelerators.csv line {line}: {error!r}; correct the cell") from None


def _optional_int(text: str) -> int | None:
    return int(text) if text else None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()


def _text(text: str) -> str:
    return text


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "str": _text,
    "int": int,
    "float": float,
    "int | None": _optional_int,
    "float | None": optional_float,
    "tuple[str, ...]": _names,
}
_COLUMNS: dict[str, Callable[[str], Any]] = {
    field.name: _CONVERTERS[str(field.type)] for field in fields(Accelerator)
}
