"""Where the time went: intervals in which something other than pgolab itself was at work.

With $PGOLAB_TIMING naming a file, each interval becomes a line `kind start end` (seconds since
the epoch) in it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy(kind: str) -> Iterator[None]:
    """Notes the time of its body under kind."""
    start = time.time()
    try:
        yield
    finally:
        path = os.environ.get("PGOLAB_TIMING")
        if path:
            with open(path, "a", encoding="utf-8") as log:
                log.write(f"{kind} {start:.6f} {time.time():.6f}\n")
