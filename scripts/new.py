"""Write a commented app.mk for somebody's source tree; the workloads are left to fill in.

Looks at the tree for its build system and for the programs that it builds; changes nothing there.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import errors, files
from pgolab.errors import Failure

ODD = set("'\"`$\\%:;()[]{}<>&|*?!#=~, \t")
MOST_SHOWN = 6
ASIDE = re.compile(r"test|fuzz|example|bench|demo|debug")  # programs that are less likely meant
LINKER = r"(?:cc|cxx|ld|linker|link|clang|[cg]\+\+)\b|\blink\."
LINKS = re.compile(rf"(?i)(?:{LINKER})[^|;&]*\s-o\s*(\S+)")
NOT_LINKS = re.compile(r"\s-(c|shared|E|S|MM?|dynamiclib)\b")
NOT_PROGRAMS = re.compile(r"^-|^\d+$|[$%\s*\\]|\.(o|so|a|c|h|s|S|dylib|dll|exe|js|wasm)$|(^|/)$")

# Build systems, the more telling first: a tree that has several often ships files of the later.
KINDS = {
    "autotools": (("configure.ac", "configure.in"), "$(autotools-build)"),
    "cmake": (("CMakeLists.txt",), "$(cmake-build)"),
    "meson": (("meson.build",), "$(meson-build)"),
    "configure": (("configure", "auto/configure"), "./{file} && $(make-build)"),
    "make": (("GNUmakefile", "makefile", "Makefile"), "$(make-build)"),
}
DEEPEST = 3  # where to look for build files when the tree has none at its top

TEMPLATE = """\
# {name}, for pgolab. docs/manifest.md has every key, docs/your-own-program.md a walk through.

app.about  := {name}

# The source tree: each variant is built in a private copy of it.
app.tree   := {tree}

# The command that builds it, in the shell; {how}
# $(CC), $(CXX), $(AR), $(RANLIB) and $(NM) stand for the variant's tools.
app.build   = {build}
{others}
# The program to measure, relative to the tree as it is after the build.
{binary}

# Workloads: remove the # and give each its arguments; $(app.dir) is the directory of this file.
# The train workloads feed the profile, the eval workloads are timed, on other data. Best a run
# takes 10 ms or more; $(SCALE) stands where the program takes a number of repetitions.
# train.first = $(BIN) $(app.dir)/train.txt
# eval.other  = $(BIN) $(app.dir)/eval.txt

# Where needed: standard input, variables, the directory, commands before and after each run.
# eval.other.input   = $(app.dir)/eval.txt
# eval.other.env     = NAME=value
# eval.other.dir     = work
# eval.other.setup   = cp -r $(app.dir)/data work
# eval.other.cleanup = rm -r work
"""


@dataclass(frozen=True)
class Found:
    """One way to build a tree: its kind, the file that says so, the command, the programs."""

    kind: str
    file: str
    build: str
    programs: list[str]


def texts(tree: Path, *names: str) -> Iterator[tuple[Path, str]]:
    """The files of these names in a tree, by their directory relative to it."""
    for name in names:
        for path in sorted(tree.rglob(name), key=lambda p: (len(p.parts), p)):
            if path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                yield path.parent.relative_to(tree), re.sub(r"(?m)#.*$", "", text)


def of_cmake(tree: Path) -> Iterator[str]:
    for where, text in texts(tree, "CMakeLists.txt"):
        project = re.search(r"(?i)\bproject\s*\(\s*(\w+)", text)
        for name in re.findall(r"(?i)\badd_executable\s*\(\s*([^\s)]+)", text):
            if project:
                name = re.sub(r"\$\{(CMAKE_)?PROJECT_NAME\}", project[1], name)
            renamed = re.search(
                rf"(?is)\bset_target_properties\s*\(\s*{re.escape(name)}\b[^)]*"
                r"\bOUTPUT_NAME\s+\"?([\w.-]+)",
                text,
            )
            yield str(Path("build-pgolab") / where / (renamed[1] if renamed else name))


def of_meson(tree: Path) -> Iterator[str]:
    for where, text in texts(tree, "meson.build"):
        for name in re.findall(r"\bexecutable\s*\(\s*'([^']+)'\s*,", text):
            yield str(Path("build-pgolab") / where / name)


def of_autotools(tree: Path) -> Iterator[str]:
    for where, text in texts(tree, "Makefile.am"):
        joined = text.replace("\\\n", " ")
        for kind in ("bin", "sbin", "libexec", "noinst"):
            for names in re.findall(rf"(?m)^\s*{kind}_PROGRAMS\s*\+?=(.*)$", joined):
                yield from (str(where / name) for name in names.split())


def of_make(tree: Path) -> Iterator[str]:
    for where, text in texts(tree, "GNUmakefile", "makefile", "Makefile"):
        joined = text.replace("\\\n", " ")
        values = dict(re.findall(r"(?m)^[ ]*(\w+)[ ]*[:?]?=[ \t]*(.*?)[ \t]*$", joined))
        target = ""
        for line in joined.splitlines():
            rule = re.match(r"^([^\t:=]+):(?!=)", line)
            if rule:
                target = rule[1].split()[0] if rule[1].split() else ""
                if target == "a.out":  # what a link without -o makes
                    yield str(where / target)
            made = LINKS.search(line)
            if line.startswith("\t") and made and not NOT_LINKS.search(line):
                name = made[1].strip("\"'").replace("$@", target).replace("$(@)", target)
                for _ in range(3):  # what a Makefile sets nowhere is empty, such as $(EXEEXT)
                    name = re.sub(r"\$[({](\w+)[)}]", lambda m: values.get(m[1], ""), name)
                if made[1].startswith("$"):
                    name = name.lstrip("/")  # of a directory that is set elsewhere
                yield str(where / name) if name else ""


PROGRAMS = {"autotools": of_autotools, "cmake": of_cmake, "meson": of_meson,
            "make": of_make, "configure": of_make}  # fmt: skip


def look(tree: Path, app: str) -> list[Found]:
    """The ways to build a tree, with its programs, the likeliest first; app is its name.

    Where there is nothing at its top, those of the directories next below that have any.
    """
    called = (app, re.sub(r"[-_]v?\d.*$", "", tree.resolve().name))
    places = [tree]
    for _ in range(DEEPEST + 1):
        found = [one for place in places for one in look_in(place, tree, called)]
        if found:
            return found if places == [tree] else sorted(
                found, key=lambda one: unlikely(one.programs[:1], called)
            )  # fmt: skip
        places = sorted(p for place in places for p in place.iterdir() if to_enter(p))
    return []


def to_enter(path: Path) -> bool:
    """Whether a directory may hold a program's build files, by a name that needs no quotes."""
    plain = not path.name.startswith(".") and not ODD & set(path.name)
    return plain and path.is_dir() and not path.is_symlink()


