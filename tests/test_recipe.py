"""Exported recipes: run elsewhere, each makes the very bytes that pgolab built."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import prove
import pytest
import recipe
import sample_train
import yaml
from conftest import LLVM, ROOT, TINY, Project, copy_project

from pgolab import manifest

VARIANTS = ("o2-thin", "o2-pgo", "o2-pgo-thin", "o2-pgo-full", "o2-cspgo-thin", "o2-pgo-thin-bolt")
FORMATS = sorted(path.stem for path in (ROOT / "pipeline/recipes").glob("*.in"))
GENERATE = """\
import pathlib, sys
pathlib.Path(sys.argv[1], "seed.txt").write_text("3")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose app has all that a recipe has to say, built in all variants.

    ThinLTO gives its static table a name that depends on how its source is called.
    """
    made = copy_project(tmp_path_factory.mktemp("recipe") / "pgolab")
    app = made.app()
    step = (app / "step.c").read_text()
    table = '#include <assert.h>\n\nstatic unsigned table[256] = {2, 3};\n\nunsigned step('
    step = step.replace("unsigned step(", table).replace("kind * FACTOR", "table[kind]++ * FACTOR")
    (app / "step.c").write_text(step.replace("kind / 3", "kind / 3 + (assert(state), 0)"))
    (app / "generate.py").write_text(GENERATE)
    text = (app / "app.mk").read_text().replace("-std=c11", "-std=c11 -g -DNAME='\"a $$b\"'")
    text += "app.ldlibs := -lm\napp.generate = $(PYTHON) $(app.dir)/generate.py $(app.inputs)\n"
    text += "train.made = $(BIN) $(SCALE) $(app.inputs)/seed.txt\n"
    (app / "app.mk").write_text(text.replace("$$b", "b"))
    return made


def export(project: Project, variant: str, chosen: str) -> str:
    return project.ok("recipe", "APP=apps/tiny", f"VARIANT={variant}", f"FORMAT={chosen}")


# What perf samples differs each time, and has no recipe.
SAMPLED = pytest.mark.skipif(sample_train.collector() == "perf", reason="perf can sample here")
PROOFS = [
    (VARIANTS, ("sh", "make", "cmake", "meson")),
    (("o3-unity-pgo", "o2-nopie-pgo-full-startup-bolt"), ("sh", "make")),
    pytest.param(("o2-sample-thin",), ("sh", "cmake", "meson"), marks=SAMPLED),
    pytest.param(("o2-sample-bolt",), ("autotools", "debian", "dockerfile"), marks=SAMPLED),
]
SERVER = """\
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    unsigned state = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
    for (int i = 0; i < 200000; i++)
        state = state % 3 ? state * 1664525u + 7 : state / 3;
    printf("%u\\n", state);
    fflush(stdout);
    for (;;)
        pause();
}
"""
SERVED = """\
app.about     := a program that SIGTERM ends
app.sources   := $(app.dir)/main.c
app.cflags    := -std=c11 -D_DEFAULT_SOURCE
app.normalize := sed s/[0-9]*.seconds//
train.one = $(SERVE) line $(BIN) 5 -- ls app/main.c
train.one.dir = made/here
train.one.setup = mkdir -p made/here
train.one.cleanup = rm -r made
eval.one = $(SERVE) line $(BIN) 7 -- sh -c 'cat && echo "$$NAME" >said && date +%N.seconds'
eval.one.input = $(app.dir)/app.mk
eval.one.env = NAME=$(app.dir)/app.mk
eval.one.output = said
"""


@pytest.mark.parametrize("variants, formats", PROOFS)
def test_recipes_make_the_binaries_that_were_measured(
    project: Project, variants: tuple[str, ...], formats: tuple[str, ...]
) -> None:
    asked = ("APP=apps/tiny", f"VARIANTS={' '.join(variants)}", f"FORMAT={' '.join(formats)}")
    rows = project.ok("prove", *asked).splitlines()[2:]
    assert [row.count("identical") for row in rows] == [len(formats)] * len(variants)


def test_recipes_train_what_a_signal_ends(project: Project) -> None:
    app = project.root / "apps/served"
    app.mkdir()
    (app / "main.c").write_text(SERVER)
    (app / "app.mk").write_text(SERVED)
    arguments = ("APP=apps/served", "VARIANTS=o2-pgo", "FORMAT=sh make cmake meson autotools")
    assert project.ok("prove", *arguments).count("identical") == 5
    text = project.ok("recipe", "APP=apps/served", "VARIANT=o2-pgo")
    assert "profile_flush.c" not in export(project, "o2-pgo", "sh")
    without = re.sub(r" -Wl,--wrap=\S+|\.\./\.\./profile_flush\.o", "", text)
    done = run(without, app, project.root / "without")
    assert "no profile was recorded by: sh -c" in done.stderr and done.returncode != 0
    assert not (project.root / "without/served").exists()


def test_each_format_can_be_proved() -> None:
    assert sorted(prove.WAYS) == FORMATS


def test_another_binary_is_found_out(project: Project) -> None:
    asked = ("APP=apps/tiny", "VARIANTS=o1-unity", "FORMAT=sh meson")
    assert "| `o1-unity` | identical | – |" in project.ok("prove", *asked)
    binary = project.root / "build/tiny/o1-unity/tiny"
    binary.write_bytes(binary.read_bytes() + b"\0")
    done = project.make("prove", *asked)
    assert done.returncode != 0 and "| `o1-unity` | differs | – |" in done.stdout


def run(text: str, app: Path, where: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs an sh recipe in a copy of the app; more: variables of its environment."""
    shutil.copytree(app, where, dirs_exist_ok=True)
    command = ["sh", "-c", text]
    return subprocess.run(command, cwd=where, env=os.environ | more, capture_output=True, text=True)


