"""Progress on standard error: one live line on a terminal, a line at each look elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status


class Progress:
    """Shows what is being measured; the time left is that of the budget."""

    def __init__(self, app: str, budget_s: float, target: float) -> None:
        self._app = app
        self._end = time.monotonic() + budget_s
        self._target = target
        self._live: Status | None = None
        if sys.stderr.isatty():
            self._live = Console(stderr=True).status(f"{app}: choosing scales")

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, blocks: int, half_width: float | None, look: bool) -> None:
        """Tells how far it is; half_width in ln units, None before the first look."""
        left = max(0.0, self._end - time.monotonic())
        width = f"±{half_width:.1%} (target {self._target:.1%}), " if half_width else ""
        text = f"{self._app}: {blocks} blocks, {width}at most {left:.0f} s left"
        if self._live:
            self._live.update(text)
        elif look:
            print(f"  {text}", file=sys.stderr, flush=True)
