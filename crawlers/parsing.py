"""Small tools for parsing answers: audited rows, strict numbers, shape checks.

`Row` is a mapping from which fields are *taken*: what nobody took and nobody ignored by name is reported
as an unused field, so that a new field of a provider is a warning on the first day.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any


class ShapeError(ValueError):
    """An answer does not have the documented shape; the text names the field or header that is missing."""


class FieldMissing(ShapeError):  # noqa: N818 - says what happened to one row; the run goes on
    """A row lacks a field. In `PriceSpider.each` that costs the row; where most rows lack it, the source."""


class ValueUnreadable(ValueError):  # noqa: N818 - says what happened to one row; the run goes on
    """One value of one row cannot be read; the text names the field and repeats the value."""


_MISSING = object()


class FieldTally:
    """How many rows of a source had the fields they must have (`Row.need`) or usually have (`Row.usual`).

    A provider that renames a field loses it in every row, which no single row can tell.
    """

    def __init__(self) -> None:
        self._needed, self._usual = dict[str, list[int]](), dict[str, list[int]]()

    def count(self, path: str, *, there: bool, needed: bool) -> None:
        """Count one row that has (or lacks) a field."""
        counts = (self._needed if needed else self._usual).setdefault(path, [0, 0])
        counts[0 if there else 1] += 1

    def lost(self) -> Iterator[str]:
        """Needed fields that more rows lack than have, each as a clause."""
        for path, (there, gone) in self._needed.items():
            if gone > there:
                yield f"field {path!r} is missing in {gone:,} of {gone + there:,} rows"

    def vanished(self) -> Iterator[str]:
        """Usual fields that no row has, each as a clause."""
        for path, (there, _) in self._usual.items():
            if not there:
                yield f"no row has the field {path!r} any more"


class Row:
    """A JSON object (or table row) whose fields are taken one by one and audited at the end.

    `take("a.b")` takes a nested field: only the leaf counts as used. Nested objects that were never touched
    are reported whole, under their own path. `tally` counts over all rows which fields were there.
    """

    def __init__(self, data: dict[str, Any], where: str = "row", tally: FieldTally | None = None) -> None:
        if not isinstance(data, dict):
            raise ShapeError(f"{where}: expected an object, found {type(data).__name__}")
        self.data, self.where = data, where
        self._taken: set[str] = set()
        self._tally = tally

    def take(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path, or `default`; marks it used."""
        self._taken.add(path)
        value = self._get(path)
        return default if value is _MISSING else value

    def need(self, path: str) -> Any:
        """The value at a dotted path; raises FieldMissing (a ShapeError) with its name where it is absent."""
        self._taken.add(path)
        value = self._get(path)
        if self._tally:
            self._tally.count(path, there=value is not _MISSING, needed=True)
        if value is _MISSING:
            raise FieldMissing(f"{self.where}: field {path!r} is missing")
        return value

    def usual(self, path: str, default: Any = None) -> Any:
        """Like `take`, for a field that one row may lack; where every row does, the source is partial."""
        self._taken.add(path)
        value = self._get(path)
        if self._tally:
            self._tally.count(path, there=value is not _MISSING, needed=False)
        return default if value is _MISSING else value

    def label(self, path: str) -> str | None:
        """A `usual` field as text; None where it is absent, blank or null. Numbers are printed as such."""
        value = self.usual(path)
        if value is None or isinstance(value, bool | dict | list):
            return None
        return str(value).strip() or None

    def text(self, path: str) -> str:
        """A text that must be there; ShapeError where absent, ValueUnreadable where blank or no text."""
        value = self.need(path)
        if not isinstance(value, str) or not value.strip():
            raise ValueUnreadable(f"{self.where}: field {path!r} is {value!r}, not a text")
        return value

    def items(self, path: str) -> list[Any]:
        """A list that must be there (it may be empty); ShapeError where it is absent or no list."""
        value = self.need(path)
        if not isinstance(value, list):
            raise ShapeError(f"{self.where}: field {path!r} is {type(value).__name__}, not a list")
        return value

    def price(self, path: str) -> Decimal | None:
        """A price that must be there; None where it is 0 or "not stated". Errors name the field."""
        value = self.need(path)
        try:
            return price(value)
        except ShapeError as error:
            raise ValueUnreadable(f"{self.where}: field {path!r}: {error}") from None

    def usual_price(self, path: str) -> Decimal | None:
        """A `usual` price: None where it is absent, 0 or "not stated". Errors name the field."""
        try:
            return price(self.usual(path))
        except ShapeError as error:
            raise ValueUnreadable(f"{self.where}: field {path!r}: {error}") from None

    def number(self, path: str, per: float = 1) -> float | None:
        """A size or count that may be absent; None where it is absent, blank or 0. Errors name the field.

        `per` is how many of the source's units make one of ours (a constant of `warehouse.units`).
        """
        try:
            value = price(self.take(path))
        except ShapeError as error:
            raise ValueUnreadable(f"{self.where}: field {path!r}: {error}") from None
        return None if value is None else float(value) / per

    def count(self, path: str) -> int | None:
        """Like `number`, for things that are counted."""
        value = self.number(path)
        return None if value is None else round(value)

    def day(self, path: str) -> date | None:
        """A day that may be absent, from ISO text (a time behind it is left out). Errors name the field."""
        value = self.take(path)
        try:
            return date.fromisoformat(str(value)[:10]) if value else None
        except ValueError:
            raise ValueUnreadable(f"{self.where}: field {path!r} is {value!r}, not a day") from None

    def unused(self, ignored: Iterable[str] = ()) -> Iterator[str]:
        """Dotted paths that were neither taken nor ignored by name. `ignored` may name a whole object."""
        skip = set(ignored)
        yield from self._walk(self.data, "", skip)

    def _get(self, path: str) -> Any:
        if path in self.data:
            return self.data[path]
        value: Any = self.data
        for part in path.split("."):
            if not isinstance(value, dict) or part not in value:
                return _MISSING
            value = value[part]
        return value

    def _walk(self, data: dict[str, Any], prefix: str, skip: set[str]) -> Iterator[str]:
        for key, value in data.items():
            path = f"{prefix}{key}"
            if path in self._taken or path in skip:
                continue
            inside = any(taken.startswith(path + ".") for taken in (*self._taken, *skip))
            if isinstance(value, dict) and inside:
                yield from self._walk(value, path + ".", skip)
            else:
                yield path


