"""Export a variant as commands for a build of one's own, in one of several formats.

Reads the description that pipeline/recipe.mk made, the manifest and what training noted, and fills
the template pipeline/recipes/FORMAT.in. What it writes needs nothing of pgolab.
"""

import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from pgolab import errors, files, manifest, tool
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload

TEMPLATES = Path(__file__).resolve().parent.parent / "pipeline" / "recipes"
HERE = "@HERE@"  # in flags: the directory of the sources
PROFILES = "@PROFILES@"  # … and that of the profiles
ONE_BY_ONE = ("cmake", "meson", "autotools")  # formats that compile each source by itself
FLAT = ("meson",)  # formats that cannot compile a file in a subdirectory by its own name


class NoRecipe(Failure):
    """A format cannot say what a variant needs."""


@dataclass(frozen=True)
class Build:
    """A binary: flags without the compiler; uses: the profiles in its flags.

    merged: the sources become one module first; kept: the link leaves this native object; stem: the
    build whose objects are linked, its own or another's.
    """

    name: str
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    merged: bool
    kept: str
    stem: str
    objects: tuple[str, ...]
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Training:
    """A train workload: its command, with ./train for the program, and its weight in the merge."""

    name: str
    words: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class Profile:
    """A profile, taken from a build; first: the profile that is merged into it, or empty."""

    name: str
    build: str
    first: str
    workloads: tuple[Training, ...]


def described(path: Path) -> dict[str, str]:
    """The lines `key = value` of a description, in their order."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split(" = ", 1) for line in lines if line)


def parts(lines: dict[str, str], kind: str) -> dict[str, dict[str, str]]:
    """The keys of each build or profile, by its name, in the order in which they are made."""
    found: dict[str, dict[str, str]] = {}
    for key, value in lines.items():
        first, _, rest = key.partition(".")
        if first == kind:
            name, _, last = rest.rpartition(".")
            found.setdefault(name, {})[last] = value
    return found


def portable(text: str, directory: Path, profiles: dict[str, str]) -> tuple[str, ...]:
    """A command's flags, with HERE for the app's directory and PROFILES/NAME for a profile."""
    words = shlex.split(text)[1:]
    for name, file in profiles.items():
        absolute = str(Path(file).absolute())
        words = [w.replace(absolute, f"{PROFILES}/{name}.profdata") for w in words]
    return tuple(w.replace(str(directory.absolute()), HERE) for w in words)


def builds_of(lines: dict[str, str], modules: Sequence[str]) -> dict[str, Build]:
    """What is compiled and linked, in order."""
    profiles = {name: keys["file"] for name, keys in parts(lines, "profile").items()}
    found: dict[str, Build] = {}
    for name, keys in parts(lines, "build").items():
        directory = Path(lines["dir"])
        link = portable(keys["link"], directory, profiles)
        merged = "merged" in keys
        objects = ("one-module.o",) if merged else tuple(modules)
        if "objects" in keys:
            stem = found[keys["objects"]]
            objects = (stem.kept,) if stem.kept else stem.objects
        found[name] = Build(
            name,
            portable(keys.get("compile", ""), directory, profiles),
            link,
            merged,
            keys.get("kept", ""),
            keys.get("objects", name),
            objects,
            tuple(p for p in profiles if f"{PROFILES}/{p}.profdata" in " ".join(link)),
        )
    return found


def command(one: Workload | Sequence[str], program: str) -> tuple[str, ...]:
    """The words of a command, at scale 1, as they are run anywhere."""
    words = one.command(program) if isinstance(one, Workload) else one
    return tuple("python3" if w == sys.executable else w for w in words)


def profiles_of(lines: dict[str, str], app: Manifest) -> dict[str, Profile]:
    """What is trained, in order, with the weights that were used."""
    found = {}
    for name, keys in parts(lines, "profile").items():
        noted = json.loads(Path(keys["file"]).with_suffix(".json").read_text(encoding="utf-8"))
        workloads = tuple(
            Training(w.name, command(w, "./train"), noted["workloads"][w.name]["merge_weight"])
            for w in app.of_kind("train")
        )
        found[name] = Profile(name, keys["build"], keys.get("first", ""), workloads)
    return found


def headers(build: Path, directory: Path) -> list[str]:
    """The app's files that its sources include, relative to it, from the notes of a build."""
    text = " ".join(path.read_text(encoding="utf-8") for path in (build / "obj").rglob("*.d"))
    named = {word.rstrip(":") for word in text.replace("\\\n", " ").split()}
    inside = {Path(w).relative_to(directory) for w in named if w.startswith(f"{directory}/")}
    return sorted(str(path) for path in inside if path.suffix != ".c")


def shell(words: Sequence[str], here: str = HERE, profiles: str = PROFILES) -> str:
    """Words for a shell; here and profiles are expressions that stand within double quotes."""
    spelt = []
    for word in map(shlex.quote, words):
        quote = "'" if word.startswith("'") else ""
        for marker, value in ((HERE, here), (PROFILES, profiles)):
            word = word.replace(marker, f'{quote}"{value}"{quote}')
        spelt.append(word)
    return " ".join(spelt)


