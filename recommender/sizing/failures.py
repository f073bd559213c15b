"""Checkpoints and failures: how often to save, what share of the time survives. Hours throughout."""

from __future__ import annotations

import math


def young_interval_hours(save_hours: float, mtbf_hours: float) -> float:
    """Time between checkpoints that loses least, first order: sqrt(2 delta M) (Young 1974, CACM 17(9)).

    Args:
        save_hours: delta, time that a save stops the job. mtbf_hours: M, mean time between its failures.

    Holds for delta much smaller than M.
    """
    return math.sqrt(2 * save_hours * mtbf_hours)


def daly_interval_hours(save_hours: float, mtbf_hours: float) -> float:
    """The same to higher order (Daly 2006, FGCS 22(3), equation 37): sqrt(2 delta M) (1 + x / 3 + x^2 / 9) -
    delta with x = sqrt(delta / 2 M); M where delta >= 2 M."""
    if save_hours >= 2 * mtbf_hours:
        return mtbf_hours
    x = math.sqrt(save_hours / (2 * mtbf_hours))
    return young_interval_hours(save_hours, mtbf_hours) * (1 + x / 3 + x * x / 9) - save_hours


def lost_share(interval_hours: float, save_hours: float, restart_hours: float, mtbf_hours: float) -> float:
    """Share of time lost: delta / tau for saving, tau / 2 M recomputed, R / M to restart; at most 1."""
    saving, again = save_hours / interval_hours, interval_hours / (2 * mtbf_hours)
    return min(1.0, saving + again + restart_hours / mtbf_hours)