class UnusedFields(Counter[str]):
    """Counts unused fields over all rows of a run."""

    def audit(self, row: Row, ignored: Iterable[str] = ()) -> None:
        """Count what is left in `row`."""
        self.update(row.unused(ignored))


def parse_json(text: str, where: str) -> Any:
    """JSON with decimals kept exact (numbers with a point become Decimal). Raises ShapeError."""
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise ShapeError(f"{where}: the answer is not JSON ({error}); it starts {text[:60]!r}") from None


def decimal(value: Any) -> Decimal | None:
    """A number as a Decimal. None, "", "N/A", "-" and dashes are unknown: None. Anything else raises."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _UNKNOWN):
        return None
    if isinstance(value, bool):
        raise ShapeError(f"expected a number, found {value!r}")
    if isinstance(value, Decimal):
        return value
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        raise ShapeError(f"expected a number, found {str(value)[:60]!r}") from None


def price(value: Any) -> Decimal | None:
    """Like `decimal`, and 0 is unknown too: a price of nothing is no price."""
    number = decimal(value)
    return None if number is None or number == 0 else number


def match_number(text: str | None, pattern: re.Pattern[str]) -> Decimal | None:
    """The first group of a full match as a Decimal, None where the text has another form.

    One pattern per source; never a comma-to-dot guess across sources. Thousands separators inside the
    group are removed.
    """
    match = pattern.fullmatch(text.strip()) if text else None
    return Decimal(match[1].replace(",", "")) if match else None


_UNKNOWN = {"", "n/a", "na", "-", "–", "—", "––", "null", "none", "contact sales", "contact us"}
