#!/usr/bin/env python3
"""Instructions that the released binary takes for one request for the home page, under callgrind:
repeatable where time is not.

    benches/instructions.py            the difference to the record; fails where it is too large
    benches/instructions.py --record   records it, in benches/instructions.txt

Two runs of different lengths, with one connection and one worker; the difference between their
counts, divided by that between their lengths, leaves out start and end. Valgrind has no SHA
instructions, so the count is one for hashing in plain code.
"""

import argparse
import http.client
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from harness.contestants import CONTESTANTS, WAXSEAL, waxseal_program
from harness.servers import BUILT, Program, Server

RECORD = Path(__file__).with_name("instructions.txt")
LENGTHS = (1_000, 3_000)
# Percent by which it may grow.
TOLERANCE = 3.0
PATIENCE = 60


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--record", action="store_true")
    given = arguments.parse_args()
    [waxseal] = [each for each in CONTESTANTS if each.name == "waxseal"]
    if why := waxseal.prepare():
        sys.exit(why)
    counted = instructions_for_one()
    if given.record:
        RECORD.write_text(f"home {counted:.0f}\n{about()}\n")
        print(f"recorded: {counted:.0f} instructions for a request")
    else:
        compare(counted)


def compare(counted):
    recorded, made_with = RECORD.read_text().split("\n", 1)
    before = int(recorded.split()[1])
    change = (counted / before - 1) * 100
    print(f"{counted:.0f} instructions for a request, recorded {before}: {change:+.2f} %")
    if made_with.strip() != about():
        print(f"The record is of another toolchain: {made_with.strip()}; here {about()}.")
    if change > TOLERANCE:
        sys.exit(f"More than {TOLERANCE} % slower. If that is meant: make instructions-record")


def instructions_for_one():
    # The keys are the same everywhere: a cookie of one process opens in all.
    with Server(waxseal_program("sign-in")) as server:
        cookie = server.sign_in()
    short, long = (count(length, cookie) for length in LENGTHS)
    return (long - short) / (LENGTHS[1] - LENGTHS[0])


def count(length, cookie):
    """The instructions of a whole run, in which somebody asks so many times."""
    plain = waxseal_program("callgrind", WORKER_THREADS="1")
    out = BUILT / "callgrind.out"
    valgrind = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--fair-sched=no")
    program = Program(plain.name, (*valgrind, WAXSEAL), plain.environment)
    with Server(program, PATIENCE) as server:
        ask(server, length, cookie)
        os.kill(server.pid, signal.SIGTERM)
        server.process.wait(PATIENCE)
        return int(re.search(r"Collected : (\d+)", server.log.read_text())[1])


def ask(server, times, cookie):
    """On one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    for _ in range(times):
        connection.request("GET", "/", headers={"Cookie": cookie})
        answer = connection.getresponse()
        assert b"Hello foo" in answer.read(), answer.status
    connection.close()


def about():
    commands = [("rustc", "--version"), ("valgrind", "--version")]
    said = [subprocess.run(command, capture_output=True, text=True) for command in commands]
    return ", ".join(each.stdout.strip() for each in said)


if __name__ == "__main__":
    main()
