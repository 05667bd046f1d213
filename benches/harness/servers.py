"""A server that is running on loopback, and how to talk to it."""

import http.client
import os
import re
import resource
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "target" / "bench"
# How a server says which port it was given: `port 1234`, `port=1234`, an address, or a bare number.
PORT = re.compile(r"(?:^|\bport[ =]|127\.0\.0\.1:)(\d+)\b", re.MULTILINE)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CREDENTIALS = "username=foo&password=secret"


@dataclass(frozen=True)
class Program:
    """What is started."""

    name: str
    command: tuple
    environment: dict = field(default_factory=dict)


class Server:
    """A program that is running, until its `with` ends, in a session of its own, so that it can be
    ended with all of its processes."""

    def __init__(self, program, patience=10):
        self.name = program.name
        self.patience = patience
        BUILT.mkdir(parents=True, exist_ok=True)
        self.log = BUILT / f"{program.name.replace(':', '-')}.log"
        began = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                list(map(str, program.command)),
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **program.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        self.pid = self.process.pid
        try:
            self.port = self.wait_for_port(began + patience)
            self.ask("GET", "/")
            self.started_in = time.monotonic() - began
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_for_port(self, deadline):
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := PORT.search(self.log.read_text()):
                return int(found[1])
            time.sleep(0.0002)
        raise RuntimeError(f"{self.name} does not start: {self.log.read_text()[-500:]}")

    def ask(self, method, path, headers={}, body=None):
        """The answer, read, and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def sign_in(self):
        """The cookies of somebody who has signed in, as a browser sends them back."""
        answer, _ = self.ask("POST", "/login", FORM, CREDENTIALS)
        cookies = cookies_of(answer)
        _, page = self.ask("GET", "/", {"Cookie": cookies})
        assert b"<h1>Hello foo</h1>" in page, (self.name, page)
        return cookies

    def stop(self):
        """At once, with all of its processes."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def cookies_of(answer):
    set_cookies = answer.headers.get_all("Set-Cookie") or []
    return "; ".join(cookie.split(";")[0] for cookie in set_cookies)


def raise_open_files():
    """For us and whatever we start: as many open files as are allowed."""
    maximum = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
