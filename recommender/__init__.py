"""Recommendations: a workload and a market in, ranked and explained plans out.

`sizing/` is physics and knows no price; what stands above it is economics. The public names are loaded when
they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recommender.constraints import Constraints
    from recommender.engine import Plan, Recommendation, RefusalGroup, recommend
    from recommender.reference_jobs import ReferenceJob
    from recommender.sizer import Sizing, size
    from recommender.workload import Workload

_HOMES = {
    "Constraints": "recommender.constraints",
    "Plan": "recommender.engine",
    "Recommendation": "recommender.engine",
    "RefusalGroup": "recommender.engine",
    "ReferenceJob": "recommender.reference_jobs",
    "Sizing": "recommender.sizer",
    "Workload": "recommender.workload",
    "recommend": "recommender.engine",
    "size": "recommender.sizer",
}
__all__ = [
    "Constraints",
    "Plan",
    "Recommendation",
    "ReferenceJob",
    "RefusalGroup",
    "Sizing",
    "Workload",
    "recommend",
    "size",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'recommender' has no attribute {name!r}")
    return getattr(import_module(home), name)
