"""What surrounds a workload: input, environment, directory, set-up, servers; and advice."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, Project

SERVE = ROOT / "scripts" / "serve"
REPORT = ("report", "VARIANTS=o2-pgo", "LAYOUTS=1", "BUDGET=1s", "PRECISION=50%")

SUMS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) static unsigned plus(unsigned a, unsigned b) { return a + b % 7; }
__attribute__((noinline)) static unsigned times(unsigned a, unsigned b) { return a * (b | 1); }

int main(int argc, char **argv) {
    char where[4096], text[16] = "", held[16] = "";
    const char *factor = getenv("FACTOR");
    FILE *file = fopen("made.txt", "r");
    if (argc != 2 || !factor || !file) return 3;
    if (!fgets(held, 16, file) || !fgets(text, 16, stdin)) return 3;
    if (!getcwd(where, sizeof where) || strcmp(strrchr(where, '/'), "/work") != 0) return 4;
    unsigned sum = 0, add = strchr(text, '+') != NULL;
    for (unsigned i = 0; i < 30000u * (unsigned)atoi(factor); i++)
        sum = add ? plus(sum, i) : times(sum, i);
    printf("%u %s\npid %d\n", sum, held, (int)getpid());
    return atoi(argv[1]);
}
"""
MANIFEST = """\
app.about     := sums
app.sources   := $(app.dir)/sums.c
app.cflags    := -std=gnu11
app.normalize := sed /^pid/d

train.one         = $(BIN) 0
train.one.input   = $(app.dir)/train.txt
train.one.env     = FACTOR=2 'OTHER=a b'
train.one.dir     = work
train.one.setup   = sh -c 'mkdir work; echo held >work/made.txt'
train.one.cleanup = rm -r work

eval.two         = $(BIN) 0
eval.two.input   = $(app.dir)/eval.txt
eval.two.env     = FACTOR=3
eval.two.dir     = work
eval.two.setup   = sh -c 'mkdir work; echo held >work/made.txt'
eval.two.cleanup = rm -r work
"""


def app_of(project: Project, name: str, manifest: str = MANIFEST) -> Path:
    app = project.root / "apps" / name
    app.mkdir(parents=True)
    for file, text in {"sums.c": SUMS, "app.mk": manifest, "train.txt": "+1\n",
                       "eval.txt": "*2\n"}.items():  # fmt: skip
        (app / file).write_text(text)
    return app


def test_a_workload_has_input_environment_directory_setup_and_cleanup(shared: Project) -> None:
    app_of(shared, "sums")
    said = shared.ok(*REPORT, "APP=apps/sums")
    run = json.loads((shared.root / "results/latest/run.json").read_text())
    found = run["apps"]["sums"]["profiles"]["pgo"]["resemblance"]
    assert found["overlap"] < 0.5
    assert [name.split(";")[-1] for name in found["left_out"]] == ["times"]
    advice = " ".join(run["apps"]["sums"]["advice"])
    assert "is hardly trained: times (" in advice and "resemble the eval workloads by" in advice
    assert "hardly trained" in " ".join(said.split()) or "too noisy" in said


def test_train_workloads_that_resemble_eval_need_no_advice(shared: Project) -> None:
    app = app_of(shared, "alike")
    (app / "eval.txt").write_text("+2\n")
    shared.ok("measure", "VARIANTS=o2-pgo", "LAYOUTS=1", "BUDGET=1s", "APP=apps/alike")
    run = json.loads((shared.root / "results/latest/run.json").read_text())
    found = run["apps"]["alike"]["profiles"]["pgo"]["resemblance"]
    assert found["overlap"] > 0.9 and found["left_out"] == {} and found["advice"] == []


