#!/usr/bin/env python3
"""Compares Waxseal with what one would use instead, and writes table and picture.

    benches/compare.py            all of it, into benches/README.md; about a quarter of an hour
    benches/compare.py --quick    the home page alone, in fewer rounds, to the terminal

Builds the peers, starts each on loopback, signs in to each, and drives them in turn, round by
round, so that whatever else the machine does falls on each of them: nothing is measured alone.
Needs wrk and Linux; a peer that cannot be had is skipped, and said. What was measured is kept in
`target/bench/results.json`.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict

from harness import about, report
from harness.calls import calls_for_one
from harness.contestants import CONTESTANTS, FRONT, RELEASE, with_users
from harness.cost import memory
from harness.crowd import Crowd
from harness.load import drive
from harness.servers import BUILT, Server, raise_open_files
from harness.workloads import BESIDE_CROWD, CROWDS, HEADLINE, SIZES, WORKLOADS, request_of

SECONDS = 1
ROUNDS = 5
# Of the curves, which have many points.
CURVE_ROUNDS = 3
QUICK_ROUNDS = 3
# Until a server has come to rest after its start.
REST = 1


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    # So that servers are stopped whatever ends us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    raise_open_files()
    present, skipped = prepare()
    results = quick_look(present) if quick else everything(present)
    results |= {"about": about.machine(), "skipped": skipped}
    if quick:
        print(report.workload_table(results, HEADLINE.name))
    else:
        (BUILT / "results.json").write_text(json.dumps(results, indent=1))
        report.write(results)


def prepare():
    """Builds all; those that can be had, and why the others cannot."""
    present, skipped = [], {}
    for contestant in CONTESTANTS:
        say(f"building {contestant.title}")
        why = contestant.prepare()
        if why:
            say(f"  skipped: {why}")
            skipped[contestant.name] = why
        else:
            present.append(contestant)
    return present, skipped


def quick_look(present):
    with ExitStack() as stack:
        servers = start(present, stack)
        return {"workloads": measure_workloads([HEADLINE], servers, QUICK_ROUNDS)}


def everything(present):
    results = {"starts": measure_starts(present), "seal": measure_seals(present)}
    with ExitStack() as stack:
        servers = start(present, stack)
        results["workloads"] = measure_workloads(WORKLOADS, servers, ROUNDS)
        results["values"] = measure_workloads(SIZES, servers, CURVE_ROUNDS)
        results["calls"] = measure_calls(servers)
    with ExitStack() as stack:
        # Afresh: what an earlier load has left in memory is not the crowd's.
        servers = start(present, stack)
        most = {contestant.name: contestant.crowd for contestant in present}
        results["crowds"] = {str(size): beside_crowd(size, servers, most) for size in CROWDS}
    return results | sizes(present)


def sizes(present):
    binaries = {each.name: each.binary.stat().st_size for each in present if each.binary}
    packages = {each.name: about.packages(each) for each in present}
    return {"binaries": binaries, "packages": packages, "lean": about.crates_without_defaults()}


def start(present, stack):
    """All servers, warm; those that answer for Waxseal in some workloads among them."""
    programs = [contestant.program for contestant in present]
    if any(program.name == "waxseal" for program in programs):
        programs += [with_users(), FRONT]
    servers = {program.name: stack.enter_context(Server(program)) for program in programs}
    for server in servers.values():
        drive(server, request_of(BESIDE_CROWD, server), 8, SECONDS)
    return servers


def measure_workloads(workloads, servers, rounds):
    return {workload.name: measure(workload, servers, rounds) for workload in workloads}


def measure(workload, servers, rounds):
    say(workload.title)
    asked = {
        name: (server, request)
        for name, server in taking_part(workload, servers)
        if (request := request_of(workload, server))
    }
    results = {name: [] for name in asked}
    for _ in range(rounds):
        for name, (server, request) in asked.items():
            results[name].append(asdict(drive(server, request, workload.connections, SECONDS)))
    return results


def taking_part(workload, servers):
    """Each contestant's name, and the server that answers for it."""
    for name, server in servers.items():
        if name == "waxseal":
            yield name, servers[workload.waxseal]
        elif name not in ("users", "front"):
            yield name, server


def measure_calls(servers):
    say("system calls")
    return {
        name: calls_for_one(server, request, HEADLINE.connections, SECONDS)
        for name, server in taking_part(HEADLINE, servers)
        if (request := request_of(HEADLINE, server))
    }


def beside_crowd(size, servers, most):
    say(f"{size} idle connections")
    asked = {
        name: (server, request)
        for name, server in taking_part(BESIDE_CROWD, servers)
        if most[name] >= size and (request := request_of(BESIDE_CROWD, server))
    }
    results = {name: [] for name in asked}
    for _ in range(CURVE_ROUNDS):
        for name, (server, request) in asked.items():
            with Crowd(server.port, size) as crowd:
                if not crowd.is_there(size):
                    continue
                at_rest = memory(server.pid)
                run = drive(server, request, BESIDE_CROWD.connections, SECONDS)
            results[name].append(asdict(run) | {"at_rest": at_rest})
    return {name: runs for name, runs in results.items() if runs}


def measure_starts(present):
    """Seconds from start to first answer, and memory at rest."""
    say("starts")
    results = {contestant.name: [] for contestant in present}
    for _ in range(ROUNDS):
        for contestant in present:
            with Server(contestant.program) as server:
                time.sleep(REST)
                results[contestant.name].append([server.started_in, memory(server.pid)])
    return results


def measure_seals(present):
    """Nanoseconds to open and seal a session: gorilla/securecookie, our seal, a session of ours."""
    say("seals")
    names = {contestant.name for contestant in present}
    rounds = []
    for _ in range(ROUNDS if {"go", "waxseal"} <= names else 0):
        programs = [BUILT / "securecookie", RELEASE / "seal"]
        rounds.append([int(line) for program in programs for line in output(program)])
    return rounds


def output(program):
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