@pytest.mark.parametrize("variant, old, new, message", [
    ("o2-pgo", "train pgo one ./train", "train pgo one true", "no profile was recorded by: true"),
    ("o2-pgo", "./train 1", "./train 1 2 3", ""),
    ("o2-pgo", 'ln -sf "$1"', 'echo "$1"; ln -sf "$1"', "does not print what it prints"),
    ("o2-pgo", "compile o2-pgo ",
     "echo 'int main(void) { return 1; }' >$here/main.c; compile o2-pgo ",
     "[-Werror,-Wbackend-plugin]"),
    ("o2-pgo-thin-bolt", "count o2-pgo-thin-bolt one ./train", "count o2-pgo-thin-bolt one true",
     "no profile was recorded by: true"),
    ("o2-pgo-thin-bolt", "rm -rf bolt",
     "rm -rf bolt; sed -Ei 's/^. \\S+ (\\S+) . \\S+/1 other \\1 1 other/' *.fdata",
     "the profile o2-pgo-thin-bolt does not match the program"),
    ("o2-pgo-thin-bolt", "rm -rf bolt",
     "rm -rf bolt; sed -Ei 's/^(1 main [0-9a-f]+ 1 main )/\\11/' *.fdata",
     "the profile o2-pgo-thin-bolt does not match the program"),
    pytest.param("o2-sample-thin", "count sample one ./train", "count sample one true",
                 "no profile was recorded by: true", marks=SAMPLED),
    pytest.param("o2-sample-thin", "# It has to match the sources.",
                 "echo 'int main(void) { return 1; }' >$here/main.c",
                 "the profile sample does not match the sources", marks=SAMPLED),
])  # fmt: skip
def test_a_recipe_ends_where_something_is_wrong(
    project: Project, tmp_path: Path, variant: str, old: str, new: str, message: str
) -> None:
    text = export(project, variant, "sh")
    assert old in text
    done = run(text.replace(old, new), project.root / "apps/tiny", tmp_path)
    assert done.returncode != 0 and not (tmp_path / "tiny").exists()
    assert message in done.stderr


def test_services_run_the_sh_recipe(project: Project) -> None:
    plain = export(project, "o2-pgo-thin-bolt", "sh")
    for chosen in ("dockerfile", "github", "gitlab"):
        text = export(project, "o2-pgo-thin-bolt", chosen)
        assert prove.WAYS[chosen].script(text).strip() == plain.strip(), chosen
        assert re.search(r"llvm-22 \S+ bolt-22 libbolt-22-dev python3", text), chosen


