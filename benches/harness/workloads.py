"""What the servers are asked for, and whether each answers it as it is meant."""

from dataclasses import dataclass, field
from http.client import HTTPException

from harness.load import Request
from harness.servers import CREDENTIALS, cookies_of

LOGIN_PAGE = "/public/login.html"


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    connections: int
    path: str = "/"
    signed_in: bool = True
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: str | None = None
    # Bytes that the session holds beside the name.
    values: int = 0
    # Asks again for a page that it has: 304.
    again: bool = False
    # Which program answers for Waxseal.
    waxseal: str = "waxseal"


def home(connections):
    plural = "" if connections == 1 else "s"
    return Workload(f"home-{connections}", f"home, {connections} connection{plural}", connections)


def values(size, connections=64):
    title = f"home, {size:,} bytes of values in the session"
    return Workload(f"values-{size}", title, connections, values=size, waxseal="front")


def login_page(name, title, **more):
    # In the demonstration Waxseal writes a note into its login page: no file that is compressed.
    return Workload(
        name, title, 64, path=LOGIN_PAGE, signed_in=False, waxseal="users", **more
    )


HEADLINE = home(64)
WORKLOADS = [
    home(1),
    home(8),
    HEADLINE,
    home(512),
    Workload("close", "home, a connection for each request", 64, headers={"Connection": "close"}),
    Workload("anonymous", "anonymous, sent to the login page", 64, signed_in=False, status=303),
    login_page("login", "login page"),
    login_page("login-gzip", "login page, compressed", headers={"Accept-Encoding": "gzip"}),
    login_page("login-304", "login page, not changed", again=True, status=304),
    Workload(
        "sign-in", "sign-in", 2, path="/login", signed_in=False, status=303, body=CREDENTIALS
    ),
    Workload(
        "sign-in-hashed", "sign-in, a hash of today's cost", 2, path="/login", signed_in=False,
        status=303, body=CREDENTIALS, waxseal="users",
    ),
    values(2000),
]
# Idle connections beside the busy ones.
CROWDS = [1, 10, 100, 1_000, 10_000]
BESIDE_CROWD = home(8)
# Bytes of values; the last is what fits into one cookie everywhere but in gorilla's.
SIZES = [values(size) for size in (10, 100, 1_000, 2_000, 2_900)]


def request_of(workload, server):
    """The request of a workload to one server; none where that does not answer as it is meant."""
    try:
        return tried(workload, server)
    except (OSError, HTTPException):
        return None


def tried(workload, server):
    headers = dict(workload.headers)
    if workload.signed_in:
        headers["Cookie"] = server.sign_in()
    if workload.values:
        filled, _ = server.ask("GET", f"/fill?size={workload.values}", headers)
        headers["Cookie"] = cookies_of(filled)
    if workload.again:
        first, _ = server.ask("GET", workload.path)
        headers |= validators(first)
    method = "POST" if workload.body else "GET"
    form = {"Content-Type": "application/x-www-form-urlencoded"} if workload.body else {}
    answer, page = server.ask(method, workload.path, headers | form, workload.body)
    coding = answer.getheader("Content-Encoding", "identity")
    right = answer.status == workload.status and coding == headers.get("Accept-Encoding", coding)
    if workload.signed_in and b"<h1>Hello foo</h1>" not in page:
        right = False
    return Request(workload.path, headers, workload.body) if right else None


def validators(answer):
    pairs = [("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")]
    return {ask: answer.getheader(name) for name, ask in pairs if answer.getheader(name)}
