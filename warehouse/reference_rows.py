"""Token prices and grid carbon on their way into the warehouse and out of it again.

They are no offers: nothing identifies, spans or ranks them. What a source says of a key is kept as it was
said (`raw_token_prices`, `raw_grid_carbon`, append-only), a sighting tells in which runs it said so, and the
published copy has the newest statement of each key in one unit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.clean import table_of
from warehouse.database import fetch_dicts, run_statements, scalar, sql
from warehouse.load import Run, folder_errors, glob_escape, require_columns
from warehouse.record_tables import CARBON_FILE, TOKENS_FILE
from warehouse.records import GridCarbon, Record, TokenPrice
from warehouse.regions import place
from warehouse.units import GRAMS_PER_UNIT, TOKENS_PER_UNIT

if TYPE_CHECKING:
    import duckdb

MASS_MOVE = {"fewest": 10, "share": 0.2, "limit": 1.5}
"""R6: this many rows and this share of a source's rows that all move by one factor beyond the limit."""
SHRUNK = {"fewest": 10, "share": 0.7}
"""R7: fewer than this share of the rows of the last good whole run, where that had so many."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rows: its file in a run folder, its tables, the key that a statement is about."""

    record: type[Record]
    file: str
    raw: str
    sightings: str
    key: str
    number: str
    unit: str
    units: str
    scale: str

    def names(self) -> dict[str, str]:
        """What the SQL files are filled with; all of it ours."""
        columns = [f.name for f in fields(self.record) if f.name not in ("observed_at", "body_sha256")]
        own = ("raw", "sightings", "key", "number", "unit", "units", "scale")
        return {"columns": ", ".join(columns), **{name: getattr(self, name) for name in own}}


TOKENS = Kind(
    TokenPrice,
    TOKENS_FILE,
    "raw_token_prices",
    "raw_token_sightings",
    "source, provider, model",
    "input_raw",
    "price_unit",
    "token_units",
    "1e6 / u.tokens",
)
CARBON = Kind(
    GridCarbon,
    CARBON_FILE,
    "raw_grid_carbon",
    "raw_carbon_sightings",
    "source, provider, region, period",
    "intensity_raw",
    "intensity_unit",
    "carbon_units",
    "u.grams",
)


def counts(connection: duckdb.DuckDBPyConnection, run: Run) -> tuple[int, int]:
    """How many token prices and how many carbon intensities the run's folder holds."""
    return _count(connection, run, TOKENS), _count(connection, run, CARBON)


def blocks(connection: duckdb.DuckDBPyConnection, run: Run) -> list[tuple[str, str]]:
    """Rules that hold the run, with their evidence: R6, all numbers moved by one factor (another unit?); R7,
    far fewer rows than before. The same finding in the run before says that it is real."""
    found = []
    for kind in (TOKENS, CARBON):
        file = _file(connection, run, kind)
        if file is None:
            continue
        make_units(connection)
        given = {"file": glob_escape(file), **MASS_MOVE}
        moved = connection.execute(_filled("mass_move", kind), given).fetchone()
        if moved is not None and not _said_before(connection, run, f"changed by the factor {moved[1]:g}"):
            found.append(("R6", str(moved[0])))
        given = {"file": glob_escape(file), "provider": run.provider, **SHRUNK}
        fewer = connection.execute(_filled("shrunk", kind), given).fetchone() if run.whole else None
        if fewer is not None and not _said_before(connection, run, "where the last good run had"):
            found.append(("R7", str(fewer[0])))
    return found


def keep(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """Append what the run says, and that it said so. In the caller's transaction."""
    for kind in (TOKENS, CARBON):
        file = _file(connection, run, kind)
        if file is None:
            continue
        with folder_errors(run.folder):
            parameters = {"file": glob_escape(file), "run_no": run.run_no}
            run_statements(connection, _filled("keep", kind), parameters)


def publish(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `market.token_prices` and `market.grid_carbon`."""
    make_units(connection)
    known = connection.execute("SELECT DISTINCT provider, region FROM raw_grid_carbon").fetchall()
    _make_places(connection, known)
    run_statements(connection, sql("reference/publish"), {})


def dry_rows(
    connection: duckdb.DuckDBPyConnection, run: Run
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The run's token prices and carbon intensities as they would be published."""
    make_units(connection)
    tokens, carbon = _file(connection, run, TOKENS), _file(connection, run, CARBON)
    token_rows, carbon_rows = [], []
    if tokens is not None:
        token_rows = fetch_dicts(connection, sql("reference/token_rows"), {"file": glob_escape(tokens)})
    if carbon is not None:
        file = glob_escape(carbon)
        query = "SELECT DISTINCT provider, region FROM read_parquet(?)"
        _make_places(connection, connection.execute(query, [file]).fetchall())
        carbon_rows = fetch_dicts(connection, sql("reference/carbon_rows"), {"file": file})
    return token_rows, carbon_rows


def make_units(connection: duckdb.DuckDBPyConnection) -> None:
    """The temporary tables `token_units` and `carbon_units`, from `warehouse.units`."""
    tokens, grams = TOKENS_PER_UNIT, GRAMS_PER_UNIT
    table_of(
        connection,
        "token_units",
        {
            "price_unit": ("VARCHAR", list(tokens)),
            "tokens": ("DOUBLE", [float(number) for number in tokens.values()]),
        },
    )
    table_of(
        connection,
        "carbon_units",
        {
            "intensity_unit": ("VARCHAR", list(grams)),
            "grams": ("DOUBLE", [float(number) for number in grams.values()]),
        },
    )


def _make_places(connection: duckdb.DuckDBPyConnection, known: list[tuple[Any, ...]]) -> None:
    """`carbon_places`: country and grid zone of each region; a row without provider is a zone itself."""
    rows = []
    for provider, region in known:
        found = place(provider, region) if provider else None
        zone = found.grid_zone if found else None if provider else region
        country = found.country if found else None if provider else region.split("-")[0]
        rows.append((provider, region, zone, country))
    columns = ("provider", "region", "grid_zone", "country")
    table_of(
        connection,
        "carbon_places",
        {name: ("VARCHAR", [row[index] for row in rows]) for index, name in enumerate(columns)},
    )


def _said_before(connection: duckdb.DuckDBPyConnection, run: Run, words: str) -> bool:
    query = "SELECT arg_max(coalesce(reason, ''), run_no) FROM runs WHERE provider = ?"
    reason = scalar(connection, query, [run.provider])
    return words in str(reason or "")


def _count(connection: duckdb.DuckDBPyConnection, run: Run, kind: Kind) -> int:
    file = _file(connection, run, kind)
    if file is None:
        return 0
    with folder_errors(run.folder):
        return int(scalar(connection, "SELECT count(*) FROM read_parquet(?)", [glob_escape(file)]))


def _file(connection: duckdb.DuckDBPyConnection, run: Run, kind: Kind) -> Path | None:
    """The run's table of this kind; None where it has none. RunFolderError where a column is missing."""
    file = None if run.folder is None else run.folder / kind.file
    if file is None or not file.exists():
        return None
    require_columns(connection, file, {f.name for f in fields(kind.record)})
    return file


def _filled(name: str, kind: Kind) -> str:
    text = sql(f"reference/{name}")
    for word, value in kind.names().items():
        text = text.replace("{" + word + "}", value)
    return text
