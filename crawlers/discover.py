"""Finds spiders without importing them: one file in `crawlers/spiders` is one provider, named like the file.

The facts that the front door needs (is it on, which key, how often, which hosts) are read from the spider's
source as literals, so that neither scrapy nor a spider's own mistakes reach the command line's process. A
fact that is not a literal is an error that names file and attribute. `tests/test_crawl_discover.py` holds
these cards against the imported classes.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from warehouse.errors import GpufareError, UnknownNameError

if TYPE_CHECKING:
    from crawlers.price_spider import PriceSpider

SPIDERS = Path(__file__).resolve().parent / "spiders"
BASE_CLASS = "PriceSpider"
BASE_FILE = Path(__file__).resolve().parent / "price_spider.py"
NEAR_NAMES = 3
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")
logger = logging.getLogger(__name__)
_URL = re.compile(r"https?://[^\s\"'<>{}]+")


class SpiderError(GpufareError):
    """A spider's file does not define what a spider must define; our own mistake, not the provider's."""


@dataclass(frozen=True, slots=True)
class SpiderCard:
    """What is known of a spider without running it. Fields as on `crawlers.price_spider.PriceSpider`.

    Attributes:
        hosts: host names that occur in the source; two spiders that share one never run side by side.
        refetch: how long an answer stays good.
        credential: environment variables a key is read from.
        parts: ids of all its sources beyond the spider's own name, ``aws:spot``; each can be switched off.
        options: what the configuration may choose, with one clause on what it does.
        needs_credential: True where nothing can be read without it.
    """

    provider: str
    file: Path
    hosts: frozenset[str]
    title: str
    homepage: str
    kind: str
    first_party: bool
    refetch: timedelta
    credential: tuple[str, ...]
    needs_credential: bool
    default_on: bool
    proof: str
    terms_note: str
    requests_per_second: float
    price_kinds: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    parts: frozenset[str] = frozenset()


def spider_cards(folder: Path = SPIDERS) -> dict[str, SpiderCard]:
    """All spiders of a folder by name, sorted. Files that start with ``_`` are shared helpers.

    A file that is not well formed costs its own source: it is left out with a warning in the log.
    """
    cards = {}
    for path in sorted(path for path in folder.glob("*.py") if not path.name.startswith("_")):
        try:
            cards[path.stem] = _card(path, path.stat().st_mtime_ns)
        except (SpiderError, SyntaxError) as error:
            logger.warning("source %s is left out: %s", path.stem, error)
    return cards


def find_card(name: str, folder: Path = SPIDERS) -> SpiderCard:
    """One spider by name. Raises UnknownNameError with the nearest names, SpiderError for a broken file."""
    file = folder / f"{name}.py"
    if name.isidentifier() and not name.startswith("_") and file.exists():
        try:
            return _card(file, file.stat().st_mtime_ns)
        except SyntaxError as error:
            raise SpiderError(f"{file}: {error}") from None
    cards = spider_cards(folder)
    folded = name.strip().lower().replace("-", "_").replace(" ", "_")
    near = difflib.get_close_matches(folded, cards, n=NEAR_NAMES, cutoff=0.5)
    near += [known for known in cards if folded and folded in known and known not in near]
    raise UnknownNameError("provider", name, near[:NEAR_NAMES], "gpufare providers lists all of them")


def load_spider(name: str, folder: Path = SPIDERS) -> type[PriceSpider]:
    """Import one spider's class (and scrapy with it)."""
    card = find_card(name, folder)
    if folder.resolve() == SPIDERS:
        module = importlib.import_module(f"crawlers.spiders.{name}")
    else:
        spec = importlib.util.spec_from_file_location(f"gpufare_spider_{name}", card.file)
        if spec is None or spec.loader is None:
            raise SpiderError(f"{card.file} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    from crawlers.price_spider import PriceSpider

    for value in vars(module).values():
        if not (isinstance(value, type) and issubclass(value, PriceSpider)):
            continue
        if value.__module__ == module.__name__ and getattr(value, "name", None) == name:
            return value
    raise SpiderError(f"{card.file} defines no {BASE_CLASS} with name = {name!r}")


@lru_cache(maxsize=512)
def _card(path: Path, _changed_ns: int) -> SpiderCard:
    tree = ast.parse(path.read_text("utf-8"), str(path))
    spider = _spider_class(tree, path)
    facts = {**_base_facts(), **_literals(spider, path)}
    if facts.get("name") != path.stem:
        raise SpiderError(f"{path}: name is {facts.get('name')!r}, but the file says {path.stem!r}")
    for fact in ("title", "homepage"):
        if not facts.get(fact):
            raise SpiderError(f"{path}: the spider states no {fact}")
    return SpiderCard(
        provider=path.stem,
        file=path,
        hosts=frozenset(host for part in _trees(tree, path) for host in _hosts(part)),
        parts=frozenset(
            name for part in _trees(tree, path) for name in _parts(part, path.stem, facts["sources"])
        ),
        credential=tuple(facts.pop("credential")),
        **{fact: facts[fact] for fact in _FACTS if fact != "credential"},
    )


_FACTS = (
    "title",
    "homepage",
    "kind",
    "first_party",
    "refetch",
    "credential",
    "needs_credential",
    "default_on",
    "proof",
    "terms_note",
    "requests_per_second",
    "price_kinds",
    "sources",
    "options",
)


@lru_cache(maxsize=1)
def _base_facts() -> dict[str, Any]:
    tree = ast.parse(BASE_FILE.read_text("utf-8"), str(BASE_FILE))
    base = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == BASE_CLASS)
    return _literals(base, BASE_FILE)


