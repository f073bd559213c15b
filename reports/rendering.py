"""Templates to pages: Jinja with autoescape and StrictUndefined, one stylesheet and one script inlined.

The policy of a page names the exact hash of its style and script, forbids everything else, and is computed
here from the very text that is inlined; so a page can neither run scraped text nor ask another host.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.formatting import clean

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Assets:
    """What every page inlines: the stylesheet, the script and the policy that allows just these two."""

    style: Markup
    script: Markup
    policy: str


@lru_cache(maxsize=1)
def assets() -> Assets:
    """Read and squeeze the stylesheet and the script; compute the policy."""
    style = _squeeze_css((_FOLDER / "static" / "site.css").read_text("utf-8"))
    script = _squeeze_lines((_FOLDER / "static" / "site.js").read_text("utf-8"))
    policy = (
        f"default-src 'none'; style-src '{csp_hash(style)}'; script-src '{csp_hash(script)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Assets(Markup(style), Markup(script), policy)


def csp_hash(text: str) -> str:
    """The policy's source expression for an inline element with exactly this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The Jinja environment of the site."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["assets"] = assets()
    return made


def render(template: str, *, root: str, **context: Any) -> str:
    """One page. `root` is the way from the page to the site's root ("" or "../")."""
    return _squeeze_lines(environment().get_template(template).render(root=root, **context))


def _printable(value: Any) -> Any:
    """The last door: whatever a template prints is free of control characters and direction overrides."""
    return clean(value) if type(value) is str else value


def _squeeze_lines(text: str) -> str:
    """Without indentation and empty lines; line breaks stay."""
    return "\n".join(line.strip() for line in text.split("\n") if line.strip()) + "\n"


def _squeeze_css(text: str) -> str:
    without_comments = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r"\s+", " ", without_comments)).strip()
