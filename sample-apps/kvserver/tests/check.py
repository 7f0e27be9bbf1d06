"""Compare kvserver with redis-server: replies, through redis-cli and raw, and throughput.

Prints what it has checked; the exit status is 1 if a reply differs or the throughput of a command
is below 0.8 times that of redis-server. All servers listen on 127.0.0.1, on free ports.
"""

import argparse
import csv
import os
import random
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from resp import Client, Reply, Server, pack
from test_kvserver import BROKEN, DIALOGUES, INLINE, MIXES, find_compiler

PACKAGES = ["redis-server", "redis-tools"]
APP = Path(__file__).resolve().parent.parent
LEAST_RATIO = 0.8
SEQUENCES = 400

# Requests whose replies differ on purpose: cursors have no sign, and the ends of lengths and of
# bulk strings are checked.
DIFFERENT = ("SCAN -1",)
DIFFERENT_BYTES = (b"*1048577", b"*" + b"1" * 40, b"*1\rx", b"*1\r\n$4\r\nPINGPONG")


@contextmanager
def redis() -> Iterator[int]:
    """A redis-server without persistence; its port."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        options = f"--port {port} --bind 127.0.0.1 --databases 1 --appendonly no --save".split()
        process = subprocess.Popen(
            ["redis-server", *options, ""], cwd=directory, stdout=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError("redis-server does not answer")


def unordered(words: Sequence[str], reply: Reply) -> Reply:
    """A reply with what may come in any order sorted."""
    if not isinstance(reply, list):
        return reply
    command = words[0].upper()
    if command == "HGETALL":
        pairs = sorted(zip(reply[::2], reply[1::2]), key=repr)
        return [item for pair in pairs for item in pair]
    if command == "SCAN" and isinstance(reply[1], list):
        return [reply[0], sorted(reply[1], key=repr)]
    return sorted(reply, key=repr) if command == "KEYS" else reply


class Comparison:
    """Counts requests and tells which got different replies."""

    def __init__(self) -> None:
        self.requests = 0
        self.differences = 0

    def check(self, request: object, ours: object, theirs: object) -> None:
        self.requests += 1
        if ours != theirs:
            self.differences += 1
            print(f"  different: {request!r}\n    kvserver: {ours!r}\n    redis:    {theirs!r}")

    def summary(self, what: str, more: str = "") -> bool:
        print(f"{what}: {self.requests} replies{more}, {self.differences} different")
        return self.differences == 0


def dialogues() -> list[list[str]]:
    return [
        [request for request, _ in dialogue if not request.startswith(DIFFERENT)]
        for dialogue in DIALOGUES.values()
    ]


def compare_dialogues(ports: tuple[int, int]) -> bool:
    comparison = Comparison()
    with Client(ports[0]) as ours, Client(ports[1]) as theirs:
        for requests in dialogues():
            for request in ["FLUSHALL", *requests]:
                words = shlex.split(request)
                replies = [unordered(words, client.call(*words)) for client in (ours, theirs)]
                comparison.check(request, *replies)
    return comparison.summary("dialogues")


def compare_redis_cli(ports: tuple[int, int]) -> bool:
    """What redis-cli prints, request by request."""
    comparison = Comparison()
    for requests in dialogues():
        lines = ["FLUSHALL", *(request.replace("'", '"') for request in requests)]
        # Without those that reply in any order.
        lines = [line for line in lines if not line.startswith(("HGETALL", "KEYS"))]
        script = "".join(f"{line}\nECHO ----\n" for line in lines)
        printed = [
            subprocess.run(
                ["redis-cli", "-p", str(port)], input=script, capture_output=True, text=True
            ).stdout.split("----\n")
            for port in ports
        ]
        assert len(printed[0]) == len(lines) + 1, printed[0]
        for line, ours, theirs in zip(lines, *printed):
            comparison.check(line, ours, theirs)
    return comparison.summary("redis-cli")


def random_request(dice: random.Random) -> list[str]:
    key, other = (f"k{dice.randrange(8)}" for _ in range(2))
    field = f"f{dice.randrange(4)}"
    value = dice.choice(["0", "7", "-3", "abc", "", "9223372036854775807", "x" * 100, "1e3"])
    index = [str(dice.randrange(-6, 7)) for _ in range(2)]
    return dice.choice([
        ["GET", key], ["SET", key, value], ["SET", key, value, "NX"], ["SET", key, value, "XX"],
        ["SET", key, value, "EX", index[0] + "00"], ["SET", key, value, "XX", "PX", "100000"],
        ["DEL", key, other], ["EXISTS", key, other, key], ["INCR", key], ["DECR", key],
        ["INCRBY", key, value],
        ["MGET", key, other], ["MSET", key, value, other, value], ["TYPE", key], ["DBSIZE"],
        ["LPUSH", key, value, field], ["RPUSH", key, field, value], ["LPOP", key], ["RPOP", key],
        ["LRANGE", key, *index], ["LLEN", key],
        ["LPUSH", key, *(str(i) * i for i in range(20))], ["LRANGE", key, "0", "-1"],
        ["HSET", key, field, value], ["HSET", key, field, value, "f9", "1"], ["HGET", key, field],
        ["HDEL", key, field, "f9"], ["HGETALL", key], ["HLEN", key], ["TTL", key],
        ["EXPIRE", key, index[0] + "00"], ["PEXPIRE", key, "1000000"], ["PERSIST", key],
        ["KEYS", "k[0-3]"], ["KEYS", "*" + index[0]], ["SCAN", "0", "COUNT", "1000"],
        ["SCAN", "0", "COUNT", "1000", "MATCH", "?[^3]"],
    ])


def compare_random(ports: tuple[int, int]) -> bool:
    comparison = Comparison()
    with Client(ports[0]) as ours, Client(ports[1]) as theirs:
        for seed in range(SEQUENCES):
            dice = random.Random(seed)
            requests = [["FLUSHALL"]] + [random_request(dice) for _ in range(60)]
            replies = zip(requests, ours.pipeline(requests), theirs.pipeline(requests))
            for words, mine, other in replies:
                comparison.check(words, unordered(words, mine), unordered(words, other))
    return comparison.summary("random sequences", f" of {SEQUENCES} sequences")


def bytes_until_end(port: int, data: bytes) -> bytes:
    with Client(port) as client:
        client.send(data)
        return client.rest()


def compare_bytes(ports: tuple[int, int]) -> bool:
    comparison = Comparison()
    for data in [line for line, _ in INLINE] + [data for data, _ in BROKEN]:
        if not data.startswith(DIFFERENT_BYTES):
            sent = b"PING\r\n" + data + (b"" if len(data) > 60000 else b"\r\n" + pack("QUIT"))
            comparison.check(data[:80], *(bytes_until_end(port, sent) for port in ports))
    return comparison.summary("inline and broken requests")


def compare_mixes(load: Path, ports: tuple[int, int]) -> bool:
    """kvload's digest of all replies to a mix is the same."""
    comparison = Comparison()
    for mix in MIXES:
        command = [str(load), "--mix", mix, "--requests", "20000", "--pipeline", "50"]
        printed = []
        for port in ports:
            with Client(port) as client:
                client.call("FLUSHALL")
            printed.append(subprocess.run(
                [*command, "--port", str(port)], capture_output=True, text=True, check=True).stdout)
        comparison.check(mix, *printed)
    return comparison.summary("kvload", " of mixes of 20000 requests (digests)")


