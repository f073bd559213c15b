"""Commands that bring data in: crawl (live, replay, dry run) and load."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gpufare.cli.context import Context, context_of
from gpufare.cli.options import CSV, JSON
from gpufare.cli.output import Column, Output
from gpufare.exit_codes import ExitCode
from gpufare.market import check_home, ensure_market
from warehouse.errors import GpufareError, UsageError

if TYPE_CHECKING:
    from crawlers.run import CrawlResult
    from warehouse.dry_run import DryRun
    from warehouse.ingest import LoadResult

PROVIDERS = typer.Argument(None, help="Names; default: every one that can be asked.")
REPLAY = typer.Option(
    None, "--replay", help="Read this run folder, or all below it, instead of the network; may be repeated."
)
FOLDERS = typer.Argument(None, help="Run folders, or folders of them; default: HOME/runs.")
CRAWL_EXAMPLE = "Example: gpufare crawl scaleway --dry-run; gpufare crawl --replay recordings/scaleway"
BAD = ("failed", "held")
SHOWN_REASONS = 10


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


RUN_COLUMNS = [
    Column("provider", "provider"),
    Column("state", "state"),
    Column("offers", "offers", right=True),
    Column("reference_rows", "other", right=True, show=lambda count: f"{count:,}" if count else ""),
    Column("rejected", "rejected", right=True),
    Column("quarantined", "held", right=True),
    Column("requests", "requests", right=True),
    Column("seconds", "seconds", right=True, show=lambda seconds: f"{seconds:.1f}"),
    Column("reason", "reason", min_width=20),
]
RATE_COLUMNS = [
    Column("date", "date"),
    Column("currency", "currency"),
    Column("units_per_eur", "units per EUR", right=True),
]
TOKEN_COLUMNS = [
    Column("provider", "provider"),
    Column("model", "model", min_width=20),
    Column("mode", "mode"),
    Column("input_usd_per_mtok", "in $/Mtok", right=True, show=_number),
    Column("output_usd_per_mtok", "out $/Mtok", right=True, show=_number),
    Column("cached_input_usd_per_mtok", "cached $/Mtok", right=True, show=_number),
    Column("context_length", "context", right=True, show=_number),
    Column("note", "note", min_width=10),
]
CARBON_COLUMNS = [
    Column("provider", "provider"),
    Column("region", "region"),
    Column("grid_zone", "grid zone"),
    Column("g_co2e_per_kwh", "g CO2e/kWh", right=True, show=_number),
    Column("carbon_free_share", "carbon-free", right=True, show=_number),
    Column("period", "period"),
    Column("note", "note", min_width=10),
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("crawl", help="Ask providers (or replay recordings), archive, load.", epilog=CRAWL_EXAMPLE)(
        crawl
    )
    app.command("load", help="Load run folders that are not loaded yet.")(load)


def crawl(
    ctx: typer.Context,
    providers: list[str] | None = PROVIDERS,
    everything: bool = typer.Option(
        False, "--all", help="Those that are off by default too (never those the configuration switches off)."
    ),
    replay: list[Path] | None = REPLAY,
    dry_run: bool = typer.Option(False, "--dry-run", help="Load nothing; print what would be loaded."),
    no_load: bool = typer.Option(False, "--no-load", help="Archive only; load later with: gpufare load"),
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Crawl, archive and load."""
    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    names, recordings = list(dict.fromkeys(providers or ())), list(replay or ())
    if everything and names:
        raise UsageError("--all and provider names exclude one another; give one of them")
    if recordings:
        names, recordings = _split_replay(names, recordings)
    else:
        names = _choose(context, output, names, everything)
        if not names:
            output.message("no provider can be asked; see: gpufare doctor")
            return ExitCode.NOTHING
    task = Task(context, output, names, recordings)
    if dry_run:
        return task.dry_run()
    if not no_load:
        check_home(context.settings)
    return task.crawl_and_load(load=not no_load)


def load(
    ctx: typer.Context,
    folders: list[Path] | None = FOLDERS,
    as_json: bool = JSON,
    as_csv: bool = CSV,
) -> int:
    """Load run folders."""
    from crawlers.replay import find_run_folders

    context = context_of(ctx)
    output = Output(as_json=as_json, as_csv=as_csv, plain=context.settings.plain)
    places = list(folders or ([context.settings.runs] if context.settings.runs.exists() else ()))
    if not places:
        output.message("no run folder yet; run: gpufare crawl")
        return ExitCode.NOTHING
    loaded = _load_all(context, find_run_folders(places))
    new = [result for result in loaded if not result.already_loaded]
    rows = [_load_row(result) for result in new]
    empty = f"all {len(loaded)} run folders are loaded already"
    columns = [column for column in RUN_COLUMNS if column.key not in ("requests", "seconds")]
    output.rows(
        rows, [Column("run_id", "run"), *columns], as_of=context.now, warnings=_notes(new), empty=empty
    )
    return _exit_code([result.state for result in new])


