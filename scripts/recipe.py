"""Export a variant as commands for a build of one's own, in one of several formats.

Reads the description that pipeline/recipe.mk made, the manifest and what training noted, and fills
the template pipeline/recipes/FORMAT.in. What it writes needs nothing of pgolab.
"""

import dataclasses
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import build_tree
import jinja2

from pgolab import errors, files, manifest, tool
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload

PIPELINE = Path(__file__).resolve().parent.parent / "pipeline"
TEMPLATES = PIPELINE / "recipes"
HERE = "@HERE@"  # in flags: the directory of the sources
PROFILES = "@PROFILES@"  # … and that of the profiles
WORK = "/@WORK@"  # in commands: where they run
ONE_BY_ONE = ("cmake", "meson", "autotools")  # formats that compile each source by itself
SERVICES = ("dockerfile", "github", "gitlab")  # formats that see one directory and what is below it
TREES = ("sh", *SERVICES)  # formats for programs with a build of their own
FLAT = ("meson",)  # formats that cannot compile a file in a subdirectory by its own name


class NoRecipe(Failure):
    """A format cannot say what a variant needs."""


# What a profile holds, by the script that takes it.
TRAINERS = {
    "scripts/train.py": "counters",
    "scripts/bolt_train.py": "branches",
    "scripts/sample_train.py": "samples",
}
POST = "scripts/bolt.py"
WRAPS = "-Wl,--wrap="  # what only the runtime of instrumented builds needs


@dataclass(frozen=True)
class Training:
    """A train workload: its commands, with ./train for the program, and its weight in the merge.

    before and after are the commands beside the one that is trained; they may be none.
    """

    name: str
    words: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class Profile:
    """A profile, taken from a build; first: the profile that is merged into it, or empty.

    previous: the file of the one before, as two cannot be taken at once; flushed: the build has to
    have the runtime of pipeline/runtime/, or processes would be lost.
    """

    name: str
    file: str
    kind: str
    build: str
    first: str
    previous: str
    flushed: bool
    workloads: tuple[Training, ...]


@dataclass(frozen=True)
class Build:
    """A binary: flags without the compiler; uses: the profiles in its flags.

    merged: the sources become one module first; kept: the link leaves this native object; stem: the
    build whose objects are linked, its own or another's; flushed: it is linked with the runtime;
    level: what CFLAGS says in a build of the program's own.
    """

    name: str
    role: str
    level: str
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    merged: bool
    kept: str
    stem: str
    objects: tuple[str, ...]
    uses: tuple[Profile, ...]
    flushed: bool


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


def portable(text: str, directory: Path, profiles: dict[str, Profile]) -> tuple[str, ...]:
    """A command's flags, with HERE for the directory and PROFILES/FILE for a profile."""
    words = shlex.split(text)[1:]
    for path, one in profiles.items():
        absolute = str(Path(path).absolute())
        words = [w.replace(absolute, f"{PROFILES}/{one.file}") for w in words]
    return tuple(w.replace(str(directory.absolute()), HERE) for w in words)


def role(name: str, lines: dict[str, str], trained: dict[str, Profile]) -> str:
    """What a build is for, in a few words."""
    if name in trained:
        one = trained[name]
        return "Instrumented" if one.kind == "counters" else "What BOLT instruments"
    if name == lines["variant"]:
        return "The program itself"
    return "What it is compared with" if name == lines["baseline"] else "What is linked again"


def builds_of(
    lines: dict[str, str], modules: Sequence[str], profiles: dict[str, Profile]
) -> dict[str, Build]:
    """What is compiled and linked; one whose objects another links before that."""
    by_path = {keys["file"]: profiles[name] for name, keys in parts(lines, "profile").items()}
    trained = {one.build: one for one in profiles.values()}
    found: dict[str, Build] = {}
    for name, keys in parts(lines, "build").items():
        directory = Path(keys.get("copy", lines["dir"]))
        compiled = portable(keys.get("compile", ""), directory, by_path)
        link = portable(keys["link"], directory, by_path)
        if "tree" in lines:  # less what relinks need, and the runtime, which is carried
            link = tuple(w for w in link if "/kept" not in w and not w.endswith("/profile_flush.o"))
        flushed = "runtime" in keys and name in trained and trained[name].flushed
        merged = "merged" in keys
        objects = ("one-module.o",) if merged else tuple(modules)
        if "objects" in keys:
            objects = (found[keys["objects"]].kept,)
        found[name] = Build(
            name,
            role(name, lines, trained),
            keys.get("level", ""),
            compiled,
            link if flushed else tuple(w for w in link if not w.startswith(WRAPS)),
            merged,
            keys.get("kept", ""),
            keys.get("objects", name),
            objects,
            tuple(p for p in profiles.values()
                  if f"{PROFILES}/{p.file}" in " ".join([*compiled, *link])),
            flushed,
        )
    return found


