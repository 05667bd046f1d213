#!/usr/bin/env python3
"""What the front door costs: the signed-in home page through it, and from tiny_http directly.

    benches/front_door.py [--connections 8,64,512] [--seconds 2] [--rounds 5] SERVER …
    benches/front_door.py --slow 5000 [--rounds 5] SERVER …

A SERVER is `bare:WORKERS` or `front:WORKERS`, of the programs in `front_door/`; with `@DIRECTORY`
behind it, of programs that were built before a change. All are measured in turn, round
by round, so that whatever else the machine does falls on each of them. With `--slow`, so many
connections send a byte now and then beside ten fast ones, every other time. Needs wrk and Linux.
"""

import argparse
import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from harness.contestants import BUILD_FRONT, RELEASE
from harness.load import Request, drive_undisturbed
from harness.servers import Program, Server, raise_open_files

FAST = 10
# A run that was disturbed is repeated so many times at most.
REPEATS = 4


def program(name):
    """The program that a SERVER means."""
    spec, _, directory = name.partition("@")
    kind, workers = spec.split(":")
    return Program(spec, (Path(directory or RELEASE) / kind,), {"WORKER_THREADS": workers})


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--connections", default="8,64,512")
    arguments.add_argument("--seconds", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--slow", type=int)
    arguments.add_argument("servers", nargs="+")
    given = arguments.parse_args()
    command, directory = BUILD_FRONT
    subprocess.run(command, cwd=directory, check=True)
    raise_open_files()
    if given.slow:
        return beside_slow_ones(given)
    for connections in map(int, given.connections.split(",")):
        compare(given, connections)


def compare(given, connections):
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(program(name))) for name in given.servers}
        requests = {name: home(server) for name, server in servers.items()}
        results = {name: [] for name in servers}
        for _ in range(given.rounds):
            for name, server in servers.items():
                run = drive_undisturbed(
                    REPEATS, server, requests[name], connections, given.seconds
                )
                results[name].append(run)
    bare = [middle(results[name], "rate") for name in servers if name.startswith("bare")]
    print(f"\n{connections} connections{load()}")
    for name in servers:
        ratio = f"  {middle(results[name], 'rate') / max(bare):.2f} x bare" if bare else ""
        print(f"{name:24} {line(results[name])}{ratio}", flush=True)


def beside_slow_ones(given):
    for name in given.servers:
        results = {"alone": [], "beside": []}
        with Server(program(name)) as server:
            request = home(server)
            for _ in range(given.rounds):
                asked = (REPEATS, server, request, FAST, given.seconds)
                results["alone"].append(drive_undisturbed(*asked))
                command = [RELEASE / "slow", str(server.port), str(given.slow)]
                slow = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                try:
                    assert slow.stdout.readline() == "all are connected\n"
                    time.sleep(1)
                    results["beside"].append(drive_undisturbed(*asked))
                finally:
                    slow.terminate()
                told = slow.communicate()[0].splitlines()
                time.sleep(1)
        print(f"\n{FAST} fast connections of {name}, beside {given.slow} slow ones{load()}")
        for how, runs in results.items():
            print(f"{how:24} {line(runs)}")
        ratio = middle(results["beside"], "rate") / middle(results["alone"], "rate")
        print(f"beside / alone: {ratio:.2f}")
        print("the slow ones, at the end:", told[-1] if told else "nothing", flush=True)


def home(server):
    return Request(headers={"Cookie": server.sign_in()})


def middle(runs, what):
    return median(getattr(run, what) for run in runs)


def line(runs):
    rates = [run.rate / 1000 for run in runs]
    failed = sum(run.refused + run.broken for run in runs)
    return (
        f"{median(rates):6.1f} k/s ({min(rates):.1f}–{max(rates):.1f})"
        f"  {middle(runs, 'cpu') * 1e6:5.1f} µs  {middle(runs, 'switches'):4.1f} switches"
        f"  others {middle(runs, 'others'):.0%}"
        + (f"  {failed} refused or broken" if failed else "")
    )


def load():
    return f" (load average {os.getloadavg()[0]:.1f})"


if __name__ == "__main__":
    main()
