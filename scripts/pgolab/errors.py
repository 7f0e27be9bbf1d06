"""How pgolab's scripts end: one line that says what is wrong, one that says what to do."""
import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

FAILED = 2  # a script's own "no", such as a confirmed regression, is 1
INTERRUPTED = 130  # what a shell reports for SIGINT
BROKEN_PIPE = 141  # … and for SIGPIPE

REMEDIES = {
    errno.ENOSPC: "free some space there (`df -h` shows where there is some), then run it again",
    errno.EACCES: "see who owns it with `ls -ld`",
    errno.EPERM: "see who owns it with `ls -ld`",
    errno.EROFS: "that file system is read-only: work in a directory that you can write to",
}
RERUN = "to see where it happened, run it again with PGOLAB_TRACEBACK=1"


class Failure(Exception):
    """Raised anywhere, shown once by `run`: what is wrong, what to do, and lines in between."""

    def __init__(self, message: str, hint: str, detail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors look like all others."""

    def error(self, message: str) -> NoReturn:
        raise Failure(f"{self.prog}: {message}", f"see {self.prog} --help")


def run(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Ends the process with main(arguments)'s status, or with the message of what it raised."""
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("pgolab: interrupted", file=sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        status = BROKEN_PIPE  # whoever read the output has seen enough
    except Exception as error:
        if os.environ.get("PGOLAB_TRACEBACK"):
            traceback.print_exc()
        failure = error if isinstance(error, Failure) else explain(error)
        lines = [f"pgolab: {failure.message}", *failure.detail, f"hint: {failure.hint}"]
        print(*lines, sep="\n", file=sys.stderr)
        status = FAILED
    try:
        sys.stdout.flush()
    except OSError:  # Python's own flush at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def explain(error: Exception) -> Failure:
    """What an exception that nobody expected says to a user."""
    if isinstance(error, OSError) and error.strerror:
        place = f"'{os.fsdecode(error.filename)}': " if error.filename else ""
        return Failure(place + error.strerror, REMEDIES.get(error.errno or 0, RERUN))
    text = " ".join(str(error).split())
    return Failure(f"unexpected {type(error).__name__}: '{text}'", RERUN)
