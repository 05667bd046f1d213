"""Drives one server with wrk, and says what came of it."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.cost import busy_time, cost, memory

SCRIPT = Path(__file__).with_name("load.lua")
# A run is disturbed where other processes had more than this share of all processors.
DISTURBED = 0.1


@dataclass
class Request:
    path: str = "/"
    headers: dict = field(default_factory=dict)
    # Posted as a form where there is one.
    body: str | None = None


@dataclass
class Run:
    """One run of the load. Times are in seconds, `cpu`, `kernel` and `switches` for each request."""

    rate: float
    p50: float
    p99: float
    cpu: float
    kernel: float
    switches: float
    memory: int
    # Answers of 400 and above; connections that broke or were not answered in time.
    refused: int
    broken: int
    # The share of all processors that neither the server nor wrk had.
    others: float


def drive_undisturbed(repeats, *load):
    """A run that was not disturbed, else the least disturbed of so many."""
    runs = []
    while len(runs) < repeats:
        runs.append(drive(*load))
        if runs[-1].others < DISTURBED:
            break
    return min(runs, key=lambda run: run.others)


def drive(server, request, connections, seconds):
    headers = [f"-H{name}: {value}" for name, value in request.headers.items()]
    command = ["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{seconds}s"]
    address = f"http://127.0.0.1:{server.port}{request.path}"
    environment = {"PATH": os.environ["PATH"], **({"BODY": request.body} if request.body else {})}
    before, busy, began = cost(server.pid), busy_time(), time.monotonic()
    said = subprocess.run(
        [*command, "-s", SCRIPT, *headers, address],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    ).stdout
    after, busy, took = cost(server.pid), busy_time() - busy, time.monotonic() - began
    told = json.loads(said.splitlines()[-1])
    count = max(told["requests"], 1)
    used = after.cpu - before.cpu
    return Run(
        rate=told["requests"] / told["seconds"],
        p50=told["p50"],
        p99=told["p99"],
        cpu=used / count,
        kernel=(after.kernel - before.kernel) / count,
        switches=(after.switches - before.switches) / count,
        memory=memory(server.pid),
        refused=told["refused"],
        broken=told["broken"],
        others=max(0, busy - used) / took / os.cpu_count(),
    )
