"""Absurd numbers in measurement tables: refused in one line that names the column."""

from __future__ import annotations

from recommender.sizing.predict.table import Row

_LIMITS = {  # column -> largest value that anything has; below or at 0 is absurd too
    "params_total": 1e14,
    "params_active": 1e14,
    "tokens": 1e16,
    "n_accel": 1e7,
    "seq_len": 1e8,
    "gbs": 1e8,
    "mbs": 1e6,
    "micro_batch": 1e6,
    "grad_accum": 1e6,
    "kv_tokens": 1e9,
}
_DEGREES = ("tp", "pp", "cp", "vp", "ep")  # 0 is written for "none"
_MOST = 1e5


def absurd(row: Row) -> str | None:
    """What is wrong with the row's numbers; None where nothing is."""
    for column, limit in _LIMITS.items():
        value = row.number(column)
        if value is not None and not 0 < value <= limit:
            return f"{column} is {row.text(column)}, expected above 0 and at most {limit:g}"
    for column in _DEGREES:
        value = row.number(column)
        if value is not None and not 0 <= value <= _MOST:
            return f"{column} is {row.text(column)}, expected 0 to {_MOST:g}"
    gpus, used = row.number("n_accel"), 1.0
    for column in ("tp", "pp", "cp"):
        used *= row.number(column) or 1.0
    if gpus is not None and used > 2 * gpus:  # Trainium counts two cores a chip
        return f"tp x pp x cp is {used:g}, more than n_accel {gpus:g}"
    return None
