"""The command that copies the site to where people read it: publish."""

from __future__ import annotations

from pathlib import Path

import typer

from gpufare.cli.context import context_of
from gpufare.cli.output import Output
from gpufare.exit_codes import ExitCode

EXAMPLE = "Example: gpufare publish --to s3://prices.example.org"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(
        "publish",
        help="Copy the site to a folder or an object store: only what changed, the front page last.",
        short_help="Copy the site to any address.",
        epilog=EXAMPLE,
    )(publish)


def publish(
    ctx: typer.Context,
    to: str = typer.Option(..., "--to", help="A folder, s3://, gs:// or any other address fsspec knows."),
    site: str | None = typer.Option(None, "--site", help="The site (default: HOME/site)."),
) -> int:
    """Publish the site that `gpufare report` wrote."""
    from reports import publish as publishing

    context = context_of(ctx)
    output = Output(plain=context.settings.plain)
    folder = Path(site).expanduser().absolute() if site else context.settings.home / "site"
    address = to if "://" in to else str(Path(to).expanduser().absolute())
    with output.progress("sending") as step:
        done = publishing.publish(folder, address, step=step)
    output.text(to.rpartition("@")[2] if "://" in to else address)
    size = f"{done.bytes / 1e6:.1f} MB"
    output.message(f"{done.sent} files sent ({size}), {done.same} were the same, {done.removed} removed.")
    return ExitCode.OK
