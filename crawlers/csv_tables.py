"""Small CSV answers by header text. (Large ones go through `crawlers.large_csv`.)"""

from __future__ import annotations

import csv
import io

from scrapy.http import Response

from crawlers.parsing import ShapeError

SURPLUS = "surplus cells"
"""Key of what stands beyond the last header of a row; a row that has it is not to be trusted."""


def csv_rows(response: Response, *, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV answer by header.

    A row with too many cells has the rest of them under `SURPLUS`, joined. Raises ShapeError where one of
    the `needed` headers is gone, or a row has too few cells (the answer was cut off).
    """
    try:
        lines = [
            line for line in csv.reader(io.StringIO(response.body.decode("utf-8-sig")), strict=True) if line
        ]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ShapeError(f"{response.url}: the answer is not a CSV table ({error})") from None
    headers = [name.strip() for name in lines[0]] if lines else []
    for lost in (name for name in needed if name not in headers):
        raise ShapeError(f"{response.url}: column {lost!r} is missing (there are {', '.join(headers)[:200]})")
    found = []
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) < len(headers):
            raise ShapeError(
                f"{response.url}: line {number} has {len(cells)} cells under {len(headers)} headers; cut off?"
            )
        row = dict(zip(headers, cells, strict=False))
        surplus = ",".join(cells[len(headers) :])
        found.append({**row, SURPLUS: surplus} if len(cells) > len(headers) else row)
    return found
