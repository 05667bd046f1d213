"""How many system calls a server makes for a request, where perf may count them."""

import shutil
import signal
import subprocess

from harness.cost import processes
from harness.load import drive

COUNT = ("perf", "stat", "--field-separator", ",", "--event", "raw_syscalls:sys_enter", "--pid")


def calls_for_one(server, request, connections, seconds):
    """None where they cannot be counted."""
    if not shutil.which(COUNT[0]):
        return None
    # perf knows no threads that are begun after it.
    drive(server, request, connections, seconds)
    pids = ",".join(map(str, processes(server.pid)))
    perf = subprocess.Popen([*COUNT, pids], stderr=subprocess.PIPE, text=True)
    try:
        # What perf misses while it starts is a small part of a run.
        driven = drive(server, request, connections, seconds)
    finally:
        perf.send_signal(signal.SIGINT)
    counted = perf.communicate()[1].split(",")[0]
    return int(counted) / (driven.rate * seconds) if counted.isdigit() else None
