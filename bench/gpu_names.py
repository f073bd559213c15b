"""How well GPU names are identified: `python -m bench.gpu_names [TABLE]`.

Reads a table of names with the part they mean (columns of `gpu_names.csv` in the shared market data) and
prints how many determined names are right, how many ambiguous ones stay open, and how many unknown ones stay
unknown; with the time for all names. A stated memory beside a name is evidence, as it is in an offer.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.identify import Identification, identify
from warehouse.reference import Accelerator, accelerators

TABLE = Path(__file__).resolve().parents[2] / "shared" / "market" / "gpu_names.csv"
_MEMORY_TOLERANCE = 0.12
_NOT_ONE = ("unrecognised", "not an NVIDIA/AMD", "obfuscated")
_WORDS = re.compile(r"[a-z]+|\d+")


@dataclass(slots=True)
class Score:
    """Counts by verdict, and the names that failed."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def score(rows: list[dict[str, str]]) -> Score:
    """Judge every row; verdicts are "<class> <outcome>"."""
    result = Score()
    for row in rows:
        kind, good = _judge(row, identify(row["raw"], memory_gb=_number(row["memory_seen"])))
        result.counts[f"{kind} {'right' if good else 'wrong'}"] += 1
        if not good:
            found = identify(row["raw"], memory_gb=_number(row["memory_seen"]))
            result.failures.append(f"{row['raw']!r} ({kind}): {found.candidates or found.reason}")
    return result


def _judge(row: dict[str, str], found: Identification) -> tuple[str, bool]:
    """The class of a row (determined, ambiguous, contradictory, unknown) and whether the answer is right."""
    note = row["ambiguous"]
    if not row["canonical_model"] or any(text in note for text in _NOT_ONE):
        return "unknown", not found.candidates
    parts = [accelerators()[key] for key in found.candidates]
    model = bool(parts) and any(_same_model(part, row["canonical_model"]) for part in parts)
    if "slice" in note:
        return "contradictory", not parts
    if _is_slice(row):
        return "slice", model and found.partition is not None
    if found.accelerator_id is not None:
        part = parts[0]
        settled = _fits(part, row) and found.partition is None
        return ("ambiguous" if _open(note) else "determined"), model and settled
    return ("ambiguous" if _open(note) or not _complete(row) else "determined"), model and _open_or_partial(
        row
    )


def _open(note: str) -> bool:
    """True where the table says that form, memory or model stays open (not just that stored data differ)."""
    return any(text in note for text in ("form ", "memory ", "NVLINK", "|")) and "mod" not in note.split()


def _complete(row: dict[str, str]) -> bool:
    return bool(row["memory_gb"]) and (
        row["form_factor"] not in ("", "?") or row["canonical_model"] not in _FORMS
    )


def _open_or_partial(row: dict[str, str]) -> bool:
    return _open(row["ambiguous"]) or not _complete(row)


_FORMS = ("A100", "A800", "H100", "H200", "P100", "V100")


def _is_slice(row: dict[str, str]) -> bool:
    return row["partition"].startswith(("vGPU", "MIG")) and not row["partition"].endswith("?")


def _same_model(part: Accelerator, model: str) -> bool:
    """True where the words of the table's model name are in the title, or the other way round."""
    synonyms = {
        "TPU 5l": "v5e",
        "TPU 5lp": "v5e",
        "TPU 5litepod": "v5e",
        "TPU 5p": "v5p",
        "TPU 2": "v2",
        "TPU 4": "v4",
    }
    wanted = synonyms.get(model, model).lower()
    have = set(_WORDS.findall(f"{part.title} {part.family}".lower()))
    return all(word in have for word in _WORDS.findall(wanted.replace("blackwell", "")))


def _fits(part: Accelerator, row: dict[str, str]) -> bool:
    """True where memory and form factor of the table, where told, are those of the part."""
    memory = _number(row["memory_gb"])
    if memory and abs(memory - part.memory_gb) > _MEMORY_TOLERANCE * part.memory_gb:
        return False
    form, have = row["form_factor"].lower(), part.form_factor.lower()
    if part.accelerator_id.startswith("rtx-pro-6000"):
        return (form == "max-q") == ("max-q" in part.accelerator_id)
    return form in ("", "?", "tpu", "superchip", "nvl72") or have.startswith(form) or "superchip" in have


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def main(argv: list[str]) -> int:
    """Print the table of verdicts; exit 1 where a determined name is wrong."""
    path = Path(argv[1]) if len(argv) > 1 else TABLE
    if not path.exists():
        print(f"skipped: {path.name} is not beside the project")
        return 0
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    started = time.perf_counter()
    for row in rows:
        identify(row["raw"], memory_gb=_number(row["memory_seen"]))
    seconds = time.perf_counter() - started
    result = score(rows)
    for failure in result.failures:
        print("wrong:", failure)
    for kind in ("determined", "slice", "ambiguous", "contradictory", "unknown"):
        right, wrong = result.counts[f"{kind} right"], result.counts[f"{kind} wrong"]
        print(f"{kind:14} {right:4} of {right + wrong:4}")
    print(f"{len(rows)} names in {seconds * 1000:.1f} ms, tables included")
    return 1 if result.counts["determined wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
