"""What a build of somebody's source tree made, by the notes that pipeline/tree/cc left of it."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import tool

OBJECTS = (".o", ".lo", ".obj", ".a", ".so")
COUNTERS = "__llvm_prf_cnts"


@dataclass(frozen=True)
class Note:
    """One command of the build: where it ran, what it made, what it was."""

    kind: str
    where: Path
    output: Path
    command: list[str]


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


def libraries_of(program: Path, notes: list[Note], llvm: Path) -> dict[str, Note]:
    """The shared libraries of the tree that a program needs, with how each was linked."""
    built = {n.output: n for n in notes
             if n.kind == "link" and n.output.is_file() and is_elf(n.output)}  # fmt: skip
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
