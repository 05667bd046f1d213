"""Who is compared: how each is built, and started as its documentation wants."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness.servers import BUILT, ROOT, Program

PEERS = ROOT / "benches" / "peers"
FRONT_DOOR = ROOT / "benches" / "front_door"
EXPRESS = PEERS / "express"
FLASK = BUILT / "flask"
RELEASE = BUILT / "release"
WAXSEAL = ROOT / "target" / "release" / "waxseal"
# Debian's packages, without modules.
GO = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off"}
GORILLA = Path(GO["GOPATH"], "src/github.com/gorilla/sessions")
# Idle connections where each takes a thread.
THREADS = 1_000


@dataclass(frozen=True)
class Contestant:
    name: str
    # What the tables call it.
    title: str
    program: Program
    # Commands that build it, each with the directory to run it in.
    build: tuple
    # Programs and paths without which it cannot be had.
    needs: tuple = ()
    environment: dict = field(default_factory=dict)
    # Where this is there, it is built already.
    built: Path | None = None
    # The most idle connections that it is put to.
    crowd: int = 10_000
    # The stripped binary, where it is one.
    binary: Path | None = None

    def prepare(self):
        """Builds it; says why where that is not possible."""
        for need in self.needs:
            if not (shutil.which(need) or Path(need).exists()):
                return f"{need} is missing"
        if self.built and self.built.exists():
            return None
        for command, directory in self.build:
            done = subprocess.run(
                list(map(str, command)), cwd=directory, env={**os.environ, **self.environment},
                capture_output=True, text=True,
            )
            if done.returncode:
                return (done.stderr.strip() or "it does not build").splitlines()[-1]
        return None


def cargo_build(directory):
    """A package of the harness, with a lock file of its own."""
    command = ("cargo", "build", "--release", "--locked", "--quiet", "--target-dir", BUILT)
    return (command, directory)


def rust(name, title, **more):
    binary = RELEASE / f"{name}_peer"
    return Contestant(
        name, title, Program(name, (binary,)),
        build=(cargo_build(PEERS / name),), needs=("cargo",), binary=binary, **more,
    )


def waxseal_program(name="waxseal", **environment):
    environment = {
        "PORT": "0",
        "HOST": "127.0.0.1",
        "SESSION_AUTHENTICATION_KEY": "an authentication key",
        "SESSION_ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
        **environment,
    }
    return Program(name, (WAXSEAL,), environment)


def with_users():
    """Waxseal as it is deployed: the pair is a user's, with a hash of today's cost."""
    hashed = subprocess.run(
        [WAXSEAL, "hash-password"], input="secret\n", capture_output=True, text=True, check=True
    ).stdout.strip()
    return waxseal_program("users", USERS=f"foo:{hashed}")


# Waxseal's library behind its front door: what keeps values, which none of the product's pages do.
FRONT = Program("front", (RELEASE / "front",))
BUILD_FRONT = cargo_build(FRONT_DOOR)

CONTESTANTS = [
    Contestant(
        "waxseal", "Waxseal", waxseal_program(),
        build=(
            (("cargo", "build", "--release", "--locked", "--quiet", "--bin", "waxseal"), ROOT),
            BUILD_FRONT,
        ),
        needs=("cargo",), binary=WAXSEAL,
    ),
    Contestant(
        "go", "Go", Program("go", (BUILT / "go",)),
        build=(
            (("go", "build", "-ldflags", "-s -w", "-o", BUILT / "go", "."), PEERS / "go"),
            (("go", "build", "-o", BUILT / "securecookie", "./securecookie"), PEERS / "go"),
        ),
        needs=("go", GORILLA), environment=GO, binary=BUILT / "go",
    ),
    rust("bare", "tiny_http", crowd=THREADS),
    rust("rouille", "rouille", crowd=THREADS),
    rust("astra", "astra"),
    rust("axum", "axum"),
    rust("actix", "actix-web"),
    Contestant(
        "nginx", "nginx", Program("nginx", (PEERS / "nginx" / "start.py",)),
        build=(), needs=("nginx",),
    ),
    Contestant(
        "express", "Express",
        Program("express", ("node", EXPRESS / "server.js"), {"NODE_ENV": "production"}),
        build=((("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"), EXPRESS),),
        needs=("node", "npm"), built=EXPRESS / "node_modules" / ".package-lock.json",
    ),
    Contestant(
        "flask", "Flask",
        Program("flask", (
            FLASK / "bin" / "gunicorn", "--worker-class", "gthread", "--workers", "2",
            "--threads", "4", "--bind", "127.0.0.1:0", "--chdir", PEERS / "flask",
            "server:app",
        )),
        build=(
            (("python3", "-m", "venv", FLASK), ROOT),
            ((FLASK / "bin" / "pip", "install", "--quiet", "--requirement", "requirements.txt"),
             PEERS / "flask"),
        ),
        needs=("python3",), built=FLASK / "bin" / "gunicorn",
    ),
]
