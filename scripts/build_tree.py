"""Build a private copy of somebody's source tree with a variant's flags.

The build runs in the copy, with CC, CXX, AR, RANLIB and NM in its environment; CC is a script that adds
the flags to whatever it is told. Afterwards the flags are looked for in every object of the program.
What linked the program is kept in link.json, from which replay.py links it again.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import errors, files, tool
from pgolab.errors import Failure

STANDS_FOR = {"cc": "clang", "gcc": "clang", "clang": "clang", "c++": "clang++", "g++": "clang++",
              "clang++": "clang++"}  # fmt: skip
PLAIN = ("ar", "ranlib", "nm")
SCRIPTS = Path(__file__).resolve().parent.parent / "pipeline" / "tree"
LAST_LINES = 25


@dataclass(frozen=True)
class Note:
    """One command of the build: where it ran, what it made, what it was."""

    kind: str
    where: Path
    output: Path
    command: list[str]


def names_of(tree: Path) -> list[str]:
    """What belongs to a source tree: in a git working tree what git does not ignore, else all."""
    listed = subprocess.run(
        ["git", "-C", str(tree), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
    )
    if (tree / ".git").exists() and listed.returncode == 0:
        names = [os.fsdecode(n) for n in listed.stdout.split(b"\0") if n]
        return sorted(n for n in set(names) if os.path.lexists(tree / n))
    return sorted(p.name for p in tree.iterdir())


def copy(tree: Path, target: Path) -> None:
    """Copies a source tree, without links between the two."""
    files.empty_directory(target)
    names = names_of(tree)
    command = ["cp", "-a", "--reflink=auto", "--parents", "-t", target.resolve(), "--"]
    for start in range(0, len(names), 1000):
        tool.output([*command, *names[start : start + 1000]], tree)


def write_tools(place: Path, tree: Path, llvm: Path, flags: dict[str, list[str]]) -> Path:
    """The directory of the programs that stand for compilers and archivers."""
    tools = files.empty_directory(place / "tools")
    notes = files.empty_directory(place / "notes")

    def write(name: str, body: str, **variables: str) -> None:
        lines = [f"{k}={shlex.quote(v)}" for k, v in variables.items()]
        text = "\n".join(["#!/bin/sh", *lines, f"notes={shlex.quote(str(notes.resolve()))}", body])
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    compiler = (SCRIPTS / "cc").read_text()
    for name, real in STANDS_FOR.items():
        write(
            name,
            compiler,
            tree=str(tree.resolve()),
            real=str(llvm / real),
            compile_flags="\n".join(flags["compile"]),
            link_flags="\n".join(flags["link"]),
        )
    for name in PLAIN:
        write(name, (SCRIPTS / "plain").read_text(), real=str(llvm / f"llvm-{name}"))
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
        "PATH": f"{where}:{inherited['PATH']}",
        "SOURCE_DATE_EPOCH": "0",
        # What instrumented programs write that run during the build.
        "LLVM_PROFILE_FILE": str((place / "stray").resolve() / "%p.profraw"),
    }
    return inherited | own


def read_notes(notes: Path) -> Iterator[Note]:
    for path in sorted(notes.glob("[cl]*.*"), key=lambda p: p.stat().st_mtime_ns):
        where, output, *command = os.fsdecode(path.read_bytes()).split("\0")[:-1]
        kind = path.name.split(".")[0]
        made = output or ("a.out" if kind == "link" else default_object(command))
        yield Note(kind, Path(where), Path(os.path.normpath(Path(where) / made)), command)


def default_object(command: list[str]) -> str:
    """What `cc -c dir/name.c` makes."""
    sources = [w for w in command[1:] if Path(w).suffix in (".c", ".cc", ".cpp", ".cxx", ".C")]
    return f"{Path(sources[-1]).stem}.o" if sources else "a.out"


def inputs_of(link: Note) -> list[Path]:
    """The objects and archives of the tree that a link names."""
    found = []
    for word in link.command[1:]:
        path = Path(os.path.normpath(link.where / word))
        if path.suffix in (".o", ".lo", ".obj", ".a") and path.is_file():
            found.append(path)
    return found


def foreign_objects(link: Note, compiled: set[Path], llvm: Path) -> list[str]:
    """Objects of a link that the variant's compiler did not make."""
    names = {p.name for p in compiled}
    foreign = []
    for path in inputs_of(link):
        if path.suffix == ".a":
            members = tool.output([llvm / "llvm-ar", "t", path]).split()
            foreign += [f"{path.name}({m})" for m in members if Path(m).name not in names]
        elif path.resolve() not in compiled and path not in compiled:
            foreign.append(path.name)
    return foreign


