"""Next.js pages whose data travels as "flight" rows: texts in scripts that hold the page as JSON.

A row is ``<hex id>:<JSON>``; an element is ``["$", tag, key, properties]``; a text that starts with a dollar
sign has one more in front; ``$L1f`` and ``$1f`` stand for the row of that id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from crawlers.parsing import ShapeError

_PUSH = re.compile(r"self\.__next_f\.push\(\[1,(\"(?:[^\"\\]|\\.)*\")\]\)", re.DOTALL)
_ROW = re.compile(r"^([0-9a-f]+):(?=[\[{])", re.MULTILINE)
_REFERENCE = re.compile(r"\$L?([0-9a-f]+)")
_DECODER = json.JSONDecoder(parse_float=Decimal)


class Flight:
    """The flight rows of a page. Raises ShapeError where the page has none or they are broken off."""

    def __init__(self, response: Any) -> None:
        self.url = response.url
        self.text = "".join(json.loads(text) for text in _PUSH.findall(response.text))
        if not self.text:
            raise ShapeError(f"{self.url}: no self.__next_f.push of the page's data is there")
        self._starts = {match[1]: match.end() for match in _ROW.finditer(self.text)}

    def value(self, name: str) -> Any:
        """The JSON value behind the first ``"name":`` of the data."""
        at = self.text.find(f'"{name}":')
        if at < 0:
            raise ShapeError(f"{self.url}: field {name!r} is missing in the page's data")
        return self._decode(at + len(name) + 3)

    def elements(self, tag: str) -> Iterator[tuple[str, Any]]:
        """(key, properties) of every element with that tag and a key."""
        for match in re.finditer(rf'\["\$","{tag}","', self.text):
            _, _, key, properties = self._decode(match.start())
            yield key, properties

    def words(self, node: Any) -> str:
        """The text of a node and of all below it."""
        if isinstance(node, str):
            reference = _REFERENCE.fullmatch(node)
            if reference and reference[1] in self._starts:
                return self.words(self._decode(self._starts[reference[1]]))
            return node[1:] if node.startswith("$$") else node
        if isinstance(node, list):
            if node[:1] == ["$"] and len(node) == 4:
                return self.words(node[3])
            return "".join(self.words(item) for item in node)
        if isinstance(node, dict):
            return self.words(node.get("children"))
        return "" if node is None or isinstance(node, bool) else str(node)

    def _decode(self, start: int) -> Any:
        try:
            return _DECODER.raw_decode(self.text, start)[0]
        except ValueError:
            raise ShapeError(
                f"{self.url}: the page's data breaks off ({self.text[start : start + 60]!r})"
            ) from None
