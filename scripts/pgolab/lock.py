"""The machine's lock: builds hold it together, a block that is timed holds it alone."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone(path: str) -> Iterator[None]:
    """Waits until nothing of pgolab runs on this machine, and keeps it so for the body.

    path is a file or directory that everyone can read.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
