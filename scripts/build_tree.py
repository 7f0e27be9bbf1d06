"""Build a private copy of somebody's source tree with a variant's flags.

The build runs in the copy, with CC, CXX, AR, RANLIB and NM in its environment; CC is a script that
adds the flags to whatever it is told. Afterwards the flags are looked for in every object of the
program. What linked the program and those shared libraries of the tree that it needs is kept in
link.json, from which replay.py links them again.
"""

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import errors, files, tool
from pgolab.errors import Failure

STANDS_FOR = {"cc": "clang", "gcc": "clang", "clang": "clang", "c++": "clang++", "g++": "clang++",
              "clang++": "clang++"}  # fmt: skip
PLAIN = ("ar", "ranlib", "nm")
STAND_INS = Path(__file__).resolve().parent.parent / "pipeline" / "tree"
REPLAY = Path(__file__).resolve().with_name("replay.py")
OBJECTS = (".o", ".lo", ".obj", ".a", ".so")
COUNTERS = "__llvm_prf_cnts"
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
    return sorted(p.name for p in tree.iterdir() if p.name != ".git")


def copy(tree: Path, target: Path) -> None:
    """Copies a source tree, without links between the two."""
    files.empty_directory(target)
    names = names_of(tree)
    command = ["cp", "-a", "--reflink=auto", "--parents", "-t", str(target.resolve()), "--"]
    for start in range(0, len(names), 1000):
        part = names[start:start + 1000]  # fmt: skip
        tool.output([*command, *part], tree)


def write_tools(place: Path, tree: Path, llvm: Path, flags: dict[str, list[str]]) -> Path:
    """The directory of the programs that stand for compilers and archivers."""
    tools = files.empty_directory(place / "tools")
    notes = files.empty_directory(place / "notes")

    def write(name: str, body: str, **variables: str) -> None:
        lines = [f"{k}={shlex.quote(v)}" for k, v in variables.items()]
        text = "\n".join(["#!/bin/sh", *lines, f"notes={shlex.quote(str(notes.resolve()))}", body])
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    compiler = (STAND_INS / "cc").read_text()
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
        write(name, (STAND_INS / "plain").read_text(), real=str(llvm / f"llvm-{name}"))
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


def inputs_of(link: Note, tree: Path) -> list[Path]:
    """The objects, archives and shared libraries of a tree that a link names."""
    words = link.command[1:]
    directories = [link.where / w[2:] for w in words if w.startswith("-L") and len(w) > 2]
    directories += [link.where / after for w, after in zip(words, words[1:]) if w == "-L"]
    found = []
    for word in words:
        if word.startswith("-l"):
            names = (f"lib{word[2:]}.so", f"lib{word[2:]}.a")
            candidates = [d / name for d in directories for name in names]
        else:
            candidates = [link.where / word] if ".so" in word or word.endswith(OBJECTS) else []
        found += [Path(os.path.normpath(c)) for c in candidates if c.is_file()][:1]
    return [path for path in found if path.is_relative_to(tree)]


def stamps(tree: Path) -> dict[Path, int]:
    """When each object and archive in a tree was made."""
    found = (p for p in tree.rglob("*") if p.suffix in OBJECTS and p.is_file())
    return {p: p.stat().st_mtime_ns for p in found}


def unflagged(link: Note, tree: Path, made: set[Path], llvm: Path) -> list[str]:
    """Objects of a link that the variant's compiler did not make."""
    names = {p.name for p in made}
    found = []
    for path in inputs_of(link, tree):
        if path.suffix == ".a":
            members = tool.output([llvm / "llvm-ar", "t", path]).split()
            found += [f"{path.name}({m})" for m in members if Path(m).name not in names]
        elif path.resolve() not in made:
            found.append(path.name)
    return found


def needed(llvm: Path, binary: Path, tag: str = "NEEDED") -> list[str]:
    """The names of the shared libraries that a binary needs; with tag SONAME its own."""
    text = tool.output([llvm / "llvm-readelf", "-d", "-W", binary])
    return re.findall(rf"\({tag}\).*\[(.*)\]", text)


def has_counters(llvm: Path, binary: Path) -> bool:
    return COUNTERS in tool.output([llvm / "llvm-readelf", "-S", "-W", binary])


def libraries_of(program: Path, links: list[Note], llvm: Path) -> dict[str, Note]:
    """The shared libraries of the tree that a program needs, with how each was linked."""
    built = {n.output: n for n in links if n.output.is_file() and is_elf(n.output)}
    by_name = {name: note for path, note in built.items()
               for name in [path.name, *needed(llvm, path, "SONAME")]}  # fmt: skip
    found: dict[str, Note] = {}
    wanted = needed(llvm, program)
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in found:
            found[name] = by_name[name]
            wanted += needed(llvm, found[name].output)
    return found


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def relinkable(name: str, link: Note, extra: Sequence[str] = ()) -> dict[str, object]:
    """A link without what names its output; name is that of a library, or empty."""
    words = iter(link.command)
    kept = []
    for word in words:
        if word == "-o":
            next(words, None)
        elif not (word.startswith("-o") and len(word) > 2):
            kept.append(word)
    return {"name": name, "where": str(link.where), "command": [*kept, *extra]}


