"""Which accelerator a provider's name means: rules over words, with the words in a table.

The name is cut into words (`Words`), phrases of `reference/gpu_names.toml` say which parts it may mean, and
form factor, memory and partition narrow them down. What the name does not settle stays open: the answer
then lists candidates. A name whose memory contradicts the part is not identified.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from warehouse.errors import UnknownNameError
from warehouse.gpu_words import Words, vocabulary
from warehouse.instance_types import any_instance_type, instance_type
from warehouse.reference import Accelerator, accelerators, families

MEMORY_TOLERANCE = 0.12
"""Sources print 80, 79.6 or 81,559 MiB for the same memory; 94 beside 80 must stay another part."""
_VENDOR = re.compile(r"\b(?:nvidia|amd|intel|tesla|geforce|quadro|instinct|radeon)\b", re.IGNORECASE)
_SHAPE = re.compile(r"\(((?:bm|vm)\.gpu[\w.-]*)\)", re.IGNORECASE)
"""A machine type of OCI behind the name of its price: "Compute - GPU (BM.GPU3.8)"."""
_SPACE = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, slots=True)
class Identification:
    """What a name means.

    Attributes:
        input: the name as given.
        accelerator_id: the part, None where the name does not settle it.
        partition: the slice as printed ("1g.24gb", "A10-4Q", "1/6"), None for whole GPUs.
        candidates: the parts it may be: one where it is settled, none where the name says nothing known.
        family: the family that all candidates share, None where they do not.
        reason: one sentence for people.
    """

    input: str
    accelerator_id: str | None
    partition: str | None
    candidates: tuple[str, ...]
    family: str | None
    reason: str


def identify(
    name: str,
    *,
    memory_gb: float | None = None,
    provider: str | None = None,
    count: float | None = None,
    spellings: Mapping[str, str] | None = None,
) -> Identification:
    """The accelerator that `name` means.

    Args:
        name: GPU name as printed, or a machine type.
        memory_gb: memory stated beside it, of one GPU; the total of `count` GPUs is understood too.
        provider: whose name it is: its machine types are known then.
        count: number of GPUs stated beside it.
        spellings: this provider's own spellings -> accelerator id (`PriceSpider.gpu_spellings`).
    """
    spelled = None
    if spellings:
        spelled = spellings.get(name) or _folded(spellings).get(_fold(name))
    return _identify(name, memory_gb, provider, count, spelled)


def match_gpu_filter(text: str) -> tuple[str, ...]:
    """Accelerator ids that a filter text means: an id, a family, the start of ids, or any GPU name.

    Raises UnknownNameError with the nearest names where it means none.
    """
    slug = "-".join(_fold(text).replace(" gb", "gb").split())
    table, groups = accelerators(), families()
    if slug in table:
        return (slug,)
    if slug in groups:
        return groups[slug]
    if slug.isalpha() and len(slug) > 1 and (kind := tuple(key for key in table if key.startswith(slug))):
        return kind
    found = identify(text)
    if found.candidates:
        return _with_rare_sizes(found, text)
    if slug and (started := tuple(key for key in table if _starts(key, slug))):
        return started
    raise UnknownNameError("GPU", text, _nearest(slug), hint="'gpufare gpus' lists all")


def _with_rare_sizes(found: Identification, text: str) -> tuple[str, ...]:
    """The candidates, and where the text states no memory the rare sizes of the same family too."""
    if found.family is None or Words.read(text).memory_gb:
        return found.candidates
    rare = [key for key in families()[found.family] if key in vocabulary().only_by_memory]
    return tuple(dict.fromkeys([*found.candidates, *rare]))


def _starts(key: str, slug: str) -> bool:
    """True where `key` goes on after `slug` with a new word or a letter: "mi300" starts "mi300x-192gb"."""
    rest = key[len(slug) :] if key.startswith(slug) else ""
    return bool(rest) and (rest[0] == "-" or rest[0].isalpha())


def _nearest(slug: str) -> list[str]:
    import difflib  # only wanted for an unknown name

    return difflib.get_close_matches(slug, [*families(), *accelerators()], n=4, cutoff=0.6)


@lru_cache(maxsize=20_000)
def _identify(
    name: str, memory_gb: float | None, provider: str | None, count: float | None, spelled: str | None
) -> Identification:
    words = Words.read(name)
    table = accelerators()
    if spelled:
        if spelled not in table:
            return _unknown(
                name, f"the spelling table of {provider or 'the source'} names {spelled!r}, no known id"
            )
        return _checked(name, words, [table[spelled]], memory_gb, count, "the provider's own spelling")
    if name.strip().lower() in table:
        return _checked(name, words, [table[name.strip().lower()]], memory_gb, count, "an accelerator id")
    machine = _machine_type(name, provider)
    if machine is not None:
        return machine
    if words.machine_type:
        return _unknown(name, "looks like a machine type that is not in the table of instance types")
    return _from_words(name, words, memory_gb, count)


def _from_words(name: str, words: Words, memory_gb: float | None, count: float | None) -> Identification:
    parts, phrase = _named_parts(words)
    if not parts:
        return _unknown(name, "no known accelerator is in the name")
    lost = (words.all & vocabulary().variants) - phrase
    if lost and parts[0].family.startswith(("rtx", "gtx", "rx", "titan", "quadro")):
        return _unknown(name, f"{parts[0].title} is known, but not its variant {' '.join(sorted(lost))!r}")
    return _checked(name, words, parts, memory_gb, count, "the name")


def _named_parts(words: Words) -> tuple[list[Accelerator], frozenset[str]]:
    """The parts of the longest fitting phrases, and all words of those phrases."""
    fitting = [
        entry for word in words.all for entry in vocabulary().by_word.get(word, ()) if entry[0] <= words.all
    ]
    if not fitting:
        return [], frozenset()
    longest = max(len(phrase) for phrase, _ in fitting)
    best = {entry for entry in fitting if len(entry[0]) == longest}
    ids = dict.fromkeys(key for _, keys in best for key in keys)
    table = accelerators()
    parts = [table[key] for key in sorted(ids, key=list(table).index)]
    return parts, frozenset().union(*(phrase for phrase, _ in best))


def _checked(
    name: str,
    words: Words,
    parts: list[Accelerator],
    memory_gb: float | None,
    count: float | None,
    basis: str,
) -> Identification:
    """Narrow `parts` by form factor and memory and say what is left."""
    evidence = [basis]
    stated = _stated(parts, words, memory_gb)
    parts = _by_form(parts, words.form, stated, evidence)
    if words.partition is not None:
        kept = [part for part in parts if all(m <= part.memory_gb * (1 + MEMORY_TOLERANCE) for m in stated)]
    else:
        single = [m for m in words.memory_gb if any(_close(part, m) for part in parts)]
        kept = [
            part
            for part in parts
            if all(_memory_fits(part, m, None if m in single else count or words.count) for m in stated)
        ]
    if not kept:
        reason = _contradiction(parts, stated)
        return Identification(name, None, words.partition, (), _family(parts), reason)
    if stated and words.partition is None:
        evidence.append("the memory")
        return _answer(name, words, kept, evidence)
    kept = [part for part in kept if part.accelerator_id not in vocabulary().only_by_memory] or kept
    return _answer(name, words, _by_bare_number(kept, words), evidence)


def _stated(parts: list[Accelerator], words: Words, memory_gb: float | None) -> list[float]:
    """All memory figures told for the GPU, without those that are a superchip's host memory."""
    host = vocabulary().host_sizes.get(_family(parts) or "", [])
    named = [value for value in words.memory_gb if value not in host]
    return list(dict.fromkeys([memory_gb, *named] if memory_gb else named))


