"""Which offers are asked for, as a condition with parameters; every name is checked against what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warehouse.errors import UnknownNameError
from warehouse.records import PriceKind

if TYPE_CHECKING:
    import duckdb

Names = str | tuple[str, ...] | list[str] | None
CONTINENTS = ("africa", "asia", "europe", "north_america", "oceania", "south_america")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFilter:
    """Which offers are asked for; None and empty mean "any".

    Attributes:
        gpu: accelerator id, family or a name that means several ("a100-80gb"); finds offers whose part is
            not settled under each of their candidates.
        min_memory_gb: least memory of one GPU.
        gpus: exactly this many GPUs in the machine.
        provider, region, country (ISO alpha-2), continent, kinds (price kinds): one name or several.
        term_months: exactly this commitment.
        max_price: most USD per GPU-hour.
        available: True for only what is known to be had now; False and None for all.
        interconnect: part of the interconnect's name, in any case.
        as_of: answer as of this moment, in the provider's time.
        sort: price, provider, age or memory.
        limit: most rows.
        include_stale: True shows expired rows although fresher ones answer the same question.
    """

    gpu: str | None = None
    min_memory_gb: float | None = None
    gpus: float | None = None
    provider: Names = None
    region: Names = None
    country: Names = None
    continent: Names = None
    kinds: Names = None
    term_months: int | None = None
    max_price: float | None = None
    available: bool | None = None
    interconnect: str | None = None
    as_of: datetime | None = None
    sort: str = "price"
    limit: int | None = None
    include_stale: bool = False


def conditions(
    connection: duckdb.DuckDBPyConnection, asked: OfferFilter, moment: datetime
) -> tuple[str, dict[str, Any]]:
    """The filter as a condition over `offers` and its parameters. Raises UnknownNameError."""
    clauses = ["(effective_from IS NULL OR effective_from <= $today)"]
    parameters: dict[str, Any] = {"today": moment.date()}

    def add(clause: str, name: str, value: Any) -> None:
        clauses.append(clause)
        parameters[name] = value

    if asked.gpu:
        from warehouse.identify import match_gpu_filter

        parts = list(match_gpu_filter(asked.gpu))
        settled = one_of("accelerator_id", parts, parameters)
        add(
            f"({settled} OR (accelerator_id IS NULL AND list_has_any(candidates, $parts::VARCHAR[])))",
            "parts",
            parts,
        )
    if asked.min_memory_gb is not None:
        add("gpu_memory_gb >= $min_memory_gb", "min_memory_gb", asked.min_memory_gb)
    if asked.gpus is not None:
        add("gpu_count = $gpus", "gpus", asked.gpus)
    for column, names in checked_names(connection, asked).items():
        clauses.append(one_of(column, names, parameters))
    if asked.term_months is not None:
        add("term_months = $term_months", "term_months", asked.term_months)
    if asked.max_price is not None:
        add("price_usd_per_gpu_hour <= $max_price", "max_price", asked.max_price)
    if asked.available:
        clauses.append("available")
    if asked.interconnect:
        add("contains(lower(interconnect), $interconnect)", "interconnect", asked.interconnect.lower())
    return " AND ".join(clauses), parameters


def one_of(column: str, values: Iterable[str], parameters: dict[str, Any]) -> str:
    """``column IN ($column_0, ...)``: one parameter per value lets DuckDB skip row groups. Adds them."""
    marks = []
    for index, value in enumerate(values):
        parameters[f"{column}_{index}"] = value
        marks.append(f"${column}_{index}")
    return f"{column} IN ({', '.join(marks)})"


def checked_names(connection: duckdb.DuckDBPyConnection, asked: OfferFilter) -> dict[str, list[str]]:
    """The filters by name, column -> names, each checked against what is known."""
    known: dict[str, tuple[Names, Callable[[str], str], str]] = {
        "provider": (asked.provider, str.lower, "SELECT provider FROM providers"),
        "region": (asked.region, str, "SELECT DISTINCT region FROM offer_keys WHERE region IS NOT NULL"),
        "country": (
            asked.country,
            str.upper,
            "SELECT DISTINCT country FROM offer_keys WHERE country IS NOT NULL",
        ),
        "continent": (asked.continent, _snake, ""),
        "price_kind": (asked.kinds, _snake, ""),
    }
    fixed = {"continent": CONTINENTS, "price_kind": tuple(kind.value for kind in PriceKind)}
    found = {}
    for column, (value, spell, query) in known.items():
        names = [spell(name) for name in _as_tuple(value)]
        if not names:
            continue
        allowed = fixed.get(column) or tuple(row[0] for row in connection.execute(query).fetchall())
        for name in names:
            if name not in allowed:
                _refuse(column.replace("_", " "), name, allowed)
        found[column] = names
    return found


def _refuse(kind: str, name: str, allowed: Iterable[str]) -> None:
    import difflib

    options = sorted(set(allowed))
    near = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
    hint = "" if near else f"known: {', '.join(options[:12])}{', ...' if len(options) > 12 else ''}"
    raise UnknownNameError(kind, name, near, hint)


def _as_tuple(value: Names) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value)


def _snake(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
