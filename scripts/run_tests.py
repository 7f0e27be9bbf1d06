"""Runs pgolab's tests: most of them on all CPUs at once, then those marked `alone` one by one.

The status is 1 when any test failed, and both parts have been run then too.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from pgolab import errors
from pgolab.errors import Failure

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("pytest", "xdist", "hypothesis", "jsonschema", "yaml")
# A file stays in one process, as the tests of a file share what its fixtures build; one process
# more than there are CPUs, as tests wait now and then.
TOGETHER = ("-m", "not alone", "--dist=loadfile", f"-n{len(os.sched_getaffinity(0)) + 1}")
ALONE = ("-m", "alone")


def main(argv: Sequence[str]) -> int:
    errors.Parser(description=__doc__).parse_args(argv)
    lacking = [name for name in MODULES if find_spec(name) is None]
    if lacking:
        raise Failure(f"the tests need {', '.join(lacking)}", "run ./scripts/setup --tests")
    where = [ROOT / "tests", *sorted(ROOT.glob("sample-apps/*/tests"))]
    parts = [
        subprocess.run([sys.executable, "-m", "pytest", "-q", *part, *where], cwd=ROOT)
        for part in (TOGETHER, ALONE)
    ]
    return int(any(done.returncode for done in parts))


if __name__ == "__main__":
    errors.run(main)