def _contradiction(parts: list[Accelerator], stated: list[float]) -> str:
    wrong = " and ".join(f"{value:g} GB" for value in stated)
    labels = " or ".join(dict.fromkeys(f"{part.memory_gb:g} GB" for part in parts))
    for part in parts:
        gpus = vocabulary().boards.get(part.accelerator_id)
        if gpus and all(_close(part, value / gpus) for value in stated):
            return (
                f"stated memory {wrong} is that of a board of {gpus} GPUs ({labels} each): say which is sold"
            )
    return f"stated memory {wrong} contradicts the part ({labels})"


def _answer(name: str, words: Words, parts: list[Accelerator], evidence: list[str]) -> Identification:
    ids = tuple(part.accelerator_id for part in parts)
    family = _family(parts)
    if len(ids) == 1:
        reason = f"{' and '.join(evidence)} {'mean' if len(evidence) > 1 else 'means'} {parts[0].title}"
        if words.partition:
            reason += f"; a slice of it ({words.partition})"
        return Identification(name, ids[0], words.partition, ids, family, reason)
    return Identification(
        name, None, words.partition, ids, family, f"{_open_question(parts)}: {', '.join(ids)}"
    )


def _open_question(parts: list[Accelerator]) -> str:
    if len({part.family for part in parts}) > 1:
        return "the name fits several parts"
    missing = []
    if len({_form(part) for part in parts}) > 1:
        missing.append("form factor")
    if len({part.memory_gb for part in parts}) > 1:
        missing.append("memory")
    return f"{' and '.join(missing) or 'variant'} not stated"


