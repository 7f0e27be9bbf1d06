"""Running the toolchain's programs."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from pgolab.errors import Failure


def output(command: Sequence[str | Path], where: Path | None = None) -> str:
    """Standard output of a program that has to succeed; Failure with its messages if not."""
    try:
        done = subprocess.run(
            command, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise Failure(f"'{command[0]}' is not installed", "run ./scripts/setup") from None
    if done.returncode != 0:
        raise Failure(
            f"'{Path(command[0]).name}' ended with status {done.returncode}",
            f"the command was: {' '.join(map(str, command))}",
            (done.stdout + done.stderr).splitlines()[-20:],
        )
    return done.stdout
