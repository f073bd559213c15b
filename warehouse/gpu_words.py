"""The words of a GPU name, and the vocabulary of `reference/gpu_names.toml` that gives them meaning."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from warehouse.reference import accelerators, families, read_toml

_MIB_OF_GIB = 1024
_REMARK = re.compile(r"[™®©]|\(r\)|\(tm\)")
_JOIN = (
    (re.compile(r"\bmax[ -]?q\b"), "maxq"),
    (re.compile(r"\bpci[ -]e\b"), "pcie"),
    (re.compile(r"\bnv[ -]link\b"), "nvlink"),
    (re.compile(r"\bmi[ -](\d{2,3}[aex]?)\b"), r"mi\1"),
    (re.compile(r"(?<!\d)(\d{4})s\b"), r"\1 super"),
)
_MIG = re.compile(r"(?<![\w.])(\d+g\.\d+gb(?:\+me)?)")
_VGPU = re.compile(r"(?<![a-z0-9])([a-z]{0,3}\d{1,4}[a-z]?-(?:\d-)?\d{1,2}[qcab])(?![a-z0-9])")
_FRACTION = re.compile(r"(?<![\d/.])([1-9])\s*/\s*([2-9]|\d\d)(?![\d/])")
_HOST_MEMORY = (
    r"(?:{host})\s*\d+(?:\.\d+)?\s*(?:gib|gb|g)\b|\b\d+(?:\.\d+)?\s*(?:gib|gb|g)\s*(?:of )?(?:ram|host)\b"
)
_MEMORY = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)\s*-?(gib|gb|mib|mb|g)(?![a-z0-9])")
_COUNT = re.compile(r"(?<![a-z0-9./])(\d{1,3})\s*[x×](?![a-z0-9])|(?<![a-z0-9])[x×]\s?(\d{1,3})(?![a-z0-9])")
_CUT = re.compile(r"[^a-z0-9]+")
_TIMES = re.compile(r"(.+?)x(\d{1,3})")
_TIMES_BEFORE = re.compile(r"(\d{1,2})x(\D.+)")


@dataclass(frozen=True, slots=True)
class Words:
    """A name cut into its words.

    Attributes:
        all: the words, lower case, glued ones cut apart.
        form: ``sxm``, ``pcie``, ``nvl``, ``nvlink`` or None.
        memory_gb: memory figures of the name (GB as printed; MB divided by 1,024), without the host's.
        numbers: bare whole numbers.
        count: "8x", "x8"; None where the name has none.
        partition: the slice as printed, None for whole GPUs.
        machine_type: True where a word shows that this is a machine's name, not a GPU's.
    """

    all: frozenset[str]
    form: str | None
    memory_gb: tuple[float, ...]
    numbers: frozenset[float]
    count: int | None
    partition: str | None
    machine_type: bool

    @classmethod
    def read(cls, name: str) -> Words:
        """Cut `name` into words."""
        vocabulary_ = vocabulary()
        # Marks go first: NFKC would write "A100™" as "A100TM".
        text = unicodedata.normalize("NFKC", _REMARK.sub(" ", name.lower())).replace("_", " ")
        for pattern, replacement in _JOIN:
            text = pattern.sub(replacement, text)
        text, partition = _take_partition(text)
        text = vocabulary_.host_memory.sub(" ", text)
        memory = tuple(_gigabytes(value, unit) for value, unit in _MEMORY.findall(text))
        text = _MEMORY.sub(" ", text)
        counts = [int(before or after) for before, after in _COUNT.findall(text)]
        words: list[str] = []
        for token in _CUT.split(_COUNT.sub(" ", text)):
            if token:
                pieces, times = vocabulary_.cut(vocabulary_.same.get(token, token))
                words += [vocabulary_.same.get(piece, piece) for piece in pieces]
                counts += times
        if partition is None and "mig" in words:
            partition = f"MIG {memory[0]:g}GB" if memory else "MIG"
        found = frozenset(words)
        return cls(
            all=found,
            form=_form_word(found, vocabulary_.forms),
            memory_gb=memory,
            numbers=frozenset(float(word) for word in words if word.isdigit()),
            count=counts[0] if counts else None,
            partition=partition,
            machine_type=bool(found & vocabulary_.machine),
        )


class Vocabulary:
    """The table of names, indexed.

    Attributes:
        by_word: phrases (word set, accelerator ids) by each of their rarest words.
        forms: form factor by word.
        variants: words that make another part of the same number.
        machine: words of machine types.
        same: one spelling for words that mean the same.
        only_by_memory: ids that only a stated memory can mean.
        host_memory: pattern of memory figures that are the host's.
        host_sizes: by family, memory figures that its name carries though they are the host's.
        boards: GPUs per board, by id.
    """

    def __init__(self) -> None:
        data = read_toml("gpu_names.toml")
        words = data["words"]
        self.forms = {word: form for form in ("sxm", "pcie", "nvl", "nvlink") for word in words[form]}
        self.variants = frozenset(words["variant"])
        self.machine = frozenset(words["machine"])
        self.same: dict[str, str] = data["same"]
        self.only_by_memory = frozenset(data["rules"]["only_by_memory"])
        self.host_sizes: dict[str, list[float]] = data["rules"]["host_sizes"]
        self.boards: dict[str, int] = data["rules"]["boards"]
        self.host_memory = re.compile(_HOST_MEMORY.format(host="|".join(words["host"])))
        self.by_word: dict[str, list[tuple[frozenset[str], tuple[str, ...]]]] = {}
        self._known: set[str] = {*self.forms, *self.variants, *self.machine, *words["noise"], *self.same}
        self._index(data["phrases"])

    def cut(self, token: str) -> tuple[list[str], list[int]]:
        """The known words that a glued token is made of, and a count at either end; else the token itself.

        Words of one letter are not cut off, so "a100x" is not an A100.
        """
        if token in self._known or token.isdigit():
            return [token], []
        pieces = self._pieces(token)
        if pieces:
            return pieces, []
        if before := _TIMES_BEFORE.fullmatch(token):
            pieces = [before[2]] if before[2] in self._known else self._pieces(before[2])
            if pieces:
                return pieces, [int(before[1])]
        if times := _TIMES.fullmatch(token):
            for stem in (times[1], f"{times[1]}x"):
                pieces = [stem] if stem in self._known else self._pieces(stem)
                if pieces:
                    return pieces, [int(times[2])]
        return [token], []

    def _pieces(self, token: str) -> list[str] | None:
        """The fewest known words of two letters or more that make up `token`, None where none do."""
        best: list[list[str] | None] = [[], *([None] * len(token))]
        for end in range(2, len(token) + 1):
            for start in range(end - 1):
                before = best[start]
                if before is None or token[start:end] not in self._known:
                    continue
                current = best[end]
                if current is None or len(before) + 1 < len(current):
                    best[end] = [*before, token[start:end]]
        return best[-1]

    def _index(self, phrases: dict[str, list[str]]) -> None:
        groups = families()
        merged: dict[frozenset[str], list[str]] = {}
        for family, ids in groups.items():
            if "-" not in family:
                merged.setdefault(frozenset([family]), []).extend(ids)
        for key, texts in phrases.items():
            ids = (key,) if key in accelerators() else groups[key]
            for text in texts:
                merged.setdefault(frozenset(text.split()), []).extend(ids)
        for phrase, keys in merged.items():
            self._known |= phrase
            entry = (phrase, tuple(dict.fromkeys(keys)))
            # Indexed by one word only; numbers and model names come before words such as "rtx" and "pro".
            self.by_word.setdefault(max(phrase, key=_rarity), []).append(entry)


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary, read once."""
    return Vocabulary()


def _rarity(word: str) -> tuple[bool, int]:
    return any(char.isdigit() for char in word), len(word)


def _take_partition(text: str) -> tuple[str, str | None]:
    """Cut the slice out of a name: MIG profile, vGPU profile or a fraction of a GPU."""
    if found := _MIG.search(text):
        return text.replace(found[0], " mig "), found[1]
    if found := _VGPU.search(text):
        model = found[1].split("-")[0]
        return text.replace(found[0], f" {model} "), found[1].upper()
    found = _FRACTION.search(text)
    if found and int(found[1]) < int(found[2]):
        return text[: found.start()] + " 1" + text[found.end() :], f"{found[1]}/{found[2]}"
    return text, None


def _gigabytes(value: str, unit: str) -> float:
    return float(value) / _MIB_OF_GIB if unit in ("mb", "mib") else float(value)


def _form_word(words: frozenset[str], forms: dict[str, str]) -> str | None:
    named = {forms[word] for word in words if word in forms}
    for form in ("nvl", "pcie", "sxm", "nvlink"):
        if form in named:
            return form
    return None
