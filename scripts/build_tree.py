"""Build a private copy of somebody's source tree with a variant's flags.

The build runs in the copy, with CC, CXX, AR, RANLIB and NM in its environment; CC is a script that
adds the flags to whatever it is told. Afterwards the flags are looked for in every object of the
program. What linked the program and those shared libraries of the tree that it needs is kept in
link.json, from which replay.py links them again.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import built, errors, files, sources, tool
from pgolab.built import Note
from pgolab.errors import Failure

COMPILERS = {"cc": "clang", "gcc": "clang", "clang": "clang", "c++": "clang++", "g++": "clang++",
             "clang++": "clang++"}  # fmt: skip
PLAIN = ("ar", "ranlib", "nm", "gcc-ar", "gcc-ranlib", "gcc-nm")
STAND_INS = Path(__file__).resolve().parent.parent / "pipeline" / "tree"
REPLAY = Path(__file__).resolve().with_name("replay.py")
LAST_LINES = 25


@dataclass(frozen=True)
class Build:
    """A build: the source tree, the program's name in it, where the copy is built, with what.

    before holds the objects that the tree had already.
    """

    source: Path
    binary: str
    place: Path
    llvm: Path
    before: dict[Path, int]

    @property
    def tree(self) -> Path:
        return self.place.resolve() / "tree"

    @property
    def program(self) -> Path:
        return self.tree / self.binary

    @property
    def log(self) -> Path:
        return self.place / "build.log"

    @property
    def to_clean(self) -> str:
        return (
            f"pgolab changes nothing in '{self.source}': clean it with its own `make clean` or"
            " `git clean`, or name a fresh copy in app.tree"
        )


def copy(tree: Path, target: Path) -> None:
    """Copies a source tree, without links between the two."""
    files.empty_directory(target)
    names = sources.names_of(tree)
    command = ["cp", "-a", "--reflink=auto", "--parents", "-t", str(target.resolve()), "--"]
    for start in range(0, len(names), 1000):
        part = names[start:start + 1000]  # fmt: skip
        tool.output([*command, *part], tree)


def stamps(tree: Path) -> dict[Path, int]:
    """When each object and archive in a tree was made."""
    found = (p for p in tree.rglob("*") if p.suffix in built.OBJECTS and p.is_file())
    return {p: p.stat().st_mtime_ns for p in found}


def write_tools(place: Path, tree: Path, llvm: Path, flags: dict[str, list[str]]) -> Path:
    """The directory of the programs that stand for compilers, archivers, `ld` and `strip`."""
    tools = files.empty_directory(place / "tools")
    notes = files.empty_directory(place / "notes")

    def write(name: str, stand_in: str, real: str, **variables: str) -> None:
        variables |= {"notes": str(notes.resolve()), "real": str(llvm / real)}
        lines = [f"{k}={shlex.quote(v)}" for k, v in variables.items()]
        body = (STAND_INS / stand_in).read_text()
        (tools / name).write_text("\n".join(["#!/bin/sh", *lines, body]))
        (tools / name).chmod(0o755)

    for name, real in COMPILERS.items():
        write(
            name,
            "cc",
            real,
            tree=str(tree.resolve()),
            compile_flags="\n".join(flags["compile"]),
            link_flags="\n".join(flags["link"]),
        )
    for name in PLAIN:
        write(name, "plain", f"llvm-{name.removeprefix('gcc-')}")
    write("ld", "ld", "ld.lld", system=shutil.which("ld") or "")
    write("strip", "strip", "llvm-strip")
    return tools


def environment(tools: Path, llvm: Path, level: str, jobs: str, place: Path) -> dict[str, str]:
    """What the build sees; of the make that runs it, nothing."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    where = tools.resolve()
    own = {"CFLAGS": level, "CXXFLAGS": level} if level else {}
    own |= {
        "CC": str(where / "cc"),
        "CXX": str(where / "c++"),
        "AR": str(llvm / "llvm-ar"),
        "RANLIB": str(llvm / "llvm-ranlib"),
        "NM": str(llvm / "llvm-nm"),
        "JOBS": jobs,
        "GIT_CEILING_DIRECTORIES": str(place.resolve()),
        "PATH": f"{where}:{inherited['PATH']}",
        "SOURCE_DATE_EPOCH": "0",
        # Flags and profiles are not seen by a cache or on another machine.
        "CCACHE_DISABLE": "1",
        "SCCACHE_RECACHE": "1",
        "DISTCC_HOSTS": "localhost",
        # What instrumented programs write that run during the build.
        "LLVM_PROFILE_FILE": str((place / "stray").resolve() / "%p.profraw"),
    }
    return inherited | own


