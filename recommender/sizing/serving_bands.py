"""How sure a serving answer is: bands from left-out errors, wider where the part itself was never
measured."""

from __future__ import annotations

from functools import lru_cache

from recommender.sizing.efficiency import Prior, hardware_class
from recommender.sizing.models import ModelArchitecture
from recommender.sizing.predict.bands import band_of, shipped_bands
from recommender.sizing.results import Spread
from recommender.sizing.serving_case import PART_FACTORS, part_kind
from recommender.sizing.serving_constants import shipped
from warehouse.reference import Accelerator

WIDER = 1.5  # log-width of a band is multiplied by this on a part of which nothing was measured
SOURCE = "fitted to published measurements, see serving_constants.csv"


@lru_cache(maxsize=1)
def measured_families() -> frozenset[str]:
    """Families of parts with measurements of language models served on them."""
    return frozenset(name.split("/")[-1] for _, name in shipped_bands("inference") if name.count("/") == 3)


def is_measured(part: Accelerator) -> bool:
    """Was a part of this family measured?"""
    return part.family in measured_families()


def shape_class(model: ModelArchitecture) -> str:
    """`latent`, `moe` or `dense`: the kinds of models that bands are kept for."""
    return "latent" if model.is_mla else "moe" if model.is_moe else "dense"


def tpot_band(part: Accelerator, model: ModelArchitecture, engine: str) -> Spread:
    """Factor on predicted serving times."""
    name = f"closed/{shape_class(model)}/{engine}/{part.family}" if engine else f"closed/{shape_class(model)}"
    low, high = band_of(shipped_bands("inference"), "tpot_ms", name)
    power = 1.0 if is_measured(part) else WIDER
    return Spread(min(low, 1.0) ** power, 1.0, max(high, 1.0) ** power)


def serving_prior(
    quantity: str, part: Accelerator, unit: tuple[str, float], model: ModelArchitecture, engine: str
) -> Prior:
    """A constant with its band, as reasons print it: `prefill_mfu` (share of dense peak that large products
    reach), `decode_mbu` (share of bandwidth) or `serve_time` (factor on times)."""
    values, band = shipped(), tpot_band(part, model, engine)
    on = _measured_by_class().get(hardware_class(part), ())
    transferred = not is_measured(part)
    if quantity == "serve_time":
        return Prior(band.p10, 1.0, band.p90, transferred, on, "errors on left-out measurements")
    if quantity == "decode_mbu":
        middle = values["memory_share"] * (values["other_memory"] if part.vendor != "NVIDIA" else 1.0)
    else:
        share = {"fp8": "gemm_share_8", "fp4": "gemm_share_4"}.get(unit[0], "gemm_share_16")
        middle = values[share]
        for name in PART_FACTORS[part_kind(part)]:
            middle *= values[name]
    return Prior(middle / band.p90, middle, min(middle / band.p10, 0.97), transferred, on, SOURCE)


@lru_cache(maxsize=1)
def _measured_by_class() -> dict[str, tuple[str, ...]]:
    """Hardware class -> its measured families."""
    from warehouse.reference import accelerators

    found: dict[str, set[str]] = {}
    for part in accelerators().values():
        if part.family in measured_families():
            found.setdefault(hardware_class(part), set()).add(part.family)
    return {kind: tuple(sorted(names)) for kind, names in found.items()}
