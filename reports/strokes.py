"""A monoline alphabet and a canvas that strokes it with smooth edges, for pictures without a font file.

A letter is a path on a grid: capitals stand between y 0 and the baseline at y 10, small letters start at
y 3.4, descenders reach y 13. ``M`` moves, ``L`` draws to a point, ``A cx cy rx ry from to`` draws an arc of
an ellipse between two angles in degrees (0 right, 90 down), joined to where the pen stands.
"""

from __future__ import annotations

import itertools
import math
import re
from functools import lru_cache
from typing import Any

BASELINE = 10.0
GAP = 2.6
SPACE = 3.4
_ROUND = "A2.9 6.7 2.9 3.3 "
GLYPHS: dict[str, tuple[float, str]] = {
    "A": (7.2, "M0 10L3.6 0L7.2 10M1.2 6.7L6 6.7"),
    "B": (6, "M0 4.8L3.4 4.8A3.4 2.4 2.4 2.4 90 -90L0 0L0 10L3.4 10A3.4 7.4 2.6 2.6 90 -90"),
    "C": (7, "M6.8 2A4 5 4 5 -45 -315"),
    "D": (7, "M0 0L0 10L2.6 10A2.6 5 4.4 5 90 -90L0 0"),
    "E": (5.4, "M5.4 0L0 0L0 10L5.4 10M0 4.8L4.6 4.8"),
    "F": (5.2, "M5.2 0L0 0L0 10M0 4.8L4.4 4.8"),
    "G": (8, "M6.8 2A4 5 4 5 -45 -360L8 5L5 5"),
    "H": (6.6, "M0 0L0 10M6.6 0L6.6 10M0 4.8L6.6 4.8"),
    "I": (0.2, "M0.1 0L0.1 10"),
    "J": (4.4, "M4.4 0L4.4 7.4A2.2 7.4 2.2 2.6 0 180"),
    "K": (6.2, "M0 0L0 10M6 0L0 6.4M2.2 4.1L6.2 10"),
    "L": (5, "M0 0L0 10L5 10"),
    "M": (8, "M0 10L0 0L4 6.4L8 0L8 10"),
    "N": (6.8, "M0 10L0 0L6.8 10L6.8 0"),
    "O": (8, "M8 5A4 5 4 5 0 360"),
    "P": (6, "M0 10L0 0L3.2 0A3.2 2.8 2.8 2.8 -90 90L0 5.6"),
    "Q": (8, "M8 5A4 5 4 5 0 360M5 7.2L8 10.6"),
    "R": (6.4, "M0 10L0 0L3.2 0A3.2 2.7 2.7 2.7 -90 90L0 5.4M3 5.4L6.4 10"),
    "S": (6, "M5.6 1.7A3 2.5 2.6 2.5 -30 -270A3 7.5 2.9 2.5 -90 150"),
    "T": (7, "M0 0L7 0M3.5 0L3.5 10"),
    "U": (6.8, "M0 0L0 6.6A3.4 6.6 3.4 3.4 180 0L6.8 0"),
    "V": (7, "M0 0L3.5 10L7 0"),
    "W": (10, "M0 0L2.5 10L5 1.6L7.5 10L10 0"),
    "X": (6.6, "M0 0L6.6 10M6.6 0L0 10"),
    "Y": (7, "M0 0L3.5 4.8L7 0M3.5 4.8L3.5 10"),
    "Z": (6.4, "M0 0L6.4 0L0 10L6.4 10"),
    "a": (5.8, "M5.8 6.7" + _ROUND + "0 360M5.8 3.4L5.8 10"),
    "b": (5.8, "M0 0L0 10M5.8 6.7" + _ROUND + "0 360"),
    "c": (5.2, "M5.1 4.6" + _ROUND + "-40 -320"),
    "d": (5.8, "M5.8 0L5.8 10M5.8 6.7" + _ROUND + "0 360"),
    "e": (5.8, "M0.1 6.6L5.8 6.6" + _ROUND + "0 -315"),
    "f": (3.6, "M3.6 0.2A3.4 2.4 2 2.4 -90 -180L1.4 10M0 3.6L3.4 3.6"),
    "g": (5.8, "M5.8 6.7" + _ROUND + "0 360M5.8 3.4L5.8 10.4A2.9 10.4 2.9 2.7 0 150"),
    "h": (5.4, "M0 0L0 10M0 6.2A2.7 6.2 2.7 2.8 180 360L5.4 10"),
    "i": (0.2, "M0.1 3.4L0.1 10M0.1 0.7L0.1 0.75"),
    "j": (2, "M2 3.4L2 11A0.4 11 1.6 2 0 100M2 0.7L2 0.75"),
    "k": (4.8, "M0 0L0 10M4.6 3.4L0 7.6M1.7 6.1L4.8 10"),
    "l": (0.2, "M0.1 0L0.1 10"),
    "m": (8.4, "M0 3.4L0 10M0 5.6A2.1 5.6 2.1 2.2 180 360L4.2 10M4.2 5.6A6.3 5.6 2.1 2.2 180 360L8.4 10"),
    "n": (5.4, "M0 3.4L0 10M0 6.2A2.7 6.2 2.7 2.8 180 360L5.4 10"),
    "o": (5.8, "M5.8 6.7" + _ROUND + "0 360"),
    "p": (5.8, "M0 3.4L0 13M5.8 6.7" + _ROUND + "0 360"),
    "q": (5.8, "M5.8 3.4L5.8 13M5.8 6.7" + _ROUND + "0 360"),
    "r": (3.4, "M0 3.4L0 10M0 6.2A2.8 6.2 2.8 2.8 180 285"),
    "s": (4.6, "M4.3 4.5A2.3 5.1 2 1.7 -35 -270A2.3 8.3 2.2 1.7 -90 155"),
    "t": (3.6, "M1.4 0.8L1.4 7.8A3.4 7.8 2 2.2 180 90M0 3.6L3.5 3.6"),
    "u": (5.4, "M0 3.4L0 7.2A2.7 7.2 2.7 2.8 180 0L5.4 3.4M5.4 3.4L5.4 10"),
    "v": (5.4, "M0 3.4L2.7 10L5.4 3.4"),
    "w": (8, "M0 3.4L2 10L4 4.4L6 10L8 3.4"),
    "x": (5, "M0 3.4L5 10M5 3.4L0 10"),
    "y": (5.4, "M0 3.4L2.7 10M5.4 3.4L1.8 13"),
    "z": (4.8, "M0 3.4L4.8 3.4L0 10L4.8 10"),
    "0": (6.4, "M6.4 5A3.2 5 3.2 5 0 360"),
    "1": (6.4, "M1.4 1.8L3.6 0L3.6 10"),
    "2": (6.4, "M0.3 2.6A3.1 2.9 2.9 2.9 -170 30L0.2 10L6.2 10"),
    "3": (6.4, "M0.6 1.6A3 2.4 2.6 2.4 -150 90A3 7.4 3 2.6 -90 150"),
    "4": (6.4, "M4.8 10L4.8 0L0 7L6.4 7"),
    "5": (6.4, "M5.8 0L1 0L0.6 4.6A3.1 6.8 3.2 3.2 -140 145"),
    "6": (6.4, "M5.4 0.4L0.8 5M6.3 6.9A3.2 6.9 3.1 3.1 0 360"),
    "7": (6.4, "M0.2 0L6.2 0L2 10"),
    "8": (6.4, "M5.7 2.3A3.2 2.3 2.5 2.3 0 360M6.3 7.3A3.2 7.3 3.1 2.7 0 360"),
    "9": (6.4, "M1 9.6L5.6 5M6.3 3.1A3.2 3.1 3.1 3.1 0 360"),
    "$": (6, "M5.6 1.9A3 2.6 2.6 2.4 -30 -270A3 7.4 2.9 2.4 -90 150M3 -1.2L3 11.2"),
    ".": (0.4, "M0.2 9.9L0.2 9.95"),
    ",": (0.6, "M0.5 9.7L0 11.6"),
    ":": (0.4, "M0.2 4.6L0.2 4.65M0.2 9.9L0.2 9.95"),
    "-": (3.4, "M0 6.2L3.4 6.2"),
    "/": (4.4, "M0 11L4.4 -0.6"),
    "&": (7.2, "M7 10L1.4 3.2A2.8 1.9 1.9 1.9 140 390L1 6A3 7.4 2.6 2.6 -140 -310L7 5.4"),
    "+": (5, "M0 6L5 6M2.5 3.5L2.5 8.5"),
    "'": (0.4, "M0.2 0L0.2 2.4"),
    "(": (2.4, "M2.2 -0.6A6 5 6 8.6 -130 -230"),
    ")": (2.2, "M0 -0.6A-3.8 5 6 8.6 -50 50"),
}
ALPHABET = frozenset(GLYPHS)
_PIECE = re.compile(r"([MLA])([^MLA]*)")
Points = list[tuple[float, float]]
Colour = tuple[int, int, int]


