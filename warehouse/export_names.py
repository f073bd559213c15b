"""How gpuhunt and SkyPilot name clouds and parts (gpuhunt 0.1.34 and skypilot 0.14.1, read 2026-11-27).

Both name a part by its model and leave the form factor out, but each has exceptions. A name is given only
where all parts that an offer may be have the same one.
"""

from __future__ import annotations

from typing import Any

GPUHUNT_CLOUDS = {
    "aws": "aws",
    "azure": "azure",
    "verda": "verda",
    "gcp": "gcp",
    "lambda_cloud": "lambdalabs",
    "nebius": "nebius",
    "oci": "oci",
    "runpod": "runpod",
    "cloudrift": "cloudrift",
}
"""Our provider id -> gpuhunt's; these are the ones it reads from files. Others keep our id."""
SKYPILOT_CLOUDS = {
    "aws": "aws",
    "azure": "azure",
    "gcp": "gcp",
    "lambda_cloud": "lambda",
    "runpod": "runpod",
    "vast": "vast",
    "nebius": "nebius",
    "verda": "verda",
    "oci": "oci",
    "cudo": "cudo",
    "digitalocean": "do",
    "hyperbolic": "hyperbolic",
    "ibm": "ibm",
    "prime_intellect": "primeintellect",
    "shadeform": "shadeform",
    "seeweb": "seeweb",
    "mithril": "mithril",
    "yotta": "yotta",
}
_FORMS = {"sxm", "sxm2", "sxm3", "sxm4", "sxm5", "sxm6", "pcie"}
_WORDS = {"ti": "Ti", "ada": "Ada", "super": "SUPER"}
_TPUS = {"tpu-v5e": "v5litepod"}


def gpuhunt_name(offer: dict[str, Any]) -> str | None:
    """gpuhunt's name of an offer's part: H100, H100NVL, RTX4090, A6000, RTX6000Ada; None: it has none."""
    return _one(offer, _gpuhunt_part)


def skypilot_name(offer: dict[str, Any]) -> str | None:
    """SkyPilot's: H100, A100-80GB, V100-32GB, RTX4090, tpu-v5litepod-1. None where it has none."""
    return _one(offer, lambda part: _skypilot_part(part, offer))


def _one(offer: dict[str, Any], named: Any) -> str | None:
    names = {named(part) for part in offer["candidates"] or ()}
    found = names.pop() if len(names) == 1 else None
    return str(found) if found else None


def _gpuhunt_part(part: str) -> str | None:
    if part.startswith("tpu-"):
        return _TPUS.get(part, part.removeprefix("tpu-"))
    if part.startswith(("trainium", "inferentia")):
        return None
    if part.startswith("quadro-rtx-"):
        part = part.removeprefix("quadro-")
    words = [word for word in part.split("-") if word not in _FORMS]
    if words[-1].endswith("gb"):
        words = words[:-1]
    if words[0] == "rtx" and len(words) > 1 and words[1][:1] == "a":
        words = words[1:]
    return "".join(_WORDS.get(word, word.upper()) for word in words)


def _skypilot_part(part: str, offer: dict[str, Any]) -> str | None:
    if part.startswith("tpu-"):
        return f"tpu-{_TPUS.get(part, part.removeprefix('tpu-'))}-{int(offer['gpu_count'])}"
    if part.startswith(("trainium", "inferentia")):
        return part.capitalize().rstrip("1")
    name = _gpuhunt_part(part)
    if part.startswith("a100") and part.endswith("-80gb"):
        return "A100-80GB"
    if part.startswith("v100") and part.endswith("-32gb"):
        return "V100-32GB"
    if part.startswith("h100-nvl"):
        return "H100-NVL"
    return name.replace("Ada", "-Ada") if name else None
