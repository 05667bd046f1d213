#!/usr/bin/env python3
"""What the front door costs: the signed-in home page through it, and from tiny_http directly.

    benches/front_door.py [--connections 8,64,512] [--seconds 2] [--rounds 5] SERVER …
    benches/front_door.py --slow 5000 [--rounds 5] SERVER …

A SERVER is `bare:WORKERS` or `front:LANES:WORKERS`, of the programs in `front_door/`; with
`@DIRECTORY` behind it, of programs that were built before a change. All are measured in turn, round
by round, so that whatever else the machine does falls on each of them. With `--slow`, so many
connections send a byte now and then beside ten fast ones, every other time. Needs wrk and Linux.
"""

import argparse
import http.client
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "target" / "front_door"
FAST = 10
TICK = os.sysconf("SC_CLK_TCK")
# A run is disturbed where other processes had more than this share of all processors, and repeated
# so many times at most.
DISTURBED = 0.1
REPEATS = 4


class Server:
    """A server that is running, with somebody signed in."""

    def __init__(self, name):
        spec, _, directory = name.partition("@")
        kind, *numbers = spec.split(":")
        names = {"bare": ["WORKER_THREADS"], "front": ["LANES", "WORKER_THREADS"]}[kind]
        env = {"PATH": os.environ["PATH"], **dict(zip(names, numbers))}
        program = Path(directory or TARGET / "release") / kind
        self.process = subprocess.Popen([program], env=env, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.cookie = self.sign_in()

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def sign_in(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer, _ = self.ask("POST", "/login", "username=foo&password=secret", form)
        cookie = answer.getheader("Set-Cookie").split(";")[0]
        _, text = self.ask("GET", "/", headers={"Cookie": cookie})
        assert "<h1>Hello foo</h1>" in text, text
        return cookie

    def cost(self):
        """Seconds of processor time, and switches of context, so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        switches = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                text = (task / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            switches += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", text)))
        return (int(fields[11]) + int(fields[12])) / TICK, switches

    def drive(self, connections, seconds):
        """A run that was not disturbed, else the least disturbed of many."""
        runs = []
        while len(runs) < REPEATS:
            runs.append(self.run(connections, seconds))
            if runs[-1][3] < DISTURBED:
                break
        return min(runs, key=lambda run: run[3])

    def run(self, connections, seconds):
        """Requests a second; processor microseconds and switches of context a request; the share
        of the processors that others had."""
        address = f"http://127.0.0.1:{self.port}/"
        command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-H", f"Cookie: {self.cookie}"]
        before, busy, began = self.cost(), busy_time(), time.monotonic()
        said = subprocess.run([*command, address], capture_output=True, text=True, timeout=60).stdout
        after, busy = self.cost(), busy_time() - busy
        ours = after[0] - before[0]
        others = max(0, busy - ours) / (time.monotonic() - began) / os.cpu_count()
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
        count = max(int(re.search(r"(\d+) requests in", said)[1]), 1)
        for complaint in re.findall(r"Socket errors.*|Non-2xx.*", said):
            print(f"  {complaint}", file=sys.stderr)
        return rate, ours / count * 1e6, (after[1] - before[1]) / count, others

    def stop(self):
        self.process.kill()
        self.process.wait()


def busy_time():
    """Seconds for which processors were busy so far, but not with our own children."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    # All but the idle time, and that of waiting for disks.
    busy = sum(int(fields[at]) for at in (0, 1, 2, 5, 6, 7)) / TICK
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy - children.ru_utime - children.ru_stime


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--connections", default="8,64,512")
    arguments.add_argument("--seconds", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--slow", type=int)
    arguments.add_argument("servers", nargs="+")
    given = arguments.parse_args()
    build = ["cargo", "build", "--release", "--quiet", "--target-dir", TARGET]
    subprocess.run(build, cwd=HERE / "front_door", check=True)
    maximum = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
    if given.slow:
        return beside_slow_ones(given)
    for connections in map(int, given.connections.split(",")):
        compare(given, connections)


def compare(given, connections):
    servers = {name: Server(name) for name in given.servers}
    results = {name: [] for name in servers}
    for _ in range(given.rounds):
        for name, server in servers.items():
            results[name].append(server.drive(connections, given.seconds))
    for server in servers.values():
        server.stop()
    bare = [median(results, name, 0) for name in servers if name.startswith("bare")]
    print(f"\n{connections} connections{load()}")
    for name in servers:
        ratio = f"  {median(results, name, 0) / max(bare):.2f} x bare" if bare else ""
        print(f"{name:24} {line(results, name)}{ratio}", flush=True)


def beside_slow_ones(given):
    for name in given.servers:
        server = Server(name)
        results = {"alone": [], "beside": []}
        for _ in range(given.rounds):
            results["alone"].append(server.drive(FAST, given.seconds))
            slow = [TARGET / "release" / "slow", str(server.port), str(given.slow)]
            slow = subprocess.Popen(slow, stdout=subprocess.PIPE, text=True)
            assert slow.stdout.readline() == "all are connected\n"
            time.sleep(1)
            results["beside"].append(server.drive(FAST, given.seconds))
            slow.terminate()
            told = slow.stdout.read().splitlines()
            slow.wait()
            time.sleep(1)
        server.stop()
        print(f"\n{FAST} fast connections of {name}, beside {given.slow} slow ones{load()}")
        for how in results:
            print(f"{how:24} {line(results, how)}")
        print(f"beside / alone: {median(results, 'beside', 0) / median(results, 'alone', 0):.2f}")
        print("the slow ones, at the end:", told[-1] if told else "nothing", flush=True)


def median(results, name, what):
    return statistics.median(result[what] for result in results[name])


def line(results, name):
    rates = [result[0] / 1000 for result in results[name]]
    return (
        f"{statistics.median(rates):6.1f} k/s ({min(rates):.1f}–{max(rates):.1f})"
        f"  {median(results, name, 1):5.1f} µs  {median(results, name, 2):4.1f} switches"
        f"  others {median(results, name, 3):.0%}"
    )


def load():
    return f" (load average {os.getloadavg()[0]:.1f})"


if __name__ == "__main__":
    main()
