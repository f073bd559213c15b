"""The market in files for other tools: Parquet, CSV, gpuhunt's catalogue files, SkyPilot's catalogue files.

gpuhunt 0.1.34 reads one ``<provider>.csv`` each from the folder that ``GPUHUNT_CATALOG_DIR`` names; SkyPilot
0.14.1 reads ``~/.sky/catalogs/v8/<cloud>/vms.csv``. What such a file cannot say (slices, "from" prices,
commitments, a name the tool has no word for) is left out and counted by reason. gpuhunt has no word for cores
and memory that are not stated: they are 0 there.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from warehouse.errors import UsageError, WarehouseError
from warehouse.export_names import GPUHUNT_CLOUDS, SKYPILOT_CLOUDS, gpuhunt_name, skypilot_name

FORMATS = ("parquet", "csv", "gpuhunt", "skypilot")
GPUHUNT_COLUMNS = (
    *("instance_name", "location", "price", "cpu", "memory", "gpu_count", "gpu_name", "gpu_memory", "spot"),
    *("disk_size", "gpu_vendor", "flags", "cpu_arch", "provider_data"),
)
SKYPILOT_COLUMNS = (
    *("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo", "Price"),
    *("SpotPrice", "Region", "AvailabilityZone"),
)
SKYPILOT_FOLDER = "v8"
"""Catalogue schema of SkyPilot 0.14.1 (`sky.skylet.constants.CATALOG_SCHEMA_VERSION`, read 2026-11-27)."""
ARM_FAMILIES = ("gh200", "gb200", "gb300")


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        files: in the order written. offers: rows written. left_out: offers left out, by reason.
    """

    files: list[Path] = field(default_factory=list)
    offers: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def export(rows: Sequence[dict[str, Any]], form: str, out: Path) -> Exported:
    """Write offers (rows of `queries.offers`) into a folder.

    Args:
        rows: the offers.
        form: parquet, csv, gpuhunt or skypilot.
        out: folder, made where needed; files of the same names are replaced whole.

    Raises:
        UsageError: the format is not known.
        WarehouseError: the folder cannot be written.
    """
    writers: dict[str, Callable[[Sequence[dict[str, Any]], Path], Exported]] = {
        "parquet": _parquet,
        "csv": _csv,
        "gpuhunt": _gpuhunt,
        "skypilot": _skypilot,
    }
    if form not in writers:
        raise UsageError(f"--format {form} is not known; use one of {', '.join(FORMATS)}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        return writers[form](rows, out)
    except OSError as error:
        raise WarehouseError(
            f"{out} cannot be written ({error.strerror or error}); choose another --out"
        ) from None


def _parquet(rows: Sequence[dict[str, Any]], out: Path) -> Exported:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from warehouse.offer_rows import COLUMNS

    table = pa.Table.from_pylist(list(rows)) if rows else pa.table({name: pa.nulls(0) for name in COLUMNS})
    target = out / "offers.parquet"
    scratch = target.with_name(f".{target.name}-{os.getpid()}")
    pq.write_table(table, scratch, compression="zstd")
    scratch.replace(target)
    return Exported([target], len(rows))


def _csv(rows: Sequence[dict[str, Any]], out: Path) -> Exported:
    from warehouse.offer_rows import COLUMNS

    lines = ([_cell(row[name]) for name in COLUMNS] for row in rows)
    return Exported([_write(out / "offers.csv", COLUMNS, lines)], len(rows))


def _gpuhunt(rows: Sequence[dict[str, Any]], out: Path) -> Exported:
    done = Exported()
    files: dict[str, list[list[Any]]] = {cloud: [] for cloud in GPUHUNT_CLOUDS.values()}
    for row in rows:
        name = gpuhunt_name(row)
        why = _unusable(row) or (None if name else "no name for the part in gpuhunt")
        if why or name is None:
            done.left_out[why or ""] += 1
            continue
        cloud = GPUHUNT_CLOUDS.get(row["provider"], row["provider"])
        arm = (row["family"] or "") in ARM_FAMILIES
        files.setdefault(cloud, []).append(
            [
                _text(row["instance_type"] or row["gpu_name_raw"]),
                _text(row["region"] or "unknown"),
                row["price_usd_per_hour"],
                int(row["vcpus"] or 0),  # the column cannot be empty; a question for cores never finds 0
                row["memory_gib"] or 0,
                int(row["gpu_count"]),
                name,
                row["gpu_memory_gb"],
                row["price_kind"] == "spot",
                row["disk_gb"],
                _vendor(row),
                "",
                "arm" if arm else "x86",
                json.dumps({"gpufare_run_id": row["run_id"]}),
            ]
        )
        done.offers += 1
    for cloud, lines in sorted(files.items()):
        lines.sort(key=lambda line: (line[2], line[0], line[1]))
        done.files.append(_write(out / f"{cloud}.csv", GPUHUNT_COLUMNS, lines))
    return done


def _skypilot(rows: Sequence[dict[str, Any]], out: Path) -> Exported:
    done = Exported()
    clouds: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for row in rows:
        name, cloud = skypilot_name(row), SKYPILOT_CLOUDS.get(row["provider"])
        why = _unusable(row) or (None if cloud else "no such cloud in SkyPilot")
        why = why or (None if name else "no name for the part in SkyPilot")
        if why or name is None or cloud is None:
            done.left_out[why or ""] += 1
            continue
        instance = _text(row["instance_type"] or f"{int(row['gpu_count'])}x_{name}")
        key = (
            instance,
            name,
            int(row["gpu_count"]),
            row["vcpus"],
            row["memory_gib"],
            _text(row["region"] or "unknown"),
        )
        kept = clouds.setdefault(cloud, {}).setdefault(key, {"row": row})
        column = "SpotPrice" if row["price_kind"] == "spot" else "Price"
        kept[column] = min(kept.get(column, float("inf")), row["price_usd_per_hour"])
        done.offers += 1
    for cloud, found in sorted(clouds.items()):
        lines = [
            [*key[:5], _gpu_info(key, kept["row"]), kept.get("Price"), kept.get("SpotPrice"), key[5], None]
            for key, kept in sorted(found.items(), key=lambda item: tuple(map(str, item[0])))
        ]
        folder = out / SKYPILOT_FOLDER / cloud
        folder.mkdir(parents=True, exist_ok=True)
        done.files.append(_write(folder / "vms.csv", SKYPILOT_COLUMNS, lines))
    return done


def _unusable(row: dict[str, Any]) -> str | None:
    """Why a catalogue of prices per machine cannot hold this offer, None where it can."""
    if row["partition"]:
        return "a slice of a GPU"
    if row["is_floor"]:
        return 'a "from" price'
    if row["price_kind"] not in ("on_demand", "spot"):
        return "neither on demand nor spot"
    if row["available"] is False:
        return "sold out"
    if not row["gpu_count"] or row["gpu_count"] != int(row["gpu_count"]):
        return "not a whole number of GPUs"
    return None


def _vendor(row: dict[str, Any]) -> str:
    from warehouse.reference import accelerators

    return accelerators()[row["candidates"][0]].vendor.lower()


def _gpu_info(key: tuple[Any, ...], row: dict[str, Any]) -> str | None:
    """SkyPilot's GpuInfo: the text of a Python dictionary; memory in MiB (the label's GB as GiB there)."""
    if row["gpu_memory_gb"] is None:
        return None
    mebibytes = int(row["gpu_memory_gb"] * 1024)
    part = {"Name": key[1], "Manufacturer": _vendor(row).upper(), "Count": float(key[2])}
    part["MemoryInfo"] = {"SizeInMiB": mebibytes}
    return repr({"Gpus": [part], "TotalGpuMemoryInMiB": mebibytes * key[2]})


def _write(target: Path, columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> Path:
    """A CSV file, whole or not at all."""
    scratch = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(lines)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return _text(value) if isinstance(value, str) else value


def _text(value: str | None) -> str:
    """Scraped text in a CSV cell: one line without NUL; what a spreadsheet would run gets an apostrophe."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in value or "").split())
    return "'" + clean if clean[:1] in ("=", "+", "-", "@") else clean
