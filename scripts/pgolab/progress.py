"""Progress on standard error: a live table on a terminal, a line at each look elsewhere."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table


class Show(Protocol):
    """Tells how far the measuring of an app is."""

    def __call__(
        self, blocks: int, spent_s: float, half_width: float | None, look: bool, more: str = ""
    ) -> None: ...


class Progress:
    """Shows what is being measured, app by app; the time left is that of the budget."""

    def __init__(self, apps: Sequence[str], target: float) -> None:
        """target: the half-width that is wanted, as a share."""
        self._target = target
        self._rows = {app: ["", "", "waiting"] for app in apps}
        self._live: Live | None = None
        if sys.stderr.isatty():
            # Without a thread that draws: nothing is drawn while a block is timed.
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)

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

    def say(self, app: str, what: str) -> None:
        """What an app is at, in words."""
        self._rows[app][2] = what
        self._draw()

    def of(self, app: str, budget_s: float) -> Show:
        """The function that shows how far an app is."""

        def show(
            blocks: int, spent_s: float, half_width: float | None, look: bool, more: str = ""
        ) -> None:
            """half_width in ln units, None before the first look."""
            width = f"±{half_width:.1%}" if half_width else ""
            remains = f"at most {max(0.0, budget_s - spent_s):.0f} s left{more}"
            self._rows[app] = [str(blocks), width, remains]
            if look and not self._live:
                target = f" (target {self._target:.1%}), " if width else ""
                line = f"  {app}: {blocks} blocks, {width}{target}{remains}"
                print(line, file=sys.stderr, flush=True)
            self._draw()

        return show

    def _draw(self) -> None:
        if not self._live:
            return
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("app", no_wrap=True)
        table.add_column("blocks", justify="right")
        table.add_column(f"half-width (target {self._target:.1%})", justify="right")
        table.add_column("", no_wrap=True)
        for app, cells in self._rows.items():
            table.add_row(app, *cells)
        self._live.update(table, refresh=True)
