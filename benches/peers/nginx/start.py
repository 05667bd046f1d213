#!/usr/bin/env python3
"""Starts nginx on a free port, with as many workers as processors, to answer out of its
configuration: the same bytes as Waxseal's home page, and no session. No server comes closer to what
the machine and the load allow, so it is the practical limit."""

import os
import socket
import sys
import tempfile
import time
from pathlib import Path

# As long as a sealed session of the name alone.
COOKIE = "nginx=" + "v" * 118
# Waxseal's own fields of the home page, as far as nginx does not send them itself.
FIELDS = {
    "Vary": "Cookie",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CONFIGURATION = """
daemon off; worker_processes auto; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = / {{ default_type "text/html; charset=utf-8"; {fields} return 200 '{page}'; }}
    location = /login {{ add_header Set-Cookie '{cookie}' always; return 302 /; }}
  }}
}}
"""


def main():
    page = Path("benches/peers/home.html").read_text().replace("{name}", "foo")
    if "'" in page or "$" in page:
        sys.exit("the page cannot stand in a configuration as it is")
    port = free_port()
    directory = tempfile.mkdtemp(prefix="nginx-peer-")
    configuration = Path(directory, "nginx.conf")
    fields = " ".join(f'add_header {name} "{value}";' for name, value in FIELDS.items())
    configuration.write_text(CONFIGURATION.format(
        directory=directory, port=port, page=page, cookie=COOKIE, fields=fields
    ))
    # The child tells the port once nginx listens, and ends; this process becomes nginx.
    if os.fork() == 0:
        wait_until_it_listens(port)
        print(f"port {port}", flush=True)
    else:
        os.execvp("nginx", ["nginx", "-c", configuration, "-e", f"{directory}/error.log"])


def wait_until_it_listens(port):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.001)
    sys.exit("nginx does not start")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


main()
