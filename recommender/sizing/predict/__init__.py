"""Predicts rows of measurement tables (CONTRACT 5) with the formulas that also size workloads.

`table` reads a table and hides what was measured, `lookup` turns names into parts and architectures, one
module per table (`inference`, `training`, `runs`, `memory`) predicts middles, `bands` widens them to
p10-p90, `evaluate` compares with the measurements, out of sample too.
"""

from __future__ import annotations

from recommender.sizing.predict.bands import predict_table
from recommender.sizing.predict.evaluate import Report, cross_validate, evaluate_table
from recommender.sizing.predict.prediction import Points, Prediction, write_out
from recommender.sizing.predict.table import Row, Table, read_table

__all__ = [
    "Points",
    "Prediction",
    "Report",
    "Row",
    "Table",
    "cross_validate",
    "evaluate_table",
    "predict_table",
    "read_table",
    "write_out",
]
