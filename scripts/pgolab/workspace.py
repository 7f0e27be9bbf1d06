"""Places where this pgolab works on other sources: with own builds, profiles and results."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pgolab import files, floor
from pgolab.errors import Failure

PGOLAB = ("Makefile", "pipeline", "scripts")
INHERITED = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "PGOLAB_TIMING")


def git(repository: Path, *arguments: str) -> bytes:
    """Standard output of git; Failure with its last line when it fails."""
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Failure(
            f"'git {' '.join(arguments)}' failed in '{repository}'",
            "see what git says above",
            said[-3:],
        )
    return done.stdout


def repository_of(path: Path) -> Path:
    """The top of the git repository that path lies in; Failure where there is none."""
    try:
        return Path(os.fsdecode(git(path, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    except Failure:
        hint = "revisions are those of the repository with the sources"
        raise Failure(f"'{path}' is not in a git repository", hint) from None


def commit_of(repository: Path, revision: str) -> str:
    """The full name of the commit that a revision stands for."""
    try:
        wanted = f"{revision}^{{commit}}"
        found = git(repository, "rev-parse", "--verify", "--end-of-options", wanted)
    except Failure:
        hint = "`git log` shows the revisions; a shallow clone has few: git fetch --unshallow"
        raise Failure(f"there is no revision '{revision}' in '{repository}'", hint) from None
    return found.decode().strip()


def export(repository: Path, commit: str, where: Path) -> Path:
    """Puts the files of a commit, less what .gitattributes excludes, into where; once."""
    if not where.is_dir():
        made = files.work_directory(where.parent, f"{where.name}.new")
        packed = git(repository, "archive", "--format=tar", commit)
        subprocess.run(["tar", "-x", "-C", made], input=packed, check=True)
        made.rename(where)
    return where


def prepare(where: Path, source: Path) -> Path:
    """Makes where a place in which `make` works on source, a copy of pgolab's own repository.

    The pipeline is this one; sample-apps/ and the committed profiles are those of source. What was
    built there before stays.
    """
    where.mkdir(parents=True, exist_ok=True)
    for name in PGOLAB:
        files.link(where / name, str(Path(name).resolve()))
    for own in (Path("local.mk"), floor.PATH):
        if own.exists():
            (where / own).parent.mkdir(exist_ok=True)
            files.link(where / own, str(own.resolve()))
    files.link(where / "sample-apps", str((source / "sample-apps").resolve()))
    for committed in (source / "profiles").glob("*/*.proftext*"):
        copy = where / "profiles" / committed.parent.name / committed.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.is_file() or copy.read_bytes() != committed.read_bytes():
            shutil.copy(committed, copy)
    return where


def make(
    where: Path,
    goal: str,
    settings: Mapping[str, str],
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> int:
    """Runs `make goal` there with these settings alone; its status.

    environment adds variables; stdout: as for subprocess.
    """
    own = {k: v for k, v in os.environ.items() if k not in INHERITED} | dict(environment or {})
    given = [f"{name}={value}" for name, value in settings.items() if value]
    command = ["make", "--no-print-directory", *options, goal, *given]
    return subprocess.run(command, cwd=where, env=own, stdout=stdout).returncode
