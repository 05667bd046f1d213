#!/usr/bin/env python3
"""Sends the requests of published suites to Waxseal, and compares what becomes of them with the suites' wishes.

    run.py FOLDER BINARY             fails where a difference is not in decisions.md, or is there no more
    run.py FOLDER BINARY --record    writes the differences into decisions.md; their reasons are to be written

FOLDER holds the suites, unpacked.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import suites

DECISIONS = Path(__file__).with_name("decisions.md")
ROW = re.compile(r"^\| `(.*?)` \| (\w+) \| (\w+) \| (.*?) \| (.*?) \|$", re.M)
REASON = re.compile(r"^\| (\d+) \| ", re.M)
# The statuses of the front door's refusals.
REFUSALS = ("400", "413", "414", "417", "431", "501", "505")
# Nothing here takes longer.
PATIENCE = 10
KEYS = {
    "SESSION_AUTHENTICATION_KEY": "the suites' authentication key",
    "SESSION_ENCRYPTION_KEY": "the suites' encryption key, 32 b",
}


class Server:
    """The binary, on a free port."""

    def __init__(self, binary):
        environment = {**KEYS, "PORT": "0", "HOST": "127.0.0.1", "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
        self.process = subprocess.Popen([binary], env=environment, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            if found := re.search(rb" port=(\d+)", line):
                self.port = int(found[1])
                return
        sys.exit("the server does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def exchange(self, data):
        """All that comes back for these bytes, after which the client sends no more."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            answer = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionError:
                pass
            return answer


def verdict(data, answer):
    """`accept`, `incomplete`, or the front door's refusal, status and reason; HEAD has no reason."""
    if data.startswith(b"HEAD "):
        status = answer[9:12].decode()
        return status if status in REFUSALS else "accept"
    requests = 0
    while head := re.match(rb"HTTP/1\.1 (\d+) .*?\r\n\r\n", answer, re.S):
        status, rest = int(head[1]), answer[head.end() :]
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head[0])
        body = rest[: int(length[1]) if length else 0]
        answer = rest[len(body) :]
        if refusal := re.search(rb"<p>(\d+) [\w ]+: (.*)</p>", body):
            why = refusal[2].decode()
            return "incomplete" if why == "the request ends in the middle" else f"{status} {why}"
        requests += status != 100
    return "accept" if requests else "incomplete"


def agree(wish, ours):
    return wish == ours or (wish == "refuse" and ours[:1].isdigit())


def differences(folder, server):
    """What differs: the request, who wishes what, and what becomes of it."""
    compared = 0
    found = {}
    for suite, name, data, wishes in suites.cases(folder):
        ours = verdict(data, server.exchange(data))
        for who, wish in wishes.items():
            compared += 1
            if not agree(wish, ours):
                found[f"{suite} {name}", who] = (wish, ours)
    return compared, found


def decided():
    text = DECISIONS.read_text()
    reasons = {int(number) for number in REASON.findall(text)}
    rows = {(request, who): (wish, ours, why) for request, who, wish, ours, why in ROW.findall(text)}
    return reasons, rows


def record(found):
    """Keeps the reasons of rows that are there, and of those that have the same answer."""
    _, before = decided()
    by_ours = {(wish, ours): why for wish, ours, why in before.values()}
    text = DECISIONS.read_text()
    head = text[: text.index("| request |")]
    rows = ["| request | who | wishes | Waxseal | reason |", "|---|---|---|---|---|"]
    for (request, who), (wish, ours) in found.items():
        why = before.get((request, who), (0, 0, by_ours.get((wish, ours), "?")))[2]
        rows.append(f"| `{request}` | {who} | {wish} | {ours} | {why} |")
    DECISIONS.write_text(head + "\n".join(rows) + "\n")


def main(folder, binary, *options):
    with Server(binary) as server:
        compared, found = differences(Path(folder), server)
    if options == ("--record",):
        return record(found)
    reasons, rows = decided()
    faults = []
    for key, (wish, ours) in found.items():
        row = rows.pop(key, None)
        if row is None or row[:2] != (wish, ours):
            faults.append(f"not decided: {key[0]}: {key[1]} wishes {wish}, Waxseal: {ours}")
        elif not row[2].isdigit() or int(row[2]) not in reasons:
            faults.append(f"without a reason: {key[0]}: {key[1]}")
    faults += [f"decided, and no difference: {request}: {who}" for request, who in rows]
    print("\n".join(faults))
    agreed = compared - len(found)
    print(f"{compared} wishes: {agreed} as Waxseal does it, {len(found)} otherwise, {len(faults)} not in the table")
    sys.exit(bool(faults))


main(*sys.argv[1:])
