"""Looks at the tools, the machine and how quiet it is; prints every finding with its remedy.

Status 0 when pgolab can work here, warnings or not; 1 when a finding is an error.
"""
import argparse
import ctypes
import errno
import math
import os
import platform
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from pgolab import errors, units
from pgolab import noise as noise_floor

Level = Literal["ok", "warning", "error"]

SETUP = "run ./scripts/setup"
TESTED_LLVM = 22
SAMPLE_S = 0.5
TIMEOUT_S = 20
WHAT_WIDTH = 15
# Up to how many seconds a comparison of two programs to within 1 % may take.
GRADES = {"quiet": 5.0, "fair": 60.0, "poor": math.inf}

# What to look for beside clang, and what to tell when it is missing.
LLVM_TOOLS: dict[str, tuple[Level, str]] = {
    "ld.lld": ("error", "it links every variant"),
    "llvm-profdata": ("error", "it merges profiles"),
    "llvm-size": ("error", "it measures binaries"),
    "llvm-ar": ("warning", "a program that builds archives needs it with `thin` and `full`"),
    "llvm-nm": ("warning", "a program that builds archives needs it with `thin` and `full`"),
    "llvm-bolt": ("warning", "variants with `bolt` need it"),
    "merge-fdata": ("warning", "variants with `bolt` need it"),
    "llvm-profgen": ("warning", "variants with `sample` need it"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. A remedy is one line, and belongs to warnings and errors only."""

    level: Level
    what: str
    value: str
    remedy: str = ""


@dataclass(frozen=True)
class Place:
    """What is examined; `root` is where /proc and /sys are looked for, noise_s how long to time."""

    llvm_bin: Path
    clang: Path
    project: Path
    root: Path = Path("/")
    noise_s: float = 0.0


Check = Callable[[Place], Finding]


@dataclass(frozen=True)
class Tool:
    """A program on PATH: the oldest version that will do, and what its absence means."""

    name: str
    absent: Level
    purpose: str
    minimum: tuple[int, ...] = ()
    says: str = ""


TOOLS = [
    Tool("make", "error", "it drives every build", (4, 3), "GNU Make"),
    Tool("hyperfine", "error", "it does the timing", (1, 13)),
    Tool("time", "error", "it measures what a build costs", says="GNU"),
    Tool("flock", "error", "it keeps two runs from disturbing each other"),
    Tool("setarch", "error", "runs without address randomization need it"),
    Tool("taskset", "error", "it keeps a run on its CPUs"),
    Tool("git", "warning", "it records which commit was measured"),
    Tool("valgrind", "warning", "it counts instructions and allocations"),
    Tool("gcc", "ok", "only variants that start with `gcc-` need it"),
    Tool("perf", "ok", "only sampling with hardware counters needs it"),
]


def output(command: Sequence[str | Path]) -> str:
    """What a command prints; empty when it cannot be run or fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr


@cache
def version(path: Path) -> str:
    """An LLVM tool's version; empty when it does not say one."""
    match = re.search(r"(?:version|LLD) (\d+(?:\.\d+)+\w*)", output([path, "--version"]))
    return match[1] if match else ""


def text(place: Place, name: str) -> str | None:
    """A file below the root, such as proc/loadavg; None when it cannot be read."""
    try:
        return (place.root / name).read_text().strip()
    except OSError:
        return None


def plural(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def size(number: float) -> str:
    return f"{number / 1e9:.1f} GB"


# ── LLVM ──────────────────────────────────────────────────────────────────────────────────────


def clang(place: Place) -> Finding:
    found = version(place.clang)
    if not found:
        return Finding("error", "clang", f"'{place.clang}' does not run",
                       f"{SETUP}, or give another with CLANG=")
    value = f"{found:<8} {place.clang}"
    if place.clang.resolve().parent != place.llvm_bin.resolve():
        return Finding("error", "clang", f"{value} is not in {place.llvm_bin}",
                       f"take all tools from one LLVM: CLANG={place.llvm_bin / 'clang'}")
    if int(found.split(".")[0]) < TESTED_LLVM:
        return Finding("warning", "clang", value,
                       f"LLVM {TESTED_LLVM} is what pgolab is tested with: older ones lack options")
    return Finding("ok", "clang", value)


def llvm_tool(place: Place, name: str) -> Finding:
    """A tool has to be beside clang and of its release: profiles and bitcode are not portable."""
    absent, purpose = LLVM_TOOLS[name]
    path = place.llvm_bin / name
    found = version(path)
    if not found:
        state = "tells no version" if path.exists() else "is missing"
        return Finding(absent, name, f"'{path}' {state}", f"{SETUP}: {purpose}")
    value = f"{found:<8} {path}"
    if found != version(place.clang):
        return Finding("error", name, f"{value}, but clang is {version(place.clang)}",
                       "take all tools from one LLVM: give its clang with CLANG=")
    if path.resolve().parent != place.llvm_bin.resolve():
        return Finding("warning", name, f"{value} is {path.resolve()}",
                       f"have it in {place.llvm_bin}, like the other tools")
    return Finding("ok", name, value)


def trial(place: Place, what: str, says: str, fails: Level, steps: Iterable[str]) -> Finding:
    """Runs steps in a directory with a small program; CLANG and BIN/ stand for the tools."""
    tools = {"CLANG": str(place.clang), "BIN/": f"{place.llvm_bin}/"}
    with tempfile.TemporaryDirectory(prefix="pgolab-doctor-") as directory:
        Path(directory, "a.c").write_text("int main(void) { return 0; }\n")
        for step in steps:
            command = [re.sub("^(CLANG$|BIN/)", lambda match: tools[str(match[0])], word)
                       for word in step.split()]
            try:
                done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, errors="replace",
                                      timeout=TIMEOUT_S)
            except (OSError, subprocess.SubprocessError) as error:
                return Finding(fails, what, str(error), SETUP)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[0]
                return Finding(fails, what, f"`{shlex.join(command)}` failed: {reason}", SETUP)
    return Finding("ok", what, says)


def links(place: Place) -> Finding:
    return trial(place, "lld", "links with ThinLTO", "error",
                 ["CLANG -O2 -flto=thin -fuse-ld=lld -o a a.c", "./a"])


def profiles(place: Place) -> Finding:
    return trial(place, "profile", "an instrumented program writes one, and clang uses it", "error",
                 ["CLANG -O2 -fuse-ld=lld -fprofile-generate=raw -o a a.c", "./a",
                  "BIN/llvm-profdata merge -o profdata raw",
                  "CLANG -O2 -fuse-ld=lld -Werror -fprofile-use=profdata -o a a.c"])


def bolts(place: Place) -> Finding:
    return trial(place, "BOLT", "an instrumented program writes a profile", "warning",
                 ["CLANG -O2 -fuse-ld=lld -Wl,-q -o a a.c",
                  "BIN/llvm-bolt a -instrument --instrumentation-file=raw.fdata -o b", "./b",
                  "BIN/merge-fdata raw.fdata -o fdata"])


# ── programs on PATH ──────────────────────────────────────────────────────────────────────────


def program(place: Place, tool: Tool) -> Finding:
    path = shutil.which(tool.name)
    if not path:
        remedy = "" if tool.absent == "ok" else f"{SETUP}: {tool.purpose}"
        return Finding(tool.absent, tool.name, f"not installed: {tool.purpose}", remedy)
    said = output([path, "--version"])
    match = re.search(r"\d+(?:\.\d+)+", said)
    numbers = tuple(int(number) for number in match[0].split(".")) if match else ()
    value = f"{match[0] if match else tool.says or '-':<8} {path}"
    if tool.says not in said:
        return Finding("error", tool.name, f"{value} is not {tool.says}", SETUP)
    if numbers < tool.minimum:
        oldest = ".".join(map(str, tool.minimum))
        return Finding("error", tool.name, value, f"version {oldest} or newer is needed")
    return Finding("ok", tool.name, value)


# ── Python ────────────────────────────────────────────────────────────────────────────────────


def interpreter(place: Place) -> Finding:
    return Finding("ok", "in use", f"{platform.python_version():<8} {sys.executable}")


def modules(place: Place, names: Sequence[str], absent: Level, purpose: str) -> Finding:
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(absent, f"for {purpose}", f"missing: {', '.join(missing)}", SETUP)
    return Finding("ok", f"for {purpose}", ", ".join(found))


def first_python(place: Place) -> Finding:
    """Who types `python3 scripts/…` gets this one, not what pgolab uses."""
    path = shutil.which("python3")
    if not path:
        return Finding("ok", "on PATH", "no python3; pgolab does not need it there")
    if Path(path).resolve() == Path(sys.executable).resolve():
        return Finding("ok", "on PATH", f"{path} is the one in use")
    lacking = output([path, "-c", "from importlib.util import find_spec as f\n"
                      f"print(*[m for m in {RUN_MODULES} if not f(m)], sep=', ')"]).strip()
    state = f"lacks {lacking}: not used" if lacking else "has the modules too: not used"
    return Finding("ok", "on PATH", f"{path} {state}")


RUN_MODULES = ["numpy", "scipy", "matplotlib", "jinja2", "rich"]


# ── machine ───────────────────────────────────────────────────────────────────────────────────


def disk(place: Place) -> Finding:
    free = shutil.disk_usage(place.project).free
    value = f"{size(free)} free in {place.project}"
    if free < 2e9:
        return Finding("error" if free < 2e8 else "warning", "disk", value,
                       "free some: `make clean` removes what can be built again")
    return Finding("ok", "disk", value)


def memory(place: Place) -> Finding:
    kilobytes = dict(re.findall(r"^(\w+): +(\d+) kB", text(place, "proc/meminfo") or "", re.M))
    if "MemAvailable" not in kilobytes:
        return Finding("ok", "memory", "not visible here")
    free, total = (int(kilobytes[key]) * 1024 for key in ("MemAvailable", "MemTotal"))
    value = f"{size(free)} of {size(total)} available"
    if free < 1e9:
        return Finding("warning", "memory", value, "end what uses it: a link with `full` needs it")
    return Finding("ok", "memory", value)


def cpus(place: Place) -> Finding:
    """The CPUs this process may use; a quota below them stops a run in its middle."""
    count = len(os.sched_getaffinity(0))
    value = f"{count} of {os.cpu_count()} usable"
    group = re.search(r"^0::/(.*)$", text(place, "proc/self/cgroup") or "", re.M)
    quota, *period = (text(place, f"sys/fs/cgroup/{group[1] if group else ''}/cpu.max")
                      or "max").split()
    if quota != "max" and int(quota) < count * int(period[0]):
        return Finding("warning", "CPUs", f"{value}, quota {int(quota) / int(period[0]):.1f}",
                       "lift the container's CPU quota: it interrupts runs while they are timed")
    return Finding("ok", "CPUs", value)


def smt(place: Place) -> Finding:
    siblings = text(place, "sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
    if text(place, "sys/devices/system/cpu/smt/active") == "1":
        return Finding("warning", "SMT", f"on: CPU 0 shares its core (threads {siblings})",
                       "echo off | sudo tee /sys/devices/system/cpu/smt/control")
    return Finding("ok", "SMT", "off, or not visible here")


def virtualization(place: Place) -> Finding:
    flags = re.search(r"^flags\b.*", text(place, "proc/cpuinfo") or "", re.M)  # x86 has them
    virtual = flags and "hypervisor" in flags[0].split()
    contained = any((place.root / name).exists()
                    for name in (".dockerenv", "run/.containerenv", "run/systemd/container"))
    value = "container in a " * contained + (
        "virtual machine" if virtual else "physical machine" if flags else "machine, kind unknown")
    if virtual:
        return Finding("warning", "virtualization", value,
                       "its neighbours can slow single runs: a machine of its own is quieter")
    return Finding("ok", "virtualization", value)


def aslr(place: Place) -> Finding:
    names = {"0": "off", "1": "on, without the heap", "2": "on"}
    setting = text(place, "proc/sys/kernel/randomize_va_space")
    if setting is None:
        return Finding("ok", "ASLR", "not visible here")
    if setting != "2":
        return Finding("warning", "ASLR", names.get(setting, setting),
                       "sudo sysctl kernel.randomize_va_space=2: one address layout is one sample")
    return Finding("ok", "ASLR", names[setting])


def governor(place: Place) -> Finding:
    files = place.root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    names = sorted({file.read_text().strip() for file in files})
    if not names:
        return Finding("ok", "governor", "not visible here")
    if names != ["performance"]:
        return Finding("warning", "governor", ", ".join(names),
                       "sudo cpupower frequency-set -g performance")
    return Finding("ok", "governor", "performance")


def turbo(place: Place) -> Finding:
    for name, on, off in (("intel_pstate/no_turbo", "0", "1"), ("cpufreq/boost", "1", "0")):
        file = f"sys/devices/system/cpu/{name}"
        if text(place, file) == on:
            return Finding("warning", "turbo", "on: the clock follows load and temperature",
                           f"echo {off} | sudo tee /{file}")
        if text(place, file) == off:
            return Finding("ok", "turbo", "off")
    return Finding("ok", "turbo", "not visible here")


def noise(place: Place) -> Finding:
    """Times a command against itself and grades the machine by what ±1 % costs here."""
    if not place.noise_s:
        return Finding("ok", "noise", "not measured: make doctor does")
    try:
        measured = noise_floor.measure(place.noise_s)
    except errors.Failure as failure:
        return Finding("warning", "noise", f"not measured: {failure.message}", failure.hint)
    seconds = measured.seconds_for(0.01)
    grade = next(name for name, most in GRADES.items() if seconds <= most)
    value = (f"{grade}: a run differs from the next by {measured.pair_sd:.1%};"
             f" ±1 % between two programs takes about {seconds:.0f} s")
    if grade == "poor":
        return Finding("warning", "noise", value, "use a quieter machine, or allow more BUDGET=")
    return Finding("ok", "noise", value)


def load(place: Place) -> Finding:
    averages = (text(place, "proc/loadavg") or "").split()[:3]
    if not averages:
        return Finding("ok", "load", "not visible here")
    if float(averages[0]) > len(os.sched_getaffinity(0)) / 2:
        return Finding("warning", "load", " ".join(averages), "wait, or end what else is running")
    return Finding("ok", "load", " ".join(averages))


@cache
def ticks(place: Place) -> tuple[list[int], list[int]]:
    """CPU ticks by kind since boot (proc(5)), at the start and the end of a short sample."""
    def now() -> list[int]:
        return [int(word) for word in (text(place, "proc/stat") or "").split()[1:9]]

    start = now()
    time.sleep(SAMPLE_S if start else 0)
    return start, now()


def busy(place: Place) -> Finding:
    spent = [end - start for start, end in zip(*ticks(place))]
    if not sum(spent):
        return Finding("ok", "busy", "not visible here")
    share = 1 - (spent[3] + spent[4]) / sum(spent)  # idle and iowait
    value = f"{share:.0%} of all CPUs in {SAMPLE_S} s"
    if share > 0.1:
        return Finding("warning", "busy", value, "see with `top` what is running, and end it")
    return Finding("ok", "busy", value)


def steal(place: Place) -> Finding:
    start, end = ticks(place)
    if len(end) < 8 or sum(end) == sum(start):
        return Finding("ok", "steal", "not visible here")
    since_boot = end[7] / sum(end)
    sample = (end[7] - start[7]) / (sum(end) - sum(start))
    value = f"{since_boot:.1%} since boot, {sample:.1%} in {SAMPLE_S} s"
    if max(since_boot, sample) > 0.01:
        return Finding("warning", "steal", value, "the host gives time to others: measure longer, "
                       "or on a machine of its own")
    return Finding("ok", "steal", value)


# ── counters ──────────────────────────────────────────────────────────────────────────────────

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
SAMPLE_BRANCH_STACK, BRANCH_USER, BRANCH_ANY = 1 << 11, 1, 1 << 3
EXCLUDE_KERNEL_AND_HYPERVISOR = 1 << 5 | 1 << 6


def perf_event(branches: bool) -> int:
    """Opens a counter of this process's instructions, or raises OSError (perf_event_open(2)).

    The fields of struct perf_event_attr are those of its 80-byte version: type, size, config,
    sample_period, sample_type, read_format, flags, three unused, branch_sample_type.
    """
    attributes = struct.pack("=IIQQQQQQQQQ", 0, 80, 1, 100_003 if branches else 0,
                             SAMPLE_BRANCH_STACK if branches else 0, 0,
                             EXCLUDE_KERNEL_AND_HYPERVISOR, 0, 0, 0,
                             BRANCH_USER | BRANCH_ANY if branches else 0)
    if platform.machine() not in PERF_EVENT_OPEN:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    opened = libc.syscall(PERF_EVENT_OPEN[platform.machine()], attributes, 0, -1, -1, 0)
    if opened < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(opened)


def counter(place: Place, what: str, branches: bool) -> Finding:
    """Whether the hardware counts: by counting, as a virtual machine may accept and count 0."""
    try:
        opened = perf_event(branches)
        counted = struct.unpack("=Q", os.read(opened, 8))[0]
        os.close(opened)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return Finding("warning", what, "not permitted",
                           "sudo sysctl kernel.perf_event_paranoid=1; in a container also "
                           "--cap-add=PERFMON")
        counted = 0
    if counted:
        return Finding("ok", what, "counting")
    return Finding("warning", what, "none", "no verdict needs them; physical machines have them")


# ── the whole ─────────────────────────────────────────────────────────────────────────────────

SECTIONS: dict[str, list[Check]] = {
    "LLVM": [clang, *(partial(llvm_tool, name=name) for name in LLVM_TOOLS),
             links, profiles, bolts],
    "programs": [partial(program, tool=tool) for tool in TOOLS],
    "Python": [interpreter,
               partial(modules, names=RUN_MODULES, absent="error", purpose="running"),
               partial(modules, names=["pytest", "hypothesis", "jsonschema", "yaml"],
                       absent="warning", purpose="make test"),
               first_python],
    "machine": [disk, memory, cpus, virtualization,
                partial(counter, what="counters", branches=False),
                partial(counter, what="branch records", branches=True)],
    "quietness": [noise, load, busy, steal, aslr, governor, turbo, smt],
}


def show(console: Console, finding: Finding) -> None:
    """One line in a pipe; wrapped at spaces, never within a path, on a terminal."""
    indent = " " * (12 + WHAT_WIDTH)
    paragraphs = [finding.value] + ([f"remedy: {finding.remedy}"] if finding.remedy else [])
    width = max(console.width - len(indent), 20) if console.is_terminal else sys.maxsize
    lines = [line for paragraph in paragraphs
             for line in textwrap.wrap(paragraph, width, break_long_words=False,
                                       break_on_hyphens=False, subsequent_indent="  ")]
    style = {"ok": "green", "warning": "yellow", "error": "bold red"}[finding.level]
    head = Text.assemble("  ", (f"{finding.level:<9}", style), f"{finding.what:<{WHAT_WIDTH}} ")
    console.print(head + Text(f"\n{indent}".join(lines)), soft_wrap=True)


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__,
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llvm-bin", type=Path, nargs="?", metavar="DIR",
                        help="where LLVM's tools are (default: where the clang on PATH is)")
    parser.add_argument("--clang", type=Path, help="the compiler (default: DIR/clang)")
    parser.add_argument("--noise", metavar="TIME", help="time a command against itself so long")
    arguments = parser.parse_args(argv)
    llvm_bin = arguments.llvm_bin or Path(shutil.which("clang") or "/clang").resolve().parent
    place = Place(llvm_bin, arguments.clang or llvm_bin / "clang",
                  Path(__file__).resolve().parent.parent,
                  noise_s=units.seconds("--noise", arguments.noise) if arguments.noise else 0.0)
    console = Console(highlight=False, markup=False, emoji=False)
    levels = []
    for section, checks in SECTIONS.items():
        console.print(section, style="bold")
        for check in checks:
            finding = check(place)
            levels.append(finding.level)
            show(console, finding)
            if check is clang and finding.level == "error":
                break  # the other tools are judged by it
    bad, doubtful = levels.count("error"), levels.count("warning")
    console.print(f"doctor: {plural(bad, 'error')}, {plural(doubtful, 'warning')}")
    return 1 if bad else 0


if __name__ == "__main__":
    errors.run(main)
