"""Number formats: how many bytes a weight takes and which arithmetic unit it runs on."""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.errors import UnknownNameError
from warehouse.reference import Accelerator


@dataclass(frozen=True, slots=True)
class Precision:
    """One format of stored weights.

    Attributes:
        name: as given on the command line.
        weight_bytes: bytes of one weight in the matrices, scales included.
        whole: True where embeddings, head and norms take the same format; else they stay in 16 bit.
        units: arithmetic to use, best first; the first that the hardware has a dense rate for is taken.
            Where that is not the format's own, weights are widened on the fly: bytes shrink, FLOPs do not.
        kv_bytes: bytes of one cached key or value element.
        source: where `weight_bytes` comes from.
    """

    name: str
    weight_bytes: float
    whole: bool
    units: tuple[str, ...]
    kv_bytes: float
    source: str


_SIXTEEN = ("bf16", "fp16")
PRECISIONS: dict[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision("fp32", 4.0, True, ("fp32",), 4.0, "IEEE 754"),
        Precision("bf16", 2.0, True, _SIXTEEN, 2.0, "16 bit; hardware without bf16 runs fp16"),
        Precision("fp16", 2.0, True, ("fp16", "bf16"), 2.0, "IEEE 754"),
        Precision("fp8", 1.0, False, ("fp8", *_SIXTEEN), 2.0, "8 bit and scales per block or tensor (< 1 %)"),
        Precision("int8", 1.0, False, _SIXTEEN, 2.0, "weight-only, 8 bit"),
        Precision("int4", 0.52, False, _SIXTEEN, 2.0, "GPTQ/AWQ, 4 bit and 16-bit scales per 128"),
        Precision(
            "int3", 0.39, False, _SIXTEEN, 2.0, "GPTQ arXiv:2210.17323, 3 bit and 16-bit scales per 128"
        ),
        Precision("fp4", 0.5625, False, ("fp4", "fp8", *_SIXTEEN), 2.0, "NVFP4, 4 bit and fp8 scales per 16"),
        Precision("mxfp4", 0.53125, False, _SIXTEEN, 2.0, "OCP MX, 4 bit and 8-bit scales per 32"),
        Precision("nf4", 0.516, False, _SIXTEEN, 2.0, "QLoRA arXiv:2305.14314, double quantisation"),
    )
}
_ALIASES = {
    "float16": "fp16",
    "bfloat16": "bf16",
    "half": "fp16",
    "float32": "fp32",
    "nvfp4": "fp4",
    "awq": "int4",
}
_ALIASES |= {"gptq": "int4", "int4-awq": "int4", "mxfp8": "fp8", "e4m3": "fp8"}


def find_precision(name: str) -> Precision:
    """A precision by name or common alias. Raises UnknownNameError with the known ones."""
    key = name.strip().lower()
    found = PRECISIONS.get(_ALIASES.get(key, key))
    if found is None:
        raise UnknownNameError("precision", name, hint="known: " + ", ".join(PRECISIONS))
    return found


def dense_tflops(accelerator: Accelerator, unit: str) -> float | None:
    """The accelerator's dense rate in one arithmetic unit, TFLOPS; None where there is none or none known."""
    rates = {
        "fp32": accelerator.dense_fp32_tflops,
        "bf16": accelerator.dense_bf16_tflops,
        "fp16": accelerator.dense_fp16_tflops,
        "fp8": accelerator.dense_fp8_tflops,
        "fp4": accelerator.dense_fp4_tflops,
    }
    return rates[unit]


def compute_unit(accelerator: Accelerator, precision: Precision) -> tuple[str, float] | None:
    """(unit, dense TFLOPS) that this format runs on here, None where nothing fits."""
    for unit in precision.units:
        rate = dense_tflops(accelerator, unit)
        if rate:
            return unit, rate
    return None
