"""Jobs on interruptible machines, simulated event by event, against the closed form of the recommender.

    python -m bench.spot_simulation

Every run draws exponential times to the next interruption and plays the job through: segments, saves,
lost work, replacements, waits. It uses no formula that it checks. Printed: the error of the expected
cost (paid hours) and of the chance to end by a deadline (the worst of five).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender import cost
from recommender.interruption import (
    Checkpointing,
    checkpoint_interval_hours,
    paid_hours,
    share_ended,
    wall_hours,
)

RUNS = 3_000
DEADLINES = (1.02, 1.05, 1.1, 1.2, 1.5)  # times the work with its saves


@dataclass(frozen=True, slots=True)
class Case:
    """One job: hours of work on `machines` that stop together, interrupted `per_hour` each."""

    title: str
    work_hours: float
    machines: int
    per_hour: float
    checkpoint_gb: float
    load_gb: float


CASES = (
    Case("QLoRA of 70B on 1 machine, calm spot", 10, 1, 0.002, 6, 40),
    Case("QLoRA of 70B on 1 machine, usual spot", 10, 1, 0.02, 6, 40),
    Case("full 8B on 1 machine, wild spot", 24, 1, 0.15, 112, 16),
    Case("full 70B on 4 machines, usual spot", 100, 4, 0.02, 980, 140),
    Case("full 70B on 16 machines, wild spot", 60, 16, 0.06, 980, 140),
    Case("pretraining 7B on 32 machines, usual spot", 200, 32, 0.01, 98, 0),
    Case("short job, one machine", 1, 1, 0.05, 10, 16),
)


def main() -> None:
    """Print the table, one case a line, and the largest errors."""
    print(
        f"{'job':<44}{'paid h':>9}{'simulated':>11}{'error':>8}{'wall h':>9}{'error':>8}{'P(deadline)':>14}"
    )
    worst_cost = worst_chance = 0.0
    for case in CASES:
        rate = case.machines * case.per_hour
        how = checkpointing(case)
        walls, paid = simulate(case.work_hours, rate, how, runs=RUNS, seed=7)
        cost_error = paid_hours(case.work_hours, rate, how) / paid.mean() - 1
        wall_error = wall_hours(case.work_hours, rate, how) / walls.mean() - 1
        least = case.work_hours * (1 + how.save_hours / how.interval_hours)
        chance_error = max(
            abs(
                share_ended(least * factor, case.work_hours, rate, how)
                - float((walls <= least * factor).mean())
            )
            for factor in DEADLINES
        )
        worst_cost, worst_chance = max(worst_cost, abs(cost_error)), max(worst_chance, chance_error)
        print(
            f"{case.title:<44}{paid_hours(case.work_hours, rate, how):>9.2f}{paid.mean():>11.2f}"
            f"{cost_error:>8.2%}{wall_hours(case.work_hours, rate, how):>9.2f}{wall_error:>8.2%}"
            f"{chance_error:>12.3f}"
        )
    print(
        f"{RUNS:,} runs a case. Expected cost: at most {worst_cost:.2%} off; chance to end by a deadline: "
        f"at most {worst_chance:.3f} off"
    )


def checkpointing(case: Case) -> Checkpointing:
    """Saves, restarts and waits as the recommender plans them."""
    save = cost.save_hours(case.checkpoint_gb / case.machines)
    interval = checkpoint_interval_hours(save, case.machines * case.per_hour, case.work_hours)
    restart = cost.startup_hours(case.load_gb + case.checkpoint_gb / case.machines)
    return Checkpointing(save, interval, restart, cost.REPLACEMENT_WAIT_HOURS)


def simulate(
    work_hours: float, failures_per_hour: float, how: Checkpointing, *, runs: int, seed: int
) -> tuple[Any, Any]:
    """(wall hours, paid hours) of each run, played through event by event.

    Failures come at exponential times of the job's rate and hit work, saves and restarts alike; after each
    the job waits for a machine, unpaid, restarts, and repeats the segment that it lost.
    """
    dice = np.random.default_rng(seed)
    walls, paid = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        wall = spent = done = 0.0
        restarting = False
        while done < work_hours - 1e-9:
            piece = min(how.interval_hours, work_hours - done)
            need = piece + how.save_hours * piece / how.interval_hours
            need += how.restart_hours if restarting else 0.0
            until = dice.exponential(1 / failures_per_hour)
            if until < need:
                wall += until + how.wait_hours
                spent += until
                restarting = True
                continue
            wall += need
            spent += need
            done += piece
            restarting = False
        walls[run], paid[run] = wall, spent
    return walls, paid


if __name__ == "__main__":
    main()
