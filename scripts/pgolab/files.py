"""Files that are either complete or not there."""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a file by way of a temporary one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def replace_if_changed(new: Path, path: Path) -> bool:
    """Moves new to path; when both hold the same bytes, path keeps its time stamp.

    Returns whether path changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.read_bytes() == new.read_bytes():
        new.unlink()
        return False
    new.replace(path)
    return True


def empty_directory(path: Path) -> Path:
    """Makes path an empty directory."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def work_directory(parent: Path, name: str) -> Path:
    """Makes a hidden directory in parent that is this process's as long as it lives."""
    path = empty_directory(parent / f".{name}")
    claim(path)
    return path


def claim(path: Path) -> int | None:
    """Locks a directory until this process ends or closes the descriptor that it returns.

    None when another process has it, or it is not there any more.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def link(path: Path, target: str) -> None:
    """Makes path a symbolic link to target, in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