def stages(
    builds: dict[str, Build], profiles: dict[str, Profile]
) -> tuple[list[tuple[list[Build], Profile]], list[Build]]:
    """In the order in which things are made: builds and the profile they are for; what remains."""
    left, found = dict(builds), []
    for one in profiles.values():
        needed = dict.fromkeys((builds[one.build].stem, one.build))
        found.append(([left.pop(name) for name in needed if name in left], one))
    return found, list(left.values())


def standing_alone(one: Workload) -> Workload:
    """A workload whose commands are run anywhere, beside a copy of `serve` if they use it."""
    return dataclasses.replace(
        one, words=anywhere(one.words), setup=anywhere(one.setup), cleanup=anywhere(one.cleanup)
    )


def anywhere(words: Sequence[str]) -> tuple[str, ...]:
    """A command without what lies in other places elsewhere."""
    known = {sys.executable: ["python3"], str(manifest.SERVE): ["bash", "./serve"]}
    return tuple(spelt for word in words for spelt in known.get(word, [word]))


def command(one: Workload, program: str) -> tuple[str, ...]:
    """The words of a workload's command at scale 1."""
    where = Path(WORK)
    return (*one.launcher(where), *one.command(program, where=where))


def checked(app: Manifest, program: str) -> list[tuple[str, ...]]:
    """The commands that print what a program does on all workloads, as app.normalize prints it."""
    through = shlex.join(anywhere(app.normalize))
    found: list[tuple[str, ...]] = []
    for one in map(standing_alone, app.workloads):
        words, outputs = command(one, program), [str(Path(one.directory, o)) for o in one.outputs]
        prints: list[tuple[str, ...]] = [("cat", *outputs)] if outputs else []
        if through:
            filtered = f'"$0" "$@" >printed && exec {through} <printed'
            words = ("sh", "-c", filtered, *words)
            prints = [("sh", "-c", f"exec {through} <{shlex.quote(o)}") for o in outputs]
        found += [w for w in (tuple(one.setup_for(program)), words, *prints, one.cleanup) if w]
    return found


def profiles_of(lines: dict[str, str], app: Manifest) -> dict[str, Profile]:
    """What is trained, in order, with the weights that were used; NoRecipe where it was not."""
    found: dict[str, Profile] = {}
    for name, keys in parts(lines, "profile").items():
        file = Path(keys["file"])
        noted = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        if noted.get("collected_by") == "perf":
            raise NoRecipe(
                f"there is no recipe for '{lines['variant']}': perf sampled its profile,"
                " which differs each time",
                "take a variant with 'pgo'",
            )
        workloads = tuple(
            Training(
                w.name,
                command(w, "./train"),
                tuple(w.setup_for("./train")),
                w.cleanup,
                noted["workloads"][w.name]["merge_weight"],
            )
            for w in map(standing_alone, app.of_kind("train"))
        )
        found[name] = Profile(
            name,
            f"{name}{file.suffix}",
            TRAINERS[keys["trainer"]],
            keys["build"],
            keys.get("first", ""),
            [*found.values()][-1].file if found else "",
            noted.get("flushed", True),
            workloads,
        )
    return found


def headers(build: Path, directory: Path) -> list[str]:
    """The app's files that its sources include, relative to it, from the notes of a build."""
    text = " ".join(path.read_text(encoding="utf-8") for path in (build / "obj").rglob("*.d"))
    named = {word.rstrip(":") for word in text.replace("\\\n", " ").split()}
    inside = {Path(w).relative_to(directory) for w in named if w.startswith(f"{directory}/")}
    return sorted(str(path) for path in inside if path.suffix != ".c")