@lru_cache(maxsize=128)
def outline(letter: str) -> tuple[tuple[tuple[float, float], ...], ...]:
    """The polylines of a letter on its grid."""
    lines: list[Points] = []
    for name, rest in _PIECE.findall(GLYPHS[letter][1]):
        numbers = [float(word) for word in rest.split()]
        if name == "M":
            lines.append([(numbers[0], numbers[1])])
        elif name == "L":
            lines[-1].append((numbers[0], numbers[1]))
        else:
            lines[-1].extend(_arc(*numbers))
    return tuple(tuple(line) for line in lines)


def width_of(text: str, height: float) -> float:
    """How wide `text` is with capitals of `height`."""
    units = sum(SPACE if letter == " " else GLYPHS[letter][0] + GAP for letter in text)
    return units * height / BASELINE


class Canvas:
    """A picture of `width` by `height` pixels; everything drawn is blended with smooth edges."""

    def __init__(self, width: int, height: int, paper: Colour) -> None:
        import numpy as np

        self.pixels = np.empty((height, width, 3), dtype=np.float32)
        self.pixels[:] = paper

    def text(self, text: str, x: float, y: float, *, height: float, weight: float, colour: Colour) -> float:
        """Write `text` with its capitals' top left at (x, y); letters not in the alphabet are left out.

        Returns where the next letter would begin.
        """
        scale, pen = height / BASELINE, x
        for letter in text:
            if letter == " ":
                pen += SPACE * scale
            elif letter in GLYPHS:
                lines = [[(pen + a * scale, y + b * scale) for a, b in line] for line in outline(letter)]
                self._stroke(lines, weight, colour)
                pen += (GLYPHS[letter][0] + GAP) * scale
        return pen

    def line(self, x1: float, y1: float, x2: float, y2: float, weight: float, colour: Colour) -> None:
        """One straight line."""
        self._stroke([[(x1, y1), (x2, y2)]], weight, colour)

    def bytes(self) -> bytes:
        """Rows of 8-bit RGB."""
        import numpy as np

        whole: bytes = np.clip(np.rint(self.pixels), 0, 255).astype(np.uint8).tobytes()
        return whole

    def _stroke(self, lines: list[Points], weight: float, colour: Colour) -> None:
        """Cover what lies within half the weight of any of the lines, once."""
        import numpy as np

        places = [point for line in lines for point in line]
        edge = weight / 2 + 1
        high, wide = self.pixels.shape[:2]
        left = max(0, math.floor(min(x for x, _ in places) - edge))
        right = min(wide, math.ceil(max(x for x, _ in places) + edge) + 1)
        top = max(0, math.floor(min(y for _, y in places) - edge))
        bottom = min(high, math.ceil(max(y for _, y in places) + edge) + 1)
        if left >= right or top >= bottom:
            return
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
        near = np.full(rows.shape, np.inf, dtype=np.float32)
        for line in lines:
            for start, end in itertools.pairwise(line):
                near = np.minimum(near, _distance(rows, columns, start, end))
        cover = np.clip(weight / 2 + 0.5 - near, 0, 1)[..., None]
        part = self.pixels[top:bottom, left:right]
        part += cover * (np.array(colour, dtype=np.float32) - part)


def _distance(rows: Any, columns: Any, start: tuple[float, float], end: tuple[float, float]) -> Any:
    """Distance of every pixel's middle to a segment."""
    import numpy as np

    (x1, y1), (x2, y2) = start, end
    along_x, along_y = x2 - x1, y2 - y1
    length = along_x**2 + along_y**2 or 1e-12
    share = np.clip(((columns - x1) * along_x + (rows - y1) * along_y) / length, 0, 1)
    return np.hypot(columns - x1 - share * along_x, rows - y1 - share * along_y)


def _arc(cx: float, cy: float, rx: float, ry: float, first: float, last: float) -> Points:
    steps = max(6, math.ceil(abs(last - first) / 12))
    angles = [math.radians(first + (last - first) * step / steps) for step in range(steps + 1)]
    return [(cx + rx * math.cos(angle), cy + ry * math.sin(angle)) for angle in angles]
