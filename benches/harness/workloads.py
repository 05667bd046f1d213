"""What the servers are asked for, and whether each answers it as it is meant."""

from dataclasses import dataclass, field
from http.client import HTTPException

from harness.load import Request
from harness.servers import CREDENTIALS, cookies_of

# astra never serves about one in five hundred fresh connections.
TRIES = 5
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
    # With the head of a browser behind a dyno's router, in place of wrk's own bare one.
    browser: bool = False


# What a browser sends beside the cookie, and a dyno's router adds: with the cookie and wrk's Host
# twenty-two fields in 1.2 kB.
BROWSER = {
    "Accept": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
        "*/*;q=0.8"
    ),
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "Cache-Control": "max-age=0",
    "Referer": "https://www.example.com/",
    "Sec-Ch-Ua": '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
    "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Windows"',
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36"
    ),
    "Via": "1.1 vegur",
    "X-Forwarded-For": "203.0.113.77",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
    "X-Request-Id": "6f0b1c1e-58cb-4f5a-9d0e-2f6f7b6f7a11",
    "X-Request-Start": "1763900000000",
}


def home(connections):
    plural = "" if connections == 1 else "s"
    return Workload(f"home-{connections}", f"home, {connections} connection{plural}", connections)


def from_browser(connections):
    bare = home(connections)
    title = f"{bare.title}, a browser's head"
    return Workload(f"browser-{connections}", title, connections, browser=True)


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
    *map(from_browser, (1, 8, 64, 512)),
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
    for _ in range(TRIES):
        try:
            return tried(workload, server)
        except (OSError, HTTPException):
            pass
    return None


def tried(workload, server):
    headers = dict(BROWSER) if workload.browser else dict(workload.headers)
    if workload.signed_in:
        headers["Cookie"] = server.sign_in()
    if workload.values:
        filled, _ = server.ask("GET", f"/fill?size={workload.values}", headers)
        if filled.status != 303:
            return None
        headers["Cookie"] = cookies_of(filled)
    if workload.again:
        first, _ = server.ask("GET", workload.path)
        headers |= validators(first)
    method = "POST" if workload.body else "GET"
    form = {"Content-Type": "application/x-www-form-urlencoded"} if workload.body else {}
    answer, page = server.ask(method, workload.path, headers | form, workload.body)
    coding = answer.getheader("Content-Encoding", "identity")
    wanted = workload.headers.get("Accept-Encoding", coding)
    right = answer.status == workload.status and coding == wanted
    if workload.signed_in and b"<h1>Hello foo</h1>" not in page:
        right = False
    return Request(workload.path, headers, workload.body) if right else None


def validators(answer):
    pairs = [("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")]
    return {ask: answer.getheader(name) for name, ask in pairs if answer.getheader(name)}
