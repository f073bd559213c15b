"""`python -m bench.sources`: writes docs/sources.md, all price sources, from what their spiders say.

`tests/test_sources_page.py` fails where the page is not what this would write.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from statistics import median

from crawlers.discover import SpiderCard, spider_cards
from gpufare.source_list import asked_hosts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sources.md"
KIND_WORDS = {"token_price": "tokens", "grid_carbon": "grid carbon", "exchange_rate": "exchange rates"}
PROOF_WORDS = {"recorded": "a recorded answer was read", "documented": "known from documents and code only"}
HEADERS = ("source", "what", "asks", "credential", "prices", "seller", "every", "proof")
INTRO = """# Price sources

All sources that `gpufare crawl` can ask, one spider each in `crawlers/spiders`. This page is written by
`python -m bench.sources` from the spiders' own facts. When each was read last, and how that went, is what
`gpufare providers --all` prints.

- **asks**: the hosts that are asked. *credential*: environment variable, or name in the secrets file;
  "needed" where nothing can be read without it, else it adds to what is read.
- **seller**: "own" where the provider states its own prices, "other" for a reseller or a compiled list.
- **proof**: "recorded" where the parser has read a real answer that was recorded, "documented" where its
  shape is known from documents or other programs only.
- in brackets: parts of a source. Each can be switched off alone (`off = ["aws:spot"]` in `gpufare.toml`;
  the main part alone is `aws:aws`), as a whole source can (`off = ["aws"]`).
- *off*: not asked unless the configuration switches it on; what is known of its terms is below the table.
"""

OPTIONS = """
## Options

Choices of single sources, in `gpufare.toml`:

```toml
[options.aws]
regions = ["us-east-1", "eu-west-2"]
```
"""


def page(cards: dict[str, SpiderCard]) -> str:
    """The whole page as Markdown."""
    proofs = Counter(card.proof for card in cards.values())
    counts = "; ".join(
        f"{PROOF_WORDS[proof]}: {count}" for proof, count in sorted(proofs.items(), reverse=True)
    )
    chosen = [card for card in cards.values() if card.options]
    off = [card for card in cards.values() if not card.default_on]
    parts = [
        INTRO,
        f"{len(cards)} spiders. {counts[:1].upper()}{counts[1:]}. Off by default: {len(off)}.\n",
        "\n".join([_line(HEADERS), _line(["---"] * len(HEADERS)), *(_row(card) for card in cards.values())]),
    ]
    parts.append(OPTIONS)
    parts += [
        f"- `{card.provider}`: " + "; ".join(f"`{name}`: {does}" for name, does in card.options.items())
        for card in chosen
    ]
    if off:
        parts.append("\n## Off by default\n")
        parts += [f"- `{card.provider}`: {card.terms_note}" for card in off]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the page."""
    cards = spider_cards()
    PAGE.write_text(page(cards), "utf-8")
    lines = sorted(len(card.file.read_text("utf-8").splitlines()) for card in cards.values())
    proofs = Counter(card.proof for card in cards.values())
    sources = len(cards) + sum(len(card.parts) for card in cards.values())
    print(f"{PAGE.name}: {len(cards)} spiders, {sources} sources with their parts")
    print("by proof: " + ", ".join(f"{count} {proof}" for proof, count in proofs.most_common()))
    print(f"lines per spider: median {median(lines):g}, longest {lines[-1]}")


def _row(card: SpiderCard) -> str:
    parts = sorted(name.partition(":")[2] for name in card.parts)
    key = ", ".join(f"`{name}`" for name in card.credential)
    return _line(
        [
            f"`{card.provider}`" + ("" if card.default_on else " *off*"),
            f"[{card.title}]({card.homepage})" + (f" ({', '.join(parts)})" if parts else ""),
            ", ".join(asked_hosts(card)),
            key + (" needed" if card.needs_credential else "") if key else "none",
            ", ".join(KIND_WORDS.get(kind, kind.replace("_", " ")) for kind in card.price_kinds),
            "own" if card.first_party else "other",
            _every(card.refetch),
            card.proof,
        ]
    )


def _every(refetch: timedelta) -> str:
    hours = refetch.total_seconds() / 3600
    return f"{hours / 24:g} d" if hours >= 48 else f"{hours:g} h" if hours >= 1 else f"{hours * 60:g} min"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main()
