"""`python -m bench.screenshots --site DIR`: the pictures of docs/ anew, small enough to be kept in git.

The front page at 390, 768 and 1440 pixels in light, at 1440 in dark, the first printed page, and a part's
page. They are reduced to a palette of 96 colours: Chromium's own PNG of flat pages is several times larger.
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

from bench.browser import run_browser

DOCS = Path(__file__).parent.parent / "docs"
SHOTS = (
    ("report-390", "index.html", 390, 1700, False),
    ("report-768", "index.html", 768, 1500, False),
    ("report-light", "index.html", 1440, 2000, False),
    ("report-dark", "index.html", 1440, 2000, True),
    ("report-gpu", "gpu/h100-sxm5-80gb.html", 1440, 1500, False),
)
PRINT_WIDTH, PRINT_HEIGHT = 1123, 794  # A4 across at 96 dots per inch
COLOURS = 96


def main() -> None:
    """Write every picture and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", required=True, help="a folder that gpufare report wrote")
    parser.add_argument("--out", default=str(DOCS), help="where the pictures go (default: docs)")
    given = parser.parse_args()
    site, out = Path(given.site).absolute(), Path(given.out)
    with tempfile.TemporaryDirectory(prefix="gpufare-shots-") as folder:
        work = Path(folder)
        for name, page, width, height, dark in SHOTS:
            scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
            _say(_shot(work, site / page, out / f"{name}.png", width, height, scheme))
        _say(_printed(work, site, out / "report-print.png"))


def _shot(work: Path, page: Path, out: Path, width: int, height: int, *flags: str) -> Path:
    raw = work / "raw.png"
    size = f"--window-size={width},{height}"
    run_browser(work, "--hide-scrollbars", size, f"--screenshot={raw}", *flags, page.as_uri(), virtual=False)
    out.write_bytes(reduced(raw.read_bytes()))
    return out


def _printed(work: Path, site: Path, out: Path) -> Path:
    """The print stylesheet as paper shows it: a copy of the page whose print rules hold on the screen."""
    import re

    text = (site / "index.html").read_text("utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    text = text.replace("@media print", "@media all").replace("@media screen and", "@media speech and")
    copy = work / "print.html"
    copy.write_text(text, "utf-8")
    return _shot(work, copy, out, PRINT_WIDTH, 2 * PRINT_HEIGHT)


def _say(path: Path) -> None:
    print(f"{path.name:<24}{path.stat().st_size / 1000:>8.0f} kB")


def reduced(png: bytes) -> bytes:
    """The same picture with at most `COLOURS` colours, as a palette PNG."""
    import numpy as np

    pixels = _pixels(png)
    height, width = pixels.shape[:2]
    coarse = (pixels.astype(np.uint32) >> 3) << 3
    keys = (coarse[..., 0] << 16) | (coarse[..., 1] << 8) | coarse[..., 2]
    names, inverse, counts = np.unique(keys.reshape(-1), return_inverse=True, return_counts=True)
    flat = pixels.reshape(-1, 3).astype(np.float64)
    means = np.stack([np.bincount(inverse.reshape(-1), flat[:, c], len(names)) for c in range(3)], axis=1)
    means /= counts[:, None]
    vivid = means.max(axis=1) - means.min(axis=1)  # few pixels of colour say more than many of grey
    kept = np.argsort(-counts * (1 + vivid / 4), kind="stable")[:COLOURS]
    palette = means[kept]
    nearest = ((means[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
    indexed = nearest[inverse.reshape(-1)].astype(np.uint8).reshape(height, width)
    rows = b"".join(b"\0" + indexed[y].tobytes() for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = np.rint(palette).astype(np.uint8).tobytes()
    parts = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def _pixels(png: bytes) -> Any:
    """Height x width x 3 of an 8-bit RGB or RGBA picture."""
    import numpy as np

    place, data, width, height, channels = 8, b"", 0, 0, 3
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        name, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        if name == b"IHDR":
            width, height, _, kind = struct.unpack(">IIBB", body[:10])
            channels = {2: 3, 6: 4}[kind]
        elif name == b"IDAT":
            data += body
        place += 12 + size
    raw = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * channels)
    before = np.zeros(width * channels, np.int64)
    rows = []
    for line in raw:
        before = _unfiltered(int(line[0]), line[1:].astype(np.int64), before, channels)
        rows.append(before.astype(np.uint8))
    return np.stack(rows).reshape(height, width, channels)[..., :3]


def _unfiltered(kind: int, line: Any, above: Any, channels: int) -> Any:
    """One row without its PNG filter (RFC 2083, section 6)."""
    if kind == 0:
        return line
    if kind == 2:
        return (line + above) & 255
    if kind == 1:
        return line.reshape(-1, channels).cumsum(axis=0).reshape(-1) & 255
    done = line.tolist()
    up = above.tolist()
    for x in range(len(done)):
        left = done[x - channels] if x >= channels else 0
        corner = up[x - channels] if x >= channels else 0
        done[x] = (done[x] + _guess(kind, left, up[x], corner)) & 255
    import numpy as np

    return np.array(done, np.int64)


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 3:
        return (left + up) // 2
    base = left + up - corner
    return min((abs(base - value), order, value) for order, value in enumerate((left, up, corner)))[2]


if __name__ == "__main__":
    main()
