"""Running a workload once: in a scratch directory, watched, with what it printed."""

import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from pgolab import files, timing
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload

LAST_LINES = 10  # of an output, in error messages


@dataclass(frozen=True)
class Outcome:
    """What one run did: exit status (negative: signal), output, wall and CPU seconds."""

    status: int
    stdout: bytes
    stderr: bytes
    wall_s: float
    cpu_s: float


def scratch(path: Path, manifest: Manifest, inputs: Path) -> Path:
    """Makes path a fresh directory in which the commands of a manifest can run.

    In it, `app` leads to the app's directory and `inputs` to its inputs.
    """
    files.empty_directory(path)
    (path / "app").symlink_to(manifest.directory.resolve())
    (path / "inputs").symlink_to(inputs.resolve())
    return path


def run_one(
    app: Manifest,
    one: Workload,
    binary: str,
    where: Path,
    timeout: float,
    environment: dict[str, str] | None = None,
) -> Outcome:
    """Runs a workload at scale 1 in a scratch directory, between its set-up and its clean-up."""
    label = f"'{one.label}' of {app.name}"
    aside(one.setup_for(binary), where, timeout, f"the set-up of {label}")
    command = [*one.launcher(where), *one.command(binary, where=where)]
    outcome = run(command, where, timeout, label, environment)
    aside(list(one.cleanup), where, timeout, f"the clean-up of {label}")
    return outcome


def aside(command: list[str], where: Path, timeout: float, label: str) -> None:
    """Runs a command, if there is one, that has to succeed."""
    if not command:
        return
    outcome = run(command, where, timeout, label)
    if outcome.status != 0:
        raise Failure(
            f"{label} {describe(outcome.status)}",
            f"it is the command: {' '.join(command)}",
            tail(outcome.stdout, outcome.stderr),
        )


def describe(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def tail(*outputs: bytes) -> list[str]:
    """The end of what was printed, for an error message; of what is no text only its size."""
    shown = []
    for output in outputs:
        if b"\0" in output:
            shown.append(f"({len(output)} bytes that are no text)")
        else:
            shown += output.decode("utf-8", "replace").splitlines()
    return [line[:200] for line in shown[-LAST_LINES:]]


def run(
    command: list[str],
    where: Path,
    timeout: float,
    label: str,
    environment: dict[str, str] | None = None,
) -> Outcome:
    """Runs a command in a directory; Failure when it cannot start or takes longer than timeout.

    label names the workload in messages. Its process group ends with it.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    try:
        with timing.busy("workloads"), subprocess.Popen(
            command,
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
                raise
    except subprocess.TimeoutExpired:
        raise Failure(
            f"{label} took longer than {timeout:g} seconds",
            "make it shorter, or allow more with TIMEOUT=",
            tail(stdout, stderr),
        ) from None
    except OSError as error:
        raise Failure(
            f"{label} cannot start: {error.strerror}: '{command[0]}'",
            "commands run without a shell, in a directory where app/ and inputs/ are the app's",
        ) from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Outcome(process.returncode, stdout, stderr, time.monotonic() - start, cpu)
