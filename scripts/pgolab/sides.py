"""The two sides of a comparison: an app as a revision or the working tree has it, and its build."""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgolab import facts, files, manifest, words, workspace
from pgolab.errors import Failure
from pgolab.manifest import Manifest

PLACES = Path("build/compare")


@dataclass(frozen=True)
class App:
    """What is compared: APP as it was given, and its app.tree where it has one."""

    given: str
    tree: Path | None

    @property
    def directory(self) -> Path:
        return Path(self.given) if "/" in self.given else Path("sample-apps") / self.given

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def sources(self) -> Path:
        """What a revision is one of."""
        return self.tree or self.directory


@dataclass(frozen=True)
class Side:
    """One side: the place in which make builds it, APP and CLANG there, and app.tree if another.

    revision and commit are what a reader is told; commit is None outside of git.
    """

    name: str
    place: Path
    app: str
    revision: str
    commit: str | None
    clang: str = ""
    tree: str = ""

    def __str__(self) -> str:
        return f"'{self.revision}'" + (f" ({self.commit[:12]})" if self.commit else "")

    @property
    def build(self) -> Path:
        """What make builds there."""
        return self.place / "build" / Path(self.app).name

    def binary(self, variant: str) -> Path:
        return self.build / variant / self.build.name

    @property
    def manifest(self) -> Manifest:
        return manifest.load(self.build / "manifest", ("eval",), self.place)

    def facts(self, variant: str) -> dict[str, Any]:
        """What run.json says of it, once it is built."""
        stem = self.build / facts.parts(self.binary(variant))["builds"][0]
        flags = next(p for p in (stem / "compile.flags", stem / "tree.flags") if p.is_file())
        version = flags.read_text(encoding="utf-8").split("\n")[0]
        compiler = re.split(" Target: | Copyright ", version)[0]
        return {"revision": self.revision, "commit": self.commit, "compiler": compiler}

    def verify(self, variant: str, settings: Mapping[str, str]) -> None:
        """Builds a variant and verifies it against the baseline; Failure when make fails."""
        print(f"  {self.name.upper():8} {self.revision}", flush=True)
        own = {"APP": self.app, "VARIANTS": variant, "CLANG": self.clang, **settings}
        environment = {"PGOLAB_PYTHON": sys.executable, "PGOLAB_TREE": self.tree}
        quiet = [] if settings.get("V") else ["--silent"]
        if workspace.make(self.place, "verify", own, quiet, environment) != 0:
            given = shlex.join(f"{k}={v}" for k, v in own.items() if v)
            raise Failure(
                f"{self.name}, {self}, cannot be built and verified",
                f"see above; once more: make -C {self.place} verify {given}",
            )


def working_tree(name: str, app: App) -> Side:
    """The app as it is, built where everything else is."""
    return Side(name, Path(), app.given, words.WORKING_TREE, facts.git_commit(app.sources))


def of_compiler(name: str, app: App, clang: str) -> Side:
    """The app as it is, built by another compiler."""
    place = workspace.prepare(PLACES / clang.strip("/").replace("/", "-"), Path())
    commit = facts.git_commit(app.sources)
    return Side(name, place, _app_in(place, app, app.directory), words.WORKING_TREE, commit, clang)


def of_revision(name: str, app: App, revision: str) -> Side:
    """The app as a revision of the repository with its sources has it."""
    repository = workspace.repository_of(app.sources).resolve()
    commit = workspace.commit_of(repository, revision)
    place = PLACES / commit[:12]
    source = workspace.export(repository, commit, place / "source")
    here = _inside(Path(), repository)
    workspace.prepare(place, source if here is None else source / here)
    own, tree = _inside(app.directory, repository), ""
    if own is not None and not (source / own / "app.mk").is_file():
        raise Failure(
            f"there is no '{own / 'app.mk'}' in the revision '{revision}'",
            "an app.mk that is kept outside of the repository serves all its revisions"
            if app.tree
            else "name a revision that has the app",
        )
    if app.tree:
        inner = _inside(app.tree, repository)
        assert inner is not None  # the repository is the tree's
        if not (source / inner).is_dir():
            raise Failure(
                f"there is no directory '{inner}' in the revision '{revision}'",
                "app.tree names it: name a revision that has it",
            )
        tree = str((source / inner).resolve())
    found = _app_in(place, app, app.directory if own is None else source / own)
    return Side(name, place, found, revision, commit, tree=tree)


def _inside(path: Path, repository: Path) -> Path | None:
    """A path relative to the top of a repository, None outside of it."""
    full = path.resolve()
    return full.relative_to(repository) if full.is_relative_to(repository) else None


def _app_in(place: Path, app: App, directory: Path) -> str:
    """APP in a place: a directory of the app's name that leads to its directory."""
    link = place / "app" / app.name
    link.parent.mkdir(parents=True, exist_ok=True)
    files.link(link, os.path.realpath(directory))
    return str(link.relative_to(place))
