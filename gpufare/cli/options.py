"""Options that several commands share, worded once."""

from __future__ import annotations

import typer

JSON = typer.Option(False, "--json", help="JSON for programs.")
CSV = typer.Option(False, "--csv", help="CSV for programs.")
AS_OF = typer.Option(None, "--as-of", help="Answer with what was known on this day or time (UTC).")