def make(words: Sequence[str], here: str = HERE, profiles: str = PROFILES) -> str:
    """Words for a shell that Make starts."""
    return shell([word.replace("$", "$$") for word in words], here, profiles)


def listed(words: Sequence[str], here: str, profiles: str) -> str:
    """Words as elements of a list in Meson."""
    texts = (w.replace("\\", "\\\\").replace("'", "\\'") for w in words)
    return ", ".join(f"'{t}'" for t in texts).replace(HERE, here).replace(PROFILES, profiles)


def flags(words: Sequence[str], here: str, profiles: str) -> str:
    """Flags as one argument that CMake splits as a shell would, and does not deduplicate."""
    text = " ".join(map(shlex.quote, words))
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"SHELL:{text}"'.replace(HERE, here).replace(PROFILES, profiles)


def check_known(lines: dict[str, str]) -> None:
    """NoRecipe where a variant is trained or finished by a script that no template speaks of."""
    trainers = [value for key, value in lines.items() if key.endswith(".trainer")]
    unknown = [value for value in trainers if value != "scripts/train.py"]
    if "post" in lines or unknown:
        raise NoRecipe(
            f"there is no recipe for '{lines['variant']}':"
            f" it takes {unknown[0] if unknown else lines['post']}",
            "recipes have PGO by Clang's instrumentation, LTO, and what only needs other flags",
        )


def check_format(
    chosen: str, variant: str, builds: dict[str, Build], sources: Sequence[str]
) -> None:
    """NoRecipe where a format cannot say what a variant needs; sources: headers too."""
    if chosen in ONE_BY_ONE and any(b.merged for b in builds.values()):
        raise NoRecipe(
            f"'{chosen}' has no word for merging the sources into one module, as '{variant}' does",
            "take FORMAT=make or FORMAT=sh",
        )
    if chosen in ONE_BY_ONE and any(b.stem != b.name for b in builds.values()):
        raise NoRecipe(
            f"'{chosen}' has no word for linking objects a second time, as '{variant}' does",
            "take FORMAT=make or FORMAT=sh",
        )
    if chosen in FLAT and any("/" in source for source in sources):
        raise NoRecipe(
            f"'{chosen}' cannot compile '{next(s for s in sources if '/' in s)}' by that name,"
            " and its binary would differ from the one that was measured",
            "take FORMAT=cmake, FORMAT=make or FORMAT=sh",
        )


def render(chosen: str, context: dict[str, Any]) -> str:
    """The template of a format, filled in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"shell": shell, "make": make, "meson": listed, "cmake": flags}
    text = environment.get_template(f"{chosen}.in").render(context)
    return re.sub(r"\n{3,}", "\n\n", text)


def export(description: Path, app: Manifest, llvm_bin: Path, chosen: str) -> str:
    """The recipe in a format; NoRecipe where that cannot say what the variant needs."""
    lines = described(description)
    directory = Path(lines["dir"])
    variant, baseline = lines["variant"], lines["baseline"]
    sources = lines["sources"].split()
    modules = tuple(f"{source[:-2]}.o" for source in sources)
    check_known(lines)
    builds = builds_of(lines, modules)
    included = headers(description.parents[1] / baseline, directory)
    check_format(chosen, variant, builds, sources + included)
    profiles = profiles_of(lines, app)
    generate = command(app.generate, "")
    workloads = [command(one, "./program") for one in app.workloads]
    named = (w for one in app.of_kind("train") for w in one.words if w.startswith("app/"))
    clang = tool.output([llvm_bin / "clang", "--version"]).split("\n")[0]
    version = re.search(r"version (\d+)", clang)
    return render(
        chosen,
        {
            "app": app.name,
            "about": app.about,
            "variant": variant,
            "baseline": baseline,
            "clang": clang,
            "llvm": version[1] if version else "",
            "llvm_bin": str(llvm_bin),
            "sources": sources,
            "headers": included,
            "modules": modules,
            "libraries": tuple(shlex.split(lines.get("ldlibs", ""))),
            "merged": any(b.merged for b in builds.values()),
            "builds": builds,
            "profiles": profiles,
            "final": builds[variant],
            "generate": generate,
            "workloads": workloads,
            "outputs": sorted({o for w in app.workloads for o in w.outputs}),
            "data": sorted({w[4:] for w in named if (directory / w[4:]).is_file()}),
            "python": "python3" in [*generate, *(word for words in workloads for word in words)],
        },
    )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--description", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--format", required=True)
    parser.add_argument("--out", type=Path, help="where to write it (default: standard output)")
    args = parser.parse_args(argv)
    app = manifest.load(args.manifest)
    text = export(args.description, app, args.llvm_bin, args.format)
    if args.out:
        files.write_text(args.out, text)
        if args.format == "sh":
            args.out.chmod(0o755)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    errors.run(main)
