"""How the sources of a run fared: states that only get worse, and rows set aside with their reason."""

from __future__ import annotations

import json
from typing import Any

from warehouse.run_folder import SourceReport

KEPT_REJECTS = 200
REJECTED_SHARE = 0.05
SEVERITY = ("good", "skipped", "partial", "failed", "held")


class SourceStates:
    """The part of a spider that keeps its sources' states; `settle` turns them into the run's.

    Attributes:
        reports: one report per source.
        rejected, rejected_count: rows that were refused, the first `KEPT_REJECTS` with their reasons.
        replay_partial: the run is a replay of a recording that holds only some of the answers.
    """

    name: str

    def __init__(self, *, replay_partial: bool = False) -> None:
        self.replay_partial = replay_partial
        self.rejected: list[dict[str, Any]] = []
        self.rejected_count = 0
        self.reports: dict[str, SourceReport] = {}
        self._lost: dict[str, list[str]] = {}

    def report(self, source: str) -> SourceReport:
        """The report of one source, made on first use."""
        return self.reports.setdefault(source, SourceReport(source))

    def reject(self, reason: str, row: Any) -> None:
        """Set one row aside."""
        self.rejected_count += 1
        if len(self.rejected) < KEPT_REJECTS:
            self.rejected.append({"reason": reason, "row": json.loads(json.dumps(row, default=str))})

    def partial(self, reason: str, source: str | None = None) -> None:
        """Say that a source's answer is not whole (truncated, a page lost)."""
        self._worsen("partial", reason, source)

    def failed(self, reason: str, source: str | None = None) -> None:
        """Say that a source gave no answer. Where other answers of it made offers, that means partial."""
        self._worsen("failed", reason, source)

    def held(self, reason: str, source: str | None = None) -> None:
        """Say that a source answered, but not in the shape we know: its rows are not to be used."""
        self._worsen("held", reason, source)

    def check_total(self, read: int, stated: Any, what: str, source: str | None = None) -> None:
        """Compare the rows read with the total that the source states; fewer of them is a partial answer."""
        if isinstance(stated, int) and read < stated:
            self.partial(f"{read:,} of {stated:,} {what} were read", source)

    def skipped(self, reason: str, source: str | None = None) -> None:
        """Say that a source was not asked (no credential, switched off, not in a partial recording)."""
        self._worsen("skipped", reason, source)

    def lost(self, reason: str, source: str) -> None:
        """Say that one request of a source failed; what that means is settled when all have been answered."""
        self._lost.setdefault(source, []).append(reason)

    def settle(self, sources: tuple[str, ...]) -> tuple[str, str | None]:
        """Settle each source's state and give the run's, with its reason.

        Args:
            sources: those that must have offers; others only add facts to them.
        """
        self._settle_losses()
        for source in sources:
            report = self.report(source)
            if report.state == "good" and not report.offers:
                report.state, report.reason = self._empty_state(source)
        for report in self.reports.values():
            if report.offers and report.state == "skipped":
                report.state, report.reason = "good", None
            elif report.offers and report.state == "failed":
                report.state = "partial"
        return self._overall(list(self.reports.values()))

    def _settle_losses(self) -> None:
        """Requests that failed: their source is partial where others of it gave offers, else failed."""
        for source, reasons in self._lost.items():
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            report = self.report(source)
            if report.offers:
                self.partial(reasons[0] + more, source)
            elif report.state != "held":
                self.failed(reasons[0] + more, source)
        self._lost.clear()

    def _worsen(self, state: str, reason: str, source: str | None) -> None:
        """A source's state only gets worse, and the first reason for a state stays."""
        report = self.report(source or self.name)
        if SEVERITY.index(state) > SEVERITY.index(report.state):
            report.state, report.reason = state, reason

    def _empty_state(self, source: str) -> tuple[str, str]:
        if self.replay_partial:
            return "good", "this partial recording holds no offer of it"
        if not self.report(source).requests:
            return "skipped", "not asked"
        if self.rejected_count:
            return "held", f"every row was refused; the first: {self.rejected[0]['reason']}"
        return "held", "the answers held no offer"

    def _overall(self, reports: list[SourceReport]) -> tuple[str, str | None]:
        total = sum(report.offers for report in reports if report.state not in ("held", "failed"))
        bad = [report for report in reports if report.state in ("held", "failed", "partial")]
        if bad and not total:
            worst = next((report for report in bad if report.state == "held"), bad[0])
            return worst.state, f"{worst.source}: {worst.reason}"
        told = [f"{report.source}: {report.reason}" for report in bad]
        if self.rejected_count > REJECTED_SHARE * (total + self.rejected_count):
            first = self.rejected[0]["reason"]
            if self.rejected_count > 1:
                share = self.rejected_count / (total + self.rejected_count)
                return "held", f"{share:.0%} of the rows were refused; the first: {first}"
            told.append(f"one row was refused: {first}")  # of a short list: no sign of a changed source
        if told:
            return "partial", "; ".join(told)
        if not total and not self.replay_partial:
            return "failed", "; ".join(f"{report.source}: {report.reason}" for report in reports)
        return "good", None
