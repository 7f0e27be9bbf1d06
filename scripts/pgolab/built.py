"""What a build of somebody's source tree made, by the notes that pipeline/tree/cc left of it."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgolab import tool

KINDS = ("link", "partial", "compile", "assembly")
SOURCES = (".c", ".cc", ".cpp", ".cxx", ".C", ".c++", ".i", ".ii", ".s", ".S", ".sx")
OBJECTS = (".o", ".lo", ".obj", ".a", ".so")
COUNTERS = "__llvm_prf_cnts"
BITCODE = b"BC\xc0\xde"


@dataclass(frozen=True)
class Note:
    """One command of the build: of what kind, where it ran, what it made, what it was.

    kind is link, partial (a link that makes an object), compile or assembly; id names what is
    kept of the command beside the note.
    """

    kind: str
    id: str
    where: Path
    outputs: list[Path]
    command: list[str]

    @property
    def output(self) -> Path:
        return self.outputs[0]


def read_notes(notes: Path) -> Iterator[Note]:
    """The notes, in the order in which the commands ended."""
    found = [p for kind in KINDS for p in notes.glob(f"{kind}.*")]
    for path in sorted(found, key=lambda p: p.stat().st_mtime_ns):
        where, output, *command = os.fsdecode(path.read_bytes()).split("\0")[:-1]
        kind, _, own = path.name.partition(".")
        made = [output] if output else default_outputs(kind, command)
        outputs = [Path(os.path.normpath(Path(where) / name)) for name in made]
        yield Note(kind, own, Path(where), outputs, command)


def default_outputs(kind: str, command: list[str]) -> list[str]:
    """What a command without -o makes."""
    if kind in ("link", "partial"):
        return ["a.out"]
    suffix = ".o" if kind == "compile" else ".s"
    stems = [Path(w).stem for w in command[1:] if Path(w).suffix in SOURCES and w[0] != "-"]
    return [stem + suffix for stem in stems] or ["-"]


def compiles(link: Note) -> bool:
    """Whether a link compiles sources by the way."""
    words = link.command[1:]
    return "-x" in words or any(Path(w).suffix in SOURCES[:-3] and w[0] != "-" for w in words)


def with_partial(links: list[Note], notes: list[Note], tree: Path) -> list[Note]:
    """Links with the partial links whose objects they take."""
    partial = {n.output: n for n in notes if n.kind == "partial"}
    found = list(links)
    for link in found:
        wanted = [partial[p] for p in inputs_of(link, tree) if p in partial]
        found += [note for note in wanted if note not in found]
    return found


def inputs_of(link: Note, tree: Path) -> list[Path]:
    """The objects, archives and shared libraries of a tree that a link names."""
    words: list[str] = []
    for word in link.command[1:]:
        words += word.split(",")[1:] if word.startswith("-Wl,") else [word]
    pairs = list(zip(words, words[1:]))
    directories = [w[2:] for w in words if w.startswith("-L")]
    directories += [after for w, after in pairs if w == "-L"]
    names = [w[2:] for w in words if w.startswith("-l")]
    names += [after for w, after in pairs if w == "-l"]
    found = []
    for word in words:
        if ".so" in word or word.endswith(OBJECTS):
            found.append(link.where / word)
    for name in filter(None, names):
        files = [name[1:]] if name[0] == ":" else [f"lib{name}.so", f"lib{name}.a"]
        candidates = [link.where / d / file for d in filter(None, directories) for file in files]
        found += [c for c in candidates if c.is_file()][:1]
    paths = (Path(os.path.normpath(path)) for path in found if path.is_file())
    return [p for p in paths if p.is_relative_to(tree) and p != link.output]


def compiled(content: bytes) -> bool:
    """Whether an object came from a compiler and not from an assembler or a file of data."""
    return content.startswith(BITCODE) or b"\0.comment\0" in content


def unflagged(link: Note, tree: Path, made: set[Path], llvm: Path) -> list[str]:
    """Compiled objects of a link that the variant's compiler did not make."""
    names = {p.name for p in made}
    found = []
    for path in inputs_of(link, tree):
        if path.suffix == ".a":
            for member in members(llvm, path):
                if Path(member).name not in names and compiled(extracted(llvm, path, member)):
                    found.append(f"{path.name}({Path(member).name})")
        elif path.resolve() not in made and compiled(path.read_bytes()):
            found.append(path.name)
    return found


def members(llvm: Path, archive: Path) -> list[str]:
    return tool.output([llvm / "llvm-ar", "t", archive]).splitlines()


def extracted(llvm: Path, archive: Path, member: str) -> bytes:
    command: list[str | Path] = [llvm / "llvm-ar", "p", archive, member]
    return subprocess.run(command, capture_output=True, check=True).stdout


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


def relinkable(link: Note) -> list[str]:
    """The command of a link without what names its output."""
    words = iter(link.command)
    kept = []
    for word in words:
        if word == "-o":
            next(words, None)
        elif not (word.startswith("-o") and len(word) > 2):
            kept.append(word)
    return kept


def from_kept(link: Note, kept: Path) -> list[str] | None:
    """The command that links what full LTO made in the first link, kept, instead of doing it again.

    None when the link left nothing there. The kept object takes the place of the first file of
    LLVM's bitcode or of C; archives stay for their other members.
    """
    if not kept.is_file() or "-x" in link.command:
        return None
    found: list[str] = []
    for word in relinkable(link):
        path = link.where / word
        if path.suffix in SOURCES[:-3] or path.suffix in OBJECTS[:3] and path.is_file() and (
            path.read_bytes().startswith(BITCODE)
        ):
            found += [str(kept)] if str(kept) not in found else []
        elif str(kept) not in word:
            found.append(word)
    return found if str(kept) in found else None


def functions(llvm: Path, binary: Path) -> list[str]:
    """The functions of a binary with their sizes."""
    text = tool.output([llvm / "llvm-nm", "--print-size", "--defined-only", binary])
    rows = (line.split() for line in text.splitlines())
    return sorted(f"{row[3]} {row[1]}" for row in rows if len(row) == 4 and row[2] in "tT")


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
