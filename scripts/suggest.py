"""Prints the known name that is nearest to a mistyped one, or nothing: suggest.py NAME KNOWN..."""
from collections.abc import Sequence

from pgolab import errors
from pgolab.names import nearest


def main(argv: Sequence[str]) -> int:
    name, *known = argv
    match = nearest(name, known)
    if match:
        print(match)
    return 0


if __name__ == "__main__":
    errors.run(main)
