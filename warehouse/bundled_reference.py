"""Token prices and grid intensities that ship inside the package: what APIs cost and how clean the power is
on a machine without network.

Two text tables in `warehouse/market`, compiled by `bench.compile_reference` from sources whose licence allows
it (NOTICE). They are loaded as runs of their sources, as old as the rows say, and superseded by a crawl.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from warehouse.bundled import FOLDER
from warehouse.errors import RecordError, ReferenceDataError
from warehouse.load import Run
from warehouse.record_tables import PRINTED_NUMBERS, write_records
from warehouse.records import GridCarbon, TokenPrice
from warehouse.run_folder import ParseReport, SourceReport

TOKENS_TABLE = FOLDER / "token_prices.csv"
CARBON_TABLE = FOLDER / "grid_carbon.csv"
BUNDLED = "bundled"
_TABLES: dict[Path, type[TokenPrice] | type[GridCarbon]] = {
    TOKENS_TABLE: TokenPrice,
    CARBON_TABLE: GridCarbon,
}


def bundled_reference() -> list[TokenPrice | GridCarbon]:
    """All rows of both tables. Raises ReferenceDataError with the line to correct."""
    found: list[TokenPrice | GridCarbon] = []
    for path, kind in _TABLES.items():
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                try:
                    found.append(_record(kind, row))
                except (RecordError, TypeError, ValueError, InvalidOperation) as error:
                    raise ReferenceDataError(
                        f"{path.name} line {number}: {error}; reinstall gpufare"
                    ) from None
    return found


def bundled_reference_runs(folder: Path) -> list[Run]:
    """One run per spider and day, its tables written below `folder`."""
    groups: dict[tuple[str, date], list[TokenPrice | GridCarbon]] = defaultdict(list)
    for record in bundled_reference():
        groups[record.source.partition(":")[0], record.observed_at.date()].append(record)
    runs = []
    for (spider, day), records in sorted(groups.items()):
        place = folder / f"{spider}-{day:%Y%m%d}"
        place.mkdir()
        write_records(place, list(records))
        at = max(record.observed_at for record in records)
        names = sorted({record.source for record in records})
        sources = [SourceReport(name, offers=sum(r.source == name for r in records)) for name in names]
        report = ParseReport(BUNDLED, at.isoformat(), "good", sources=sources)
        runs.append(
            Run(spider, f"bundled-{spider}-{day:%Y%m%d}", at, BUNDLED, True, report, place, first_party=False)
        )
    return runs


def _record(kind: type[TokenPrice] | type[GridCarbon], row: dict[str, str]) -> TokenPrice | GridCarbon:
    values: dict[str, Any] = {}
    types = {field.name: str(field.type) for field in fields(kind)}
    for name, text in row.items():
        if text == "":
            continue
        if name in PRINTED_NUMBERS:
            values[name] = Decimal(text)
        elif name == "observed_at":
            values[name] = datetime.fromisoformat(text)
        elif types[name].startswith("bool"):
            values[name] = text == "true"
        elif types[name].startswith("int"):
            values[name] = int(text)
        elif types[name].startswith("float"):
            values[name] = float(text)
        elif types[name].startswith("date"):
            values[name] = date.fromisoformat(text)
        else:
            values[name] = text
    return kind(**values)