def shell(
    words: Sequence[str], here: str = HERE, profiles: str = PROFILES, work: str = "$PWD"
) -> str:
    """Words for a shell; here, profiles and work are expressions that stand in double quotes."""
    spelt = []
    for word in map(shlex.quote, words):
        quote = "'" if word.startswith("'") else ""
        for marker, value in ((HERE, here), (PROFILES, profiles), (WORK, work)):
            word = word.replace(marker, f'{quote}"{value}"{quote}')
        spelt.append(word)
    return " ".join(spelt)


def make(words: Sequence[str], here: str = HERE, profiles: str = PROFILES) -> str:
    """Words for a shell that Make starts."""
    return shell([word.replace("$", "$$") for word in words], here, profiles, "$$PWD")


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
    scripts = [value for key, value in lines.items() if key.endswith(".trainer")]
    scripts += [lines["post"]] if "post" in lines else []
    unknown = [script for script in scripts if script not in {*TRAINERS, POST}]
    if unknown:
        raise NoRecipe(
            f"there is no recipe for '{lines['variant']}': it takes {unknown[0]}",
            "recipes have PGO, LTO and BOLT by LLVM, and what only needs other flags",
        )


@dataclass(frozen=True)
class Tree:
    """A program with a build of its own: where its source tree is, how it is built, the program.

    place and build are for a shell in which $here is the app's directory; inner is that directory
    below the tree, or . where the tree lies below it, or empty where each lies elsewhere. stand_ins
    are those that its builds called, beside that of the compiler.
    """

    place: str
    inner: str
    build: str
    binary: str
    stand_ins: tuple[str, ...]
    compilers: dict[str, str]
    archivers: dict[str, str]


def from_here(command: str, directory: str) -> str:
    """A command for a shell in which $here is the directory that the command names."""
    places = sorted({str(Path(directory).resolve()), os.path.join(os.getcwd(), directory)}, key=len)

    def spelt(found: re.Match[str]) -> str:
        quoted = found.string[:found.start()].count('"') % 2
        return "$here" if quoted else '"$here"'

    named = "|".join(map(re.escape, reversed(places)))
    return re.sub(rf"({named})(?![\w.-])", spelt, command)


def tree_of(lines: dict[str, str], builds: dict[str, Build]) -> Tree | None:
    """What a recipe says of a source tree; NoRecipe where it has libraries of its own."""
    if "tree" not in lines:
        return None
    directory, tree = Path(lines["dir"]).resolve(), Path(lines["tree"]).resolve()
    inner = "." if tree.is_relative_to(directory) else ""
    if directory.is_relative_to(tree):
        inner = str(directory.relative_to(tree))
    places = [Path("build", lines["app"], name) for name in builds]
    if any((place / "lib").is_dir() for place in places):
        raise NoRecipe(
            f"there is no recipe for '{lines['variant']}': {lines['app']} needs shared libraries of"
            " its source tree",
            "link them statically, as --disable-shared or -DBUILD_SHARED_LIBS=OFF do",
        )
    used = {p.suffix[1:] for place in places for p in (place / "notes").glob("used.*")}
    return Tree(
        os.path.relpath(tree, directory) if inner else str(tree),
        inner,
        from_here(lines["command"], lines["dir"]),
        lines["binary"],
        tuple(sorted(used)),
        build_tree.COMPILERS,
        {name: f"llvm-{name.removeprefix('gcc-')}" for name in build_tree.PLAIN},
    )


def check_format(
    chosen: str, variant: str, builds: dict[str, Build], sources: Sequence[str], tree: Tree | None
) -> None:
    """NoRecipe where a format cannot say what a variant needs; sources: headers too."""
    if tree and chosen not in TREES:
        raise NoRecipe(
            f"'{chosen}' has no word for a program with a build of its own",
            f"take one of {', '.join(TREES)}; pgo.mk, PGO.cmake and pgo.meson of pipeline/ go into"
            " that build",
        )
    if tree and not tree.inner and chosen in SERVICES:
        raise NoRecipe(
            f"'{chosen}' sees one directory, and app.mk and the source tree lie apart",
            "put the directory of app.mk into the source tree, or take FORMAT=sh",
        )
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


