"""The two view models that all others are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another page of the site; `external` ones leave it."""

    text: str
    href: str
    external: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """A moment for people and for machines."""

    text: str
    iso: str
