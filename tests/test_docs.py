"""Every command that the documentation shows works, and every file it names is there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, TINY, Project

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
INSTEAD = {  # what would take too long, or is what runs this very test
    "make test": "make -n test",
    "make lint": "make -n lint",
    "make check": "make -n check",
    "make fuzz": "make -n fuzz",
    "make tune": "make -n tune",
    "make gate-proof": "make -n gate-proof",
}
AS_IT_STANDS = "./scripts/setup && "  # of the others, those on parser are run on a smaller app
SMALL = "PRECISION=50% BUDGET=1s LAYOUTS=2"
MEASURES = ("make pgo", "make lto", "make matrix", "make report", "make compare", "scripts/gate ")


def commands(page: Path) -> list[str]:
    """The commands in a page's indented blocks and, where complete, in its running text."""
    text = page.read_text(encoding="utf-8")
    starts = r"(?:make |\./scripts/|scripts/|mkdir |printf |cd )"
    blocks = re.findall(rf"^    ({starts}.*)$", text, re.MULTILINE)
    inline = re.findall(r"`((?:make|scripts/python) [^`]*)`", text)
    return [c for c in [*blocks, *inline] if not re.search(r"<run-id>|…|path/to|matrix", c)]


def small(command: str) -> str:
    """The same command, so that it takes seconds."""
    if not command.startswith(AS_IT_STANDS):
        command = re.sub(r"\bparser\b", "tiny", command)
    for long, instead in INSTEAD.items():
        command = command.replace(long, instead)
    parts = command.split(" && ")
    for i, part in enumerate(parts):
        # Build systems go through all of it in test_tree.
        for app, variant in (("build/walk-", "o2"), ("gzip", "o2-pgo-thin"), ("nbody", "o2-thin")):
            if given := re.match(rf"make pgo (APP={app}\S*) LTO=thin", part):
                parts[i] = part = f"make verify {given[1]} VARIANTS={variant} LAYOUTS=2"
        if part.startswith(MEASURES) and "RUN=" not in part:
            parts[i] = re.sub(r" (PRECISION|BUDGET|LAYOUTS)=\S+", "", part) + " " + SMALL
            if " APP=" not in part:
                parts[i] += " APP=tiny"
        if part.startswith("make calibrate"):
            parts[i] = "make verify APP=pipeline/calibration VARIANTS=o3 LAYOUTS=2"
        parts[i] = re.sub(r"VARIANTS='([^' ]+) [^']* ([^' ]+)'", r"VARIANTS='\1 \2'", parts[i])
        parts[i] = re.sub(r"(layouts \S+) .* (\S+) --seconds", r"\1 \2 --seconds", parts[i])
        if part.startswith("make costs"):
            parts[i] = "make costs APP=tiny VARIANTS=o2-pgo LAYOUTS=2"
        parts[i] = re.sub(r"--sizes \S+", "--sizes 2,3", parts[i])
        parts[i] = re.sub(r"--seconds \S+", "--seconds 0.3", parts[i])
        parts[i] = re.sub(r"(methods.py hyperfine)", r"\1 --repetitions 2", parts[i])
        hot = "--app sample-apps/tiny --hot step.c:step"
        parts[i] = parts[i].replace("gate_proof.py", f"gate_proof.py {hot}")
        few = "--replications 9 --family-replications 2"
        parts[i] = parts[i].replace("simulate.py", f"simulate.py {few}")
        parts[i] = parts[i].replace("simulate_race.py", "simulate_race.py --replications 2")
    return " && ".join(parts)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository with a copy of the project, in which all commands of a page are run in order."""
    target = tmp_path_factory.mktemp("docs") / "pgolab"
    ignored = shutil.ignore_patterns("build", "results", "*.profdata", ".git", "__pycache__")
    shutil.copytree(ROOT, target, ignore=ignored, symlinks=True)
    (target / "results").mkdir()
    shutil.copytree(TINY, target / "sample-apps" / TINY.name)
    for step in ("init -q", "add -A", "-c user.name=a -c user.email=a@b commit -qm copy"):
        subprocess.run(["git", *step.split()], cwd=target, check=True)
    return Project(target)


@pytest.fixture(scope="module")
def ran() -> set[str]:
    """The commands that another page had."""
    return set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_works(page: Path, clone: Project, ran: set[str]) -> None:
    done = dict.fromkeys(small(command) for command in commands(page))
    if not done:
        assert "make" not in re.findall(r"^    (\w+)", page.read_text(), re.MULTILINE)
    where = "."
    for command in done:
        if command.startswith(MEASURES) and command in ran:
            continue
        ran.add(command)
        run = subprocess.run(
            ["bash", "-c", f"cd {where} && {command} && pwd >&2"],
            cwd=clone.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if "too noisy to say anything" in run.stderr:
            continue
        assert run.returncode == 0, f"{command}\n{run.stdout[-3000:]}{run.stderr[-3000:]}"
        where = shlex.quote(run.stderr.splitlines()[-1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_and_setting_that_a_page_names_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    settings = set(re.findall(r"^([A-Z_]+) :=", makefile, re.MULTILINE))
    for command in re.findall(r"`(make [^`]+)`", page.read_text()):
        words = shlex.split(command.replace("…", ""))
        named = [w.split("=")[0] for w in words if "=" in w]
        assert set(named) <= settings, command
        assert [w for w in words[1:] if "=" not in w] == [] or words[1] in targets, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text()):
        assert (page.parent / target).exists(), target