@dataclass
class Task:
    """One `crawl` command: what to ask, and where the answers go."""

    context: Context
    output: Output
    names: list[str]
    recordings: list[Path]

    def crawl_and_load(self, *, load: bool) -> int:
        """Crawl, load what was written, print one row per run."""
        results = self._crawl(self.context.settings.home)
        loaded: dict[Path, LoadResult] = {}
        if load:
            written = [result.folder for result in results if result.folder is not None]
            loaded = self._load(written)
        rows = [
            _crawl_row(result, loaded.get(result.folder) if result.folder else None) for result in results
        ]
        self.output.rows(
            rows,
            RUN_COLUMNS,
            as_of=self.context.now,
            warnings=_notes(loaded.values()),
            empty="nothing was crawled",
        )
        return _exit_code([row["state"] for row in rows])

    def dry_run(self) -> int:
        """Crawl into a folder that is thrown away; print the rows that would be loaded, and what is odd."""
        from warehouse.dry_run import dry_run

        settings, found, states = self.context.settings, list[Any](), list[str]()
        warnings: list[str] = []
        with tempfile.TemporaryDirectory(prefix="gpufare-") as folder:
            for result in self._crawl(Path(folder)):
                if result.folder is None:
                    states.append(result.state)
                    warnings.append(f"{result.provider}: {result.state}: {result.reason}")
                    continue
                clock = _clock_of(result, self.context)
                trial = dry_run(result.folder, now=clock, home=settings.home, origin=_origin(result.folder))
                found.append(trial)
                states.append(trial.state)
                warnings += _oddities(trial)
        self._print_trials(found, warnings)
        return _exit_code(states)

    def _print_trials(self, found: Sequence[DryRun], warnings: list[str]) -> None:
        from gpufare.cli.market import OFFER_COLUMNS, for_people

        rows = [row for trial in found for row in trial.rows]
        columns = [*OFFER_COLUMNS, Column("state", "state")]
        others = {"rates": RATE_COLUMNS, "token_prices": TOKEN_COLUMNS, "grid_carbon": CARBON_COLUMNS}
        other = next((kind for kind in others if any(getattr(trial, kind) for trial in found)), None)
        if other and not rows:
            rows, columns = [row for trial in found for row in getattr(trial, other)], others[other]
        elif self.output.format == "table":
            rows = [for_people(row) for row in rows]
        self.output.rows(rows, columns, as_of=self.context.now, warnings=warnings, empty="no offer was found")

    def _crawl(self, home: Path) -> list[CrawlResult]:
        from crawlers.run import crawl
        from gpufare.cli.crawl_progress import crawl_progress
        from gpufare.sources import crawl_options

        with crawl_progress(self.output) as on_event:
            return crawl(
                self.names,
                home=home,
                now=self.context.now,
                secrets=self.context.settings.secrets,
                replay=self.recordings,
                on_event=on_event,
                options=crawl_options(self.context.settings),
            )

    def _load(self, folders: Sequence[Path]) -> dict[Path, LoadResult]:
        try:
            loaded = _load_all(self.context, folders)
        except GpufareError as error:
            raise type(error)(f"{error}; the runs are archived, load them later with: gpufare load") from None
        by_run = {(result.provider, result.run_id): result for result in loaded}
        return {
            folder: by_run[found]
            for folder in folders
            if (found := (folder.parent.name, folder.name)) in by_run
        }


def _choose(context: Context, output: Output, names: list[str], everything: bool) -> list[str]:
    """Providers to ask. Those that cannot be asked are told, one line each; naming one is an error."""
    from crawlers.discover import find_card, spider_cards
    from crawlers.due import why_not
    from gpufare.sources import check_choices

    settings = context.settings
    check_choices(settings)
    cards = [find_card(name) for name in names] or list(spider_cards().values())
    off_by_default = {card.provider for card in cards} if names or everything else settings.switched_on
    chosen: list[str] = []
    left_out: list[str] = []
    for card in cards:
        reason = why_not(
            card, secrets=settings.secrets, switched_off=settings.switched_off, switched_on=off_by_default
        )
        if reason is None:
            chosen.append(card.provider)
        elif names:
            raise UsageError(f"{card.provider} is not asked: {reason}")
        else:
            left_out.append(f"{card.provider} is left out: {reason}")
    if output.animate and len(left_out) > SHOWN_REASONS:  # a screen is for the crawl; a log gets every line
        left_out = [f"{len(left_out)} sources are left out; why: gpufare providers --all"]
    for line in left_out:
        output.message(line)
    return chosen


