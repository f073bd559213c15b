"""The front door: parses ``gpufare [--home DIR] COMMAND``, runs it, turns errors into one line and a code.

Only the module of the wanted command is imported, so that `gpufare offers` does not pay for the others.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import typer

from gpufare import __version__
from gpufare.cli.context import Context, read_clock
from gpufare.exit_codes import ExitCode
from gpufare.settings import load_settings
from warehouse.errors import GpufareError, NothingFoundError, UsageError

COMMAND_MODULES = {
    "crawl": "gpufare.cli.crawl",
    "load": "gpufare.cli.crawl",
    "reparse": "gpufare.cli.reparse",
    "offers": "gpufare.cli.market",
    "history": "gpufare.cli.movement",
    "changes": "gpufare.cli.movement",
    "index": "gpufare.cli.movement",
    "availability": "gpufare.cli.movement",
    "fair": "gpufare.cli.movement",
    "providers": "gpufare.cli.market",
    "quarantine": "gpufare.cli.quarantine",
    "import-history": "gpufare.cli.quarantine",
    "sql": "gpufare.cli.market",
    "gpus": "gpufare.cli.reference",
    "identify": "gpufare.cli.reference",
    "models": "gpufare.cli.recommend",
    "size": "gpufare.cli.recommend",
    "recommend": "gpufare.cli.recommend",
    "commit": "gpufare.cli.commit",
    "decide": "gpufare.cli.decide",
    "levers": "gpufare.cli.levers",
    "fleet": "gpufare.cli.fleet",
    "why": "gpufare.cli.why",
    "predict": "gpufare.cli.predict",
    "evaluate": "gpufare.cli.predict",
    "report": "gpufare.cli.report",
    "publish": "gpufare.cli.publish",
    "watches": "gpufare.cli.watches",
    "daily": "gpufare.cli.ops",
    "schedule": "gpufare.cli.ops",
    "doctor": "gpufare.cli.ops",
    "export": "gpufare.cli.export",
    "scaffold": "gpufare.cli.scaffold",
}
HELP = "What any AI workload costs, on any cloud GPU, today."


def run(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; never returns normally."""
    sys.exit(int(main(list(sys.argv[1:] if arguments is None else arguments))))


def main(arguments: list[str]) -> int:
    """Run one command line and give its exit code."""
    try:
        code = build_app(arguments)(arguments, prog_name="gpufare", standalone_mode=False)
        if code == ExitCode.INTERRUPTED:  # typer turns Ctrl-C into this code and says nothing
            raise KeyboardInterrupt
        return int(code or ExitCode.OK)
    except NothingFoundError as error:
        return _fail(str(error), ExitCode.NOTHING)
    except UsageError as error:
        return _fail(str(error), ExitCode.USAGE)
    except GpufareError as error:
        return _fail(str(error), ExitCode.ERROR)
    except typer.exceptions.TyperException as error:
        return _fail(f"{error.format_message()} (see gpufare --help)", ExitCode.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; what was loaded before is kept", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return int(ExitCode.OK)
    except OSError as error:
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", ExitCode.ERROR)
    except Exception as error:
        if "--traceback" in arguments:
            raise
        said = f"internal error, {type(error).__name__}: {str(error)[:200]}"
        return _fail(
            f"{said}; nothing was lost; `gpufare --traceback ...` shows where it happened", ExitCode.ERROR
        )


def build_app(arguments: list[str]) -> typer.Typer:
    """The typer application with the wanted command; with all of them where none is named."""
    app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(_global_options)
    wanted = next((argument for argument in arguments if argument in COMMAND_MODULES), None)
    names = [wanted] if wanted and arguments[0] not in ("--help", "-h") else list(COMMAND_MODULES)
    for module in dict.fromkeys(COMMAND_MODULES[name] for name in names):
        importlib.import_module(module).register(app)
    return app


def _global_options(
    ctx: typer.Context,
    home: str | None = typer.Option(
        None, "--home", help="Folder of runs, warehouse and site (or GPUFARE_HOME)."
    ),
    traceback: bool = typer.Option(False, "--traceback", help="Show where an internal error happened."),
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    if version:
        sys.stdout.write(f"gpufare {__version__}\n")
        raise typer.Exit
    ctx.obj = Context(settings=load_settings(home), now=read_clock())


def _fail(text: str, code: ExitCode) -> int:
    sys.stderr.write("gpufare: " + " ".join(text.split()) + "\n")
    return int(code)
