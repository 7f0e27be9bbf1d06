"""The layouts of a variant: the plain link, and relinks with differently padded functions.

build/APP/VARIANT/APP is layout 0; layouts/N/APP is layout N; layouts/linked.json says how many
there are and what they cost.
"""

import json
from pathlib import Path
from typing import Any


def facts(binary: Path) -> dict[str, Any]:
    """What relinking noted: layouts, and cpu_s and wall_s of all relinks together."""
    text = (binary.parent / "layouts" / "linked.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def path(binary: Path, number: int) -> Path:
    """The binary of one layout."""
    return binary.parent / "layouts" / str(number) / binary.name if number else binary


def libraries(binary: Path) -> list[Path]:
    """The shared libraries of its source tree that lie beside a binary, in lib/."""
    return sorted((binary.parent / "lib").glob("*"))


def of(binary: Path) -> list[Path]:
    """The binaries of all layouts of a variant, layout 0 first."""
    return [path(binary, number) for number in range(facts(binary)["layouts"])]
