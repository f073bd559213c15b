"""Predicts rows of the runs table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recommender.sizing.predict.prediction import Points, unsupported
from recommender.sizing.predict.table import Row


def predict_points(rows: Sequence[Row], constants: Any = None) -> list[Points]:
    """Middles, one per row and in order."""
    return [unsupported("runs is not predicted yet") for _ in rows]
