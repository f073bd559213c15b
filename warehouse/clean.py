"""Cleaning: what verbatim rows mean, found once per distinct question and joined set-wise.

Four small questions are answered in Python, each once per distinct input: which accelerator a name, memory,
count and machine type mean; where a region lies; how many hours a unit of price has; what a currency was
worth on a day. Everything else is joins. What has no answer keeps the reason (`problem`) and waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from warehouse.database import sql
from warehouse.errors import RecordError
from warehouse.units import HOURS_PER_YEAR, parse_price_unit

if TYPE_CHECKING:
    import duckdb

UNTAXED = (None, 0)
SHOWN_NAME = 80


@dataclass(frozen=True, slots=True)
class Shape:
    """What a machine is, as far as name, memory, count and machine type settle it.

    Attributes:
        accelerator_id: the part, None where several remain.
        candidates: the parts it may be.
        family: family of the part, or the one that all candidates share.
        partition: the slice of a GPU, None for whole ones.
        gpu_count: GPUs of the machine.
        gpu_memory_gb: memory of one GPU: as stated, else of the part where it is settled.
        no_gpu: True where the machine type is known to have no GPU: the row is none of ours.
        problem: why the row cannot be mapped, None where it can.
    """

    accelerator_id: str | None = None
    candidates: tuple[str, ...] = ()
    family: str | None = None
    partition: str | None = None
    gpu_count: float | None = None
    gpu_memory_gb: float | None = None
    no_gpu: bool = False
    problem: str | None = None


SHAPE_TYPES = ("VARCHAR", "VARCHAR[]", "VARCHAR", "VARCHAR", "DOUBLE", "DOUBLE", "BOOLEAN", "VARCHAR")


def clean(
    connection: duckdb.DuckDBPyConnection,
    spellings: dict[str, dict[str, str]],
    known: dict[tuple[Any, ...], Shape] | None = None,
) -> None:
    """Make the temporary table `cleaned` of `staged`.

    Args:
        spellings: provider -> its own GPU spellings (``gpu_spellings`` of the spider's facts).
        known: answers of earlier calls with the same spellings, kept for the next.
    """
    _find_shapes(connection, spellings, {} if known is None else known)
    _find_places(connection)
    _find_units(connection)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fx_needed AS "
        "SELECT DISTINCT currency, run_observed_at::DATE AS day FROM staged"
    )
    connection.execute(sql("load/fx_days"))
    connection.execute(sql("load/clean"))


def shape_of(
    provider: str,
    gpu_name_raw: str | None,
    instance_type: str | None,
    gpu_count: float | None,
    gpu_memory_gb: float | None,
    partition: str | None,
    spellings: dict[str, str] | None = None,
) -> Shape:
    """Which accelerator a row means; see `Shape`.

    The printed name is read first; the machine type settles what the name leaves open (which of several
    parts, how many, which slice), and stands alone where no name is printed.
    """
    from warehouse.identify import identify
    from warehouse.instance_types import instance_type as look_up

    known = look_up(provider, instance_type) if instance_type else None
    if known is not None and known.gpu_count == 0:
        return Shape(no_gpu=True)
    count = gpu_count or (known.gpu_count if known else None)
    candidates: tuple[str, ...] = ()
    slice_name, reason = partition, None
    if gpu_name_raw:
        found = identify(
            gpu_name_raw,
            memory_gb=gpu_memory_gb,  # of one GPU by contract, so the count is no second reading of it
            provider=provider,
            spellings=spellings or None,
        )
        candidates = _parts(found)
        slice_name, reason = partition or found.partition, found.reason
    if known is not None:
        candidates = _narrow(candidates, _parts(known))
        slice_name = slice_name or known.partition
    if not candidates:
        return Shape(problem=_unknown_name(gpu_name_raw, instance_type, reason))
    settled = candidates[0] if len(candidates) == 1 else None
    if not count:
        return Shape(
            accelerator_id=settled,
            candidates=candidates,
            family=_family(candidates),
            partition=slice_name,
            problem=f"how many GPUs {_shown(instance_type or gpu_name_raw)} has is not known",
        )
    return Shape(
        accelerator_id=settled,
        candidates=candidates,
        family=_family(candidates),
        partition=slice_name,
        gpu_count=float(count),
        gpu_memory_gb=gpu_memory_gb or _memory(candidates, slice_name),
    )


def table_of(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, tuple[str, Sequence[Any]]]
) -> None:
    """A temporary table from Python columns, ``{column: (SQL type, values)}``, in one statement."""
    picked = ", ".join(f"unnest(${column}::{kind}[]) AS {column}" for column, (kind, _) in columns.items())
    parameters = {column: list(values) for column, (_, values) in columns.items()}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {picked}", parameters)


def _find_shapes(
    connection: duckdb.DuckDBPyConnection,
    spellings: dict[str, dict[str, str]],
    known: dict[tuple[Any, ...], Shape],
) -> None:
    questions = connection.execute(
        "SELECT shape_hash, any_value(provider), any_value(gpu_name_raw), any_value(instance_type), "
        "any_value(gpu_count_raw), any_value(gpu_memory_gb_raw), any_value(partition_raw) "
        "FROM staged GROUP BY shape_hash ORDER BY shape_hash"
    ).fetchall()
    for _, *question in questions:
        if tuple(question) not in known:
            provider, name, machine, count, memory, part = question
            known[tuple(question)] = shape_of(
                provider, name, machine, count, memory, part, spellings.get(provider)
            )
    answers = [known[tuple(question)] for _, *question in questions]
    columns: dict[str, tuple[str, Sequence[Any]]] = {"shape_hash": ("UBIGINT", [row[0] for row in questions])}
    listed = [astuple(answer) for answer in answers]
    for index, (field, kind) in enumerate(zip(fields(Shape), SHAPE_TYPES, strict=True)):
        values = [list(row[index]) if field.name == "candidates" else row[index] for row in listed]
        columns[field.name] = (kind, values)
    table_of(connection, "shapes", columns)


def _find_places(connection: duckdb.DuckDBPyConnection) -> None:
    from warehouse.regions import place

    questions = connection.execute(
        "SELECT place_hash, any_value(provider), any_value(region) FROM staged "
        "GROUP BY place_hash HAVING any_value(region) IS NOT NULL ORDER BY place_hash"
    ).fetchall()
    places = [place(provider, region) for _, provider, region in questions]
    problems = [
        None if found else f"region {_shown(region)} of {provider} is not known"
        for found, (_, provider, region) in zip(places, questions, strict=True)
    ]
    table_of(
        connection,
        "places",
        {
            "place_hash": ("UBIGINT", [row[0] for row in questions]),
            "country": ("VARCHAR", [found.country if found else None for found in places]),
            "continent": ("VARCHAR", [found.continent if found else None for found in places]),
            "problem": ("VARCHAR", problems),
        },
    )


def _find_units(connection: duckdb.DuckDBPyConnection) -> None:
    questions = connection.execute(
        "SELECT unit_hash, any_value(price_unit), any_value(term_months), any_value(tax_rate), "
        "bool_or(upfront_raw IS NOT NULL) FROM staged GROUP BY unit_hash ORDER BY unit_hash"
    ).fetchall()
    answers = [unit_factors(*row[1:]) for row in questions]
    table_of(
        connection,
        "units",
        {
            "unit_hash": ("UBIGINT", [row[0] for row in questions]),
            "factor": ("DOUBLE", [row[0] for row in answers]),
            "upfront_factor": ("DOUBLE", [row[1] for row in answers]),
            "per_gpu": ("BOOLEAN", [row[2] for row in answers]),
            "problem": ("VARCHAR", [row[3] for row in answers]),
        },
    )


def unit_factors(
    price_unit: str | None, term_months: int | None, tax_rate: float | None, has_upfront: bool
) -> tuple[float | None, float | None, bool, str | None]:
    """What a stated price, and an upfront payment, must be multiplied with to give a net price per hour.

    Returns (factor, upfront factor or None, whether the price is per GPU, problem or None). The arithmetic
    is that of `warehouse.units.price_per_instance_hour`, in Decimal; tax inside the price is taken out by
    dividing by 1 + tax_rate.
    """
    try:
        unit = parse_price_unit(price_unit or "")
        net = Decimal(1) if tax_rate in UNTAXED else 1 / (1 + Decimal(str(tax_rate)))
        factor = unit.scale / unit.hours(term_months) * net
        upfront = None
        if has_upfront and not term_months:
            raise RecordError("an upfront payment needs term_months > 0")
        if term_months:
            upfront = unit.scale / (Decimal(HOURS_PER_YEAR) * term_months / 12) * net
    except RecordError as error:
        return None, None, False, str(error)[:200]
    return float(factor), None if upfront is None else float(upfront), unit.basis == "gpu", None


def _parts(found: Any) -> tuple[str, ...]:
    """Accelerator ids that an identification or a machine type leaves open."""
    return (found.accelerator_id,) if found.accelerator_id else tuple(found.candidates)


def _narrow(named: tuple[str, ...], typed: tuple[str, ...]) -> tuple[str, ...]:
    """What name and machine type agree on; the name wins where they contradict one another."""
    both = tuple(part for part in named if part in typed)
    return both or named or typed


def _unknown_name(gpu_name_raw: str | None, instance_type: str | None, reason: str | None) -> str:
    if gpu_name_raw:
        return f"GPU name {_shown(gpu_name_raw)} is not known" + (f": {reason}" if reason else "")
    return f"machine type {_shown(instance_type)} is not known, and no GPU name is printed"


def _shown(text: str | None) -> str:
    text = text or ""
    return repr(text if len(text) <= SHOWN_NAME else text[: SHOWN_NAME - 3] + "...")


def _family(candidates: tuple[str, ...]) -> str | None:
    families = {_known_part(part, lambda found: found.family) for part in candidates}
    return families.pop() if len(families) == 1 else None


def _memory(candidates: tuple[str, ...], partition: str | None) -> float | None:
    """Memory of one GPU where all candidates have the same; not known for a slice."""
    if partition:
        return None
    sizes = {_known_part(part, lambda found: found.memory_gb) for part in candidates}
    return sizes.pop() if len(sizes) == 1 else None


def _known_part(part: str, pick: Callable[[Any], Any]) -> Any:
    from warehouse.reference import accelerators

    found = accelerators().get(part)
    return pick(found) if found else None
