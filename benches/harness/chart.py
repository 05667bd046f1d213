"""The picture: two panels of bars, two of curves, in plain SVG, light and dark."""

import math
from html import escape
from statistics import median

from harness.workloads import CROWDS, HEADLINE, SIZES

WIDTH, HEIGHT = 480, 300
# Around what a panel draws, for its title and the words at its axes.
TOP, RIGHT, BOTTOM, LEFT = 44, 16, 40, 76
TICKS = 4
COLOURS = {
    "waxseal": "#d1242f", "go": "#0598bc", "bare": "#8c959f", "rouille": "#bf8700",
    "astra": "#57606a", "axum": "#8250df", "nginx": "#2da44e", "actix": "#0550ae", "express": "#1a7f37", "flask": "#e85aad",
}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.faint { fill: #656d76 }
.end { text-anchor: end }
.middle { text-anchor: middle }
.paper { fill: #ffffff }
.grid { stroke: #8c959f; stroke-opacity: 0.35 }
polyline { fill: none; stroke-width: 1.5 }
.waxseal { stroke-width: 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .faint { fill: #9198a1 }
  .paper { fill: #0d1117 }
}
"""


def draw(results, titles):
    home = results["workloads"][HEADLINE.name]
    sizes = [(workload.values, results["values"][workload.name]) for workload in SIZES]
    crowds = [(size, results["crowds"][str(size)]) for size in CROWDS]
    panels = [
        bars("Home page, 64 connections: thousands a second", home, titles, "rate", 1e-3),
        bars("… and 99 of 100 answers within, ms", home, titles, "p99", 1e3),
        curves("Beside idle connections: thousands a second", crowds, "idle connections"),
        curves("Large sessions: thousands a second", sizes, "bytes of values"),
    ]
    height = 2 * HEIGHT + 30
    placed = [
        f'<g transform="translate({at % 2 * WIDTH} {at // 2 * HEIGHT})">{panel}</g>'
        for at, panel in enumerate(panels)
    ]
    placed.append(legend(home, titles, height - 12))
    return page(placed, "Waxseal and what one would use instead", 2 * WIDTH, height)


def page(parts, title, width=WIDTH, height=HEIGHT):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f'<rect class="paper" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def bars(title, runs, titles, what, scale):
    values = {name: median(run[what] for run in each) * scale for name, each in runs.items()}
    step = (HEIGHT - TOP - BOTTOM) / len(values)
    room = WIDTH - LEFT - RIGHT - 50
    parts = [text(LEFT, 24, title, "title")]
    for at, (name, value) in enumerate(values.items()):
        y = TOP + at * step
        length = max(value / max(values.values()) * room, 1)
        baseline = y + step / 2 + 4
        parts += [
            text(LEFT - 8, baseline, titles[name], "end"),
            f'<rect x="{LEFT}" y="{y + 3:.1f}" width="{length:.1f}" height="{step - 6:.1f}" '
            f'fill="{COLOURS.get(name, COLOURS["waxseal"])}"/>',
            text(LEFT + length + 6, baseline, f"{value:.3g}", "faint"),
        ]
    return "".join(parts)


def curves(title, points, axis):
    """Rates over a logarithmic axis; `points` are pairs of a size and the runs of all servers."""
    rates = {}
    for size, runs in points:
        for name, each in runs.items():
            rate = median(run["rate"] for run in each) / 1e3
            rates.setdefault(name, []).append((size, rate))
    sizes = [size for size, _ in points]
    highest = round_up(max(rate for each in rates.values() for _, rate in each))
    x, y = across(sizes), upwards(highest)
    parts = [text(LEFT, 24, title, "title"), grid(highest, y)]
    parts += [
        text(x(size), HEIGHT - BOTTOM + 16, f"{size:,}", "faint middle")
        for size, after in zip(sizes, [*sizes[1:], math.inf])
        # Where the next stands too near, its number is enough.
        if after >= 2 * size
    ]
    parts.append(text((LEFT + WIDTH) / 2, HEIGHT - 6, axis, "faint middle"))
    for name, each in rates.items():
        line = " ".join(f"{x(size):.1f},{y(rate):.1f}" for size, rate in each)
        parts.append(f'<polyline class="{name}" stroke="{COLOURS[name]}" points="{line}"/>')
        parts += [
            f'<circle cx="{x(size):.1f}" cy="{y(rate):.1f}" r="2.5" fill="{COLOURS[name]}"/>'
            for size, rate in each
        ]
    return "".join(parts)


def round_up(highest):
    """The least number from there on that is round at every tick."""
    unit = 10 ** math.floor(math.log10(highest / TICKS))
    tops = (unit * factor * TICKS for factor in (1, 1.5, 2, 2.5, 5, 10))
    return next(top for top in tops if top >= highest)


def across(sizes):
    """Where a size lies, logarithmically."""
    first, last = math.log(min(sizes)), math.log(max(sizes))
    room = WIDTH - LEFT - RIGHT - 20
    return lambda size: LEFT + 10 + (math.log(size) - first) / (last - first) * room


def upwards(highest):
    return lambda value: HEIGHT - BOTTOM - value / highest * (HEIGHT - TOP - BOTTOM)


def grid(highest, y):
    parts = []
    for tick in range(TICKS + 1):
        value = highest * tick / TICKS
        parts += [
            f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>',
            text(LEFT - 8, y(value) + 4, f"{value:.0f}", "faint end"),
        ]
    return "".join(parts)


def legend(names, titles, y):
    step = (2 * WIDTH - LEFT - RIGHT) / len(names)
    parts = []
    for at, name in enumerate(names):
        x = LEFT + at * step
        colour = COLOURS[name]
        parts += [
            f'<rect x="{x:.1f}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
            text(x + 18, y, titles[name], "legend"),
        ]
    return "".join(parts)


def text(x, y, words, style):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(words)}</text>'
