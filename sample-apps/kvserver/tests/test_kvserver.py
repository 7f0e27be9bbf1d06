"""Tests of kvserver, seen through its sockets, and of its load generator kvload."""

import contextlib
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from resp import Client, Reply, Server, cut, pack

APP = Path(__file__).resolve().parent.parent
WARNINGS = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
SANITIZE = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all".split()
WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INTEGER = "-ERR value is not an integer or out of range"
SYNTAX = "-ERR syntax error"


def find_compiler() -> str:
    installed = sorted(Path("/usr/lib").glob("llvm-*/bin/clang"), key=lambda p: p.parts[3])
    found = os.environ.get("CLANG") or (str(installed[-1]) if installed else None)
    assert found is not None, "no clang: set CLANG"
    return found


def compile_all(directory: Path, sources: list[Path], flags: list[str]) -> list[Path]:
    """The objects, compiled two at a time."""

    def compile_one(source: Path) -> Path:
        target = directory / f"{source.parent.name}-{source.stem}.o"
        subprocess.run([find_compiler(), *WARNINGS, *flags, "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compile_one, sources))


def link(output: Path, objects: list[Path], flags: list[str]) -> Path:
    subprocess.run([find_compiler(), *flags, *objects, "-o", output], check=True)
    return output


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The objects of the server without its main()."""
    sources = sorted(source for source in APP.glob("*.c") if source.name != "main.c")
    return compile_all(tmp_path_factory.mktemp("modules"), sources, SANITIZE)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory, modules: list[Path]) -> Path:
    directory = tmp_path_factory.mktemp("server")
    objects = compile_all(directory, [APP / "main.c"], SANITIZE)
    return link(directory / "kvserver", objects + modules, SANITIZE)


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("load")
    objects = compile_all(directory, sorted((APP / "load").glob("*.c")), SANITIZE)
    return link(directory / "kvload", objects, SANITIZE)


@pytest.fixture(scope="session")
def unit(tmp_path_factory: pytest.TempPathFactory, modules: list[Path]) -> Path:
    directory = tmp_path_factory.mktemp("unit")
    sources = [APP / "tests/unit.c", APP / "load/histogram.c"]
    return link(directory / "unit", compile_all(directory, sources, SANITIZE) + modules, SANITIZE)


@pytest.fixture(scope="session")
def shared(program: Path) -> Iterator[Server]:
    with Server(program) as server:
        yield server


@pytest.fixture
def client(shared: Server) -> Iterator[Client]:
    """A connection to a server without keys."""
    with shared.client() as connection:
        assert connection.call("FLUSHALL") == "+OK"
        yield connection


# Each line is a request and its reply; each group begins without keys.
DIALOGUES: dict[str, list[tuple[str, Reply]]] = {
    "strings": [
        ("GET a", None),
        ("SET a 1", "+OK"),
        ("GET a", b"1"),
        ("set a 'two words'", "+OK"),
        ("GeT a", b"two words"),
        ("SET a ''", "+OK"),
        ("GET a", b""),
        ("MSET a 1 b 2 c 3 a 4", "+OK"),
        ("MGET a none b c", [b"4", None, b"2", b"3"]),
    ],
    "SET with options": [
        ("SET a 1 XX", None),
        ("GET a", None),
        ("SET a 1 NX", "+OK"),
        ("SET a 2 NX", None),
        ("SET a 3 xx", "+OK"),
        ("GET a", b"3"),
        ("SET a 1 EX 100", "+OK"),
        ("TTL a", 100),
        ("SET a 2", "+OK"),
        ("TTL a", -1),
        ("SET a 1 PX 100000 XX", "+OK"),
        ("TTL a", 100),
        ("MSET a 1", "+OK"),
        ("TTL a", -1),
        ("SET a 1 NX XX", SYNTAX),
        ("SET a 1 EX", SYNTAX),
        ("SET a 1 EX 1 PX 1", SYNTAX),
        ("SET a 1 WHAT", SYNTAX),
        ("SET a 1 WHAT 1", SYNTAX),
        ("SET a 1 EX x", NOT_INTEGER),
        ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command"),
        ("SET a 1 PX -5", "-ERR invalid expire time in 'set' command"),
        ("SET a 1 EX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("GET a", b"1"),
    ],
    "counters": [
        ("INCR n", 1),
        ("INCRBY n 41", 42),
        ("EXPIRE n 100", 1),
        ("GET n", b"42"),
        ("DECR n", 41),
        ("TTL n", 100),
        ("INCRBY n -50", -9),
        ("MGET n none", [b"-9", None]),
        ("TYPE n", "+string"),
        ("SET n 9223372036854775806", "+OK"),
        ("INCR n", 9223372036854775807),
        ("INCR n", "-ERR increment or decrement would overflow"),
        ("GET n", b"9223372036854775807"),
        ("SET n -9223372036854775808", "+OK"),
        ("DECR n", "-ERR increment or decrement would overflow"),
        ("INCRBY n -1", "-ERR increment or decrement would overflow"),
        ("INCRBY n 9223372036854775808", NOT_INTEGER),
        ("SET n abc", "+OK"),
        ("INCR n", NOT_INTEGER),
        ("SET n 007", "+OK"),
        ("INCR n", NOT_INTEGER),
        ("SET n ' 7'", "+OK"),
        ("INCR n", NOT_INTEGER),
        ("SET n -0", "+OK"),
        ("INCR n", NOT_INTEGER),
        ("SET n ''", "+OK"),
        ("INCR n", NOT_INTEGER),
        ("INCRBY n 1.5", NOT_INTEGER),
    ],
    "keys": [
        ("MSET a 1 b 2 c 3", "+OK"),
        ("EXISTS a b a none", 3),
        ("DEL a none c", 2),
        ("DBSIZE", 1),
        ("TYPE b", "+string"),
        ("TYPE none", "+none"),
        ("EXPIRE none 10", 0),
        ("TTL none", -2),
        ("PTTL none", -2),
        ("PTTL b", -1),
        ("PERSIST b", 0),
        ("EXPIRE b 10", 1),
        ("TTL b", 10),
        ("PERSIST b", 1),
        ("TTL b", -1),
        ("PERSIST none", 0),
        ("EXPIRE b 10.5", NOT_INTEGER),
        ("EXPIRE b 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("PEXPIRE b 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
        ("EXPIRE b -1", 1),
        ("EXISTS b", 0),
        ("SET b 1", "+OK"),
        ("PEXPIRE b 0", 1),
        ("GET b", None),
        ("SET b 1", "+OK"),
        ("FLUSHALL", "+OK"),
        ("DBSIZE", 0),
        ("KEYS *", []),
        ("SCAN 0", [b"0", []]),
        ("SCAN 12345", [b"0", []]),
        ("SCAN x", "-ERR invalid cursor"),
        ("SCAN -1", "-ERR invalid cursor"),
        ("SCAN 0 COUNT 0", SYNTAX),
        ("SCAN 0 COUNT x", NOT_INTEGER),
        ("SCAN 0 MATCH", SYNTAX),
        ("SCAN 0 WHAT 1", SYNTAX),
    ],
    "lists": [
        ("LPUSH l a b c", 3),
        ("RPUSH l d", 4),
        ("LRANGE l 0 -1", [b"c", b"b", b"a", b"d"]),
        ("LRANGE l 1 2", [b"b", b"a"]),
        ("LRANGE l -2 100", [b"a", b"d"]),
        ("LRANGE l -100 0", [b"c"]),
        ("LRANGE l 2 1", []),
        ("LRANGE l 4 9", []),
        ("LRANGE l 0 -5", []),
        ("LRANGE none 0 -1", []),
        ("LRANGE l x 1", NOT_INTEGER),
        ("LLEN l", 4),
        ("LLEN none", 0),
        ("LPOP l", b"c"),
        ("RPOP l", b"d"),
        ("LPOP l", b"b"),
        ("RPOP l", b"a"),
        ("EXISTS l", 0),
        ("LPOP l", None),
        ("RPUSH l '' x", 2),
        ("RPOP l", b"x"),
        ("LPOP l", b""),
    ],
    "hashes": [
        ("HSET h f 1 g 2 f 3", 2),
        ("HSET h f 4 i 5", 1),
        ("HGET h f", b"4"),
        ("HGET h none", None),
        ("HGET none f", None),
        ("HLEN h", 3),
        ("HLEN none", 0),
        ("HDEL h g none g", 1),
        ("HDEL none g", 0),
        ("HDEL h i", 1),
        ("HGETALL h", [b"f", b"4"]),
        ("HGETALL none", []),
        ("TYPE h", "+hash"),
        ("HDEL h f", 1),
        ("TYPE h", "+none"),
        ("HSET h f", "-ERR wrong number of arguments for 'hset' command"),
        ("HSET h f 1 g", "-ERR wrong number of arguments for 'hset' command"),
        ("DBSIZE", 0),
    ],
    "keys of another kind": [
        ("SET s 1", "+OK"),
        ("RPUSH l 1", 1),
        ("HSET h f 1", 1),
        ("GET l", WRONG_TYPE),
        ("INCR h", WRONG_TYPE),
        ("LPUSH s 1", WRONG_TYPE),
        ("RPUSH h 1", WRONG_TYPE),
        ("LPOP s", WRONG_TYPE),
        ("LLEN s", WRONG_TYPE),
        ("LRANGE h 0 1", WRONG_TYPE),
        ("HSET s f 1", WRONG_TYPE),
        ("HGET l f", WRONG_TYPE),
        ("HDEL s f", WRONG_TYPE),
        ("HLEN l", WRONG_TYPE),
        ("HGETALL s", WRONG_TYPE),
        ("MGET s l h", [b"1", None, None]),
        ("SET l 1", "+OK"),
        ("GET l", b"1"),
        ("TYPE h", "+hash"),
    ],
    "connection": [
        ("PING", "+PONG"),
        ("PING hello", b"hello"),
        ("ECHO ''", b""),
    ],
    "requests that are wrong": [
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("GeT a b", "-ERR wrong number of arguments for 'get' command"),
        ("MSET a", "-ERR wrong number of arguments for 'mset' command"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("EXPIRE a", "-ERR wrong number of arguments for 'expire' command"),
        ("WHAT", "-ERR unknown command 'WHAT', with args beginning with: "),
        ("WHAT a 'b c'", "-ERR unknown command 'WHAT', with args beginning with: 'a' 'b c' "),
        ("GETTTTTTTTTT", "-ERR unknown command 'GETTTTTTTTTT', with args beginning with: "),
        ("''", "-ERR unknown command '', with args beginning with: "),
    ],
}


@pytest.mark.parametrize("topic", DIALOGUES)
def test_commands_reply_as_expected(client: Client, topic: str) -> None:
    for request, reply in DIALOGUES[topic]:
        assert client.call(*shlex.split(request)) == reply, request


def test_every_command_is_in_a_dialogue() -> None:
    table = (APP / "command.c").read_text()
    names = set(re.findall(r'\{"([a-z]+)", command_', table))
    elsewhere = {"info", "quit"}
    said = {request.split()[0].lower() for topic in DIALOGUES.values() for request, _ in topic}
    assert len(names) == 34 and names - said == elsewhere


INLINE: list[tuple[bytes, Reply]] = [
    (b"PING\r\n", "+PONG"),
    (b"  echo   hello \n", b"hello"),
    (b"\r\n\n*0\r\n*-1\r\nPING\r\n", "+PONG"),
]


@pytest.mark.parametrize("line, reply", INLINE)
def test_lines_are_requests_too(client: Client, line: bytes, reply: Reply) -> None:
    client.send(line)
    assert client.read() == reply


BROKEN: list[tuple[bytes, str]] = [
    (b"*x\r\n", "invalid multibulk length"),
    (b"*1048577\r\n", "invalid multibulk length"),
    (b"*" + b"1" * 40, "invalid multibulk length"),
    (b"*1\rx", "invalid multibulk length"),
    (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$x\r\n", "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
    (b"*1\r\n$4\r\nPINGPONG\r\n", "bulk is longer than its length"),
    (b"x" * 70000, "too big inline request"),
]


@pytest.mark.parametrize("data, error", BROKEN)
def test_after_a_broken_request_the_connection_ends(
    client: Client, data: bytes, error: str
) -> None:
    client.send(b"PING\r\n" + data)
    assert client.rest() == f"+PONG\r\n-ERR Protocol error: {error}\r\n".encode()


def test_replies_do_not_depend_on_how_requests_arrive(client: Client) -> None:
    dice = random.Random(1)
    requests = [("SET", f"k{i}", "x" * dice.randrange(400)) for i in range(60)]
    data = b"".join(pack(*words) + pack("GET", words[1]) for words in requests)
    data += b"ECHO inline\r\n" + pack("QUIT")
    expected = b"".join(
        b"+OK\r\n$%d\r\n%s\r\n" % (len(words[2]), words[2].encode()) for words in requests)
    for piece in cut(data, dice, 40):
        client.send(piece)
    assert client.rest() == expected + b"$6\r\ninline\r\n+OK\r\n"


def test_a_large_value_arrives_whole(client: Client) -> None:
    value = random.Random(2).randbytes(5_000_000)
    assert client.call("SET", "large", value) == "+OK"
    assert client.call("GET", "large") == value
    assert client.call("RPUSH", "list", value, "small", value) == 3
    assert client.call("LRANGE", "list", -2, -1) == [b"small", value]


def test_a_request_may_have_many_arguments(client: Client) -> None:
    words = [str(i) for i in range(100_000)]
    assert client.call("RPUSH", "l", *words) == len(words)
    assert client.call("LRANGE", "l", 0, -1) == [w.encode() for w in words]


def test_what_a_client_sent_before_closing_is_executed(shared: Server, client: Client) -> None:
    with shared.client() as other:
        other.send(pack("SET", "a", "1") + pack("GET", "a"))
        other.socket.shutdown(socket.SHUT_WR)
        assert other.rest() == b"+OK\r\n$1\r\n1\r\n"
    assert client.call("GET", "a") == b"1"


def test_a_key_is_gone_when_its_time_is_over(client: Client) -> None:
    assert client.call("SET", "short", "1", "PX", 40) == "+OK"
    assert client.call("SET", "long", "1", "EX", 1000) == "+OK"
    left = client.call("PTTL", "short")
    assert isinstance(left, int) and left <= 40
    time.sleep(0.05)
    requests = [["GET", "short"], ["TTL", "short"], ["KEYS", "*"], ["GET", "long"]]
    assert client.pipeline(requests) == [None, -2, [b"long"], b"1"]


def test_keys_expire_though_nobody_asks_for_them(client: Client) -> None:
    before = int(client.info("stats")["expired_keys"])
    times_ms = [1 + i // 20 for i in range(3000)]
    random.Random(3).shuffle(times_ms)
    client.pipeline([["SET", f"k{i}", "x", "PX", time_ms] for i, time_ms in enumerate(times_ms)])
    client.pipeline([["SET", f"k{i}", "x"] for i in range(0, 3000, 3)])
    while not client.info("keyspace")["db0"].endswith("expires=0"):
        time.sleep(0.01)
    size = client.call("DBSIZE")
    expired = int(client.info("stats")["expired_keys"]) - before
    # Those set again are there; a few may have expired before they were.
    assert size == 1000 and 2000 <= expired <= 3000


def test_an_expired_key_is_not_seen_before_it_is_removed(shared: Server, client: Client) -> None:
    names = ["a", "b", "c", "d"]
    client.pipeline([["SET", name, 41] for name in names])
    client.pipeline([["PEXPIRE", name, 50] for name in names])
    requests: list[list[str]] = [
        ["KEYS", "*"], ["SCAN", "0"], ["GET", "a"], ["INCR", "b"], ["TTL", "b"],
        ["EXISTS", "c"], ["SET", "d", "1", "XX"]]
    shared.process.send_signal(signal.SIGSTOP)
    client.send(b"".join(pack(*words) for words in requests))
    time.sleep(0.06)
    shared.process.send_signal(signal.SIGCONT)
    assert [client.read() for _ in requests] == [[], [b"0", []], None, 1, -1, 0, None]


def test_an_expired_key_has_no_kind_any_more(client: Client) -> None:
    client.call("RPUSH", "a", "x")
    client.call("PEXPIRE", "a", 1)
    time.sleep(0.005)
    requests = [["INCR", "a"], ["TYPE", "a"], ["TTL", "a"]]
    assert client.pipeline(requests) == [1, "+string", -1]


@pytest.mark.parametrize("pattern, matching", [
    ("*", "a ab abc b* [x] hallo hello hxllo"),
    ("a", "a"),
    ("a*", "a ab abc"),
    ("*b*", "ab abc b*"),
    ("a?c", "abc"),
    ("?", "a"),
    ("b\\*", "b*"),
    ("h[ae]llo", "hallo hello"),
    ("h[^e]llo", "hallo hxllo"),
    ("h[a-e]llo", "hallo hello"),
    ("h[e-a]llo", "hallo hello"),
    ("\\[x\\]", "[x]"),
    ("*l*l*", "hallo hello hxllo"),
    ("h*lo*o", ""),
    ("[", ""),
    ("", ""),
])
def test_patterns_match_keys(client: Client, pattern: str, matching: str) -> None:
    names = "a ab abc b* [x] hallo hello hxllo".split()
    client.call("MSET", *(word for name in names for word in (name, "1")))
    found = client.call("KEYS", pattern)
    assert isinstance(found, list)
    assert sorted(str(name, "ascii") for name in found if isinstance(name, bytes)) == sorted(
        matching.split())


def scan_all(client: Client, *options: str) -> list[bytes]:
    found: list[bytes] = []
    cursor: Reply = b"0"
    while True:
        assert isinstance(cursor, bytes)
        reply = client.call("SCAN", cursor, *options)
        assert isinstance(reply, list) and isinstance(reply[1], list)
        cursor = reply[0]
        found += [key for key in reply[1] if isinstance(key, bytes)]
        if cursor == b"0":
            return found


def test_a_scan_without_changes_finds_each_key_once(client: Client) -> None:
    client.pipeline([["SET", f"k{i}", "x"] for i in range(5000)])
    client.pipeline([["GET", "k0"]] * 5000)
    assert sorted(scan_all(client)) == sorted(b"k%d" % i for i in range(5000))
    assert len(scan_all(client, "COUNT", "1000", "MATCH", "*7")) == 500


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_a_scan_misses_no_key_that_stays(unit: Path, seed: str) -> None:
    done = subprocess.run([unit, "scan", seed], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "missed 0, memory left 0\n")


def test_a_rehash_is_spread_over_many_operations(unit: Path) -> None:
    # The 4097th key finds 4096 buckets full; a lookup moves one bucket and passes ten at most.
    done = subprocess.run([unit, "rehash", "4097"], capture_output=True, text=True, check=True)
    lookups, most = map(int, re.findall(r"\d+", done.stdout))
    assert lookups >= 2048 and 1 <= most <= 10


def test_the_hash_function_is_that_of_python(unit: Path) -> None:
    lines = ["", "a", "1234567", "12345678", "123456789", "key:000000000123", "x" * 1000]
    done = subprocess.run(
        [unit, "siphash", "0"], input="\n".join(lines), capture_output=True, text=True, check=True)
    script = "import sys; [print('%016x' % (hash(l.encode()) % 2**64)) for l in sys.argv[1:]]"
    python = subprocess.run(
        ["python3", "-c", script, *lines[1:]], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"})
    assert done.stdout.split()[1:] == python.stdout.split()


def test_another_seed_changes_the_hashes(unit: Path) -> None:
    hashes = {
        subprocess.run([unit, "siphash", seed], input="key", capture_output=True, text=True).stdout
        for seed in ("0", "1", "2")}
    assert len(hashes) == 3


def test_lists_behave_as_a_python_list(client: Client) -> None:
    dice = random.Random(5)
    model: list[bytes] = []
    for _ in range(3000):
        size = dice.choice([0, 5, 50, 127, 128, 700, 5000])
        value = dice.randbytes(dice.randrange(size + 1))
        match dice.randrange(6):
            case 0 | 1:
                assert client.call("RPUSH", "l", value) == len(model) + 1
                model.append(value)
            case 2:
                assert client.call("LPUSH", "l", value) == len(model) + 1
                model.insert(0, value)
            case 3:
                assert client.call("LPOP", "l") == (model.pop(0) if model else None)
            case 4:
                assert client.call("RPOP", "l") == (model.pop() if model else None)
            case _:
                first = dice.randrange(-5, len(model) + 5)
                count = dice.randrange(20)
                begin = max(first + len(model), 0) if first < 0 else first
                end = first + count if first >= 0 else first + count + len(model)
                last = first + count - 1
                if (first < 0) == (last < 0):
                    assert client.call("LRANGE", "l", first, last) == model[begin:max(end, 0)]
    assert client.call("LRANGE", "l", 0, -1) == model


def test_keys_behave_as_a_python_dict(client: Client) -> None:
    dice = random.Random(6)
    model: dict[str, bytes] = {}
    for keys in (10, 5000, 100, 20_000, 0):
        requests: list[list[str | bytes]] = []
        expected: list[Reply] = []
        for _ in range(6000):
            name = f"key{dice.randrange(keys + 1)}"
            if dice.random() < 0.6:
                model[name] = b"%d" % dice.getrandbits(dice.choice([4, 60, 900]))
                requests.append(["SET", name, model[name]])
                expected.append("+OK")
            else:
                requests.append(["GET", name])
                expected.append(model.get(name))
        doomed = [name for name in model if keys < 1000 or dice.random() < 0.2]
        requests.append(["DEL", *doomed, "none"])
        expected.append(len(doomed))
        for name in doomed:
            del model[name]
        assert client.pipeline(requests) == expected
        assert client.call("DBSIZE") == len(model)


def test_hashes_behave_as_a_python_dict(client: Client) -> None:
    dice = random.Random(7)
    model: dict[bytes, bytes] = {}
    for _ in range(4000):
        name, value = b"%d" % dice.randrange(300), dice.randbytes(dice.randrange(60))
        match dice.randrange(4):
            case 0 | 1:
                assert client.call("HSET", "h", name, value) == (name not in model)
                model[name] = value
            case 2:
                assert client.call("HDEL", "h", name) == (model.pop(name, None) is not None)
            case _:
                assert client.call("HGET", "h", name) == model.get(name)
    flat = client.call("HGETALL", "h")
    assert isinstance(flat, list) and dict(zip(flat[::2], flat[1::2])) == model


def fill(client: Client) -> None:
    client.pipeline([["SET", f"s{i}", "x" * i, "EX", 1000] for i in range(500)])
    client.pipeline([["RPUSH", f"l{i % 7}", "x" * i, i] for i in range(500)])
    client.pipeline([["HSET", f"h{i % 7}", i, "x" * i] for i in range(500)])
    client.pipeline([["INCR", f"c{i}"] for i in range(500)])


def test_all_memory_is_accounted_for(client: Client) -> None:
    fill(client)
    assert int(client.info("memory")["used_memory"]) > 300_000
    client.call("FLUSHALL")
    assert client.info("memory")["used_memory"] == "0"
    fill(client)
    kinds = {"s": 500, "l": 7, "h": 7, "c": 500}
    client.call("DEL", *(f"{kind}{i}" for kind, count in kinds.items() for i in range(count)))
    assert client.call("DBSIZE") == 0
    assert int(client.info("memory")["used_memory"]) < 100_000  # tables and the heap


def test_tables_shrink_with_what_is_in_them(client: Client) -> None:
    client.pipeline([["SET", f"k{i}", "x"] for i in range(20_000)])
    client.call("DEL", *(f"k{i}" for i in range(10, 20_000)))
    client.pipeline([["GET", "k0"]] * 5000)  # a step of the rehash each
    assert client.call("DBSIZE") == 10
    assert int(client.info("memory")["used_memory"]) < 10_000


def test_without_memory_writes_fail_and_nothing_else(program: Path) -> None:
    with Server(program, "--max-memory", "60000") as server, server.client() as client:
        dice = random.Random(8)
        names = ["SET s{} {}", "RPUSH l{} {}", "HSET h{} f{} x", "INCR c{}{}",
                 "SET s{} {} EX 100", "MSET s{} {}", "EXPIRE s{} 10{}", "GET s{}", "HGET h{} f{}"]
        refused = 0
        for i in range(6000):
            if i % 1500 == 1499:
                client.call("FLUSHALL")
                assert client.info("memory")["used_memory"] == "0"
            words = dice.choice(names).format(dice.randrange(200), dice.randrange(10**9)).split()
            reply = client.call(*words)
            out_of_memory = isinstance(reply, str) and reply.startswith("-OOM ")
            assert not (out_of_memory and words[0] in ("GET", "HGET"))
            refused += out_of_memory
        assert refused > 100
        assert int(client.info("memory")["used_memory"]) <= 60_000


def test_a_clock_that_counts_turns_makes_expiry_repeatable(program: Path) -> None:
    for _ in range(2):
        with Server(program, "--clock-step", "1000") as server, server.client() as client:
            assert client.call("SET", "a", "1", "PX", "3500") == "+OK"
            left = [client.call("PTTL", "a") for _ in range(4)]
            assert left == [2500, 1500, 500, -2]


def test_a_client_that_does_not_read_is_paused(shared: Server, client: Client) -> None:
    value = "x" * 100_000
    client.call("SET", "v", value)
    with shared.client() as slow:
        name = "peer={}:{},".format(*slow.socket.getsockname())
        sender = threading.Thread(target=slow.send, args=(pack("GET", "v") * 2000,))
        sender.start()

        def unsent_of_slow() -> int:  # 0 before the server knows it, too
            tasks = client.info("tasks").values()
            return sum(int(task.rsplit("=", 1)[1]) for task in tasks if name in task)

        while not unsent_of_slow():
            pass
        time.sleep(0.05)
        unsent = [int(task.rsplit("=", 1)[1]) for task in client.info("tasks").values()]
        assert max(unsent) < 1_000_000
        for _ in range(2000):
            assert slow.read() == value.encode()
        sender.join()


def test_a_reply_above_the_output_limit_ends_the_connection(program: Path) -> None:
    with Server(program, "--max-buffer", "65536") as server, server.client() as other:
        with server.client() as client:
            assert client.call("SET", "a", "x" * 40000) == "+OK"
            assert client.call("GET", "a") == b"x" * 40000
            client.send(pack("MGET", "a", "a"))
            assert client.rest() == b""
        assert other.call("EXISTS", "a") == 1


def test_a_request_above_the_limit_ends_the_connection(program: Path) -> None:
    with Server(program, "--max-buffer", "200000") as server:
        with server.client() as client:
            assert client.call("SET", "a", "x" * 150_000) == "+OK"
            with pytest.raises((ConnectionError, EOFError)):
                client.send(pack("RPUSH", "l", *["x" * 900] * 1000))
                client.read()
        with server.client() as client:
            assert client.call("EXISTS", "a", "l") == 1


def test_more_clients_than_allowed_are_turned_away(program: Path) -> None:
    with Server(program, "--max-clients", "2") as server:
        with server.client() as first, server.client() as second:
            assert [first.call("PING"), second.call("PING")] == ["+PONG", "+PONG"]
            with server.client() as third:
                assert third.rest() == b"-ERR max number of clients reached\r\n"
            assert first.info("stats")["rejected_connections"] == "1"
        with server.client() as client:
            assert client.call("PING") == "+PONG"


def test_info_has_its_sections(client: Client) -> None:
    text = client.call("INFO")
    assert isinstance(text, bytes)
    assert re.findall(r"# (\w+)\r\n", text.decode()) == [
        "Server", "Clients", "Memory", "Stats", "Tasks", "Keyspace"]
    client.call("SET", "a", "1", "EX", 100)
    assert client.info("keyspace") == {"db0": "keys=1,expires=1"}
    stats = client.info("stats")
    client.call("GET", "a")
    after = client.info("stats")
    assert int(after["keyspace_hits"]) == int(stats["keyspace_hits"]) + 1
    assert int(after["total_commands_processed"]) == int(stats["total_commands_processed"]) + 2


def test_info_tasks_tells_what_each_connection_does(shared: Server, client: Client) -> None:
    with shared.client() as other:
        assert other.call("ECHO", "hello") == b"hello"
        for piece in (b"*1\r", b"\n$4", b"\r\n"):
            other.send(piece)
            time.sleep(0.01)
        address = "{}:{}".format(*other.socket.getsockname())
        tasks = [
            dict(pair.split("=") for pair in task.split(","))
            for task in client.info("tasks").values()]
        task = next(task for task in tasks if task["peer"] == address)
        assert int(task["bytes_in"]) == len(pack("ECHO", "hello")) + 8
        assert task["bytes_out"] == "11" and task["commands"] == "1"
        assert int(task["polls"]) - int(task["idle_polls"]) == 1 and int(task["idle_polls"]) >= 1
        assert 20 <= int(task["idle_ms"]) <= int(task["age_ms"])
        assert task["unsent"] == "0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_status_0(program: Path, number: signal.Signals) -> None:
    with Server(program) as server, server.client() as client:
        fill(client)
        assert server.stop(number) == 0


def test_quit_ends_the_connection_after_its_reply(client: Client) -> None:
    client.send(pack("QUIT") + pack("SET", "a", "1"))
    assert client.rest() == b"+OK\r\n"


def test_the_server_listens_on_loopback_unless_told_otherwise(program: Path) -> None:
    with Server(program) as server:
        assert server.ready == f"ready 127.0.0.1:{server.port}\n"
    with Server(program, "--bind", "0.0.0.0") as server:
        assert server.ready.startswith("ready 0.0.0.0:")


@pytest.mark.parametrize("options, status, message", [
    (["--port", "x"], 2, "--port is 'x', not a number from 0 to 65535"),
    (["--port", "65536"], 2, "--port is '65536', not a number from 0 to 65535"),
    (["--what", "1"], 2, "unknown option, or one without a value: '--what'"),
    (["--port"], 2, "unknown option, or one without a value: '--port'"),
    (["--bind", "localhost", "--port", "0"], 1, "localhost:0: Invalid argument"),
])
def test_wrong_options_are_explained(
    program: Path, options: list[str], status: int, message: str
) -> None:
    done = subprocess.run([program, *options], capture_output=True, text=True, timeout=20)
    assert done.returncode == status
    assert done.stderr.startswith(f"kvserver: {message}\n")


def test_a_port_in_use_is_an_error(program: Path, shared: Server) -> None:
    done = subprocess.run(
        [program, "--port", str(shared.port)], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"kvserver: 127.0.0.1:{shared.port}: Address already in use\n"


def run_load(load: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([load, *options], capture_output=True, text=True, timeout=60)


MIXES = ["cache", "counters", "hashes", "sessions", "queues", "bulk"]


@pytest.mark.parametrize("mix", MIXES)
def test_kvload_prints_the_same_whenever_replies_are_right(
    load: Path, program: Path, mix: str
) -> None:
    size = ["--requests", "3000", "--repeat", "3"]
    runs = [
        run_load(load, "--server", program, "--mix", mix, *size, "--pipeline", depth)
        for depth in ("7", "500")]
    assert [(run.returncode, run.stderr) for run in runs] == [(0, ""), (0, "")]
    assert runs[0].stdout == runs[1].stdout
    assert re.fullmatch(f"{mix}, seed 1: .*, digest [0-9a-f]{{16}}\n", runs[0].stdout)


def test_kvload_sends_other_requests_with_another_seed(load: Path, program: Path) -> None:
    runs = {
        run_load(load, "--server", program, "--seed", seed, "--connections", "3").stdout.split()[-1]
        for seed in ("1", "2", "3")}
    assert len(runs) == 3


def test_kvload_reports_metrics(
    load: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics"
    path.write_text('{"metric": "before", "value": 1, "better": "lower"}\n')
    monkeypatch.setenv("PGOLAB_METRICS", str(path))
    assert run_load(load, "--server", program).returncode == 0
    metrics = {m["metric"]: m for m in map(json.loads, path.read_text().splitlines())}
    assert list(metrics) == [
        "before", "requests_per_s", "p50_us", "p99_us", "p99.9_us", "server_cpu_ms"]
    assert metrics["requests_per_s"]["better"] == "higher"
    assert 0 < metrics["p50_us"]["value"] <= metrics["p99_us"]["value"]
    assert metrics["p99_us"]["value"] <= metrics["p99.9_us"]["value"]


def test_on_a_schedule_a_stall_delays_all_that_was_due_meanwhile(
    load: Path, program: Path, tmp_path: Path
) -> None:
    path = tmp_path / "metrics"
    schedule = ["--requests", "2000", "--rate", "2000", "--connections", "4"]
    with Server(program) as server:
        begun = time.monotonic()
        process = subprocess.Popen(
            [load, "--port", str(server.port), *schedule],
            env={"PGOLAB_METRICS": str(path)},
            stdout=subprocess.DEVNULL,
        )
        with server.client() as watcher:
            while int(watcher.info("stats")["total_commands_processed"]) < 100:
                time.sleep(0.001)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=60) == 0
        elapsed_us = (time.monotonic() - begun) * 1e6
    metrics = {m["metric"]: m["value"] for m in map(json.loads, path.read_text().splitlines())}
    # Of one second 0.3 were a stall: 30 % of the requests waited, 1 % nearly as long as it was.
    assert 250_000 <= metrics["p99_us"] <= elapsed_us


@pytest.mark.parametrize("first, second, message", [
    (b"-ERR no\r\n", b"", "connection 0: reply 0: -ERR no"),
    (b"HTTP/1.1\r\n", b"", "connection 0: reply 0: HTTP/1.1"),
    (b":1\r\n:2\r\n", b"", "connection 0: more replies than requests"),
    (b":1\r\n", b":2\r\n", "connection 0: other replies than in the first repetition"),
    (b":1\r\n", b":10000\r\n", "connection 0: other replies than in the first repetition"),
])
def test_kvload_notices_wrong_replies(
    load: Path, first: bytes, second: bytes, message: str
) -> None:
    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as connection, contextlib.suppress(BrokenPipeError):
            for answer in (b":0\r\n", first, b"+OK\r\n", second):
                connection.recv(65536)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        port = str(listener.getsockname()[1])
        done = run_load(load, "--port", port, "--requests", "1", "--repeat", "2")
        server.join()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"kvload: {message}")


def test_kvload_leaves_a_server_alone_that_holds_data(
    load: Path, shared: Server, client: Client
) -> None:
    client.call("SET", "a", "1")
    done = run_load(load, "--port", str(shared.port))
    assert (done.returncode, done.stdout) == (1, "")
    assert client.call("GET", "a") == b"1"


@pytest.mark.parametrize("options, status, message", [
    ([], 2, "give one of --server and --port"),
    (["--port", "0"], 2, "--port is '0', not a number from 1 to 65535"),
    (["--port", "1", "--mix", "x"], 2, "no mix 'x'; there are: " + " ".join(MIXES)),
    (["--port", "1", "--requests", "-5"], 2,
     "--requests is '-5', not a number from 1 to 10000000"),
    (["--port", "1", "--requests", "3", "--connections", "4"], 2,
     "more connections than requests"),
    (["--port", "1"], 1, "connection 0: Connection refused"),
    (["--server", "/none"], 1, "/none: No such file or directory"),
    (["--server", "/bin/false"], 1, "the server did not become ready"),
])
def test_wrong_options_of_kvload_are_explained(
    load: Path, options: list[str], status: int, message: str
) -> None:
    done = run_load(load, *options)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"kvload: {message}\n")


def test_a_stall_of_a_closed_loop_counts_for_all_that_it_held_up(unit: Path) -> None:
    # A hundred values of 10 with one of 1000 among them stand also for 990, 980 ... 10.
    values = "\n".join(["10"] * 100 + ["1000"])
    quantiles = []
    for name in ("quantile", "corrected"):
        done = subprocess.run(
            [unit, name, "0.9"], input=values, capture_output=True, text=True, check=True)
        quantiles.append(int(done.stdout))
    assert quantiles[0] == 10 and 790 <= quantiles[1] <= 810


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99, 0.999, 1.0])
def test_quantiles_are_right_within_the_width_of_a_bucket(unit: Path, quantile: float) -> None:
    dice = random.Random(9)
    values = sorted(int(dice.lognormvariate(10, 3)) for _ in range(5000))
    done = subprocess.run(
        [unit, "quantile", str(quantile)], input="\n".join(map(str, values)),
        capture_output=True, text=True, check=True)
    exact = values[max(round(quantile * len(values)) - 1, 0)]
    assert exact <= int(done.stdout) <= exact * (1 + 1 / 128) + 1


def test_the_generator_makes_the_load_program_and_nothing_else(tmp_path: Path) -> None:
    made = tmp_path / "inputs/kvload"
    subprocess.run([APP / "generate.sh", made, *(APP / "load").iterdir()], check=True)
    assert list(made.parent.iterdir()) == [made]
    assert subprocess.run([made, "--help"], stdout=subprocess.DEVNULL).returncode == 0


def test_the_fuzz_target_survives_its_first_inputs(modules: list[Path], tmp_path: Path) -> None:
    flags = [flag.replace("address", "fuzzer,address") for flag in SANITIZE]
    objects = compile_all(tmp_path, [APP / "fuzz/fuzz.c"], flags)
    program = link(tmp_path / "fuzz", objects + modules, flags)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i, dialogue in enumerate(DIALOGUES.values()):
        requests = b"".join(pack(*shlex.split(request)) for request, _ in dialogue)
        for limit in (0, 20):
            (corpus / f"{i}-{limit}").write_bytes(bytes([limit, 50]) + requests)
    done = subprocess.run(
        [program, "-runs=2000", "-seed=1", corpus], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
