"""What a profile was taken from, as one hash."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


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
