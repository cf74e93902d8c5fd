"""Cost curves: throughput against body size, clients, backlog and number of queues."""
import sys
from . import plot

title = "cost curves"
durabilities = ["fsync", "os"]


def measure(bench):
    seconds = min(2.0, bench.scope.seconds)
    curves = bench.figures.curves
    curves["body"] = sends(bench, "body", bodies(), seconds=seconds)
    curves["clients"] = sends(bench, "clients", [1, 2, 4, 8, 16, 32, 64, 128, 256], seconds=seconds)
    curves["queues"] = sends(bench, "queues", [1, 10, 100, 1000], seconds=seconds)
    curves["backlog"] = backlog(bench, seconds)
    for name, found in curves.items():
        for curve, points in found.items():
            shown = ", ".join(f"{plot.short(x)}: {y:,.0f}" for x, y in points)
            print(f"  {name}, {curve}: {shown}", flush=True, file=sys.stderr)


def bodies():
    return [64, 256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20]


def sends(bench, option, values, seconds):
    found = {}
    for durability in durabilities:
        points = []
        for value in values:
            with bench.folder() as folder:
                seen = bench.inside(folder, "sends", durability=durability, by="callbacks", seconds=seconds,
                                    **{option: value})
            points.append((value, seen["sends"]))
        found[durability] = points
    return found


def backlog(bench, seconds):
    """Sends, and receive + delete, with so many waiting; one queue that grows, os durability."""
    depths = [depth for depth in [0, 1000, 10_000, 100_000, 1_000_000, 10_000_000] if depth <= bench.scope.deepest]
    found = {"send, receive, delete": []}
    with bench.folder() as folder:
        for depth in depths:
            seen = bench.inside(folder, "cycle", durability="os", clients=1, seconds=seconds, backlog=depth)
            found["send, receive, delete"].append((depth, seen["cycles"]))
    return found


charts = {
    "body": ("Sends against body size, 64 clients", "bytes of a body", "messages/s", plot.bytes_label),
    "clients": ("Sends against clients, 256 bytes", "clients", "messages/s", None),
    "backlog": ("One client's cycles against backlog, os", "messages waiting", "cycles/s", None),
    "queues": ("Sends against queues, 64 clients, 256 bytes", "queues", "messages/s", None),
}


def picture(curves):
    return plot.sheet([plot.chart(heading, axis, unit, curves[name], label)
                       for name, (heading, axis, unit, label) in charts.items() if name in curves])


def tables(curves):
    """The same as tables of Markdown."""
    lines = []
    for name, (heading, axis, unit, label) in charts.items():
        if name not in curves:
            continue
        found = curves[name]
        xs = [x for x, _ in next(iter(found.values()))]
        lines += [f"{heading} ({unit}):", "", f"| {axis} | " + " | ".join((label or plot.short)(x) for x in xs) + " |",
                  "|---" * (len(xs) + 1) + "|"]
        lines += [f"| {curve} | " + " | ".join(f"{y:,.0f}" for _, y in points) + " |"
                  for curve, points in found.items()]
        lines.append("")
    return "\n".join(lines)
