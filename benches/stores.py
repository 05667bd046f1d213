#!/usr/bin/env python3
"""What a store costs: the signed-in home page with each, beside the sealed cookie, in turn.

    benches/stores.py [--connections 64] [--seconds 2] [--rounds 5]

Starts Redis, Memcached and PostgreSQL, each on a free port with a directory of its own, and counts
how often each is asked for one page, and the processor time that waxseal and the store take for it;
SQLite has a file. Needs wrk, the three servers and Linux.
"""

import argparse
import glob
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness.contestants import waxseal_program
from harness.cost import cost
from harness.load import Request, drive
from harness.servers import ROOT, Program, Server

FEATURES = "redis,memcached,postgres,sqlite"
TARGET = ROOT / "target" / "stores"
PATIENCE = 30


class Store:
    """A store's server, running until its `with` ends."""

    # Seconds until what it was asked is counted.
    counts_after = 0

    def __init__(self, name, variable):
        self.name = name
        self.variable = variable
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="waxseal-stores-"))
        self.process = subprocess.Popen(
            self.command(), cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            assert time.monotonic() < deadline, f"{self.name} does not start"
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def processor_time(self):
        """Seconds that its processes took so far."""
        return cost(self.process.pid).cpu

    def is_ready(self):
        try:
            return self.asked() >= 0
        except (OSError, StopIteration, subprocess.CalledProcessError):
            return False

    def program(self):
        address = {self.variable: self.address()}
        return Program(self.name, (TARGET / "release" / "waxseal",), {
            **waxseal_program().environment, "SESSION_STORE": self.name, **address,
        })

    def say(self, line):
        """The lines with which a server of a line-based protocol answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(line + b"\r\nquit\r\n")
            return connection.makefile("rb").read().decode().splitlines()


class Redis(Store):
    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]

    def address(self):
        return f"redis://127.0.0.1:{self.port}"

    def asked(self):
        lines = self.say(b"info stats")
        return int(next(l for l in lines if l.startswith("total_reads_processed")).split(":")[1])


class Memcached(Store):
    def command(self):
        return ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-u", "nobody"]

    def address(self):
        return f"memcached://127.0.0.1:{self.port}"

    def asked(self):
        counts = dict(line.split()[1:3] for line in self.say(b"stats") if line.startswith("STAT "))
        return int(counts["cmd_get"]) + int(counts["cmd_set"])


class Postgres(Store):
    counts_after = 11

    def command(self):
        """It does not run as root."""
        programs = max(glob.glob("/usr/lib/postgresql/*/bin"))
        nobody = pwd.getpwnam("nobody")
        owner = []
        if os.getuid() == 0:
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
            owner = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}"]
            owner += ["--clear-groups"]
        data = self.directory / "data"
        initdb = [*owner, f"{programs}/initdb", "-A", "trust", "-U", "admin", "-E", "UTF8", "-D", data]
        subprocess.run(initdb, cwd=self.directory, check=True, capture_output=True)
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        return [*owner, f"{programs}/postgres", "-D", data, "-p", str(self.port), *settings]

    def address(self):
        return f"postgres://admin@127.0.0.1:{self.port}/postgres"

    def asked(self):
        sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"
        said = subprocess.run(
            ["psql", "-X", "-A", "-t", "-d", self.address(), "-c", sql],
            check=True, capture_output=True, text=True,
        )
        return int(said.stdout)


class Sqlite(Store):
    """A file, and no server."""

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="waxseal-stores-"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def address(self):
        return str(self.directory / "sessions.db")

    def processor_time(self):
        return 0

    def asked(self):
        return 0


STORES = [
    Sqlite("sqlite", "SQLITE_PATH"),
    Redis("redis", "REDIS_URL"),
    Memcached("memcached", "MEMCACHED_URL"),
    Postgres("postgres", "DATABASE_URL"),
]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--seconds", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    build = ["cargo", "build", "--release", "--quiet", "--locked", "--bin", "waxseal"]
    build += ["--features", FEATURES, "--target-dir", TARGET]
    subprocess.run(build, cwd=ROOT, check=True)
    cookie = Program("cookie", (TARGET / "release" / "waxseal",), waxseal_program().environment)
    with ExitStack() as stack:
        stores = {store.name: stack.enter_context(store) for store in STORES}
        programs = [cookie, *(store.program() for store in STORES)]
        servers = {program.name: stack.enter_context(Server(program)) for program in programs}
        requests = {name: Request("/", {"Cookie": s.sign_in()}) for name, s in servers.items()}
        compare(given, servers, requests, stores)


def compare(given, servers, requests, stores):
    runs = {name: [] for name in servers}
    costs = {name: [] for name in servers}
    for _ in range(given.rounds):
        for name, server in servers.items():
            time_of_store = lambda: stores[name].processor_time() if name in stores else 0
            before = time_of_store()
            run = drive(server, requests[name], given.connections, given.seconds)
            assert not run.refused and not run.broken, (name, run)
            costs[name].append((time_of_store() - before) / (run.rate * given.seconds))
            runs[name].append(run)
    median = lambda name, what: statistics.median(getattr(run, what) for run in runs[name])
    print(f"{given.connections} connections, the signed-in home page")
    for name, server in servers.items():
        rates = [run.rate / 1000 for run in runs[name]]
        asked = asked_for_one(stores[name], server, requests[name]) if name in stores else 0
        own, of_store = median(name, "cpu"), statistics.median(costs[name])
        print(
            f"{name:10} {median(name, 'rate') / 1000:5.1f} k/s ({min(rates):.1f}–{max(rates):.1f})"
            f"  {median(name, 'rate') / median('cookie', 'rate'):.2f} x cookie"
            f"  p99 {median(name, 'p99') * 1e3:5.1f} ms  {asked:.2f} round trips a page"
            f"  processor {own * 1e6:.0f} + {of_store * 1e6:.0f} us"
        )


def asked_for_one(store, server, request, pages=1000):
    """How often a store is asked for a page. What else it is asked meanwhile is little."""
    time.sleep(store.counts_after)
    before = store.asked()
    for _ in range(pages):
        server.ask("GET", request.path, request.headers)
    time.sleep(store.counts_after)
    return (store.asked() - before) / pages


if __name__ == "__main__":
    main()
