"""How a crawl shows where it stands: two lines on a terminal that are redrawn, plain lines elsewhere.

On a terminal stand the counts (finished of all, by state, rows) and the sources that run now, longest first;
whatever the number of sources, nothing scrolls. A pipe or a log gets one line per finished source.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpufare.cli.output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from crawlers.run import CrawlEvent

OnEvent = Callable[["CrawlEvent"], None]
STATES = ("good", "partial", "held", "failed")
SHOWN_WITH_SECONDS = 5
BAR_WIDTH = 20
REDRAWS_PER_SECOND = 4


@dataclass
class CrawlTally:
    """Counts of a crawl, fed with its events; every text is one line.

    Attributes:
        total: sources (or recordings) of the whole crawl, 0 until the first event.
        rows: records that finished sources gave. states: finished sources by state.
        running: since when each source runs, in seconds of `clock`; a source that is replayed from several
            recordings at once stands here once, until the last of them is done.
    """

    clock: Callable[[], float] = time.monotonic
    total: int = 0
    rows: int = 0
    states: Counter[str] = field(default_factory=Counter)
    running: dict[str, float] = field(default_factory=dict)
    _copies: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, event: CrawlEvent) -> None:
        """Take in one event."""
        with self._lock:
            self.total = event.total
            if event.kind == "started":
                self.running.setdefault(event.provider, self.clock())
                self._copies[event.provider] += 1
            if event.result is not None:
                self.states[event.result.state] += 1
                self.rows += event.result.offers
                self._copies[event.provider] -= 1
                if self._copies[event.provider] <= 0:
                    self.running.pop(event.provider, None)

    @property
    def finished(self) -> int:
        """Sources that are done, however it went."""
        return sum(self.states.values())

    def counts(self) -> str:
        """``12 of 73 sources · 9 good, 1 held, 2 failed · 4,310 rows``."""
        states = ", ".join(f"{self.states[state]} {state}" for state in STATES if self.states[state])
        return " · ".join(
            part
            for part in (f"{self.finished} of {self.total} sources", states, f"{self.rows:,} rows")
            if part
        )

    def now_running(self) -> str:
        """``now: aws 41 s, gcp 3 s``, those that run longest first."""
        with self._lock:
            since = sorted(self.running.items(), key=lambda item: item[1])
        names = [f"{name} {self.clock() - start:.0f} s" for name, start in since[:SHOWN_WITH_SECONDS]]
        more = [f"{len(since) - SHOWN_WITH_SECONDS} more"] if len(since) > SHOWN_WITH_SECONDS else []
        return "now: " + (", ".join([*names, *more]) or "nothing")


def finished_line(event: CrawlEvent, finished: int) -> str | None:
    """``[12/73] vast: good, 4,310 rows``, with the reason where there is one; None for other events.

    What was interrupted is not told source by source: the command says so once.
    """
    result = event.result
    if result is None or (result.state == "failed" and (result.reason or "").startswith("interrupted")):
        return None
    reason = (result.reason or "").removeprefix(f"{event.provider}: ")
    why = f": {reason}" if reason else ""
    return f"[{finished}/{event.total}] {event.provider}: {result.state}, {result.offers:,} rows{why}"


@contextmanager
def crawl_progress(output: Output) -> Iterator[OnEvent]:
    """Yields the function that takes the crawl's events."""
    tally = CrawlTally()
    if not output.animate:

        def tell(event: CrawlEvent) -> None:
            tally.take(event)
            if line := finished_line(event, tally.finished):
                output.message(" ".join(line.split()))

        yield tell
        return
    from rich.console import Console
    from rich.live import Live

    with Live(
        console=Console(file=output.stderr),
        get_renderable=lambda: _drawn(tally),
        refresh_per_second=REDRAWS_PER_SECOND,
        transient=True,
    ):
        yield tally.take


def _drawn(tally: CrawlTally) -> RenderableType:
    """The two lines, each cut at the terminal's width."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    first = Table.grid(padding=(0, 1, 0, 0))
    first.add_column(width=BAR_WIDTH)
    first.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(
        total=tally.total or None, completed=tally.finished, width=BAR_WIDTH, pulse=not tally.total
    )
    first.add_row(bar, Text(tally.counts() if tally.total else "starting", no_wrap=True, overflow="ellipsis"))
    return Group(first, Text(tally.now_running(), style="dim", no_wrap=True, overflow="ellipsis"))
