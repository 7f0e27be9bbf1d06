"""Running a train workload on a binary that records a profile."""

import math
from pathlib import Path

from pgolab import workload
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload
from pgolab.workload import Outcome


def run(
    app: Manifest,
    one: Workload,
    binary: Path,
    inputs: Path,
    timeout: float,
    environment: dict[str, str] | None = None,
) -> Outcome:
    """Runs one workload at scale 1, in the directory `work` beside the binary.

    Failure when it does not end by itself with status 0.
    """
    where = workload.scratch(binary.parent / "work", app, inputs)
    (where / "train").symlink_to(binary.resolve())
    label = f"'{one.label}' of {app.name}"
    outcome = workload.run_one(app, one, "./train", where, timeout, environment)
    if outcome.status != 0:
        raise Failure(
            f"{label} {workload.describe(outcome.status)} in training",
            "a train workload has to end by itself with status 0",
            said(outcome),
        )
    return outcome


def said(outcome: Outcome) -> list[str]:
    """The end of what a workload printed, for an error message."""
    return workload.tail(outcome.stdout, outcome.stderr)


def nothing_recorded(app: Manifest, one: Workload, outcome: Outcome) -> Failure:
    """What is wrong when a workload ended well and left no profile."""
    return Failure(
        f"'{one.label}' of {app.name} wrote no raw profile",
        "it must not crash, be killed by SIGKILL, or shut itself off from what writing a file takes"
        " (switch a seccomp sandbox off in its build); with GCC, not end by _exit() or a signal",
        said(outcome),
    )


def workloads_of(app: Manifest) -> list[Workload]:
    """The train workloads; Failure when there is none."""
    if not app.workloads:
        raise Failure(
            f"{app.name} has no train workload", "add one to its app.mk: train.NAME = $(BIN) …"
        )
    return list(app.workloads)


# Merge weights are whole numbers; the largest total gets this one, so that the others are within
# half a percent of what they should be; without a common factor, as inlining is not quite blind to
# the size of counts: a single workload is merged as it would be by hand.
FINEST_WEIGHT = 100


def merge_weights(workloads: list[Workload], totals: list[int]) -> list[int]:
    """Whole-number weights that make the counts of each workload sum to its share."""
    wanted = [one.weight / total for one, total in zip(workloads, totals)]
    whole = [max(1, round(FINEST_WEIGHT * w / min(wanted))) for w in wanted]
    return [w // math.gcd(*whole) for w in whole]


def noted(
    one: Workload,
    merge_weight: int,
    raw_profiles: int,
    total_count: int,
    wall_s: float,
    cpu_s: float,
) -> dict[str, float | int]:
    """What a profile's .json says of one workload."""
    return {
        "weight": one.weight,
        "merge_weight": merge_weight,
        "raw_profiles": raw_profiles,
        "total_count": total_count,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(cpu_s, 3),
    }
