"""Run the recipes of variants in all formats, each in a copy of the sources elsewhere, and compare.

Prints a table of formats and variants: does a recipe make the very bytes that were measured?
Status 1 when one does not.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import recipe

from pgolab import errors, files, manifest
from pgolab.errors import Failure
from pgolab.manifest import Manifest

SOURCES = "sources"


@dataclass(frozen=True)
class Way:
    """How a recipe is run: the file that it is put into, the command, where the binary comes out.

    script picks the commands out of what only a service would run.
    """

    file: str
    command: str
    binary: str = "{product}"
    script: Callable[[str], str] = str


def of_dockerfile(text: str) -> str:
    """What the first image's last step runs."""
    return text.split("RUN <<'RECIPE'\n")[1].split("\nRECIPE\n")[0]


def of_workflow(text: str) -> str:
    """What the step of a workflow runs that builds."""
    steps = [step for job in parsed(text)["jobs"].values() for step in job["steps"]]
    return str(next(s["run"] for s in steps if s.get("name", "").startswith("Build ")))


def of_pipeline(text: str) -> str:
    """What the one job runs that builds."""
    return str(next(iter(parsed(text).values()))["script"][-1])


def parsed(text: str) -> dict[str, Any]:
    import yaml  # not needed by what runs without CI

    found: dict[str, Any] = yaml.safe_load(text)
    return found


WAYS = {
    "sh": Way("recipe.sh", "sh recipe.sh"),
    "make": Way("recipe.mk", "make -f recipe.mk"),
    "cmake": Way(
        "CMakeLists.txt", "cmake -G Ninja -B build && cmake --build build", "build/{app}"
    ),
    "meson": Way(
        "meson.build",
        "CC={llvm_bin}/clang CC_LD=lld meson setup build && meson compile -C build",
        "build/{app}",
    ),
    "autotools": Way(
        "Makefile.am",
        "sed -n 's/^#   \\(A[CM]_\\)/\\1/p' Makefile.am >configure.ac && autoreconf -i &&"
        " ./configure CC={llvm_bin}/clang CFLAGS= && make",
    ),
    "debian": Way("debian/rules", "make -f debian/rules override_dh_auto_build"),
    "dockerfile": Way("steps.sh", "sh steps.sh", script=of_dockerfile),
    "github": Way("steps.sh", "sh steps.sh", script=of_workflow),
    "gitlab": Way("steps.sh", "sh steps.sh", script=of_pipeline),
}


def copied(app: Manifest, where: Path) -> tuple[Path, dict[str, str]]:
    """Copies an app's directory, and a source tree around or beside it; the copy, and variables."""
    directory = top = app.directory.resolve()
    tree = app.tree.resolve() if app.tree else directory
    if directory.is_relative_to(tree):
        top = tree
    inside = tree.is_relative_to(top)
    shutil.copytree(top, where / SOURCES, symlinks=bool(app.tree) and inside)
    if not inside:
        shutil.copytree(tree, where / "tree", symlinks=True)
    variables = {} if inside else {"TREE": str(where / "tree")}
    return where / SOURCES / directory.relative_to(top), variables


def build(text: str, chosen: str, app: Manifest, llvm_bin: Path, where: Path) -> Path:
    """Runs a recipe in fresh copies of what it needs; the directory in which it ran, or Failure."""
    way = WAYS[chosen]
    copy, variables = copied(app, where)
    path = copy / way.file
    path.parent.mkdir(exist_ok=True)
    path.write_text(way.script(text), encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", f'cd "$0" && {way.command.format(llvm_bin=llvm_bin)}', copy],
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise Failure(
            f"the {chosen} recipe of {app.name} failed",
            f"it was: {way.command}",
            done.stdout.splitlines()[-20:],
        )
    return copy


def outcome(chosen: str, app: Manifest, variant: str, llvm_bin: Path) -> str:
    """'identical', 'differs', or '–' where the format has no recipe for the variant."""
    measured = Path("build") / app.name / variant / app.name
    try:
        text = recipe.export(measured.with_name("recipe"), app, llvm_bin, chosen)
    except recipe.NoRecipe:
        return "–"
    with tempfile.TemporaryDirectory(prefix="prove-") as where:
        ran = build(text, chosen, app, llvm_bin, Path(where))
        product = recipe.product(app, variant)
        made = ran / WAYS[chosen].binary.format(app=app.name, product=product)
        return "identical" if files.sha256(made) == files.sha256(measured) else "differs"


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--apps", nargs="+", required=True)
    parser.add_argument("--variants", nargs="+", required=True)
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--formats", nargs="+", required=True)
    args = parser.parse_args(argv)
    status = 0
    ways = [chosen for chosen in WAYS if chosen in args.formats]
    for name in args.apps:
        app = manifest.load(Path("build") / name / "manifest")
        print(f"| {name} | {' | '.join(ways)} |")
        print("|---" * (len(ways) + 1) + "|")
        for variant in args.variants:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                each = [pool.submit(outcome, w, app, variant, args.llvm_bin) for w in ways]
                found = [one.result() for one in each]
            status |= "differs" in found
            print(f"| `{variant}` | {' | '.join(found)} |", flush=True)
    return status


if __name__ == "__main__":
    errors.run(main)
