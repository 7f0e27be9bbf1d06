"""An app's manifest, as Make wrote it to build/APP/manifest/{app,train,eval}."""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pgolab import sources, units
from pgolab.errors import Failure


@dataclass(frozen=True)
class Workload:
    """One command line of an app.

    kind is 'train' or 'eval'; words still hold @BIN@ and @SCALE@; weight counts when profiles are
    merged; work is the amount and unit at scale 1; outputs are files compared across variants.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    weight: float = 1.0
    work: tuple[float, str] | None = None
    outputs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def scalable(self) -> bool:
        return any("@SCALE@" in word for word in self.words)

    def command(self, binary: str, scale: int = 1) -> list[str]:
        """The argument list with the binary's path and the scale filled in."""
        return [w.replace("@BIN@", binary).replace("@SCALE@", str(scale)) for w in self.words]


@dataclass(frozen=True)
class Manifest:
    """What scripts need to know of an app; directory is relative to the project's root.

    taken_from hashes what a profile is taken from.
    """

    name: str
    directory: Path
    about: str
    generate: tuple[str, ...]
    overlap: bool
    taken_from: str
    workloads: tuple[Workload, ...] = field(default=())

    def of_kind(self, kind: str) -> list[Workload]:
        return [w for w in self.workloads if w.kind == kind]


def _lines(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split(" = ", 1) for line in lines if line)


def _words(label: str, text: str) -> tuple[str, ...]:
    try:
        return tuple(w.replace("@PYTHON@", sys.executable) for w in shlex.split(text))
    except ValueError as error:
        raise Failure(
            f"the command of '{label}' cannot be split into words: {error}",
            "quote as in a shell; there is no shell in between",
        ) from None


def _workload(kind: str, name: str, lines: dict[str, str]) -> Workload:
    label = f"{kind}.{name}"
    if f"{name}.command" not in lines:
        raise Failure(f"'{label}' has no command", f"add to app.mk: {label} = $(BIN) …")
    weight = lines.get(f"{name}.weight", "1")
    work = lines.get(f"{name}.work")
    try:
        weight_value = float(weight)
    except ValueError:
        weight_value = 0.0
    if not 0 < weight_value < 1e6:
        raise Failure(f"{label}.weight is '{weight}'", "it is a positive number")
    words = _words(label, lines[f"{name}.command"])
    if not any("@BIN@" in word for word in words):
        raise Failure(f"the command of '{label}' does not run the app", "write $(BIN) in it")
    return Workload(
        kind,
        name,
        words,
        weight_value,
        units.work(f"{label}.work", work) if work else None,
        _words(label, lines.get(f"{name}.output", "")),
    )


def _taken_from(directory: Path, app: dict[str, str]) -> str:
    commands = (directory / "train").read_text(encoding="utf-8")
    text = f"{app.get('cflags', '')}\n{commands}"
    return sources.sha256(Path(app["dir"]), app["sources"].split(), text)


def load(directory: Path, kinds: tuple[str, ...] = ("train", "eval")) -> Manifest:
    """Reads the manifest in build/APP/manifest; Failure when a value makes no sense."""
    app = _lines(directory / "app")
    workloads = []
    for kind in kinds:
        lines = _lines(directory / kind)
        for name in sorted({key.split(".")[0] for key in lines}):
            workloads.append(_workload(kind, name, lines))
    return Manifest(
        name=app["name"],
        directory=Path(app["dir"]),
        about=app["about"],
        generate=_words("app.generate", app.get("generate", "")),
        taken_from=_taken_from(directory, app),
        overlap=units.choice("app.overlap", app.get("overlap", "no"), ("yes", "no")) == "yes",
        workloads=tuple(workloads),
    )
