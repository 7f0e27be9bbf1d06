"""Programs with a build of their own, by Make, CMake, Meson and autotools."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import LLVM, ROOT, Project

# One program for all build systems: a static and a shared library, a generated source, a helper
# that is built and run during the build, a probe that runs, a C++ file, and flags of its own.
SOURCES = {
    "main.c": """
        #include <stdio.h>
        #include <stdlib.h>
        #include "step.h"
        __attribute__((noinline)) static unsigned mix(unsigned x) { return x % 7 ? x * 3 : x ^ 5; }
        int main(int argc, char **argv) {
            int unused;
            if (argc != 3) return 2;
            char text[16];
            FILE *file = fopen(argv[2], "r");
            if (!file || !fgets(text, sizeof text, file)) return 1;
            unsigned seed = (unsigned)strtoul(text, NULL, 10), sum = 0;
            for (long i = strtol(argv[1], NULL, 10) * 20000; i > 0; i--)
                sum += mix(step(&seed)) + shared(seed) + extra(sum);
            printf("%u\\n", sum);
            return fclose(file);
        }
        """,
    "step.h": """
        #ifdef __cplusplus
        extern "C" {
        #endif
        unsigned step(unsigned *state);
        unsigned shared(unsigned x);
        unsigned extra(unsigned x);
        #ifdef __cplusplus
        }
        #endif
        """,
    "lib/step.c": """
        #include "../step.h"
        #include "table.h"
        __attribute__((noinline)) static unsigned mix(unsigned x) { return x & 1 ? x / 3 : x + 1; }
        unsigned step(unsigned *state) {
            *state = *state * 1664525u + 1013904223u;
            return mix(*state >> 8) + table[*state % 4];
        }
        """,
    "lib/shared.c": """
        #include "../step.h"
        unsigned shared(unsigned x) { return x % 11 ? x >> 3 : x * 5; }
        """,
    "extra.cpp": """
        #include "step.h"
        template <typename T> static T twice(T x) { return x > 9 ? 2 * x : x; }
        unsigned extra(unsigned x) { return twice(x) >> 4; }
        """,
    "gen.c": """
        #include <stdio.h>
        int main(void) {
            printf("static const unsigned table[4] = {");
            for (int i = 0; i < 4; i++) printf("%d,", i * i);
            puts("};");
            return 0;
        }
        """,
    "probe.c": "int main(void) { return sizeof(void *) == 8 ? 0 : 1; }\n",
}


def tabbed(text: str) -> str:
    """A Makefile whose recipes are indented by four spaces."""
    return text.replace("\n    ", "\n\t")


MAKE = {"Makefile": tabbed("""\
CFLAGS = -O3 -Wall -Werror
prog: main.o extra.o libstep.a libshared.so
    $(CXX) -o $@ main.o extra.o -L. -lstep -lshared -Wl,-rpath,'$$ORIGIN'
libstep.a: lib/step.o
    ar rcs $@ $^
libshared.so: lib/shared.c
    $(CC) $(CFLAGS) -fPIC -shared -Wl,-soname,$@ -o $@ $<
lib/step.o: lib/table.h
lib/table.h: gen probed
    ./gen >$@.tmp && mv $@.tmp $@
gen: gen.c
    $(CC) -o $@ $<
probed: probe.c
    $(CC) -o probe $< && ./probe && touch $@
%.o: %.c
    $(CC) $(CFLAGS) -c -o $@ $(CURDIR)/$<
%.o: %.cpp
    $(CXX) -O3 -c -o $@ $<
