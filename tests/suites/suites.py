"""The published suites: their requests, and what they wish for each.

A wish is `accept`, `refuse`, or `incomplete` where the request is not whole. gunicorn and httparse say themselves
what they wish. h11 and waitress are asked: each of all requests is put through their parsers.

Most of the requests have no Host, which HTTP/1.1 must refuse (RFC 9112, section 3.2), and which would hide what
they are about. They get one.
"""

import ast
import re
import sys
from pathlib import Path

# What a test of a Python package holds as a request.
REQUEST = re.compile(rb"[A-Za-z]+ \S+ HTTP/\d")
# The tests of httparse: a name, the bytes, what comes of them.
HTTPARSE = re.compile(r'req! \{\s*(\w+),\s*b"((?:[^"\\]|\\.)*)",\s*(Err|Ok\(Status::Partial\)|\|)', re.S)


def gunicorn(folder):
    """Files of requests, with line ends as escapes."""
    for wish, name in (("accept", "valid"), ("refuse", "invalid")):
        for file in sorted((folder / "tests/requests" / name).glob("*.http")):
            data = file.read_bytes().replace(b"\n", b"").replace(rb"\r\n", b"\r\n")
            data = data.replace(rb"\0", b"\0").replace(rb"\n", b"\n").replace(rb"\t", b"\t")
            is_cut = "NoMoreData" in file.with_suffix(".py").read_text()
            yield f"{name}/{file.stem}", data, "incomplete" if is_cut else wish


def httparse(folder):
    """The macros of its tests; Rust's escapes are Python's, but that a line can go on."""
    source = (folder / "src/lib.rs").read_text()
    for name, text, outcome in HTTPARSE.findall(source):
        text = re.sub(r"\\\n\s*", "", text)
        data = ast.literal_eval(f'b"""{text}"""')
        wish = {"Err": "refuse", "|": "accept"}.get(outcome, "incomplete")
        yield name, data, wish


def literals(folder, pattern):
    """The requests that stand in the tests of a Python package."""
    for file in sorted(folder.glob(pattern)):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and REQUEST.match(node.value):
                yield f"{file.stem}:{node.lineno}", whole(node.value), None


def whole(data):
    """waitress has heads without their end, of a version that there is not."""
    data = data.replace(b"HTTP/8.4", b"HTTP/1.1")
    return data if b"\r\n\r\n" in data else data.rstrip(b"\r\n") + b"\r\n\r\n"


def with_host(data):
    """The same with a Host in each head, where no head has one."""
    if re.search(rb"^host[ \t]*:", data, re.M | re.I):
        return data
    return re.sub(rb"^(\S+ \S+ HTTP/1\.\d+\r\n)", rb"\1Host: a\r\n", data, flags=re.M)


def ask_h11(data):
    import h11

    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    connection.receive_data(b"")
    requests = 0
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                requests += 1
                connection.send(h11.Response(status_code=204, headers=[]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return "accept"
                connection.start_next_cycle()
            elif event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return "accept" if requests else "incomplete"
    except h11.RemoteProtocolError as error:
        is_end = "peer unexpectedly closed" in str(error) or "closed connection without" in str(error)
        return "incomplete" if is_end else "refuse"


def ask_waitress(data):
    from waitress.adjustments import Adjustments
    from waitress.parser import HTTPRequestParser

    adjustments, requests = Adjustments(), 0
    while data:
        parser = HTTPRequestParser(adjustments)
        used = 0
        while used < len(data) and not parser.completed:
            try:
                taken = parser.received(data[used:])
            except ValueError:
                # Python's urlsplit does not take the target.
                return "refuse"
            if not taken:
                break
            used += taken
        data = data[used:]
        if parser.error:
            return "refuse"
        if parser.empty:
            continue
        if not parser.completed:
            return "incomplete"
        requests += 1
        if parser.connection_close:
            break
    return "accept" if requests else "incomplete"


def cases(folder):
    """All requests: the suite, the name, the bytes, and who wishes what."""
    one = lambda name: next(path for path in folder.glob(f"{name}-*") if path.is_dir())
    h11, waitress = one("h11"), one("waitress")
    sys.path[:0] = [str(h11), str(waitress / "src")]
    found = (
        [("gunicorn", *case) for case in gunicorn(one("gunicorn"))]
        + [("httparse", *case) for case in httparse(one("httparse"))]
        + [("h11", *case) for case in literals(h11, "h11/tests/test_*.py")]
        + [("waitress", *case) for case in literals(waitress, "tests/test_*.py")]
    )
    for suite, name, data, wish in found:
        data = with_host(data)
        wishes = {suite: wish} if wish else {}
        wishes["h11"], wishes["waitress"] = ask_h11(data), ask_waitress(data)
        yield suite, name, data, wishes