def _by_form(
    parts: list[Accelerator], form: str | None, stated: list[float], evidence: list[str]
) -> list[Accelerator]:
    """Keep the parts whose form factor the name allows; a family of one form needs no word.

    The NVL boards are PCIe cards too: "H200 PCIe" and "H100 PCIe 94GB" mean them where no other card fits.
    """
    if form is None or len({_form(part) for part in parts}) < 2:
        return parts
    if form == "nvlink":
        return [part for part in parts if _form(part) in ("sxm", "pcie")] or parts
    exact = [part for part in parts if _form(part) == form]
    if form == "pcie" and not any(all(_close(part, m) for m in stated) for part in exact):
        bridged = [part for part in parts if _form(part) == "nvl"]
        exact = bridged if not exact or any(_close(part, m) for part in bridged for m in stated) else exact
    if exact:
        evidence.append("the form factor")
    return exact or parts


def _form(part: Accelerator) -> str:
    """sxm, pcie, nvl or other."""
    form = part.form_factor.lower()
    return form[:3] if form.startswith(("sxm", "nvl")) else "pcie" if form.startswith("pcie") else "other"


def _memory_fits(part: Accelerator, memory_gb: float, count: float | None) -> bool:
    """True where the memory is that of one GPU, or of all `count` of them, within the tolerance."""
    return _close(part, memory_gb) or bool(count and count > 1 and _close(part, memory_gb / count))


def _close(part: Accelerator, memory_gb: float) -> bool:
    low = min(part.memory_gb, (part.memory_gib_usable or part.memory_gb)) * (1 - MEMORY_TOLERANCE)
    return low <= memory_gb <= part.memory_gb * (1 + MEMORY_TOLERANCE)


def _by_bare_number(parts: list[Accelerator], words: Words) -> list[Accelerator]:
    """ "a100-pcie-80": a bare number that is the label of one of the parts. Other numbers mean nothing."""
    kept = [part for part in parts if part.memory_gb in words.numbers]
    return kept if len(parts) > 1 and kept else parts


def _family(parts: Iterable[Accelerator]) -> str | None:
    shared = {part.family for part in parts}
    return shared.pop() if len(shared) == 1 else None


def _machine_type(name: str, provider: str | None) -> Identification | None:
    """The answer of the table of instance types: the provider's own, else one that only it can mean."""
    if shape := _SHAPE.search(name):
        return _machine_type(shape[1], "oci")
    known = instance_type(provider, name) if provider else None
    guessable = any(char.isdigit() for char in name) and not _VENDOR.search(name)
    if known is None and provider is None and guessable:
        known = any_instance_type(name)
    if known is None or not known.candidates:
        return None
    parts = [accelerators()[key] for key in known.candidates]
    settled = known.candidates[0] if len(known.candidates) == 1 else None
    reason = f"instance type {known.name} of {known.provider}" + (
        "" if settled else f": {_open_question(parts)}"
    )
    return Identification(name, settled, known.partition, known.candidates, _family(parts), reason)


def _unknown(name: str, reason: str) -> Identification:
    return Identification(name, None, None, (), None, reason)


def _fold(text: str) -> str:
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()


def _folded(spellings: Mapping[str, str]) -> dict[str, str]:
    return {_fold(key): value for key, value in spellings.items()}