def has_section(llvm: Path, binary: Path, section: str) -> bool:
    return section in tool.output([llvm / "llvm-readelf", "-S", "-W", binary])


def relinkable(link: Note) -> dict[str, object]:
    """The link without what names its output."""
    words = iter(link.command)
    kept = []
    for word in words:
        if word == "-o":
            next(words, None)
        elif not (word.startswith("-o") and len(word) > 2):
            kept.append(word)
    return {"where": str(link.where), "command": kept}


def check(args: argparse.Namespace, built: Path, place: Path) -> None:
    """Failure when the build did not make the program, or not with the variant's flags.

    Writes link.json, from which the program can be linked again.
    """
    notes = list(read_notes(place / "notes"))
    log = f"what the build said is in {place / 'build.log'}"
    if not notes:
        raise Failure(
            f"the build of '{args.tree}' never called $(CC)",
            f"give it to the build, as in app.build = make CC=$(CC); {log}",
        )
    if not built.is_file():
        made = sorted({str(n.output.relative_to(place.resolve() / "tree")) for n in notes
                       if n.kind == "link" and n.output.is_relative_to(place.resolve())})  # fmt: skip
        raise Failure(
            f"the build of '{args.tree}' made no '{args.binary}'",
            f"app.binary is one of what it linked: {' '.join(made) or 'nothing'}; {log}",
        )
    if built.read_bytes()[:4] != b"\x7fELF":
        raise Failure(
            f"'{args.binary}' is not a program but a script",
            "libtool leaves the program in .libs/: give that as app.binary, or --disable-shared",
        )
    if args.trained and not has_section(args.llvm_bin, built, "__llvm_prf_cnts"):
        raise Failure(
            f"'{args.binary}' has no counters: the flags did not arrive in it",
            f"the build has to compile with $(CC), and not to strip what it links; {log}",
        )
    links = [n for n in notes if n.kind == "link" and n.output.resolve() == built.resolve()]
    if not links:
        raise Failure(
            f"'{args.binary}' was not linked by $(CC)",
            f"app.binary has to be what the linker made, not a copy that was stripped or moved; {log}",
        )
    compiled = {n.output for n in notes} | {n.output.resolve() for n in notes}
    foreign = foreign_objects(links[-1], compiled, args.llvm_bin)
    if foreign:
        print(
            f"note: built without the variant's flags: {' '.join(foreign[:8])}"
            + (" …" if len(foreign) > 8 else "")
        )
    for name in sorted(p.suffix[1:] for p in (place / "notes").glob("plain.*")):
        print(
            f"note: the build calls plain '{name}', for which LLVM's stood in: the system's cannot"
            f" read LTO objects, so your own build needs {name.upper()}=llvm-{name}"
        )
    files.write_text(place / "link.json", json.dumps(relinkable(links[-1])) + "\n")


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
    tree = place / "tree"
    copy(args.tree, tree)
    (place / "obj").mkdir(exist_ok=True)
    files.empty_directory(place / "stray")
    files.empty_directory(place / "kept")
    flags = {"compile": shlex.split(args.compile), "link": shlex.split(args.link)}
    tools = write_tools(place, tree, args.llvm_bin, flags)
    seen = environment(tools, args.llvm_bin, args.level, args.jobs, place)
    start = time.monotonic()
    log = place / "build.log"
    with log.open("wb") as file:
        done = subprocess.run(
            ["sh", "-c", args.build], cwd=tree, env=seen, stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    wall_s = time.monotonic() - start
    shutil.rmtree(place / "stray")
    if done.returncode != 0:
        raise Failure(
            f"the build of '{args.tree}' ended with status {done.returncode}",
            f"it ran in {tree}, its output is in {log}; the command: {args.build}",
            log.read_text(errors="replace").splitlines()[-LAST_LINES:],
        )
    built = tree / args.binary
    check(args, built, place)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = f"{wall_s:.2f} {used.ru_utime:.2f} {used.ru_stime:.2f} {used.ru_maxrss} {args.alone}\n"
    files.write_text(place / "build.cost", cost)
    temporary = args.output.with_name(f"{args.output.name}.tmp")
    shutil.copy2(built, temporary)
    temporary.replace(args.output)
    return 0




if __name__ == "__main__":
    errors.run(main)
