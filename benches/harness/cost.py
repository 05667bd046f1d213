"""What a running server costs, and how busy the machine is beside it: Linux's /proc."""

import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Cost:
    """What a server has used so far, all of its processes together."""

    # Seconds of processor time, in the program and in the kernel for it.
    cpu: float
    # The part of it that the kernel had.
    kernel: float
    # Switches of context.
    switches: int


def cost(pid):
    cpu, kernel, switches = 0, 0, 0
    for process in processes(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / TICK
        kernel += int(fields[12]) / TICK
        switches += sum(map(switches_of, Path(f"/proc/{process}/task").iterdir()))
    return Cost(cpu, kernel, switches)


def switches_of(task):
    try:
        text = (task / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    return sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", text)))


def memory(pid):
    """Resident bytes; of pages that several processes of one server share, the share of each."""
    all_of_it = processes(pid)
    if len(all_of_it) == 1:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return sum(proportional(process) for process in all_of_it)


def proportional(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024


def processes(pid):
    """A process and all that descend from it."""
    found = [pid]
    for process in found:
        for task in Path(f"/proc/{process}/task").iterdir():
            try:
                found.extend(map(int, (task / "children").read_text().split()))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def busy_time():
    """Seconds for which processors were busy so far, but not with our own children."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    # All but the idle time, and that of waiting for disks.
    busy = sum(int(fields[at]) for at in (0, 1, 2, 5, 6, 7)) / TICK
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy - children.ru_utime - children.ru_stime