def link_of(built: Path, links: list[Note]) -> Note | None:
    """The link that made a program, which may have been moved or copied since."""
    for note in reversed(links):
        if note.output.resolve() == built.resolve():
            return note
    for note in reversed(links):
        if not note.output.exists() or note.output.read_bytes() == built.read_bytes():
            if note.output.name.startswith(built.name):
                return note
    return None


def check(
    args: argparse.Namespace, built: Path, place: Path, before: dict[Path, int]
) -> list[dict[str, object]]:
    """The links that make the program, it being the last; Failure when they are not the variant's.

    before: when the objects were made that the tree had before the build.
    """
    tree = place.resolve() / "tree"
    notes = list(read_notes(place / "notes"))
    links = [n for n in notes if n.kind == "link"]
    log = f"what the build said is in {place / 'build.log'}"
    clean = (
        f"pgolab changes nothing in '{args.tree}': clean it with its own `make clean` or"
        " `git clean`, or name a fresh copy in app.tree"
    )
    if not notes:
        if before or built.is_file():
            raise Failure(f"the build of '{args.tree}' found everything built already", clean)
        raise Failure(
            f"the build of '{args.tree}' never called $(CC)",
            f"give it to the build, as in app.build = make CC=$(CC); {log}",
        )
    if not built.is_file():
        inside = (n.output for n in links if n.output.is_relative_to(tree))
        made = sorted({str(p.relative_to(tree)) for p in inside})
        raise Failure(
            f"the build of '{args.tree}' made no '{args.binary}'",
            f"app.binary is one of what it linked: {' '.join(made) or 'nothing'}; {log}",
        )
    if not is_elf(built):
        raise Failure(
            f"'{args.binary}' is not a program but a script",
            "libtool leaves the program in .libs/: give that as app.binary, or --disable-shared",
        )
    link = link_of(built, links)
    if not link:
        raise Failure(
            f"'{args.binary}' was not linked by $(CC)",
            f"app.binary has to be what the linker made, not a copy that was stripped; {log}",
        )
    libraries = libraries_of(built, links, args.llvm_bin)
    made_here = {n.output.resolve() for n in notes}
    used = [link, *libraries.values()]
    old = sorted({p.name for n in used for p in inputs_of(n, tree) if p.suffix != ".a"
                  and p not in made_here and before.get(p) == p.stat().st_mtime_ns})  # fmt: skip
    if old:
        raise Failure(f"the build linked objects of an earlier one: {some(old)}", clean)
    binaries = [built, *(n.output for n in libraries.values())]
    if args.trained and not any(has_counters(args.llvm_bin, b) for b in binaries):
        raise Failure(
            f"'{args.binary}' has no counters: the flags did not arrive in it",
            f"the build has to compile with $(CC), and not to strip what it links; {log}",
        )
    without = sorted({name for n in used for name in unflagged(n, tree, made_here, args.llvm_bin)})
    if without:
        print(f"note: built without the variant's flags: {some(without)}")
    if "-flto" in args.compile:
        plain = sorted(p.suffix[1:] for p in (place / "notes").glob("plain.*"))
        if plain:
            print(
                f"note: the build calls plain {some(plain)}, for which LLVM's stood in: the"
                f" system's cannot read LTO objects, so your own build has to call llvm-{plain[0]}"
            )
    beside = ["-Wl,-rpath,$ORIGIN/lib", "-Wl,--disable-new-dtags"] if libraries else []
    return [*(relinkable(*one) for one in libraries.items()), relinkable("", link, beside)]


def some(names: list[str]) -> str:
    return " ".join(names[:8]) + (" …" if len(names) > 8 else "")


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
    before = stamps(tree.resolve())
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
    for path in tree.rglob("*.profraw"):  # of programs that the build ran without its environment
        path.unlink()
    if done.returncode != 0:
        raise Failure(
            f"the build of '{args.tree}' ended with status {done.returncode}",
            f"it ran in {tree}, its output is in {log}; the command: {args.build}",
            log.read_text(errors="replace").splitlines()[-LAST_LINES:],
        )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = f"{wall_s:.2f} {used.ru_utime:.2f} {used.ru_stime:.2f} {used.ru_maxrss} {args.alone}\n"
    files.write_text(place / "build.cost", cost)
    built = tree / args.binary
    links = check(args, built, place, before)
    files.write_text(place / "link.json", json.dumps(links, indent=1) + "\n")
    temporary = args.output.with_name(f"{args.output.name}.tmp")
    if len(links) > 1:
        tool.output([sys.executable, REPLAY, place / "link.json", "-o", temporary])
    else:
        shutil.copy2(built, temporary)
    temporary.replace(args.output)
    return 0


if __name__ == "__main__":
    errors.run(main)
