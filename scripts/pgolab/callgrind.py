"""How many instructions each function of a program executes, by callgrind."""

import re
import shlex
from collections import Counter
from pathlib import Path

from pgolab import files, tool, training
from pgolab.manifest import Manifest, Workload

SLOWDOWN = 100  # callgrind takes 50 to 80 times as long as the program


def functions(
    app: Manifest, one: Workload, binary: Path, inputs: Path, timeout: float, llvm_bin: Path
) -> Counter[str]:
    """Instructions of one run by function, those of libraries left out."""
    own = files.empty_directory(binary.parent / "callgrind")
    program = own.resolve() / "program"  # without debug information, which valgrind may not know
    tool.output([llvm_bin / "llvm-strip", "--strip-debug", binary, "-o", program])
    (own / "lib").symlink_to(binary.parent.resolve() / "lib")
    wrapper = own / "run"
    out = own.resolve() / "out.%p"
    words = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", str(program)]
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    training.run(app, one, wrapper, inputs, timeout * SLOWDOWN)
    counts: Counter[str] = Counter()
    for path in own.glob("out.*"):
        counts.update(parse(path.read_text(encoding="utf-8"), str(program)))
    return counts


def parse(text: str, program: str) -> Counter[str]:
    """Self cost by function of one object, from the format of callgrind.out files."""
    names: dict[tuple[str, str], str] = {}
    counts: Counter[str] = Counter()
    now = {"ob": "", "fn": ""}
    inclusive = False  # the line after calls= is the callee's cost
    for line in text.splitlines():
        if match := re.match(r"(ob|fn|cob|cfn)=(\(\d+\))(?: (.*))?$", line):
            kind = match[1].removeprefix("c")
            if match[3]:
                names[kind, match[2]] = match[3]
            if not match[1].startswith("c"):
                now[kind] = names[kind, match[2]]
        elif line.startswith("calls="):
            inclusive = True
        elif match := re.match(r"[+*-]?\d* ?(\d+)$", line):
            if not inclusive and now["ob"] == program:
                counts[now["fn"]] += int(match[1])
            inclusive = False
    return counts
