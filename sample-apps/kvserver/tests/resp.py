"""A client of RESP2 for the tests: replies as Python values, and the servers they talk to."""

import random
import re
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Union

# A status or an error is a str with its sign ("+OK", "-ERR …"), a bulk string is bytes.
Reply = Union[str, int, bytes, None, list["Reply"]]
Word = Union[str, bytes, int]


def pack(*words: Word) -> bytes:
    """A request as an array of bulk strings."""
    texts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%s\r\n" % (len(t), t) for t in texts)


class Client:
    """One connection. Raises EOFError when the server has closed it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.input.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> Reply:
        """The next reply."""
        line = self.input.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the connection is closed")
        kind, rest = line[:1], line[1:-2]
        if kind in b"+-":
            return line[:-2].decode()
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"$":
            return self.input.read(number + 2)[:-2]
        assert kind == b"*", line
        return [self.read() for _ in range(number)]

    def call(self, *words: Word) -> Reply:
        self.send(pack(*words))
        return self.read()

    def pipeline(self, requests: Sequence[Sequence[Word]]) -> list[Reply]:
        self.send(b"".join(pack(*words) for words in requests))
        return [self.read() for _ in requests]

    def info(self, section: str) -> dict[str, str]:
        text = self.call("INFO", section)
        assert isinstance(text, bytes)
        lines = [line for line in text.decode().split("\r\n") if ":" in line]
        return dict(line.split(":", 1) for line in lines)

    def rest(self) -> bytes:
        """All bytes until the server closes the connection."""
        return self.input.read()


class Server:
    """A kvserver on a free port, ended by SIGTERM."""

    def __init__(self, program: Path, *options: str) -> None:
        command = [str(program), "--port", "0", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        match = re.fullmatch(r"ready ([0-9.]+):([0-9]+)\n", self.ready)
        assert match is not None, self.process.communicate()
        self.port = int(match[2])

    def client(self) -> Client:
        return Client(self.port)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status; what it wrote to standard error fails the test."""
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=20)[1]
        assert errors == ""
        return self.process.returncode

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.process.kill()
            self.process.communicate()
        elif self.process.poll() is None:
            assert self.stop() == 0


def cut(data: bytes, dice: random.Random, longest: int) -> list[bytes]:
    """The data in pieces of random lengths."""
    pieces = []
    while data:
        length = dice.randrange(1, longest + 1)
        pieces.append(data[:length])
        data = data[length:]
    return pieces
