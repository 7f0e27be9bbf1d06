"""BOLT's instrumentation and its profiles.

A profile (.fdata) is text: per line one branch with its two ends, each `1 SYMBOL OFFSET` with the
offset in hexadecimal, then how often it was mispredicted and how often it was taken.
"""

import re
import subprocess
from collections import Counter
from pathlib import Path

from pgolab import files, layouts, timing, tool, training
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload
from pgolab.workload import Outcome

HINTS = {
    "require relocations": "link it with -Wl,--emit-relocs",
    "stripped": "do not strip it before BOLT: strip what BOLT made",
    "static binary": "link it dynamically: BOLT's runtime writes the profile when libc ends",
    "processed by BOLT": "give BOLT the binary that the linker made",
    "libbolt_rt_instr": "run ./scripts/setup",
}
ALWAYS = ["-v=1", "-no-threads"]  # the messages of several threads run into each other
SKIPPED = re.compile(r"BOLT-WARNING: failed to post-process indirect branches for (\S+)")
STARTUP = {"register_tm_clones", "deregister_tm_clones"}  # the C library's, run once


def options(program: Path, wanted: list[str]) -> list[str]:
    """Those of the wanted options that this llvm-bolt knows."""
    known = set(re.findall(r"^  --?([a-z0-9-]+)", tool.output([program, "--help"]), re.MULTILINE))
    return [option for option in wanted if option.lstrip("-").split("=")[0] in known]


def plain(symbol: str) -> str:
    """A symbol without what BOLT adds to local ones: 'f/1(*2)' is f."""
    return symbol.split("/")[0].split("(")[0]


def skipped(log: str) -> set[str]:
    """The functions that BOLT left as they are because of jumps it does not understand."""
    return {plain(name) for name in SKIPPED.findall(log)} - STARTUP


def run(program: Path, binary: Path, arguments: list[str], where: Path | None = None) -> str:
    """Runs llvm-bolt on a binary; its log. Failure with BOLT's own reason.

    With a directory, it runs there on the `input` in it, which is that binary. It is called by its
    name alone, as it writes its command line into what it makes.
    """
    command = [program.name, "input" if where else str(binary), *ALWAYS, *arguments]
    try:
        with timing.busy("compilers"):
            done = subprocess.run(
                command, executable=program, cwd=where,
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
            )  # fmt: skip
    except FileNotFoundError:
        raise Failure(f"'{program}' is not installed", "run ./scripts/setup") from None
    log = done.stdout + done.stderr
    if done.returncode == 0:
        return log
    reasons = [line.split("ERROR: ")[1] for line in log.splitlines() if "ERROR: " in line]
    reason = reasons[0] if reasons else f"it ended with status {done.returncode}"
    hint = next((h for text, h in HINTS.items() if text in log), "build it as the recipe says")
    raise Failure(
        f"BOLT cannot take '{binary}': {reason}", hint, [] if reasons else log.splitlines()[-10:]
    )


def instrument(program: Path, binary: Path, raw: Path) -> tuple[Path, str]:
    """Makes raw/instrumented, which writes raw/fdata.PID.fdata when it ends; BOLT's log.

    It takes its shared libraries from raw/lib, those that lie beside the binary.
    """
    made = raw / "instrumented"
    (raw / "lib").symlink_to(binary.parent.resolve() / "lib")
    return made, _instrument(program, binary, made, raw.resolve() / "fdata")


def instrument_libraries(program: Path, binary: Path, raw: Path) -> None:
    """Makes raw/lib/NAME of those beside the binary, which write raw/fdata@NAME.PID.fdata."""
    (raw / "lib").unlink()
    (raw / "lib").mkdir()
    for path in layouts.libraries(binary):
        _instrument(program, path, raw / "lib" / path.name, raw.resolve() / f"fdata@{path.name}")


def _instrument(program: Path, binary: Path, made: Path, prefix: Path) -> str:
    needed = ["-instrumentation-file-append-pid"]
    if options(program, needed) != needed:
        raise Failure(f"'{program}' has no {needed[0]}", "use a newer LLVM")
    arguments = ["-instrument", f"-instrumentation-file={prefix}", *needed, "-o", str(made)]
    return run(program, binary, arguments)


def read(path: Path) -> Counter[tuple[str, str]]:
    """A profile as (both ends of a branch, 'taken' or 'mispredicted') → count.

    The branches of a shared library have its name and a tab before them.
    """
    counts: Counter[tuple[str, str]] = Counter()
    library = path.name.partition("@")[2].rpartition(".")[0].rpartition(".")[0]
    for line in path.read_text(encoding="utf-8").splitlines():
        ends, mispredicted, taken = line.rsplit(" ", 2)
        ends = f"{library}\t{ends}" if library else ends
        counts[ends, "mispredicted"] += int(mispredicted)
        counts[ends, "taken"] += int(taken)
    return counts


def write(path: Path, counts: Counter[tuple[str, str]]) -> None:
    """Writes a profile in the order of its branches."""
    ends = sorted({ends for ends, _ in counts})
    lines = [f"{e} {counts[e, 'mispredicted']} {counts[e, 'taken']}\n" for e in ends]
    files.write_text(path, "".join(lines))


def part(profile: Path, library: str) -> str:
    """What a written profile says of a shared library, or of the program if that is empty."""
    rows = [line.rpartition("\t") for line in profile.read_text(encoding="utf-8").splitlines()]
    return "".join(f"{line}\n" for name, _, line in rows if name == library)


def total(counts: Counter[tuple[str, str]]) -> int:
    """How many branches a profile counted."""
    return sum(count for (_, kind), count in counts.items() if kind == "taken")


def record(
    app: Manifest, one: Workload, instrumented: Path, inputs: Path, timeout: float
) -> tuple[Outcome, Counter[tuple[str, str]], int]:
    """Runs a workload on an instrumented binary: what it counted in how many processes."""
    raw = instrumented.parent
    for old in raw.glob("fdata*"):
        old.unlink()
    outcome = training.run(app, one, instrumented, inputs, timeout)
    found = sorted(p for p in raw.glob("fdata*") if p.stat().st_size)
    counts: Counter[tuple[str, str]] = Counter()
    for path in found:
        counts.update(read(path))
    if not total(counts):
        raise training.nothing_recorded(app, one, outcome)
    return outcome, counts, len(found)
