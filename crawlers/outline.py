"""Nested mappings written as indented ``key: value`` lines: the plain part of YAML, and nothing more."""

from __future__ import annotations

import re
from typing import Any

from crawlers.parsing import ShapeError

_LINE = re.compile(
    r"(?P<indent> *)(?P<key>[^\s:#'\"\[{&*!|>%@`-][^:]*|'[^']*'|\"[^\"\\]*\"):(?: +(?P<value>.*))?"
)
_BLOCK = re.compile(r"[|>][0-9+-]*")


def read_outline(text: str, where: str) -> dict[str, Any]:
    """The mapping of mappings that the lines spell; leaves are texts, and block texts are left out.

    Lists, anchors and flow forms are not read. Raises ShapeError with the line for anything that is not read.
    """
    root: dict[str, Any] = {}
    levels: list[tuple[int, dict[str, Any]]] = [(-1, root)]  # indentation of a key, and what stands below it
    block: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#") or line in ("---", "..."):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if block is not None and indent > block:
            continue
        block = None
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise ShapeError(f"{where}: line {number} is not 'key: value': {line.strip()[:60]!r}")
        while levels[-1][0] >= indent:
            levels.pop()
        key, value, below = match["key"].strip("'\""), (match["value"] or "").strip(), levels[-1][1]
        if _BLOCK.fullmatch(value):
            block = indent
        elif value:
            below[key] = value.strip("'\"")
        else:
            below[key] = {}
            levels.append((indent, below[key]))
    return root
