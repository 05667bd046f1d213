#!/usr/bin/env python3
"""Fetches the published suites into a folder, and unpacks them there.

    fetch.py FOLDER
"""

import hashlib
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CRATE = "https://static.crates.io/crates/httparse/httparse-1.10.1.crate"
SHA256 = "6dbf3de79e51f3d586ab4cb9d5c3e2c14aa28ed23d180cf89b4df0454a69cc87"


def fetch(folder):
    # As sources: the tests are not in what is installed.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--require-hashes", "--requirement", REQUIREMENTS, "--dest", folder], check=True)
    with urllib.request.urlopen(CRATE, timeout=60) as answer:
        crate = answer.read()
    if hashlib.sha256(crate).hexdigest() != SHA256:
        sys.exit(f"{CRATE} is not what it was")
    (folder / "httparse.tar.gz").write_bytes(crate)
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as files:
            files.extractall(folder)


fetch(Path(sys.argv[1]))
