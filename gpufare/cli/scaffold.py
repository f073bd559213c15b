"""The command that begins a provider: scaffold writes its spider and its fixture, in a source checkout."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import typer

from gpufare.cli.context import context_of
from gpufare.cli.output import Output
from gpufare.exit_codes import ExitCode
from gpufare.scaffold import Source, files_of
from warehouse.errors import GpufareError, UsageError

EXAMPLE = (
    'Example: gpufare scaffold acme_cloud --title "Acme Cloud" --url https://api.acme.example/v1/machines'
)
CHECKOUT = typer.Option(
    None, "--checkout", help="Source checkout to write into (default: the one this gpufare runs from)."
)
NAME_FORM = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
LONGEST_NAME, LONGEST_TITLE, LONGEST_URL = 40, 60, 200
SECRET_WORDS = ("key", "token", "secret", "password", "signature", "sig", "auth")


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("scaffold", help="Begin a provider: write its spider and its fixture.", epilog=EXAMPLE)(
        scaffold
    )


def scaffold(
    ctx: typer.Context,
    name: str = typer.Argument(..., help="Provider id = file name: lower case, digits, single underscores."),
    title: str = typer.Option(..., "--title", help="The provider's name for people."),
    url: str = typer.Option(..., "--url", help="The address that answers with its prices."),
    html: bool = typer.Option(False, "--html", help="The answer is a page (default: --json)."),
    as_json: bool = typer.Option(False, "--json", help="The answer is JSON (this is the default)."),
    checkout: Path | None = CHECKOUT,
) -> int:
    """Write the files and say what comes next."""
    if html and as_json:
        raise UsageError("--html and --json exclude one another; give one of them")
    root = checkout_at(checkout)
    source = Source(checked_name(name, root), checked_title(title), checked_url(url), html)
    for path in write_new(root, files_of(source)):
        typer.echo(path.relative_to(root).as_posix())
    Output(plain=context_of(ctx).settings.plain).message(
        f"next: gpufare crawl {name} --dry-run lists what the provider answers (--replay "
        f"tests/fixtures/{name} reads the example instead); then docs/add-a-provider.md"
    )
    return ExitCode.OK


def checkout_at(folder: Path | None) -> Path:
    """The source checkout to write into. Raises UsageError where there is none."""
    import crawlers

    root = (folder or Path(crawlers.__file__).parent.parent).resolve()
    needed = (root / "pyproject.toml", root / "crawlers" / "spiders", root / "tests" / "fixtures")
    if all(path.exists() for path in needed):
        return root
    raise UsageError(
        f"{root} is no source checkout of gpufare, and scaffold only writes into one; "
        "clone the project and run it there, or name the checkout with --checkout"
    )


def checked_name(name: str, root: Path) -> str:
    """A name that can be a file, a module and a folder, and is free. Raises UsageError."""
    if len(name) > LONGEST_NAME or not NAME_FORM.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be a provider's name; write lower-case letters, digits and single underscores, "
            f"at most {LONGEST_NAME}, no Python keyword: acme_cloud"
        )
    for path in (root / "crawlers" / "spiders" / f"{name}.py", root / "tests" / "fixtures" / name):
        if path.exists() or path.is_symlink():
            raise UsageError(
                f"{path.relative_to(root)} exists and is not overwritten; choose another name or edit it"
            )
    return name


def checked_title(title: str) -> str:
    """A title that can stand in code as it is. Raises UsageError."""
    text = title.strip()
    if not text or len(text) > LONGEST_TITLE or not text.isprintable() or set(text) & set('"\\'):
        raise UsageError(
            f"--title {title[:80]!r} must be one line of 1 to {LONGEST_TITLE} printable characters "
            "without double quotes and backslashes"
        )
    return text


def checked_url(url: str) -> str:
    """An address that may be committed. Raises UsageError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    bad = set(url) & set("\"'\\{}<>`^|") or not url.isascii() or not url.isprintable() or " " in url
    if bad or len(url) > LONGEST_URL or "." not in host or parts.scheme != "https":
        raise UsageError(
            f"--url {url[:80]!r} is no address that can be asked; write it whole: https://api.example.com/prices"
        )
    names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.username or any(name.endswith(SECRET_WORDS) for name in names):
        raise UsageError(
            "--url carries a credential, and the address is committed; leave it out and send it in a header "
            "(docs/add-a-provider.md: self.secret)"
        )
    return url


def write_new(root: Path, files: dict[str, str]) -> list[Path]:
    """Write files that must not exist yet; all of them or none. Raises GpufareError."""
    written: list[Path] = []
    try:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise GpufareError(f"{error.filename}: {error.strerror}; nothing was written") from None
    return written
