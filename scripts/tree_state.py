"""Note the state of a source tree, in a file that changes only when the tree does."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors, files, sources
from pgolab.errors import Failure


def state(tree: Path) -> str:
    """SHA-256 over the names, sizes and times of all files."""
    found = hashlib.sha256()
    for file in sources.files_of(tree):
        facts = file.lstat()
        line = f"{file.relative_to(tree)} {facts.st_size} {facts.st_mtime_ns}\n"
        found.update(os.fsencode(line))
    return found.hexdigest()


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    if not args.tree.is_dir():
        raise Failure(f"there is no directory '{args.tree}'", "app.tree names the source tree")
    fresh = args.output.with_name(f"{args.output.name}.new")
    files.write_text(fresh, state(args.tree) + "\n")
    files.replace_if_changed(fresh, args.output)
    return 0


if __name__ == "__main__":
    errors.run(main)
