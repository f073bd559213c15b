"""Predicts rows of measurement tables (CONTRACT 5) with the formulas that also size workloads.

`table` reads a table and hides what was measured, `lookup` turns names into parts and architectures, one
module per table (`inference`, `training`, `runs`, `memory`) predicts middles, `bands` widens them to
p10-p90, `evaluate` compares with the measurements, out of sample too.
"""
