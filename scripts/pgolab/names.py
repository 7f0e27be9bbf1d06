"""Finding the name that a mistyped one was meant to be."""
import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None if none is near.

    Upper and lower case are alike; the same parts in another order (`o2-thin-pgo`) are nearest.
    """
    by_folded = {other.casefold(): other for other in known}
    wanted = name.casefold()
    for folded, other in by_folded.items():
        if sorted(folded.split("-")) == sorted(wanted.split("-")):
            return other
    matches = difflib.get_close_matches(wanted, by_folded, n=1)
    return by_folded[matches[0]] if matches else None