def product(app: Manifest, variant: str) -> str:
    """Where a shell recipe leaves the program: that of a tree not beside app.mk, as its name may be
    taken there.
    """
    return f"build-{variant}/{variant}/{app.name}" if app.tree else app.name


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


def laid_out(description: Path, profiles: dict[str, Profile]) -> dict[str, Any]:
    """How BOLT makes the program: from which build and profile, with which arguments."""
    facts = json.loads(description.with_name("bolt.json").read_text(encoding="utf-8"))
    profile = list(profiles.values())[-1]
    return {"profile": profile, "build": profile.build, "arguments": facts["arguments"]}


def carried(profiles: dict[str, Profile], app: Manifest, tree: Tree | None) -> dict[str, str]:
    """The files that a recipe has to bring along, with their text."""
    stand_ins = ("cc", *tree.stand_ins) if tree else ()
    files_of = {f"stand-ins/{name}": PIPELINE / "tree" / name for name in stand_ins}
    needed = set(files_of)
    files_of |= {
        "profile_flush.c": PIPELINE / "runtime" / "profile_flush.c",
        "samples.awk": TEMPLATES / "samples.awk",
        "work/serve": manifest.SERVE,
    }
    needed |= {"profile_flush.c" for p in profiles.values() if p.flushed and p.kind == "counters"}
    needed |= {"samples.awk" for p in profiles.values() if p.kind == "samples"}
    served = [one for one in app.workloads if str(manifest.SERVE) in (*one.words, *one.setup)]
    needed |= {"work/serve"} if served else set()
    return {n: files_of[n].read_text(encoding="utf-8").rstrip() for n in sorted(needed)}


def export(description: Path, app: Manifest, llvm_bin: Path, chosen: str) -> str:
    """The recipe in a format; NoRecipe where that cannot say what the variant needs."""
    lines = described(description)
    directory = Path(lines["dir"])
    variant, baseline = lines["variant"], lines["baseline"]
    sources = lines.get("sources", "").split()
    modules = tuple(f"{source[:-2]}.o" for source in sources)
    check_known(lines)
    profiles = profiles_of(lines, app)
    builds = builds_of(lines, modules, profiles)
    tree = tree_of(lines, builds)
    included = [] if tree else headers(description.parents[1] / baseline, directory)
    check_format(chosen, variant, builds, sources + included, tree)
    post = laid_out(description, profiles) if "post" in lines else None
    needed, remaining = stages(builds, profiles)
    generate = anywhere(app.generate)
    workloads = checked(app, "./program")
    trained = (w for one in app.of_kind("train") for w in (*one.words, one.stdin))
    named = (w for w in trained if w.startswith("app/"))
    clang = tool.output([llvm_bin / "clang", "--version"]).split("\n")[0]
    version = re.search(r"version (\d+)", clang)
    kinds = {one.kind for one in profiles.values()}
    release = version[1] if version else ""
    packages = ["clang-{}", "lld-{}", "llvm-{}", "libclang-rt-{}-dev"]
    if tree:
        packages += ["git"]
    if kinds - {"counters"}:
        packages += ["bolt-{}", "libbolt-{}-dev"]
    return render(
        chosen,
        {
            "app": app.name,
            "about": app.about,
            "variant": variant,
            "baseline": baseline,
            "clang": clang,
            "llvm": release,
            "llvm_bin": str(llvm_bin),
            "sources": sources,
            "headers": included,
            "modules": modules,
            "libraries": tuple(shlex.split(lines.get("ldlibs", ""))),
            "merged": any(b.merged for b in builds.values()),
            "builds": builds,
            "profiles": profiles,
            "kinds": kinds,
            "packages": [package.format(release) for package in packages],
            "stages": needed,
            "remaining": remaining,
            "users": {p.name: b for b in builds.values() if b.cflags for p in b.uses},
            "post": post,
            "carried": carried(profiles, app, tree),
            "tree": tree,
            "product": product(app, variant),
            "inner": f"{tree.inner}/" if tree and tree.inner not in ("", ".") else "",
            "beside": "app.mk" if tree else "the sources",
            "generate": generate,
            "workloads": workloads,
            "data": sorted({w[4:] for w in named if (directory / w[4:]).is_file()}),
            "python": any("python3" in word for words in (generate, *workloads) for word in words),
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