""")}
CMAKE = {"CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.10)
project(prog C CXX)
set(CMAKE_C_FLAGS "${CMAKE_C_FLAGS} -O3 -Wall -Werror")
include(CheckCSourceRuns)
check_c_source_runs("int main(void) { return sizeof(void *) == 8 ? 0 : 1; }" PROBED)
if(NOT PROBED)
  message(FATAL_ERROR "the probe did not run")
endif()
add_executable(gen gen.c)
add_custom_command(OUTPUT table.h COMMAND gen > table.h DEPENDS gen)
add_library(step STATIC lib/step.c ${CMAKE_CURRENT_BINARY_DIR}/table.h)
target_include_directories(step PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
add_library(shared SHARED lib/shared.c)
add_executable(prog main.c extra.cpp)
target_link_libraries(prog step shared)
"""}
MESON = {"meson.build": """\
project('prog', 'c', 'cpp', default_options: ['werror=true', 'warning_level=1'])
add_project_arguments('-O3', language: 'c')
probed = meson.get_compiler('c').run('int main(void) { return sizeof(void *) == 8 ? 0 : 1; }')
if probed.returncode() != 0
  error('the probe did not run')
endif
gen = executable('gen', 'gen.c')
table = custom_target('table', output: 'table.h', command: gen, capture: true)
step = static_library('step', 'lib/step.c', table)
shared = shared_library('shared', 'lib/shared.c')
executable('prog', 'main.c', 'extra.cpp', link_with: [step, shared])
"""}
AUTOTOOLS = {
    "configure.ac": """\
AC_INIT([prog], [1])
AC_CONFIG_AUX_DIR([aux])
AM_INIT_AUTOMAKE([foreign subdir-objects])
AC_PROG_CC
AC_PROG_CXX
AM_PROG_AR
LT_INIT
AC_RUN_IFELSE([AC_LANG_PROGRAM([], [return sizeof(void *) == 8 ? 0 : 1;])], [],
    [AC_MSG_ERROR([the probe did not run])])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
""",
    "Makefile.am": tabbed("""\
AM_CFLAGS = -O3 -Wall -Werror
ACLOCAL_AMFLAGS = -I m4
noinst_PROGRAMS = gen
bin_PROGRAMS = prog
gen_SOURCES = gen.c
noinst_LTLIBRARIES = libstep.la
libstep_la_SOURCES = lib/step.c
nodist_libstep_la_SOURCES = table.h
lib_LTLIBRARIES = libshared.la
libshared_la_SOURCES = lib/shared.c
prog_SOURCES = main.c extra.cpp
prog_LDADD = libstep.la libshared.la
BUILT_SOURCES = table.h
table.h: gen
    ./gen >$@
"""),
}
VERDICTS = ("faster", "slower", "same", "inconclusive")
SYSTEMS = {"make": MAKE, "cmake": CMAKE, "meson": MESON, "autotools": AUTOTOOLS}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree_of(root: Path, system: str) -> Path:
    """A source tree that is built by the given system, as it would be released."""
    write(root, SOURCES | SYSTEMS[system])
    if system == "autotools":
        subprocess.run(["autoreconf", "-fi"], cwd=root, check=True, capture_output=True)
    return root