# Names of redis-benchmark: how many requests at -P 16 and at -P 1.
BENCHMARKS = {
    "set": (300_000, 40_000),
    "get": (300_000, 40_000),
    "incr": (300_000, 40_000),
    "lpush": (300_000, 40_000),
    "rpush": (300_000, 40_000),
    "lpop": (300_000, 40_000),
    "rpop": (300_000, 40_000),
    "hset": (300_000, 40_000),
    "mset": (100_000, 30_000),
    "lrange_100": (40_000, 20_000),
    "lrange_300": (15_000, 10_000),
}


def benchmark(port: int, name: str, requests: int, depth: int) -> float:
    """Requests per second."""
    with Client(port) as client:
        client.call("FLUSHALL")
    command = ["redis-benchmark", "-p", str(port), "-t", name, "-n", str(requests), "--csv"]
    done = subprocess.run(
        [*command, "-P", str(depth)], capture_output=True, text=True, check=True)
    rows = [row for row in csv.reader(done.stdout.splitlines()) if row]
    return float(rows[-1][1])


def compare_speed(ports: tuple[int, int], rounds: int) -> bool:
    good = True
    print(f"throughput of kvserver / redis-server, ratio of medians of {rounds} interleaved runs")
    for name, counts in BENCHMARKS.items():
        medians = []
        for depth, requests in zip((16, 1), counts):
            speeds: dict[int, list[float]] = {port: [] for port in ports}
            for i in range(rounds):
                for port in ports if i % 2 == 0 else ports[::-1]:
                    speeds[port].append(benchmark(port, name, requests, depth))
            ours, theirs = (statistics.median(speeds[port]) for port in ports)
            medians.append(ours / theirs)
        slow = min(medians) < LEAST_RATIO
        good &= not slow
        print(f"  {name:12}-P 16: {medians[0]:5.2f}   -P 1: {medians[1]:5.2f}"
              + (f"   BELOW {LEAST_RATIO}" if slow else ""), flush=True)
    return good


def build(directory: Path, name: str, sources: list[Path]) -> Path:
    command: list[str | Path] = [find_compiler(), "-std=c11", "-O2", "-o", directory / name]
    subprocess.run(command + list(sources), check=True)
    return directory / name


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each benchmark (default: 5)")
    args = parser.parse_args(argv)
    missing = [tool for tool in ("redis-server", "redis-cli", "redis-benchmark")
               if shutil.which(tool) is None]
    if missing:
        print(f"missing {' '.join(missing)}: apt-get install {' '.join(PACKAGES)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        program = build(directory, "kvserver", sorted(APP.glob("*.c")))
        load = build(directory, "kvload", sorted((APP / "load").glob("*.c")))
        with Server(program) as server, redis() as redis_port:
            ports = server.port, redis_port
            checks: list[Callable[[tuple[int, int]], bool]] = [
                compare_dialogues, compare_redis_cli, compare_random, compare_bytes,
                lambda ports: compare_mixes(load, ports),
                lambda ports: compare_speed(ports, args.rounds)]
            results = [check(ports) for check in checks]
    print("passed" if all(results) else "FAILED")
    return 0 if all(results) else 1


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main(sys.argv[1:]))
