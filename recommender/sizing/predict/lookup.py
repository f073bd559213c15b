"""Names in measurement tables to parts and architectures. The tables write families ("H100", "A100-80GB")."""

from __future__ import annotations

from functools import lru_cache

from recommender.sizing.models import ModelArchitecture
from recommender.sizing.predict.table import Row
from recommender.sizing.registry import architecture_of, models, resolve
from warehouse.errors import UsageError
from warehouse.identify import identify
from warehouse.reference import Accelerator, accelerators

_USUAL = ("gh200-96gb", "h20-96gb")  # of several memory sizes, the one that benchmarks mostly ran on


def part_of(row: Row) -> Accelerator | None:
    """The accelerator of a row, None where the table of accelerators does not have it.

    `accelerator` decides; where that leaves several parts open, `accel_raw` (the source's own spelling)
    narrows them, and of what is left the largest SXM or OAM part is taken, which is what benchmarks run on.
    """
    return _part(row.text("accelerator"), row.text("accel_raw"))


@lru_cache(maxsize=4096)
def _part(name: str, raw: str) -> Accelerator | None:
    broad, narrow = identify(name).candidates if name else (), identify(raw).candidates if raw else ()
    found = [key for key in broad if key in narrow] or list(broad) or list(narrow)
    known = accelerators()
    return max(
        (known[key] for key in found if key in known),
        key=lambda part: (
            part.accelerator_id in _USUAL,
            part.form_factor.upper().startswith(("SXM", "OAM")),
            part.memory_gb,
        ),
        default=None,
    )


def model_of(row: Row) -> ModelArchitecture | None:
    """The architecture of a row: by name where the stated count agrees, else from its counts, else None."""
    try:
        return architecture_of(row.text("model"), row.number("params_total"), row.number("params_active"))
    except UsageError:
        return None


@lru_cache(maxsize=4096)
def named_model(name: str) -> ModelArchitecture | None:
    """A known architecture by any spelling: publisher, tuning and number format are left away."""
    short = resolve(name)
    return models()[short] if short else None
