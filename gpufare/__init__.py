"""gpufare: what any AI workload costs, on any cloud GPU, today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpufare.api import open_market as open

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def __getattr__(name: str) -> Any:
    """`gpufare.open`, loaded when it is first used: the command line starts without it."""
    if name == "open":
        from gpufare.api import open_market

        return open_market
    raise AttributeError(f"module 'gpufare' has no attribute {name!r}")