def state(tree: Path) -> dict[str, bytes]:
    return {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def fill_in(app: Path) -> None:
    """Makes workloads of the two commented lines, as a reader of app.mk would."""
    manifest = app / "app.mk"
    text = manifest.read_text()
    for line in ("train.first = $(BIN) ", "eval.other  = $(BIN) "):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", f"{line}$(SCALE) ")
    manifest.write_text(text)
    write(app, {"train.txt": "1\n", "eval.txt": "5\n"})


def choose(app: Path, program: str) -> None:
    """Makes a listed candidate the binary."""
    text = (app / "app.mk").read_text()
    assert re.search(rf"^(# )?app\.binary := {program}$", text, re.MULTILINE), text
    text = re.sub(r"(?m)^app\.binary := .*\n", "", text)
    (app / "app.mk").write_text(text + f"app.binary := {program}\n")


def functions(project: Project, profile: Path) -> list[str]:
    """The functions that a profile counts."""
    done = subprocess.run(
        [LLVM / "llvm-profdata", "show", "--all-functions", profile],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return re.findall(r"^  (\S+):$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_tree_goes_from_make_new_to_a_verdict(
    shared: Project, tmp_path: Path, system: str
) -> None:
    tree = tree_of(tmp_path / "src", system)
    before = state(tree)
    app = tmp_path / f"with-{system}"
    program = "prog" if system in ("make", "autotools") else "build-pgolab/prog"
    shared.ok("new", f"APP={app}", f"SRC={tree}")
    choose(app, program)
    fill_in(app)
    said = shared.ok("pgo", f"APP={app}", "LTO=thin", "METRIC=instructions", "LAYOUTS=2")
    assert "o2-pgo-thin" in said and "without the variant's flags" not in said
    run = json.loads((shared.root / "results/latest/run.json").read_text())["apps"][app.name]
    counts = {variant: found["other"] for variant, found in run["instructions"].items()}
    assert counts["o2-pgo-thin"] < 0.97 * counts["o2"]
    libraries = run["variants"]["o2-pgo-thin"].get("libraries", {})
    assert list(libraries) == ([] if system == "autotools" else ["libshared.so"])
    built = shared.root / "build" / app.name
    linked = json.loads((built / "o2-pgo-thin" / "link.json").read_text())
    if system != "autotools":
        assert [link["name"] for link in linked[:-1]] == ["libshared.so"]
        assert (built / "o2-pgo-thin/layouts/1/lib/libshared.so").is_file()
    for command in compilations(built / "o2-pgo-thin"):
        assert [word for word in command if re.fullmatch(r"-O\w", word)][-1] == "-O2", command
    known = functions(shared, shared.root / "profiles" / app.name / "pgo.profdata")
    assert {"main", "step", "shared", "extra"} <= {name.split(";")[-1] for name in known}
    statics = [name for name in known if name.endswith(";mix")]
    assert len(statics) == 2 and not any(name.startswith("/") for name in known), known
    log = (built / "o2-pgo" / "build.log").read_text()
    unknown = re.findall(r"no profile data available for function (\S+)", log)
    assert not {"mix", "step", "shared", "main"} & set(unknown)
    match = json.loads((built / "o2-pgo-thin" / "profile-match.json").read_text())
    assert match == {"share": 1, "mismatched": [], "missing": []}
    assert not list(built.rglob("*-train/tree/**/*.profraw"))
    assert state(tree) == before


def test_a_tree_is_timed_and_judged(shared: Project) -> None:
    app = small(shared, "judged", "$(make-build)")
    write(app / "src", SOURCES | MAKE)
    shared.ok("pgo", "APP=apps/judged", "LTO=thin", "LAYOUTS=2", "BUDGET=2s", "PRECISION=50%")
    summary = json.loads((shared.root / "results/latest/summary.json").read_text())
    found = summary["apps"]["judged"]
    for name in ("o2-thin", "o2-pgo", "o2-pgo-thin"):
        variant = found["variants"][name]
        assert found["noisy"] or variant["verdict"] in VERDICTS
        assert found["noisy"] or variant["interval"][0] <= variant["speedup"]
    run = json.loads((shared.root / "results/latest/run.json").read_text())
    facts = run["apps"]["judged"]["variants"]["o2-pgo-thin"]
    text = [sum(size for name, size in one["sections"].items() if name.startswith(".text"))
            for one in (facts, facts["libraries"]["libshared.so"])]  # fmt: skip
    assert min(text) > 0 and found["variants"]["o2-pgo-thin"]["costs"]["text_bytes"] == sum(text)


def compilations(build: Path) -> list[list[str]]:
    """The compile commands that were run with -O3, at least those of both libraries."""
    notes = [p.read_bytes().decode().split("\0") for p in (build / "notes").glob("compile.*")]
    found = [words for words in notes if "-O3" in words]
    assert len(found) >= 2
    return found


# A server on a socket: `alone` leaves SIGTERM as it is, `forks` handles it and has two workers,
# which do not.
SERVER = {
    "server.c": r"""
        #include <signal.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/socket.h>
        #include <sys/un.h>
        #include <sys/wait.h>
        #include <unistd.h>
        unsigned answer(unsigned x);
        static volatile sig_atomic_t stopped;
        static void stop(int number) { stopped = number; }
        static void serve(int at) {
            unsigned asked;
            int from = accept(at, NULL, NULL);
            if (from < 0) return;
            while (read(from, &asked, sizeof asked) == sizeof asked) {
                asked = answer(asked);
                if (write(from, &asked, sizeof asked) < 0) break;
            }
            close(from);
        }
        int main(int argc, char **argv) {
            struct sockaddr_un name = {.sun_family = AF_UNIX};
            struct sigaction action = {.sa_handler = stop};
            int at = socket(AF_UNIX, SOCK_STREAM, 0);
            pid_t workers[2];
            if (argc != 3) return 2;
            strcpy(name.sun_path, argv[2]);
            if (bind(at, (struct sockaddr *)&name, sizeof name) || listen(at, 8)) return 3;
            if (strcmp(argv[1], "alone") == 0)
                for (;;) serve(at);
            for (int i = 0; i < 2; i++)
                if ((workers[i] = fork()) == 0)
                    for (;;) serve(at);
            sigaction(SIGTERM, &action, NULL);
            while (!stopped) pause();
            for (int i = 0; i < 2; i++) kill(workers[i], SIGTERM);
            while (wait(NULL) > 0) {}
            return unlink(argv[2]);
        }
        """,
    "answer.c": """
        unsigned answer(unsigned x) {
            for (int i = 0; i < 4000; i++) x = x % 7 ? x * 5 + 1 : x / 7;
            return x;
        }
        """,
    "Makefile": tabbed("""\
server: server.o answer.o
    $(CC) -o $@ server.o answer.o
"""),
}
CLIENT = """
import socket, struct, sys, time
one = socket.socket(socket.AF_UNIX)
while one.connect_ex(sys.argv[1]):
    time.sleep(0.001)
asked = int(sys.argv[2])
for _ in range(300):
    one.sendall(struct.pack("I", asked))
    asked = struct.unpack("I", one.recv(4))[0]
print(asked)
"""


def test_a_server_goes_from_make_new_to_a_verdict(shared: Project, tmp_path: Path) -> None:
    write(tmp_path / "src", SERVER)
    app = tmp_path / "server-app"
    shared.ok("new", f"APP={app}", f"SRC={tmp_path / 'src'}")
    choose(app, "server")
    write(app, {"client.py": CLIENT})
    (app / "client.py").chmod(0o755)  # a program, not data that train and eval share
    run = "$(SERVE) file:socket $(BIN) {} socket -- $(PYTHON) $(app.dir)/client.py socket {}"
    lines = {"train.alone": run.format("alone", 1), "train.forks": run.format("forks", 2),
             "eval.forks": run.format("forks", 3), "eval.forks.cleanup": "rm -f socket",
             "train.alone.cleanup": "rm -f socket"}  # fmt: skip
    with (app / "app.mk").open("a") as manifest:
        manifest.writelines(f"{key} = {value}\n" for key, value in lines.items())
    said = shared.ok("pgo", f"APP={app}", "LTO=thin", "LAYOUTS=2", "BUDGET=2s", "PRECISION=50%")
    noted = json.loads((shared.root / "profiles/server-app/pgo.json").read_text())
    processes = {name: one["raw_profiles"] for name, one in noted["workloads"].items()}
    assert processes == {"alone": 1, "forks": 3} and noted["raw_profiles"]["lost"] == 0
    assert noted["hottest"][0]["function"].endswith("answer")
    assert noted["workloads"]["forks"]["total_count"] > 300 * 4000
    summary = json.loads((shared.root / "results/latest/summary.json").read_text())
    found = summary["apps"]["server-app"]
    assert found["noisy"] or found["variants"]["o2-pgo-thin"]["verdict"] in VERDICTS, said


TINY = {
    "main.c": SOURCES["main.c"].replace("shared(seed)", "seed / 3").replace("extra(sum)", "1"),
    "step.h": SOURCES["step.h"],
    "step.c": '#include "step.h"\nunsigned step(unsigned *s) { return (*s = *s * 5 + 1) % 9; }\n',
}
MANIFEST = """\
app.about  := a program
app.tree   := $(app.dir)/src
app.build   = {build}
app.binary := {binary}
train.one = $(BIN) $(SCALE) $(app.dir)/train.txt
eval.two  = $(BIN) $(SCALE) $(app.dir)/eval.txt
"""
DIRECT = "$(CC) -O3 -g -o prog main.c step.c"


def small(project: Project, name: str, build: str = DIRECT, binary: str = "prog") -> Path:
    """An app whose tree is src/, built by a command without any build system."""
    app = project.root / "apps" / name
    write(app / "src", TINY)
    files = {"app.mk": MANIFEST.format(build=build, binary=binary), "train.txt": "1\n"}
    write(app, files | {"eval.txt": "5\n"})
    return app


def built_with(project: Project, name: str, variants: str) -> str:
    return project.ok("verify", f"APP=apps/{name}", f"VARIANTS={variants}", "LAYOUTS=2")


SPLIT = "$(CC) -c main.c && $(CC) -c step.c && "
LIBTOOL = "mkdir .libs && $(CC) -o .libs/prog main.c step.c && echo '\\#!/bin/sh' >prog"


@pytest.mark.parametrize("name, build, binary, wrong, hint", [
    ("nocc", "true", "prog", "never called $(CC)", "make CC=$(CC)"),
    ("failing", "echo oh no; exit 3", "prog", "ended with status 3", "build.log"),
    ("misnamed", DIRECT, "bin/prog", "made no 'bin/prog'", "one of what it linked: prog"),
    ("libtool", LIBTOOL, "prog", "'prog' is not a program but a script", ".libs/"),
    ("absolute", "/usr/bin/gcc -o prog main.c step.c && $(CC) -o other main.c step.c", "prog",
     "'prog' was not linked by $(CC)", "what the linker made"),
])  # fmt: skip
def test_a_build_that_does_not_serve_is_explained(
    shared: Project, name: str, build: str, binary: str, wrong: str, hint: str
) -> None:
    small(shared, name, build, binary)
    said = shared.error("build", f"APP=apps/{name}", "VARIANTS=o2")
    assert wrong in said and hint in said, said


def test_a_program_without_counters_is_an_error_before_training(shared: Project) -> None:
    build = "/usr/bin/gcc -O2 -c main.c step.c && $(CC) -o prog main.o step.o"
    small(shared, "uncounted", build)
    done = shared.make("train", "APP=apps/uncounted", "VARIANTS=o2-pgo")
    assert "'prog' has no counters: the flags did not arrive in it" in done.stderr
    assert done.returncode != 0 and "BUILD" in done.stdout and "TRAIN" not in done.stdout


def test_objects_without_the_flags_are_named(shared: Project) -> None:
    other = TINY["step.c"].replace("step(", "more(")
    build = (
        "$(CC) -c main.c && /usr/bin/gcc -c step.c more.c && as -o text.o text.s &&"
        " $(AR) rcs libs.a more.o && $(CC) -o prog main.o step.o text.o -L. -ls -Wl,-umore"
    )
    app = small(shared, "partly", build)
    write(app / "src", {"more.c": other, "text.s": ".globl text\ntext: ret\n"})
    said = shared.ok("build", "APP=apps/partly", "VARIANTS=o2")
    assert "note: built without the variant's flags: libs.a(more.o) step.o\n" in said


def test_each_of_the_ten_documented_failures_is_expected_by_a_test() -> None:
    page = (ROOT / "docs" / "your-own-program.md").read_text()
    rows = re.findall(r"^\| `(.*)` \| .* \|$", page.split("pgolab says")[1], re.MULTILINE)
    messages = [message for row in rows for message in row.split("` or `")]
    assert len(rows) == 10 and len(messages) == 11
    names = ("test_tree.py", "test_workloads.py", "test_train.py")
    tests = "".join((ROOT / "tests" / name).read_text() for name in names)
    for message in messages:
        parts = [p.strip() for p in re.split("'?…'?", message.replace("status 2", "status "))]
        assert all(p in tests for p in parts if p != "the build of"), message


def test_one_command_may_compile_several_files(shared: Project) -> None:
    small(shared, "several", "$(CC) -O3 -c main.c step.c && $(CC) -o prog main.o step.o")
    said = shared.ok("build", "APP=apps/several", "VARIANTS=o2")
    assert "without the variant's flags" not in said


def test_plain_ar_is_explained_where_it_matters(shared: Project) -> None:
    small(shared, "archive", SPLIT + "ar rcs libs.a step.o && $(CC) -o prog main.o -L. -ls")
    assert "plain ar" not in shared.ok("build", "APP=apps/archive", "VARIANTS=o2")
    said = shared.ok("build", "APP=apps/archive", "VARIANTS=o2-thin")
    assert "calls plain ar, for which LLVM's stood in" in said and "has to call llvm-ar" in said


def test_objects_of_an_earlier_build_are_found(shared: Project) -> None:
    rules = "prog: main.o step.o\n\t$(CC) -o $@ $^\n%.o: %.c\n\t$(CC) -c $<\n"
    app = small(shared, "stale", "$(make-build)")
    write(app / "src", {"Makefile": rules})
    subprocess.run(["make", "-s", "CC=cc", "step.o"], cwd=app / "src", check=True)
    said = shared.error("build", "APP=apps/stale", "VARIANTS=o2")
    assert "the build linked objects of an earlier one: step.o" in said
    assert "changes nothing" in said
    subprocess.run(["make", "-s", "CC=cc"], cwd=app / "src", check=True)
    said = shared.error("build", "APP=apps/stale", "VARIANTS=o2")
    assert "found everything built already" in said


# What builds do with compilers and linkers, in one Makefile; some of it only older ones do.
ODD = {
    "Makefile": tabbed("""\
O = main.o few.o one.o typed.o text.o fast.o plain.o words.o part.o data.o
C = ccache $(CC) -std=gnu11
CFLAGS = -O3 -Werror -w -flto=auto -fprofile-use -fno-plt
all: prog
prog: $O libhidden.so sub/libthin.a
    $(file >objects.rsp,$O '-DNO "T"')
    $C $(CFLAGS) -s @objects.rsp -o $@ -Wl,--start-group -L sub -l:libthin.a -lm -Wl,--end-group \\
        -L. -lhidden -Wl,-rpath,'$$ORIGIN'
    rm objects.rsp
    strip $@ && install -s -D $@ dest/$@
main.o: main.c
    $C -MM $< >main.d && $C -E $< -o main.i && $C -### -c $< 2>main.steps
    echo '-c -DSEED=1' >flags.rsp && $C $(CFLAGS) @flags.rsp $< -o $@
few.o: few.c one.c
    $C $(CFLAGS) -c few.c one.c
one.o: few.o ;
typed.o: typed.txt
    $C -c -x c - -o $@ <$<
text.o: typed.txt
    sed s/typed/texted/ $< >text.in && $C $(CFLAGS) -c -x c text.in -o $@
fast.o: fast.s
    $C -c $<
plain.o: plain.S
    as -o $@ $<
words.o: words.c
    $C $(CFLAGS) -S $< -o words.s && $C -c words.s
part.o: sub/a.c sub/b.c
    cd sub && $C $(CFLAGS) -c ../sub/a.c -o ../a.o && $C $(CFLAGS) -c b.c -o ../b.o
    ld -r -o left.o a.o && $C -r -nostdlib -o $@ left.o b.o
data.o: typed.txt
    ld -r -b binary -o $@ $<
libhidden.so: hidden.c
    libtool --quiet --tag=CC --mode=compile $C $(CFLAGS) -fvisibility=hidden -c $< -o hidden.lo
    ld -shared -o $@ -soname $@ .libs/hidden.o
sub/libthin.a: sub/thin.c
    cd sub && $C $(CFLAGS) -c thin.c && gcc-ar rcsT libthin.a thin.o && ranlib libthin.a
"""),
    "main.c": """
        #include <stdio.h>
        #include <stdlib.h>
        #define F(x) unsigned x(unsigned);
        F(few) F(one) F(typed) F(texted) F(fast) F(plain) F(words) F(a) F(b) F(hidden) F(thin)
        extern const char _binary_typed_txt_start[];
        int main(int argc, char **argv) {
            unsigned sum = SEED;
            if (argc != 3) return 2;
            for (long i = strtol(argv[1], NULL, 10) * 3000; i > 0; i--)
                sum = few(one(typed(texted(fast(plain(words(a(b(hidden(thin(sum + 1)))))))))));
            printf("%u %.8s\\n", sum, _binary_typed_txt_start);
            return 0;
        }
        """,
    "typed.txt": "unsigned typed(unsigned x) { return x % 3 ? x : x + 2; }\n",
    "hidden.c": '__attribute__((visibility("default")))\n'
                "unsigned hidden(unsigned x) { return x % 3 ? x : x + 7; }\n",
    "fast.s": ".globl fast\nfast: lea 3(%rdi), %eax\nret\n",
    "plain.S": ".globl plain\nplain: lea 5(%rdi), %eax\nret\n",
} | {f"{name}.c": f"unsigned {name.split('/')[-1]}(unsigned x) {{ return x % 5 ? x : x * 3; }}\n"
     for name in ("few", "one", "words", "sub/a", "sub/b", "sub/thin")}  # fmt: skip


def test_whatever_a_build_does_with_its_tools_the_flags_arrive(shared: Project) -> None:
    app = small(shared, "odd", "$(make-build)")
    write(app / "src", ODD)
    said = built_with(shared, "odd", "o2-pgo-thin")
    assert "without the variant's flags" not in said
    assert "left out of the build's own flags: -flto -fprofile-use; the variant" in said
    assert "calls plain gcc-ar ranlib" in said and "has to call llvm-ar" in said
    counted = functions(shared, shared.root / "profiles/odd/pgo.profdata")
    made = {"main", "few", "one", "typed", "texted", "words", "a", "b", "hidden", "thin"}
    assert set(counted) == made
    place = shared.root / "build/odd/o2-pgo-thin"
    assert symbols(shared, place / "odd") >= {"main", "fast", "plain"}
    assert symbols(shared, place / "tree/dest/prog") >= {"main", "fast", "plain"}
    for name in ("main", "few", "one", "typed", "text", "a", "b", ".libs/hidden", "sub/thin"):
        assert (place / f"tree/{name}.o").read_bytes()[:2] == b"BC", name
    last = json.loads((place / "link.json").read_text())[-1]["command"]
    assert "few.o" in last and not [word for word in last if word.startswith("@")]


def symbols(project: Project, binary: Path) -> set[str]:
    done = subprocess.run(
        [LLVM / "llvm-nm", "--format=just-symbols", "--defined-only", binary],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.parametrize("variant, instead", [("gcc-o2", "o2"), ("o2-unity-thin", "o2-thin")])
def test_what_needs_single_sources_is_refused(
    shared: Project, variant: str, instead: str
) -> None:
    if not (shared.root / "apps" / "refused").exists():
        small(shared, "refused")
    said = shared.error("build", "APP=apps/refused", f"VARIANTS={variant}")
    assert "has a build of its own" in said and f"did you mean '{instead}'?" in said


def test_every_technique_works_on_a_tree(shared: Project) -> None:
    small(shared, "all", SPLIT + "$(AR) rcs libs.a step.o && $(CC) -o prog main.o -L. -ls")
    built_with(shared, "all", "o2 o2-full o2-cspgo-thin o2-nopie o2-startup")
    place = shared.root / "build" / "all"
    header = subprocess.run([LLVM / "llvm-readelf", "-h", place / "o2-nopie" / "all"],
                            capture_output=True, text=True, check=True)  # fmt: skip
    assert "EXEC" in header.stdout
    plain, other = (place / v / "layouts/1/all" for v in ("o2", "o2-full"))
    assert plain.read_bytes() != (place / "o2" / "all").read_bytes() and other.is_file()
    (link,) = json.loads((place / "o2-full" / "link.json").read_text())
    assert any("/kept/" in word for word in link["command"]) and "main.o" not in link["command"]
    assert symbols(shared, other) == symbols(shared, place / "o2-full" / "all")


def test_a_committed_profile_of_a_tree_holds_as_long_as_its_files(shared: Project) -> None:
    app = small(shared, "text", SPLIT + "$(AR) rcs libs.a step.o && $(CC) -o prog main.o -L. -ls")
    step = TINY["step.c"].replace("return", "if (*s % 3) ++*s; return")
    write(app / "src", {"step.c": step})
    build = ("build", "APP=apps/text", "VARIANTS=o2-pgo-thin")
    shared.ok("profile-export", *build[1:])
    shared.ok(*build)
    built = shared.root / "build/text/o2-pgo-thin"
    first = (built / "text").read_bytes()
    exact = {"share": 1, "mismatched": [], "missing": []}
    assert json.loads((built / "profile-match.json").read_text()) == exact
    shutil.rmtree(shared.root / "build/text")
    (shared.root / "profiles/text/pgo.profdata").unlink()
    write(app / "src", {"step.c": step})
    said = shared.ok(*build)
    assert "TAKE" in said and "TRAIN" not in said and (built / "text").read_bytes() == first
    changed = step.replace("% 9", "% 9 > 4 ? 2 : *s % 5")
    write(app / "src", {"step.c": changed})
    stale = shared.error(*build, "PROFILE=profiles/text/pgo.proftext")
    assert "fits only" in stale and "step: " in stale and "changed since" in stale
    write(app / "src", {"step.c": changed.replace("step(", "other("),
                        "main.c": TINY["main.c"].replace("step(", "other("),
                        "step.h": "unsigned other(unsigned *s);\n"})  # fmt: skip
    stale = shared.error(*build, "PROFILE=profiles/text/pgo.proftext")
    assert "step: " in stale and "no longer there" in stale
    said = shared.ok(*build)
    assert "is of other sources: training" in said and "TRAIN" in said


def test_bolt_lays_out_the_libraries_of_a_program_too(shared: Project) -> None:
    app = small(shared, "laid", "$(make-build)")
    write(app / "src", SOURCES | MAKE)
    built_with(shared, "laid", "o2-bolt")
    place = shared.root / "build/laid/o2-bolt"
    for where in (place, place / "layouts/1"):
        for name in ("laid", "lib/libshared.so"):
            shown = subprocess.run([LLVM / "llvm-readelf", "-S", "-W", where / name],
                                   capture_output=True, text=True, check=True)  # fmt: skip
            assert ".note.bolt_info" in shown.stdout, where / name
    lines = (shared.root / "profiles/laid/o2-bolt.fdata").read_text().splitlines()
    counted = {line.split("\t")[0] for line in lines if "\t" in line and " shared " in line}
    assert counted == {"libshared.so"}
    static = MAKE["Makefile"].replace("libstep.a libshared.so", "libstep.a lib/shared.o")
    static = static.replace("-lshared -Wl,-rpath,'$$ORIGIN'", "lib/shared.o")
    library = place.with_name("o2") / "lib"
    assert library.exists()
    write(app / "src", {"Makefile": static})
    built_with(shared, "laid", "o2")
    assert not library.exists()


def test_a_program_can_keep_its_own_level(shared: Project) -> None:
    app = small(shared, "own", "$(CC) -O1 -c main.c -o main.o && $(CC) -o prog main.o step.c")
    write(app, {"app.mk": (app / "app.mk").read_text() + "app.level := keep\n"})
    shared.ok("build", "APP=apps/own", "VARIANTS=o2")
    (note,) = (shared.root / "build/own/o2/notes").glob("compile.*")
    assert re.findall(r"\0(-O\w)\0", note.read_bytes().decode()) == ["-O1"]


def test_a_change_of_the_tree_builds_anew_and_nothing_else_does(shared: Project) -> None:
    app = small(shared, "change")
    build = ("build", "APP=apps/change", "VARIANTS=o2")
    assert "BUILD" in shared.ok(*build)
    assert "BUILD" not in shared.ok(*build)
    write(app / "src", {"step.c": TINY["step.c"].replace("% 9", "% 11")})
    assert "BUILD" in shared.ok(*build)


def test_a_build_writes_no_profile_whatever_it_does_with_its_environment(shared: Project) -> None:
    """A helper that runs during the build, with and without the variables it was given."""
    run = "./prog 1 ../../../../apps/stray/train.txt"
    small(shared, "stray", f"{DIRECT} && {run} && env -i {run}")
    shared.ok("train", "APP=apps/stray", "VARIANTS=o2-pgo")
    assert not list((shared.root / "build/stray").glob("*/tree/**/*.profraw"))
    facts = json.loads((shared.root / "profiles/stray/pgo.json").read_text())
    assert facts["workloads"]["one"]["raw_profiles"] == 1


@pytest.mark.parametrize("arguments, wrong", [
    (("APP=apps/refuse",), "'make new' needs SRC="),
    (("SRC=apps",), "'make new' needs APP="),
    (("APP=apps/refuse", "SRC=/nowhere"), "there is no directory '/nowhere'"),
    (("APP=apps/there", "SRC=apps/there/src"), "'apps/there/app.mk' exists already"),
])  # fmt: skip
def test_make_new_refuses_what_it_cannot_do(
    shared: Project, arguments: tuple[str, ...], wrong: str
) -> None:
    if not (shared.root / "apps" / "there").exists():
        small(shared, "there")
    assert wrong in shared.error("new", *arguments)


def test_an_app_cannot_have_the_name_of_a_directory_of_its_build(shared: Project) -> None:
    small(shared, "tree")
    assert "an app cannot be named 'tree'" in shared.error("build", "APP=apps/tree")


def test_make_new_says_what_workloads_are_missing(shared: Project, tmp_path: Path) -> None:
    app = shared.root / "apps" / "fresh"
    shared.ok("new", f"APP={app}", f"SRC={tree_of(tmp_path / 'src', 'make')}")
    assert "has no eval workload" in shared.error("pgo", f"APP={app}")


GUESSES = {
    "find-is-no-linker": ("prog", {"Makefile": tabbed("""\
clean:
    rm -f `find . -name '*.o' -o -name '*.d'`
    genhtml --legend -o report prog.info
tool-1: tool.o
    $(CC) -o $@ $^
prog: prog.o
    $(CC) $(LDFLAGS) $^ -o $@$(EXT)
""")}),
    "named-by-variables": ("src/prog-server", {"src/Makefile": tabbed("""\
SERVER=prog-server$(SUFFIX)
LINKED=$(QUIET)$(CC) $(LDFLAGS)
prog_LD=$(LINKED)
$(SERVER): a.o
    $(prog_LD) -o $@ $^
prog.c: gen
    $(CC) -E -o $@ $^
"""), "Makefile": "all:\n\t$(MAKE) -C src\n"}),
    "installed-ones-first": ("src/prog/prog", {"configure.ac": "", "debug/Makefile.am": (
        "noinst_PROGRAMS = repeat flush\n"), "src/prog/Makefile.am": "bin_PROGRAMS = prog\n",
        "aux/Makefile.am": "noinst_PROGRAMS = gen\n"}),
    "its-namesake-first": ("build-pgolab/main/prog", {
        "CMakeLists.txt": "add_executable(also a.c)\n",
        "main/CMakeLists.txt": "add_executable(prog b.c)\n"}),
    "without-a-name": ("a.out", {"makefile": tabbed("""\
a.out: prog.o $(OFILES)
    $(CC) $(CFLAGS) prog.o $(OFILES) -lm
maketab: maketab.c
    $(HOSTCC) $(CFLAGS) maketab.c -o maketab
""")}),
    "in-a-directory-set-elsewhere": ("programs/prog", {"programs/Makefile": tabbed("""\
ifdef BUILD_DIR
$(BUILD_DIR)/prog: $(OBJ)
    $(CC) $(FLAGS) $^ -o $@$(EXT)
endif
"""), "Makefile": "prog:\n\t$(MAKE) -C programs prog\n"}),
    "built-from-sources-at-once": ("prog", {
        "Makefile": "all: $(SRC)\n\t$(CC) -MMD -MP -o prog $^\n\t$(CC) -MM -o list a.c\n"}),
    "build-files-below-the-top": ("src/prog/main/prog", {
        "README": "", "src/aux/Makefile": "x: x.o\n\t$(CC) -o x x.o\n",
        "my prog/Makefile": "prog: x.o\n\t$(CC) -o prog x.o\n", ".git/configure.ac": "",
        "src/prog/configure.ac": "", "src/prog/main/Makefile.am": "bin_PROGRAMS = prog\n"}),
    "whole-names-only": ("build-pgolab/prog", {
        "meson.build": "executable('part-' + name, 'a.c')\nexecutable('prog', 'b.c')\n"}),
}  # fmt: skip


def test_a_configure_of_its_own_runs_before_make(shared: Project, tmp_path: Path) -> None:
    for number, file in enumerate(("configure", "auto/configure")):
        tree = tmp_path / f"prog-{number}"
        write(tree, {file: "", "Makefile": "prog:\n\t$(CC) -o prog prog.c\n"})
        shared.ok("new", f"APP={tmp_path}/{number}", f"SRC={tree}")
        text = (tmp_path / f"{number}/app.mk").read_text()
        assert f"app.build   = ./{file} && $(make-build)\n# app.build = $(make-build)" in text


@pytest.mark.parametrize("shape", GUESSES)
def test_make_new_finds_the_program_among_what_a_tree_builds(
    shared: Project, tmp_path: Path, shape: str
) -> None:
    program, files = GUESSES[shape]
    write(tmp_path / "prog-1.2", files)
    shared.ok("new", f"APP={tmp_path}/exp", f"SRC={tmp_path}/prog-1.2")
    text = (tmp_path / "exp/app.mk").read_text()
    (guess,) = re.findall(r"(?m)^app\.binary := (.*)$", text)
    assert guess == program, text
    assert ("app.build   = cd src/prog && $(autotools-build)\n" in text) == ("README" in files)
    own_target = re.search(r"^prog\b.*:", files.get("Makefile", ""), re.MULTILINE)
    assert ("# app.build = $(make-build) prog    # the program alone" in text) == bool(own_target)
    listed = re.findall(r"(?m)^# app\.binary := (.*)$", text)
    assert not {"report", "-name", "prog.c", "list", "build-pgolab/part-"} & set(listed)