def unlikely(programs: list[str], called: tuple[str, str]) -> tuple[bool, bool, bool]:
    """A key that sorts what is less likely meant behind the rest."""
    name = programs[0] if programs else ""
    return not name, bool(ASIDE.search(name)), Path(name).name not in called


def look_in(place: Path, tree: Path, called: tuple[str, str]) -> Iterator[Found]:
    """The ways to build that the files of a directory of the tree offer."""
    inner = place.relative_to(tree)
    enter = f"cd {inner} && " if inner != Path() else ""
    for kind, (names, build) in KINDS.items():
        file = next((n for n in names if (place / n).is_file()), None)
        if file:
            found = (p for p in dict.fromkeys(PROGRAMS[kind](place)) if not NOT_PROGRAMS.search(p))
            programs = sorted(found, key=lambda p: unlikely([p], called))
            yield Found(
                kind,
                str(inner / file),
                enter + build.replace("{file}", file),
                [str(inner / p) for p in programs],
            )


def alone(tree: Path, found: Found) -> str:
    """The command that builds the likeliest program alone; empty where make has no such target."""
    name = Path(found.programs[0]).name if found.programs else ""
    if found.kind != "make" or not name:
        return ""
    text = (tree / found.file).read_text(encoding="utf-8", errors="replace")
    rule = re.search(rf"(?m)^{re.escape(name)}(\$\S+)?[ \t]*:(?!=)", text)
    return f"{found.build} {name}" if rule else ""


def manifest(app: Path, tree: Path) -> str:
    """The text of app.mk."""
    found = look(tree, app.resolve().name)
    if not found:
        found = [Found("script", "no build file that pgolab knows", "./build.sh", [])]
    first = found[0]
    place = str(tree.resolve())
    if app.resolve() in tree.resolve().parents:
        place = f"$(app.dir)/{tree.resolve().relative_to(app.resolve())}"
    programs = first.programs[:MOST_SHOWN] or [tree.resolve().name]
    others = [(f.build, f"there is {f.file} too") for f in found[1:MOST_SHOWN]]
    if quicker := alone(tree, first):
        others.insert(0, (quicker, "the program alone, which is quicker"))
    lines = [f"app.binary := {programs[0]}"]
    lines += [f"# app.binary := {name}" for name in programs[1:]]
    if not first.programs:
        lines.insert(0, "# (none was found in the build files: this one is a guess)")
    return TEMPLATE.format(
        name=app.resolve().name,
        tree=place,
        how=f"the tree has {first.file}." if first.kind != "script" else f"there is {first.file}.",
        build=first.build,
        others="".join(f"# app.build = {build}    # {why}\n" for build, why in others),
        binary="\n".join(lines),
    )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--app", required=True, help="the directory that gets the app.mk")
    parser.add_argument("--tree", required=True, help="the source tree")
    args = parser.parse_args(argv)
    for setting, value in (("APP", args.app), ("SRC", args.tree)):
        if not value:
            raise Failure(
                f"'make new' needs {setting}=",
                "make new APP=/path/to/dir SRC=/path/to/tree (the app.mk goes into the first)",
            )
    app, tree = Path(args.app), Path(args.tree)
    if not tree.is_dir():
        raise Failure(f"there is no directory '{tree}'", "SRC= is the source tree of the program")
    for path in (app, tree):
        if ODD & set(str(path.resolve())):
            raise Failure(
                f"'{path}' has a character in its path that Make cannot handle",
                "move it to a path of letters, digits and . _ + - /",
            )
    target = app / "app.mk"
    if target.exists():
        raise Failure(f"'{target}' exists already", "edit it, or remove it first")
    files.write_text(target, manifest(app, tree))
    print(f"wrote {target}: check app.binary, fill in the workloads, then: make pgo APP={args.app}")
    return 0


if __name__ == "__main__":
    errors.run(main)
