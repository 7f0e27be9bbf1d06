"""What a profile was taken from, as one hash."""

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path


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


def files_of(tree: Path) -> list[Path]:
    """The files of a source tree, links among them."""
    found: list[Path] = []
    for path in (tree / name for name in names_of(tree)):
        if path.is_dir() and not path.is_symlink():
            found += (p for p in path.rglob("*") if p.is_symlink() or not p.is_dir())
        else:
            found.append(path)
    return sorted(found)


def of_tree(tree: Path, text: str) -> str:
    """Hash of the content of a source tree, and of text: its build and train commands."""
    digest = hashlib.sha256(text.strip().encode())
    for path in files_of(tree):
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        digest.update(os.fsencode(f"\n{path.relative_to(tree)} {len(content)}\n"))
        digest.update(content)
    return digest.hexdigest()


def sha256(directory: Path, sources: Iterable[str], text: str) -> str:
    """Hash of an app's sources, of every header below its directory, and of text.

    sources are relative to directory; text is what else matters: flags and train commands.
    """
    headers = (str(path.relative_to(directory)) for path in directory.rglob("*.h"))
    digest = hashlib.sha256(text.strip().encode())
    for name in sorted({*sources, *headers}):
        content = (directory / name).read_bytes()
        digest.update(f"\n{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