def _split_replay(names: list[str], recordings: list[Path]) -> tuple[list[str], list[Path]]:
    """``--replay A B`` reads B as a name; what is a folder and no known provider is another recording."""
    from crawlers.discover import spider_cards

    known = spider_cards()
    folders = [name for name in names if name not in known and Path(name).is_dir()]
    return [name for name in names if name not in folders], [*recordings, *map(Path, folders)]


def _load_all(context: Context, folders: Sequence[Path]) -> list[LoadResult]:
    from warehouse.ingest import ingest

    ensure_market(context.settings, context.now)

    by_origin: dict[str, list[Path]] = {}
    for folder in folders:
        by_origin.setdefault(_origin(folder), []).append(folder)
    loaded: list[LoadResult] = []
    for origin, group in sorted(by_origin.items()):
        loaded += ingest(context.settings.home, group, now=context.now, origin=origin)
    return loaded


def _origin(folder: Path) -> str:
    """``live`` for what our own crawl wrote, else ``replay``; an unreadable folder is told at loading."""
    from warehouse.run_folder import read_run_folder

    try:
        return "live" if read_run_folder(folder).source.get("origin") == "live" else "replay"
    except GpufareError:
        return "replay"


def _clock_of(result: CrawlResult, context: Context) -> Any:
    """A replay's clock is its recording's."""
    from warehouse.run_folder import read_run_folder

    if result.replay_of is None or result.folder is None:
        return context.now
    return read_run_folder(result.folder).recorded_at


def _crawl_row(result: CrawlResult, loaded: LoadResult | None) -> dict[str, Any]:
    state, reason = result.state, result.reason
    if loaded is not None and result.state not in BAD:
        state, reason = loaded.state, loaded.reason or result.reason
    row: dict[str, Any] = {
        "provider": result.provider,
        "state": state,
        "offers": result.offers if loaded is None else loaded.offers,
        **_reference_rows(loaded),
        "rejected": result.rejected if loaded is None else max(result.rejected, loaded.rejected),
        "quarantined": None if loaded is None else loaded.held,
        "requests": result.requests,
        "seconds": result.seconds,
        "reason": reason,
        "run_folder": str(result.folder) if result.folder else None,
    }
    return row


def _load_row(result: LoadResult) -> dict[str, Any]:
    return {
        "run_id": result.run_id,
        "provider": result.provider,
        "state": result.state,
        "offers": result.offers,
        **_reference_rows(result),
        "rejected": result.rejected,
        "quarantined": result.held,
        "reason": result.reason,
    }


def _reference_rows(loaded: LoadResult | None) -> dict[str, int]:
    """Rows that are no offers, by kind and together."""
    kinds = ("rates", "token_prices", "grid_carbon")
    counts = {kind: 0 if loaded is None else int(getattr(loaded, kind)) for kind in kinds}
    return {**counts, "reference_rows": sum(counts.values())}


def _notes(results: Any) -> list[str]:
    return [f"{result.provider}: {warning}" for result in results for warning in result.warnings]


def _oddities(trial: DryRun) -> list[str]:
    """What a person should look at: one line each."""
    who = trial.provider
    lines = [f"{who}: {trial.state}: {trial.reason}"] if trial.reason else []
    lines += [f"{who}: {warning}" for warning in trial.warnings]
    lines += [
        f"{who}: unknown GPU name {item['name']!r} in {item['count']} rows: {item['reason']}"
        for item in trial.unknown_names
    ]
    refused = Counter(item["reason"] for item in trial.rejected).most_common()
    lines += [f"{who}: refused {count} times: {reason}" for reason, count in refused[:SHOWN_REASONS]]
    if len(refused) > SHOWN_REASONS:
        lines.append(f"{who}: refused for {len(refused) - SHOWN_REASONS} other reasons")
    unused = trial.unused_fields.items()
    lines += [f"{who}: unused field {name} in {count:,} rows" for name, count in unused]
    if trial.no_gpu:
        lines.append(f"{who}: {trial.no_gpu:,} rows of machines without a GPU were left out")
    return lines


def _exit_code(states: Sequence[str]) -> ExitCode:
    bad = [state for state in states if state in BAD]
    if not bad:
        return ExitCode.OK
    return ExitCode.ERROR if len(bad) == len(states) else ExitCode.SOURCE_FAILED