@pytest.mark.parametrize("old, new, wrong", [
    ("eval.two.env     = FACTOR=3", "eval.two.env = FACTOR", "eval.two.env has the word 'FACTOR'"),
    ("eval.two.dir     = work", "eval.two.dir = ../work", "eval.two.dir is '../work'"),
    ("eval.two.cleanup = rm", "eval.two.cleanup = $(BIN)", "eval.two.cleanup runs $(BIN)"),
    ("eval.two.input", "eval.two.inputs", "unknown key 'eval.two.inputs'"),
    ("eval.txt\n", "train.txt\n", "'eval.two' and 'train.one' are the same command"),
    ("sh -c 'mkdir", "sh -c 'exit 5; mkdir", "set-up of 'train.one' of wrong ended with status 5"),
    ("sed /^pid/d", "false", "app.normalize of wrong ended with status 1"),
    ("app.normalize := sed /^pid/d", "", "gives another output each time"),
])  # fmt: skip
def test_what_makes_no_sense_is_explained(shared: Project, old: str, new: str, wrong: str) -> None:
    assert old in MANIFEST
    app = app_of(shared, "wrong", MANIFEST.replace(old, new))
    try:
        assert wrong in shared.error("verify", "VARIANTS=o3", "LAYOUTS=1", "APP=apps/wrong")
    finally:
        for file in app.iterdir():
            file.unlink()
        app.rmdir()


SERVER = """
import signal, socketserver, sys, threading
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline().upper())
if sys.argv[1] == "unix":
    server = socketserver.UnixStreamServer(sys.argv[2], Echo)
else:
    socketserver.TCPServer.allow_reuse_address = True
    server = socketserver.TCPServer(("127.0.0.1", int(sys.argv[2])), Echo)
stop = lambda *_: threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
server.serve_forever()
open("ended", "w")
sys.exit(int(sys.argv[3]))
"""
CLIENT = """
import socket, sys
kind, where = sys.argv[1:]
one = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
one.connect(where if kind == "unix" else ("127.0.0.1", int(where)))
one.sendall(b"hello\\n")
print(one.makefile().readline(), end="")
"""


def serve(where: Path, ready: str, kind: str, place: str, status: int = 0,
          client: str = CLIENT) -> subprocess.CompletedProcess[str]:  # fmt: skip
    (where / "server.py").write_text(SERVER)
    (where / "client.py").write_text(client)
    python = "/usr/bin/python3"
    return subprocess.run(
        [SERVE, ready, python, "server.py", kind, place, str(status), "--", python, "client.py",
         kind, place],
        cwd=where, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def free_port() -> str:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.mark.parametrize("ready", ["line", "file:socket", "port:"])
def test_serve_drives_a_server_and_stops_it(tmp_path: Path, ready: str) -> None:
    port = free_port()
    kind, place = ("tcp", port) if ready == "port:" else ("unix", "socket")
    done = serve(tmp_path, ready + port if ready == "port:" else ready, kind, place)
    assert (done.returncode, done.stdout) == (0, "HELLO\n"), done.stderr
    assert (tmp_path / "ended").exists()


def test_runs_that_use_one_port_take_turns(tmp_path: Path) -> None:
    port = free_port()
    places = [tmp_path / "one", tmp_path / "other"]
    for place in places:
        place.mkdir()
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda place: serve(place, f"port:{port}", "tcp", port), places))
    assert [(done.returncode, done.stdout) for done in runs] == [(0, "HELLO\n")] * 2, runs


def test_what_a_client_leaves_behind_does_not_hold_the_port(tmp_path: Path) -> None:
    port = free_port()
    leaving = "import subprocess\nsubprocess.Popen(['sleep', '40'], stdout=-3, stderr=-3)\n"
    for _ in range(2):
        done = serve(tmp_path, f"port:{port}", "tcp", port, client=leaving + CLIENT)
        assert (done.returncode, done.stdout) == (0, "HELLO\n"), done.stderr


def test_serve_has_the_status_of_the_client_or_of_the_server(tmp_path: Path) -> None:
    assert serve(tmp_path, "line", "unix", "a", client="raise SystemExit(7)").returncode == 7
    assert serve(tmp_path, "line", "unix", "b", status=9).returncode == 9


@pytest.mark.parametrize("command, wrong", [
    (["line", "false", "--", "true"], "the server 'false' ended before it was ready"),
    (["file:x", "false", "--", "true"], "the server 'false' ended before it was ready"),
    (["soon", "true", "--", "true"], "'serve' does not know 'soon'"),
    (["line", "true"], "'serve' lacks a server or a client"),
    (["file:/tmp", "true", "--", "true"], "'file:/tmp' is there before the server"),
])  # fmt: skip
def test_serve_explains_what_is_wrong(tmp_path: Path, command: list[str], wrong: str) -> None:
    done = subprocess.run([SERVE, *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"pgolab: {wrong}") and "hint: " in done.stderr
