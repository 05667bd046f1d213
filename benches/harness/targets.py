"""What Waxseal set out to reach, and what a run says of it: medians, all of one run."""

from statistics import median

MET, MISSED = "met", "**missed**"


def targets(results):
    """Rows of: what, measured, floor, aim, verdict."""
    return [row for row in (*ratios(results), *limits(results)) if row]


def ratios(results):
    home, close = results["workloads"]["home-64"], results["workloads"]["close"]
    yield at_least("home, 64 connections, beside Go", rate(home, "go"), 1.2, 1.8)
    yield at_least("… beside Express", rate(home, "express"), 8, 10)
    yield at_least("… beside tiny_http alone", rate(home, "bare"), 0.7, 1.0)
    yield at_least("… beside axum", rate(home, "axum"), None, 0.5)
    yield at_least("a connection for each request, beside Go", rate(close, "go"), 1.2)
    yield from with_a_browser_s_head(results["workloads"])
    if "go" in home:
        share = middle(home["waxseal"], "p99") / middle(home["go"], "p99")
        yield at_most("p99 at 64 connections, of Go's", share, 0.25, decimals=2)
    if results["seal"]:
        gorilla, seal, session = (median(each) for each in zip(*results["seal"]))
        yield at_least("open and seal, beside gorilla/securecookie", gorilla / seal, 8)
        yield at_least("… a whole session, loaded and saved", gorilla / session, None)


def with_a_browser_s_head(workloads):
    for connections, goals in (
        (8, {"astra": 0.8, "bare": 1.0}),
        (64, {"astra": 1.0, "axum": 0.9}),
        (512, {"astra": 1.0, "axum": 0.9}),
    ):
        runs = workloads[f"browser-{connections}"]
        for other, goal in goals.items():
            title = {"bare": "tiny_http alone"}.get(other, other)
            what = f"a browser's head, {connections} connections, beside {title}"
            yield at_least(what, rate(runs, other), None, goal)


def limits(results):
    starts = results["starts"]["waxseal"]
    yield at_most("start to first answer, ms", median(start[0] for start in starts) * 1e3, 15)
    yield at_most("memory at rest, MB", median(start[1] for start in starts) / 1e6, 6)
    crowd = results["crowds"].get("10000", {}).get("waxseal")
    if crowd:
        idle = middle(crowd, "at_rest") / 1e6
        yield at_most("memory with 10,000 idle connections, MB", idle, 60)
    yield at_most("stripped binary, MB", results["binaries"]["waxseal"] / 1e6, 3)
    yield at_most("crates, default features", results["packages"]["waxseal"], 85, decimals=0)
    yield at_most("crates, without default features", results["lean"], 60, decimals=0)


def rate(runs, other):
    """How many times the other's rate ours is, where the other is there."""
    return middle(runs["waxseal"], "rate") / middle(runs[other], "rate") if other in runs else None


def middle(runs, what):
    return median(run[what] for run in runs)


def at_least(what, value, floor, aim=None):
    if value is None:
        return None
    bound = floor if floor is not None else aim
    verdict = "" if bound is None else MET if value >= bound else MISSED
    goals = (f"{goal} ×" if goal else "" for goal in (floor, aim))
    return [what, f"{value:.2f} ×", *goals, verdict]


def at_most(what, value, limit, decimals=1):
    verdict = MET if value <= limit else MISSED
    return [what, f"{value:.{decimals}f}", f"at most {limit}", "", verdict]
