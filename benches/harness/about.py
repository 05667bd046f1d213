"""What the servers are made of, and the machine."""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from harness.contestants import GO, PEERS
from harness.servers import ROOT

# Whose version says which one a peer is.
RUST_PEERS = {"bare": "tiny_http", "rouille": "rouille", "astra": "astra", "axum": "axum",
              "actix": "actix-web"}


def machine():
    return {
        "date": str(datetime.date.today()),
        "processors": f"{os.cpu_count()} × {processor()}",
        "kernel": platform.release().split("-")[0],
        "versions": {name: version for name, version in versions() if version},
    }


def processor():
    return re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]


def versions():
    yield "rustc", said("rustc", "--version")
    yield "wrk", said("wrk", "-v")
    yield "nginx", said("nginx", "-v")
    yield "go", said("go", "version")
    yield "node", said("node", "--version")
    package = json.loads((PEERS / "express/package.json").read_text())
    yield "express", package["dependencies"]["express"]
    yield "python", platform.python_version()
    for line in (PEERS / "flask/requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if name in ("Flask", "gunicorn"):
            yield name, version
    for peer, package in RUST_PEERS.items():
        lock = (PEERS / peer / "Cargo.lock").read_text()
        yield package, re.search(rf'name = "{package}"\nversion = "(.*)"', lock)[1]


def said(*command):
    """The version in what a program says of itself; wrk says it with an error."""
    try:
        said = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    found = re.search(r"\d+\.\d+[.\d]*", said.stdout + said.stderr)
    return found and found[0]


def packages(contestant):
    """How many packages of others it is made of."""
    match contestant.name:
        case "waxseal":
            return crates(ROOT)
        case "nginx":
            return 0
        case "go":
            foreign = "{{if not .Standard}}{{.ImportPath}}{{end}}"
            listed = lines(PEERS / "go", "go", "list", "-deps", "-f", foreign)
            return sum(map(bool, listed)) - 1
        case "express":
            lock = json.loads((PEERS / "express/package-lock.json").read_text())
            return len(lock["packages"]) - 1
        case "flask":
            return len((PEERS / "flask/requirements.txt").read_text().split())
        case name:
            return crates(PEERS / name)


def crates_without_defaults():
    """Of the library of sessions alone."""
    return crates(ROOT, "--no-default-features")


def crates(directory, *features):
    tree = ("cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", *features)
    names = {" ".join(line.split()[:2]) for line in lines(directory, *tree) if line}
    return len(names) - 1


def lines(directory, *command):
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **GO}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()
