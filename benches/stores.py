#!/usr/bin/env python3
"""What a store costs: the signed-in home page with each, beside the sealed cookie, in turn; and the sealed
cookie with sign-outs that are shared, with none, a thousand and a million of them.

    benches/stores.py [--connections 64] [--seconds 2] [--rounds 5] [--only NAME,NAME] [--picture]

Starts Redis, Memcached and PostgreSQL, each on a free port with a directory of its own, and counts
how often each is asked for one page, and the processor time that waxseal and the store take for it;
SQLite has a file. Then three processes that share their sign-outs, each under load: how long after the
answer a sign-out holds in the other two. Needs wrk, the three servers and Linux.
"""

import argparse
import glob
import hashlib
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from harness import chart
from harness.contestants import waxseal_program
from harness.cost import cost, memory
from harness.load import Request, drive
from harness.servers import FORM, ROOT, Program, Server

FEATURES = "redis,memcached,postgres,sqlite"
TARGET = ROOT / "target" / "stores"
PATIENCE = 30
PICTURE = ROOT / "benches" / "stores.svg"
# For sign-outs that are of a user, who has a hash that is cheap. (With users, a store is asked once more for
# the home page.)
USERS = {
    "USERS": "foo:$argon2id$v=19$m=8,t=1,p=1$YKQMosCr6UP7NqpP7udA1g$Nsj+AImdJHXeXTK00DyfnUbZxCaOsseal6/kJ279yoA"
}
# How many sign-outs are known.
KNOWN = [0, 1_000, 1_000_000]
# Of the most that are kept, so many may be of sessions without a user.
OF_NOBODY = 4
SIGN_OUTS = 200


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
        return program(self.name, SESSION_STORE=self.name, **address)

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


def program(name, **variables):
    binary = TARGET / "release" / "waxseal"
    return Program(name, (binary,), {**waxseal_program().environment, **variables})


class Shared:
    """The sealed cookie, with sign-outs that are shared through Redis, of which some are known."""

    def __init__(self, redis, known):
        self.name = f"shared-{known}"
        self.redis = redis
        self.prefix = f"known-{known}:"
        fill(redis, self.prefix, known)

    def program(self):
        return program(
            self.name, SESSION_REVOCATIONS="redis", STORE_PREFIX=self.prefix,
            REDIS_URL=self.redis.address(), **USERS,
        )

    def processor_time(self):
        return self.redis.processor_time()

    def asked(self):
        return 0


def fill(redis, prefix, known):
    """As Waxseal keeps them: sessions that began now, most of a user each."""
    now, key = int(time.time()), f"{prefix}waxseal:revocations"
    until = now + 31 * 24 * 3600

    def member(number):
        session = hashlib.sha256(b"session %d" % number).digest()[:16]
        user = hashlib.sha256(b"user %d" % number).digest()[:16]
        user = bytes(16) if number % OF_NOBODY == 0 else user
        return b"\x03" + user + session + now.to_bytes(8, "big") + until.to_bytes(8, "big")

    def command(*words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

    pipe = subprocess.Popen(
        ["redis-cli", "-p", str(redis.port), "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    for number in range(known):
        pipe.stdin.write(command("ZADD", key, number + 1, member(number)))
    about = ["name", "bench", "count", known, "last", known, "ends", until]
    pipe.stdin.write(command("HSET", f"{key}:about", *about))
    pipe.stdin.close()
    assert pipe.wait() == 0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--seconds", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", type=lambda names: names.split(","))
    arguments.add_argument("--picture", action="store_true")
    given = arguments.parse_args()
    build = ["cargo", "build", "--release", "--quiet", "--locked", "--bin", "waxseal"]
    build += ["--features", FEATURES, "--target-dir", TARGET]
    subprocess.run(build, cwd=ROOT, check=True)
    with ExitStack() as stack:
        for store in STORES:
            stack.enter_context(store)
        redis = next(store for store in STORES if store.name == "redis")
        stores = {store.name: store for store in [*(Shared(redis, n) for n in KNOWN), *STORES]}
        programs = [program("cookie", **USERS), *(store.program() for store in stores.values())]
        programs = [each for each in programs if not given.only or each.name in given.only]
        # A million are learnt before the first request is answered.
        servers = {each.name: stack.enter_context(Server(each, 60)) for each in programs}
        for name, server in servers.items():
            print(f"{name:17} {memory(server.pid) / 2**20:5.1f} MiB at rest")
        requests = {name: Request("/", {"Cookie": s.sign_in()}) for name, s in servers.items()}
        runs = compare(given, servers, requests, stores)
        if given.picture:
            draw(runs)
    with ExitStack() as stack:
        stack.enter_context(redis)
        until_held(stack, redis)


def draw(runs):
    """The picture of the rates."""
    # How many sign-outs are known.
    shared = {f"shared-{known}": f"{known:,}" for known in KNOWN}
    titles = {name: shared.get(name, name) for name in runs}
    values = {name: [vars(run) for run in each] for name, each in runs.items()}
    panel = chart.bars("Thousands of home pages a second; a number: sign-outs shared", values, titles, "rate", 1e-3)
    PICTURE.write_text(chart.page([panel], "The sealed cookie, its sign-outs shared, and the stores"))


def until_held(stack, redis):
    """How long it takes until a sign-out holds in two other processes, all of them under load."""
    shared = Shared(redis, 0).program()
    servers = [stack.enter_context(Server(shared)) for _ in range(3)]
    stop = threading.Event()

    def load(server):
        request = Request("/", {"Cookie": server.sign_in()})
        while not stop.is_set():
            drive(server, request, 16, 2)

    loads = [threading.Thread(target=load, args=(server,)) for server in servers]
    for thread in loads:
        thread.start()
    time.sleep(0.5)
    took = []
    for number in range(SIGN_OUTS):
        here, *others = (servers[(number + at) % 3] for at in range(3))
        cookie = {"Cookie": here.sign_in()}
        answer, _ = here.ask("POST", "/logout", {**cookie, **FORM}, "")
        assert answer.status == 303, answer.status
        began, longest = time.monotonic(), 0
        while others:
            for other in list(others):
                if other.ask("GET", "/", cookie)[0].status == 303:
                    longest = time.monotonic() - began
                    others.remove(other)
        took.append(longest)
    stop.set()
    for thread in loads:
        thread.join()
    took.sort()
    print(
        f"a sign-out holds in two other processes under load after {took[len(took) // 2] * 1e3:.0f} ms, "
        f"99 of 100 within {took[len(took) * 99 // 100] * 1e3:.0f} ms, the longest {took[-1] * 1e3:.0f} ms"
    )


def compare(given, servers, requests, stores):
    runs = {name: [] for name in servers}
    costs = {name: [] for name in servers}
    for number in range(given.rounds):
        # Each comes first in its turn.
        names = list(servers)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            server = servers[name]
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
        store = stores.get(name)
        asks = isinstance(store, Store)
        asked = asked_for_one(store, server, requests[name]) if asks else 0
        own, of_store = median(name, "cpu"), statistics.median(costs[name])
        print(
            f"{name:17} {median(name, 'rate') / 1000:5.1f} k/s ({min(rates):.1f}–{max(rates):.1f})"
            f"  {median(name, 'rate') / median('cookie', 'rate'):.2f} x cookie"
            f"  p99 {median(name, 'p99') * 1e3:5.1f} ms  {asked:.2f} round trips a page"
            f"  processor {own * 1e6:.0f} + {of_store * 1e6:.0f} us"
        )
    return runs


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
