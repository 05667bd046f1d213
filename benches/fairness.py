#!/usr/bin/env python3
"""How others fare while one attacker grows from 0 to 2,400 connections, as four curves.

    benches/fairness.py [--binary PATH]

1 signs in with a right password over and over, 2 guesses passwords from a new network every thirty tries,
3 asks for pages without a pause, 4 pipelines requests and never reads. Others come from another address: how
many of their visits were served, and how long the slowest took; for 4, what the server's kernel holds. Needs
wrk, ss and Linux. Writes the picture.
"""

import argparse
import http.client
import re
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from harness import chart
from harness.contestants import WAXSEAL, waxseal_program
from harness.servers import FORM, Program, ROOT, Server, raise_open_files

CONNECTIONS = [0, 16, 128, 600, 1200, 2400]
VISITS = 50
PICTURE = ROOT / "benches" / "fairness.svg"
GUESS = ROOT / "benches" / "harness" / "guess.lua"
OTHERS = "127.0.0.77"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binary", default=WAXSEAL)
    given = arguments.parse_args()
    raise_open_files()
    hashed = {name: hash_of(given.binary, name) for name in ["mallory", "alice"]}
    users = {"USERS": " ".join(f"{name}:{hash}" for name, hash in hashed.items())}
    proxied = {**users, "TRUSTED_PROXIES": "1"}
    sign_in = "username=alice&password=alice"
    post = "wrk.method='POST'; wrk.body='username=mallory&password=mallory'; " \
        "wrk.headers['Content-Type']='application/x-www-form-urlencoded'"
    rows = {
        "1 signs in": (users, lambda port, n: wrk(port, n, "/login", post), ("POST", "/login", sign_in)),
        "2 guesses": (proxied, lambda port, n: wrk(port, n, "/login", GUESS), ("POST", "/login", sign_in)),
        "3 asks": ({}, lambda port, n: wrk(port, n, "/"), ("GET", "/public/login.html", None)),
        "4 never reads": ({}, never_reads, ("GET", "/public/login.html", None)),
    }
    curves = {}
    for name, (environment, attack, visit) in rows.items():
        curves[name] = []
        for connections in CONNECTIONS:
            environment = {**waxseal_program().environment, **environment}
            with Server(Program("fairness", (given.binary,), environment)) as server:
                with attack(server.port, connections):
                    time.sleep(1.5)
                    held = kernel_holds(server.port)
                    seen = [visit_once(server.port, *visit) for _ in range(VISITS)]
            served = [took for ok, took in seen if ok]
            curves[name].append((connections, len(served) / VISITS))
            print(
                f"{name:14} {connections:5} connections: {len(served)} of {VISITS} served, the slowest in "
                f"{max(served, default=0):.2f} s; send queues {held / 2**20:.1f} MiB", flush=True
            )
    PICTURE.write_text(draw(curves))


def hash_of(binary, password):
    said = subprocess.run([binary, "hash-password"], input=password, capture_output=True, text=True, check=True)
    return said.stdout.strip()


@contextmanager
def wrk(port, connections, path, script=None):
    if not connections:
        yield
        return
    command = ["wrk", f"-t{min(2, connections)}", f"-c{connections}", "-d30s", f"http://127.0.0.1:{port}{path}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script is not None:
            text = script.read_text() if isinstance(script, Path) else script
            file.write(text)
            file.flush()
            command += ["-s", file.name]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            running.kill()
            running.wait()


@contextmanager
def never_reads(port, connections):
    asks = b"GET /favicon.ico HTTP/1.1\r\nHost: a\r\n\r\n" * 250
    opened = []
    for _ in range(connections):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(5)
        try:
            one.connect(("127.0.0.1", port))
            one.sendall(asks)
        except OSError:
            pass
        opened.append(one)
    try:
        yield
    finally:
        for one in opened:
            one.close()


def visit_once(port, method, path, body):
    began = time.monotonic()
    headers = {"X-Forwarded-For": "192.0.2.1", "Connection": "close", **(FORM if body else {})}
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(OTHERS, 0))
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        ok = answer.status == (303 if body else 200) and (not body or answer.headers["Location"] == "/")
    except OSError:
        ok = False
    return ok, time.monotonic() - began


def kernel_holds(port):
    """Bytes in the server's send queues."""
    said = subprocess.run(["ss", "-tnH", "state", "all", f"( sport = :{port} )"], capture_output=True, text=True)
    fields = [line.split() for line in said.stdout.splitlines()]
    return sum(int(field[2]) for field in fields if field and field[0] != "LISTEN")


def draw(curves):
    """The share of others that were served, by the attacker's connections."""
    width, height, left, top, bottom = chart.WIDTH, chart.HEIGHT, 60, 44, 50
    colours = ["#d1242f", "#0598bc", "#bf8700", "#8250df"]
    step = (width - left - 120) / (len(CONNECTIONS) - 1)
    y = lambda share: top + (1 - share) * (height - top - bottom)
    parts = [chart.text(left, 24, "Others served, by the attacker's connections", "title")]
    for share in (0, 0.5, 1):
        parts.append(f'<path class="grid" d="M{left} {y(share):.1f}H{width - 120}"/>')
        parts.append(chart.text(left - 8, y(share) + 4, f"{share:.0%}", "end"))
    for at, connections in enumerate(CONNECTIONS):
        parts.append(chart.text(left + at * step, height - bottom + 20, f"{connections:,}", "middle"))
    for (name, curve), colour in zip(curves.items(), colours):
        points = " ".join(f"{left + at * step:.1f},{y(share):.1f}" for at, (_, share) in enumerate(curve))
        parts.append(f'<polyline points="{points}" stroke="{colour}"/>')
        row = top + 18 * list(curves).index(name)
        parts.append(f'<rect x="{width - 110}" y="{row - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(chart.text(width - 92, row, name, ""))
    return chart.page(parts, "How others fare while an attacker grows")


if __name__ == "__main__":
    main()
