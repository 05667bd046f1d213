"""The tables, in Markdown, and where they go."""

import re
from statistics import median

from harness import chart
from harness.contestants import CONTESTANTS
from harness.servers import ROOT
from harness.targets import targets
from harness.workloads import CROWDS, HEADLINE, SIZES, WORKLOADS

PAGE = ROOT / "benches" / "README.md"
PICTURE = ROOT / "benches" / "comparison.svg"
FIGURES = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
TITLES = {contestant.name: contestant.title for contestant in CONTESTANTS}
# Beyond this share of requests that broke or were refused, a figure is marked.
TOLERATED = 0.01
# What is told of a run: how it is called, its name, by what it is multiplied, decimals.
RATE = ("Thousands of requests a second", "rate", 1e-3, 1)
MEASURES = [
    RATE,
    ("Half of the answers within, ms", "p50", 1e3, 2),
    ("99 of 100 answers within, ms", "p99", 1e3, 1),
    ("Processor time for a request, µs", "cpu", 1e6, 0),
    ("Resident memory, MB", "memory", 1e-6, 1),
]


def write(results):
    """Table and picture, in the place of those that are there."""
    PICTURE.write_text(chart.draw(results, TITLES))
    between = figures(results)
    text, found = FIGURES.subn(lambda place: place[1] + between + place[2], PAGE.read_text())
    assert found == 1, f"{PAGE} has no place for the figures"
    PAGE.write_text(text)


def figures(results):
    parts = [
        about(results),
        "### The home page of somebody signed in, 64 connections",
        workload_table(results, HEADLINE.name),
        "What one request takes:",
        made_of(results),
        "### The targets",
        table(["", "measured", "floor", "aim", ""], targets(results)),
        "### All workloads",
        matrix(results["workloads"], rows_of(WORKLOADS), *RATE),
        marks(results),
        *(fold(measure[0], matrix(results["workloads"], rows_of(WORKLOADS), *measure))
          for measure in MEASURES[1:]),
        "### As work grows",
        growth(results),
        "### At rest",
        rest_table(results),
    ]
    return "\n".join(f"\n{part}" for part in parts) + "\n\n"


def about(results):
    machine = results["about"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    others = [
        run["others"]
        for servers in results["workloads"].values() for runs in servers.values() for run in runs
    ]
    lines = [
        f"{machine['date']}, {machine['processors']}, Linux {machine['kernel']}; {versions}.",
        f"In half of the runs, other programs had {median(others):.0%} of the processors or less.",
        *(f"{TITLES[name]} was left out: {why}." for name, why in results["skipped"].items()),
    ]
    return "\n".join(lines)


def workload_table(results, name):
    """One workload in full."""
    runs = results["workloads"][name]
    head = ["", *(measure[0] for measure in MEASURES)]
    rows = [
        [TITLES[server], *(cell(each, *measure[1:]) for measure in MEASURES)]
        for server, each in runs.items()
    ]
    return table(head, rows)


def made_of(results):
    """Of the headline, what the processor does."""
    rows = []
    for name, runs in results["workloads"][HEADLINE.name].items():
        measures = [("cpu", 1e6, 1), ("kernel", 1e6, 1), ("switches", 1, 1)]
        cells = [cell(runs, *measure) for measure in measures]
        calls = results["calls"].get(name)
        rows.append([TITLES[name], *cells, f"{calls:.1f}" if calls else "–"])
    head = ["processor, µs", "of that the kernel", "switches of context", "system calls"]
    return table(["", *head], rows)


def rows_of(workloads):
    return [(workload.title, workload.name) for workload in workloads]


def matrix(results, rows, head, *measure):
    """A row for each workload, a column for each server."""
    servers = [name for name in TITLES if any(name in runs for runs in results.values())]
    body = [
        [title, *(cell(results[key].get(name), *measure) for name in servers)]
        for title, key in rows
    ]
    return table([head, *(TITLES[name] for name in servers)], body)


def cell(runs, what, scale, decimals):
    """The median and, for rates, the spread."""
    if not runs:
        return "–"
    values = [run[what] * scale for run in runs]
    text = number(median(values), decimals)
    if what == "rate":
        text += f" ({number(min(values), decimals)}–{number(max(values), decimals)})"
    return text + ("\\*" if is_marked(runs) else "")


def number(value, decimals):
    """What is below one keeps two digits."""
    return f"{value:.{decimals}f}" if value >= 1 or value == 0 else f"{value:.2g}"


def is_marked(runs):
    failed = sum(run["refused"] + run["broken"] for run in runs)
    # About as many as were answered: each run took a second.
    return failed > TOLERATED * sum(run["rate"] for run in runs)


def marks(results):
    every = [runs for each in results["workloads"].values() for runs in each.values()]
    if not any(map(is_marked, every)):
        return "– is what a server does not do by itself."
    return (
        "– is what a server does not do by itself. \\* more than one request in a hundred was "
        "refused, or its connection broke."
    )


def growth(results):
    crowds, sizes = results["crowds"], results["values"]
    idle = [(f"{size:,} idle beside 8 busy", str(size)) for size in CROWDS if crowds.get(str(size))]
    memory = ("Resident memory with idle connections, MB", "at_rest", 1e-6, 1)
    return "\n\n".join([
        matrix(crowds, idle, *RATE),
        matrix(crowds, idle, *memory),
        matrix(sizes, rows_of(SIZES), *RATE),
    ])


def rest_table(results):
    binaries, packages = results["binaries"], results["packages"]
    rows = []
    for name, starts in results["starts"].items():
        size = f"{binaries[name] / 1e6:.1f}" if name in binaries else "–"
        first = median(start[0] for start in starts) * 1e3
        resting = median(start[1] for start in starts) / 1e6
        rows.append([TITLES[name], f"{first:.1f}", f"{resting:.1f}", size, str(packages[name])])
    head = ["start to first answer, ms", "memory, MB", "stripped binary, MB", "packages of others"]
    return table(["", *head], rows)


def table(head, rows):
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fold(title, text):
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
