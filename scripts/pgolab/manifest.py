"""An app's manifest, as Make wrote it to build/APP/manifest/{app,train,eval}."""

import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pgolab import sources, units
from pgolab.errors import Failure

SERVE = Path(__file__).resolve().parent.parent / "serve"


@dataclass(frozen=True)
class Workload:
    """One command line of an app.

    kind is 'train' or 'eval'; words still hold @BIN@ and @SCALE@; weight counts when profiles are
    merged; work is the amount and unit at scale 1; outputs are files compared across variants.
    stdin is the file on standard input, environment holds NAME=value, directory is where it runs,
    setup and cleanup are commands before and after it that are not timed.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    weight: float = 1.0
    work: tuple[float, str] | None = None
    outputs: tuple[str, ...] = ()
    stdin: str = ""
    environment: tuple[str, ...] = ()
    directory: str = ""
    setup: tuple[str, ...] = ()
    cleanup: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def scalable(self) -> bool:
        return any("@SCALE@" in word for word in self.words)

    def command(self, binary: str, scale: int = 1, where: Path = Path()) -> list[str]:
        """The argument list with the binary's path and the scale filled in.

        It runs in the scratch directory `where`, after what launcher() gives.
        """
        words = [w.replace("@BIN@", binary).replace("@SCALE@", str(scale)) for w in self.words]
        return [self._seen(w, where) for w in words]

    def setup_for(self, binary: str) -> list[str]:
        """The set-up command with the binary's path filled in."""
        return [w.replace("@BIN@", binary) for w in self.setup]

    def launcher(self, where: Path) -> list[str]:
        """A shell that goes where the workload runs and then becomes it; nothing if not needed."""
        steps = [f"exec <{shlex.quote(self.stdin)}"] if self.stdin else []
        steps += [f"export {shlex.quote(self._seen(e, where))}" for e in self.environment]
        steps += [f"cd {shlex.quote(self.directory)}"] if self.directory else []
        return ["sh", "-c", " && ".join([*steps, 'exec "$0" "$@"'])] if steps else []

    def _seen(self, word: str, where: Path) -> str:
        """A word with paths of the scratch directory as they are in the workload's directory."""
        if not self.directory:
            return word
        parts = Path(self.directory).parts
        away = parts[0] in ("app", "inputs")  # symbolic links: there is no way back by ..
        back = f"{where.resolve()}/" if away else "../" * len(parts)
        return re.sub(r"(^|=)(app/|inputs/|\.\.?/)", rf"\1{back}\2", word)


@dataclass(frozen=True)
class Manifest:
    """What scripts need to know of an app; directory is relative to where pgolab runs.

    tree is the source tree of a program with a build of its own.
    """

    name: str
    directory: Path
    about: str
    generate: tuple[str, ...]
    overlap: bool
    normalize: tuple[str, ...]
    tree: Path | None = None
    workloads: tuple[Workload, ...] = field(default=())

    def of_kind(self, kind: str) -> list[Workload]:
        return [w for w in self.workloads if w.kind == kind]


def _lines(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split(" = ", 1) for line in lines if line)


def _words(label: str, text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
        return tuple(
            w.replace("@PYTHON@", sys.executable).replace("@SERVE@", str(SERVE)) for w in words
        )
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
    environment = _words(label, lines.get(f"{name}.env", ""))
    for word in environment:
        if not re.match(r"[A-Za-z_]\w*=", word):
            raise Failure(f"{label}.env has the word '{word}'", "each word is NAME=value")
    cleanup = _words(label, lines.get(f"{name}.cleanup", ""))
    if any("@BIN@" in word for word in cleanup):
        raise Failure(f"{label}.cleanup runs $(BIN)", "it is the same command for all variants")
    return Workload(
        kind,
        name,
        words,
        weight_value,
        units.work(f"{label}.work", work) if work else None,
        _words(label, lines.get(f"{name}.output", "")),
        _one_path(label, "input", lines),
        environment,
        _one_path(label, "dir", lines),
        _words(label, lines.get(f"{name}.setup", "")),
        cleanup,
    )


def taken_from(directory: Path) -> str:
    """Hash of what a profile is taken from: sources, flags or build, train workloads."""
    app = _lines(directory / "app")
    commands = (directory / "train").read_text(encoding="utf-8")
    text = f"{app.get('cflags', '')}{app.get('build', '')}\n{commands}"
    if "tree" in app:
        return sources.of_tree(Path(app["tree"]), text)
    return sources.sha256(Path(app["dir"]), app.get("sources", "").split(), text)


def _one_path(label: str, key: str, lines: dict[str, str]) -> str:
    """The value of a key that names one file or directory."""
    words = _words(label, lines.get(f"{label.split('.')[1]}.{key}", ""))
    if len(words) > 1 or words and words[0].startswith(".."):
        raise Failure(
            f"{label}.{key} is '{' '.join(words)}'",
            "it is one path: below $(app.dir) or $(app.inputs), or what the set-up command makes",
        )
    return words[0] if words else ""


def load(
    directory: Path, kinds: tuple[str, ...] = ("train", "eval"), root: Path = Path()
) -> Manifest:
    """Reads the manifest in build/APP/manifest; Failure when a value makes no sense.

    root: where the app's directory, as the manifest has it, is relative to.
    """
    app = _lines(directory / "app")
    workloads = []
    for kind in kinds:
        lines = _lines(directory / kind)
        for name in sorted({key.split(".")[0] for key in lines}):
            workloads.append(_workload(kind, name, lines))
    return Manifest(
        name=app["name"],
        directory=root / app["dir"],
        about=app["about"],
        generate=_words("app.generate", app.get("generate", "")),
        normalize=_words("app.normalize", app.get("normalize", "")),
        tree=root / app["tree"] if "tree" in app else None,
        overlap=units.choice("app.overlap", app.get("overlap", "no"), ("yes", "no")) == "yes",
        workloads=tuple(workloads),
    )
