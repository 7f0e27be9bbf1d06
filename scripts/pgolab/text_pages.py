"""Counting the pages of code that a program touches: what ordering functions for start-up is about.

callgrind notes the address of every instruction that is executed; a page counts once.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pgolab import timing, tool
from pgolab.errors import Failure

PAGE_BYTES = 4096


def touched(
    binary: Path, arguments: Sequence[str], where: Path, llvm_bin: Path, label: str
) -> int:
    """Pages of the program's own code that one run executes, those of libraries left out.

    arguments follow the binary's name; where is the directory that it runs in, label the workload.
    """
    program = (where / binary.name).resolve()  # valgrind may not know its debug information
    tool.output([llvm_bin / "llvm-strip", "--strip-debug", binary, "-o", program])
    noted = where / "callgrind.out"
    options = ["--tool=callgrind", "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no"]
    command = ["valgrind", *options, f"--callgrind-out-file={noted.resolve()}", str(program)]
    with timing.busy("workloads"):
        done = subprocess.run(
            [*command, *arguments], cwd=where, stdin=subprocess.DEVNULL, capture_output=True,
            text=True,
        )  # fmt: skip
    if done.returncode != 0:
        raise Failure(
            f"the pages that {label} touches cannot be counted: valgrind ended with"
            f" {done.returncode}",
            "measure without `startup`",
            done.stderr.splitlines()[-10:],
        )
    return len(pages(noted.read_text(encoding="utf-8"), str(program)))


def pages(text: str, program: str) -> set[int]:
    """The pages of one object with executed instructions, from the format of callgrind.out."""
    found: set[int] = set()
    inside = False
    for line in text.splitlines():
        if line.startswith("ob="):
            inside = line == f"ob={program}"
        elif inside and (match := re.match(r"0x([0-9a-f]+) ", line)):
            found.add(int(match[1], 16) // PAGE_BYTES)
    return found