def clean(text: str) -> str:
    """What shellcheck says of a script."""
    done = subprocess.run(["shellcheck", "-"], input=text, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("variant", [
    "o2-cspgo-thin", "o2-pgo-thin-bolt", pytest.param("o2-sample-thin", marks=SAMPLED)
])  # fmt: skip
def test_the_shell_of_a_recipe_is_clean(project: Project, variant: str) -> None:
    assert clean(export(project, variant, "sh")) == ""


def test_a_workflow_has_the_least_permissions_and_pinned_actions(project: Project) -> None:
    workflow = yaml.safe_load(export(project, "o2-pgo", "github"))
    assert workflow["permissions"] == {"contents": "read"}
    used = [s["uses"] for j in workflow["jobs"].values() for s in j["steps"] if "uses" in s]
    assert len(used) == 2 and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", u) for u in used)


@pytest.mark.parametrize("chosen", FORMATS)
def test_nothing_of_the_project_s_place_is_in_a_recipe(
    project: Project, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    app = manifest.load(Path("build/tiny/manifest"))
    text = recipe.export(Path("build/tiny/o2-cspgo-thin/recipe"), app, LLVM, chosen)
    assert str(project.root) not in text and "python3 app/generate.py" in text


def test_out_is_written_and_an_sh_recipe_can_be_run(project: Project) -> None:
    arguments = ("APP=apps/tiny", "VARIANT=o2-pgo", "OUT=made/it.sh")
    assert project.ok("recipe", *arguments) == ""
    assert os.access(project.root / "made/it.sh", os.X_OK)


@pytest.mark.parametrize("arguments, message", [
    (["VARIANT=o2-pgo", "FORMAT=cmke"], "no recipe format 'cmke'"),
    (["VARIANT="], "'make recipe' needs one variant"),
    (["VARIANT=o2-pgo o3"], "'make recipe' needs one variant"),
    (["VARIANT=o2-pog"], "no technique 'pog' in the variant 'o2-pog'"),
    (["VARIANT=gcc-o2-pgo"], "there is no recipe for 'gcc-o2-pgo'"),
    (["VARIANT=o2-pgo", "BASELINE=gcc-o2"], "there is no recipe for 'gcc-o2'"),
    (["VARIANT=o2-pgo", "PROFILE=a.profdata"], "'make recipe' takes no PROFILE"),
    (["VARIANT=o2-sample", "SAMPLE_PROFILE=a.prof"], "'make recipe' takes no SAMPLE_PROFILE"),
])  # fmt: skip
def test_what_has_no_recipe_is_refused(
    project: Project, arguments: list[str], message: str
) -> None:
    assert message in project.error("recipe", "APP=apps/tiny", *arguments)


def test_what_perf_sampled_has_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text('{"collected_by": "perf"}')
    keys = {"file": str(tmp_path / "sample.prof"), "trainer": "scripts/sample_train.py"}
    lines = {"variant": "o2-sample"} | {f"profile.sample.{k}": v for k, v in keys.items()}
    app = manifest.Manifest("tiny", tmp_path, "", (), False, ())
    with pytest.raises(recipe.NoRecipe, match="'o2-sample': perf sampled its profile"):
        recipe.profiles_of(lines, app)


# A program with a build of its own, by plain `ar`, `ld` and `strip`, with debug information, that
# forks, with a library that it does not need, a repository within the tree and a file of its data.
TREE = {
    "app.mk": """\
app.about  := a program with a build of its own
app.tree   := {tree}
app.build   = $(make-build) LDFLAGS=$(LDFLAGS) DATA="$(app.dir)/train.txt" prog
app.binary := prog
train.one = $(BIN) $(SCALE) $(app.dir)/train.txt
eval.one  = $(BIN) $(SCALE) $(app.dir)/eval.txt
""",
    "Makefile": """\
VPATH = nested
prog: main.o both.o libstep.a plugin.so
\ttest -f "$(DATA)" && ! git rev-parse
\t$(CC) $(LDFLAGS) -g -o $@ main.o both.o -L. -lstep && strip $@
plugin.so: half.c
\t$(CC) -O3 -shared -fPIC -Wl,-z,defs -o $@ $<
both.o: half.o
\tld -r -o $@ half.o
libstep.a: step.o
\tar rcs $@ $^
%.o: %.c
\t$(CC) -O3 -g -c $(CURDIR)/$<
""",
    "nested/half.c": """\
#include <unistd.h>
unsigned half(unsigned x) {
    static int forked;
    if (!forked++ && fork() == 0)
        _exit(0);
    return x % 7 ? x / 2 : x;
}
""",
}
TREE_PROOFS = [
    ("prog", "prog/prog", "o2-cspgo-thin o2-pgo-thin-bolt o2-pgo-full", "sh"),
    ("tree/app", "tree", "o2-pgo-thin", "gitlab"),
    ("prog", "elsewhere", "o2-pgo", "sh"),
]


@pytest.mark.parametrize("app_at, tree_at, variants, formats", TREE_PROOFS)
def test_recipes_build_a_program_that_has_a_build_of_its_own(
    project: Project, tmp_path: Path, app_at: str, tree_at: str, variants: str, formats: str
) -> None:
    app, tree = tmp_path / app_at, tmp_path / tree_at
    shutil.copytree(TINY, tree)
    app.mkdir(exist_ok=True)
    for repository in (tree, tree / "nested"):
        subprocess.run(["git", "init", "-q", repository], check=True)
    for name in ("train.txt", "eval.txt"):
        shutil.move(tree / name, app)
    main = (tree / "main.c").read_text().replace("sum += step(&seed)", "sum += half(step(&seed))")
    (tree / "main.c").write_text(f"unsigned half(unsigned x);\n{main}")
    for name, text in TREE.items():
        where = app if name == "app.mk" else tree
        (where / name).write_text(text.replace("{tree}", str(tree)))
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    asked = (f"APP={app}", f"VARIANTS={variants}", f"FORMAT={formats}")
    rows = project.ok("prove", *asked, TMPDIR=str(tmp_path / "linked")).splitlines()[2:]
    identical = [len(formats.split())] * len(variants.split())
    assert [row.count("identical") for row in rows] == identical, rows
    path = tmp_path / "recipe.sh"
    text = project.ok("recipe", f"APP={app}", f"VARIANT={variants.split()[-1]}")
    assert "stand_in ld ld ld.lld" in text and "stand_in strip strip llvm-strip" in text
    path.write_text(text)
    subprocess.run(["shellcheck", path], check=True)
    assert str(project.root) not in text
    untrained = text.replace("train pgo one ./train", "train pgo one true")
    done = run(untrained, app, tmp_path / "bad", TREE=str(tree))
    assert "no profile was recorded by: true" in done.stderr and done.returncode != 0
    asked = (f"APP={app}", f"VARIANT={variants.split()[-1]}", "FORMAT=cmake")
    said = project.error("recipe", *asked)
    assert "'cmake' has no word for a program with a build of its own" in said
    if tree_at == "elsewhere":
        said = project.error("recipe", *asked[:2], "FORMAT=gitlab")
        assert "'gitlab' sees one directory" in said
        return
    for chosen in recipe.SERVICES:
        service = project.ok("recipe", *asked[:2], f"FORMAT={chosen}")
        assert prove.WAYS[chosen].script(service).strip() == text.strip()


@pytest.mark.parametrize("command, expected", [
    ("cd {0} && make D={0}/x I=-I{0}", 'cd "$here" && make D="$here"/x I=-I"$here"'),
    ('make D="{0}/a b"', 'make D="$here/a b"'),
    ("make D={0}2/x {0}.old {0}-1", "make D={0}2/x {0}.old {0}-1"),
])  # fmt: skip
def test_a_build_command_names_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    for given in ("linked", str(tmp_path / "linked")):
        for spelt in (tmp_path / "linked", tmp_path / "real"):
            made = recipe.from_here(command.format(spelt), given)
            assert made == expected.format(spelt)


@pytest.mark.parametrize("variant, chosen, message", [
    ("o1-unity", "meson", "'meson' has no word for merging the sources"),
    ("o1-full-bolt", "cmake", "'cmake' has no word for linking objects a second time"),
])  # fmt: skip
def test_what_a_format_cannot_say_is_refused(
    project: Project, variant: str, chosen: str, message: str
) -> None:
    project.ok("build", "APP=apps/tiny", f"VARIANTS={variant}")
    asked = ("APP=apps/tiny", f"VARIANT={variant}", f"FORMAT={chosen}")
    done = project.make("recipe", *asked)
    assert done.returncode != 0 and done.stdout == ""
    assert f"pgolab: {message}" in done.stderr and "\nhint: " in done.stderr


def test_a_source_in_a_subdirectory_is_refused_by_meson_alone(project: Project) -> None:
    app = project.app("nested")
    (app / "lib").mkdir()
    for name in ("step.c", "step.h"):
        (app / name).rename(app / "lib" / name)
    (app / "main.c").write_text((app / "main.c").read_text().replace("step.h", "lib/step.h"))
    text = (app / "app.mk").read_text()
    (app / "app.mk").write_text(text.replace("*.c)", "*.c $(app.dir)/lib/*.c)"))
    arguments = ("APP=apps/nested", "VARIANT=o2-thin")
    project.ok("recipe", *arguments)
    assert "cannot compile 'lib/step.c'" in project.error("recipe", *arguments, "FORMAT=meson")
    asked = ("APP=apps/nested", "VARIANTS=o2-thin", "FORMAT=cmake meson")
    assert "| `o2-thin` | identical | – |" in project.ok("prove", *asked)


@pytest.mark.parametrize("words, spelt", [
    (["a b", "@HERE@=."], "'a b' \"$PWD\"=."),
    (["-I@HERE@/x y"], "'-I'\"$PWD\"'/x y'"),
    (["$x"], "'$x'"),
])
def test_words_are_quoted_for_a_shell(words: list[str], spelt: str) -> None:
    assert recipe.shell(words, "$PWD", "$PWD") == spelt