def run(build: Build, command: str, tools: Path, args: argparse.Namespace) -> None:
    """Runs the command of a build, which has to succeed, and writes its log and its cost."""
    files.empty_directory(build.place / "stray")
    seen = environment(tools, build.llvm, args.level, args.jobs, build.place)
    start = time.monotonic()
    with build.log.open("wb") as file:
        done = subprocess.run(
            ["sh", "-c", command], cwd=build.tree, env=seen, stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    wall_s = time.monotonic() - start
    shutil.rmtree(build.place / "stray")
    for path in build.tree.rglob("*.profraw"):  # of programs that lost the environment on the way
        path.unlink()
    if done.returncode != 0:
        raise Failure(
            f"the build of '{build.source}' ended with status {done.returncode}",
            f"it ran in {build.place / 'tree'}, its output is in {build.log};"
            f" the command: {command}",
            build.log.read_text(errors="replace").splitlines()[-LAST_LINES:],
        )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = f"{wall_s:.2f} {used.ru_utime:.2f} {used.ru_stime:.2f} {used.ru_maxrss} {args.alone}\n"
    files.write_text(build.place / "build.cost", cost)


def program_link(build: Build, notes: list[Note]) -> Note:
    """The link that made the program; Failure when there is none."""
    says = f"what the build said is in {build.log}"
    if not notes:
        if build.before or build.program.is_file():
            what = f"the build of '{build.source}' found everything built already"
            raise Failure(what, build.to_clean)
        raise Failure(
            f"the build of '{build.source}' never called $(CC)",
            f"give it to the build, as in app.build = make CC=$(CC); {says}",
        )
    links = [n for n in notes if n.kind == "link"]
    if not build.program.is_file():
        inside = (n.output for n in links if n.output.is_relative_to(build.tree))
        made = sorted({str(p.relative_to(build.tree)) for p in inside})
        raise Failure(
            f"the build of '{build.source}' made no '{build.binary}'",
            f"app.binary is one of what it linked: {' '.join(made) or 'nothing'}; {says}",
        )
    if not built.is_elf(build.program):
        raise Failure(
            f"'{build.binary}' is not a program but a script",
            "libtool leaves the program in .libs/: give that as app.binary, or --disable-shared",
        )
    link = built.link_of(build.program, links)
    if not link:
        raise Failure(
            f"'{build.binary}' was not linked by $(CC)",
            f"app.binary has to be what the linker made, not a copy that was stripped; {says}",
        )
    return link


def check_age(build: Build, used: list[Note], made: set[Path]) -> None:
    """Failure when objects are linked that the tree had before the build."""
    inputs = {p for n in used for p in built.inputs_of(n, build.tree) if p.suffix != ".a"}
    old = sorted(p.name for p in inputs - made
                 if p in build.before and build.before[p] == p.stat().st_mtime_ns)  # fmt: skip
    if old:
        what = f"the build linked objects of an earlier one: {some(old)}"
        raise Failure(what, build.to_clean)


def check_counters(build: Build, binaries: Iterable[Path]) -> None:
    """Failure when no binary of the program has counters."""
    if not any(built.has_counters(build.llvm, b) for b in binaries):
        raise Failure(
            f"'{build.binary}' has no counters: the flags did not arrive in it",
            "the build has to compile with $(CC), and not to strip what it links; what it said is"
            f" in {build.log}",
        )


def say_what_differs(build: Build, used: list[Note], made: set[Path], lto: bool) -> None:
    """Prints what the variant's flags did not reach, and what another build has to do itself."""
    without = sorted({o for u in used for o in built.unflagged(u, build.tree, made, build.llvm)})
    if without:
        print(f"note: built without the variant's flags: {some(without)}")
    own = sorted(p.suffix[1:] for p in (build.place / "notes").glob("own.*"))
    if own:
        print(f"note: left out of the build's own flags: {some(own)}; the variant decides on these")
    plain = sorted(p.suffix[1:] for p in (build.place / "notes").glob("plain.*"))
    if plain and lto:
        print(
            f"note: the build calls plain {some(plain)}, for which LLVM's stood in: the system's"
            f" cannot read LTO objects, so your own build has to call"
            f" llvm-{plain[0].removeprefix('gcc-')}"
        )


def check(build: Build, args: argparse.Namespace) -> dict[str, Note]:
    """What the program is linked from: its libraries by name, and the program as "", the last.

    Failure when it is not the variant's.
    """
    notes = list(built.read_notes(build.place / "notes"))
    link = program_link(build, notes)
    libraries = built.libraries_of(build.program, notes, build.llvm)
    used = built.with_partial([link, *libraries.values()], notes, build.tree)
    made = {path.resolve() for n in notes for path in n.outputs}
    check_age(build, used, made)
    if args.trained:
        check_counters(build, [build.program, *(n.output for n in libraries.values())])
    say_what_differs(build, used, made, "-flto" in args.compile)
    return libraries | {"": link}


def link_again(build: Build, link: Note, made: Path) -> list[str]:
    """The command that links made again, from what full LTO left where that gives the same code."""
    command = built.from_kept(link, build.place.resolve() / "kept" / f"{link.id}.o")
    if command:
        trial = build.place.resolve() / "kept" / "trial"
        done = subprocess.run([*command, "-o", trial], cwd=link.where, capture_output=True)
        if done.returncode == 0:
            first, again = (built.functions(build.llvm, binary) for binary in (made, trial))
            if first == again:
                return command
    return built.relinkable(link)


def show_objects(build: Build, links: Iterable[Note]) -> None:
    """Fills obj/ for match.py: what the program is linked from, what was said of it, sources."""
    place = files.empty_directory(build.place / "obj")
    notes = list(built.read_notes(build.place / "notes"))
    used = built.with_partial(list(links), notes, build.tree)
    inputs = {p for link in used for p in built.inputs_of(link, build.tree) if ".so" not in p.name}
    members = {m for p in inputs if p.suffix == ".a" for m in built.members(build.llvm, p)}
    said = [n.id for n in notes if n in used or any(
        p.resolve() in inputs or p.name in members for p in n.outputs)]  # fmt: skip
    for number, path in enumerate(sorted(inputs)):
        (place / f"{number}.o").symlink_to(path)
    for own in said:
        (place / f"{own}.messages").symlink_to(build.place.resolve() / "notes" / f"said.{own}")
    if any(built.compiles(link) for link in used):
        (place / "one-step").touch()
    read = " ".join(str(p) for p in sorted(build.tree.rglob("*")) if p.is_file())
    (place / "all.d").write_text(f"all: {read}\n")


def some(names: list[str]) -> str:
    return " ".join(names[:8]) + (" …" if len(names) > 8 else "")


def keep(build: Build, links: dict[str, Note], output: Path) -> None:
    """Writes link.json and the program, with its libraries beside it."""
    beside = ["-Wl,-rpath,$ORIGIN/lib", "-Wl,--disable-new-dtags"] if len(links) > 1 else []
    again = [
        {
            "name": name,
            "where": str(link.where),
            "command": link_again(build, link, link.output if name else build.program)
            + ([] if name else beside),
        }
        for name, link in links.items()
    ]
    for path in (build.place / "kept").glob("*.o"):
        if path.stem not in [link.id for link in links.values()]:
            path.unlink()
    (build.place / "kept" / "trial").unlink(missing_ok=True)
    if not beside and (build.place / "lib").is_dir():  # of an earlier build
        shutil.rmtree(build.place / "lib")
    files.write_text(build.place / "link.json", json.dumps(again, indent=1) + "\n")
    temporary = output.with_name(f"{output.name}.tmp")
    if beside:
        tool.output([sys.executable, REPLAY, build.place / "link.json", "-o", temporary])
    else:
        shutil.copy2(build.program, temporary)
    temporary.replace(output)


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--tree", type=Path, required=True, help="the source tree")
    parser.add_argument("--build", required=True, help="the command that builds it")
    parser.add_argument("--binary", required=True, help="what it builds, relative to the tree")
    parser.add_argument("--compile", default="", help="flags for every compilation")
    parser.add_argument("--link", default="", help="flags for every link")
    parser.add_argument("--level", default="", help="what CFLAGS says, if anything")
    parser.add_argument("--jobs", required=True)
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--trained", action="store_true", help="the program has to have counters")
    parser.add_argument("--alone", required=True, help="1 when nothing runs beside the build")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    if not args.tree.is_dir():
        raise Failure(f"there is no directory '{args.tree}'", "app.tree names the source tree")
    place = args.output.parent
    copy(args.tree, place / "tree")
    build = Build(args.tree, args.binary, place, args.llvm_bin, stamps(place.resolve() / "tree"))
    (place / "obj").mkdir(exist_ok=True)
    files.empty_directory(place / "kept")
    flags = {"compile": shlex.split(args.compile), "link": shlex.split(args.link)}
    run(build, args.build, write_tools(place, build.tree, args.llvm_bin, flags), args)
    links = check(build, args)
    if "-fprofile-use" in args.compile:
        show_objects(build, links.values())
    keep(build, links, args.output)
    return 0


if __name__ == "__main__":
    errors.run(main)