def _spider_class(tree: ast.Module, path: Path) -> ast.ClassDef:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in classes:
        if any(
            isinstance(item, ast.Constant) and item.value == path.stem for item in _values_of(node, "name")
        ):
            return node
    raise SpiderError(f"{path}: no class states name = {path.stem!r} (file name = spider name)")


def _values_of(node: ast.ClassDef, name: str) -> Iterator[ast.expr]:
    for target, value in _assignments(node):
        if target == name:
            yield value


def _assignments(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for item in node.body:
        if isinstance(item, ast.Assign):
            for target in item.targets:
                if isinstance(target, ast.Name):
                    yield target.id, item.value
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value:
            yield item.target.id, item.value


def _literals(node: ast.ClassDef, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in _assignments(node):
        if name == "name" or name in _FACTS:
            found[name] = _literal(value, name, path)
    return found


def _literal(value: ast.expr, name: str, path: Path) -> Any:
    try:
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "timedelta":
            parts = {word.arg or "": ast.literal_eval(word.value) for word in value.keywords}
            return timedelta(*map(ast.literal_eval, value.args), **parts)
        return ast.literal_eval(value)
    except (ValueError, TypeError):
        raise SpiderError(
            f"{path}:{value.lineno}: {name} must be a plain literal; it is read without import"
        ) from None


def _trees(tree: ast.Module, path: Path) -> Iterator[ast.Module]:
    """The spider's source and that of its own helpers: ``crawlers/aws_*.py`` of the spider ``aws``."""
    yield tree
    for node in tree.body:
        module = node.module if isinstance(node, ast.ImportFrom) else None
        if module and module.startswith(f"crawlers.{path.stem}_"):
            file = path.parent.parent / f"{module.removeprefix('crawlers.')}.py"
            if file.exists():
                yield from _trees(ast.parse(file.read_text("utf-8"), str(file)), path)


def _hosts(tree: ast.Module) -> Iterator[str]:
    """Hosts of the addresses in the code; the homepage and prose are for people and do not count.

    Where an address is put together (``f"https://{host}/..."``), texts that look like a host name count too.
    """
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    prose = {id(value) for node in classes for value in _prose(node)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]
    put_together = any(re.search(r"https?://(\{|$)", text) for text in texts)
    for text in texts:
        if "\n" in text:
            continue
        yield from (host for url in _URL.findall(text) if (host := urlsplit(url).hostname))
        if put_together and _HOST.fullmatch(text):
            yield text


def _parts(tree: ast.Module, provider: str, sources: tuple[str, ...]) -> Iterator[str]:
    """Source ids beside the spider's own name: those it declares, and those that its requests name."""
    yield from (source for source in sources if source != provider)
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and re.fullmatch(rf"{provider}:[a-z][a-z0-9_]*", text):
            yield text


def _prose(node: ast.ClassDef) -> Iterator[ast.expr]:
    for name in ("homepage", "terms_note"):
        yield from _values_of(node, name)
