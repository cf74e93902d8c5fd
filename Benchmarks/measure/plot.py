"""Line charts as SVG, both axes logarithmic, several side by side."""
import math
from xml.sax.saxutils import escape

width, height = 460, 320
left, right, top, base = 66, 20, 44, 268
colours = ["#1f6feb", "#d1570d", "#1a7f37", "#8250df"]


class Axes:
    """Where a point of the data is in the picture. Zero on the x axis stands one power of ten below the least."""

    def __init__(self, curves):
        self.xs = sorted({x for points in curves.values() for x, _ in points})
        self.zero = min((x for x in self.xs if x > 0), default=1) / 10
        self.low, self.high = self.power(self.xs[0]), self.power(self.xs[-1])
        ys = [y for points in curves.values() for _, y in points if y > 0]
        self.floor = math.floor(math.log10(min(ys)))
        self.ceiling = max(self.floor + 1, math.ceil(math.log10(max(ys))))

    def power(self, x):
        return math.log10(x or self.zero)

    def across(self, x):
        share = (self.power(x) - self.low) / max(self.high - self.low, 1e-9)
        return left + share * (width - left - right)

    def up(self, y):
        return base - (math.log10(y) - self.floor) / (self.ceiling - self.floor) * (base - top)

    def grid(self, label):
        for power in range(self.floor, self.ceiling + 1):
            y = self.up(10 ** power)
            yield f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            yield text(left - 8, y + 4, short(10 ** power), "end")
        for x in self.xs[::math.ceil(len(self.xs) / 8)]:
            at = self.across(x)
            yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{base}" class="grid"/>'
            yield text(at, base + 17, label(x))

    def curve(self, points, colour):
        places = [(self.across(x), self.up(y)) for x, y in points if y > 0]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line}"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def chart(title, axis, unit, curves, label=None):
    """One chart; `curves` is {name: [(x, y)]}."""
    axes = Axes(curves)
    middle = (top + base) / 2
    parts = [text(left, 20, title, "start", ' class="title"'), *axes.grid(label or short),
             text((left + width - right) / 2, height - 12, axis),
             text(14, middle, unit, more=f' transform="rotate(-90 14 {middle})"')]
    for index, (name, points) in enumerate(curves.items()):
        colour = colours[index % len(colours)]
        parts += axes.curve(points, colour)
        parts.append(f'<rect x="{left + index * 130}" y="29" width="10" height="3" fill="{colour}"/>')
        parts.append(text(left + 15 + index * 130, 35, name, "start"))
    return "\n".join(parts)


def sheet(charts, columns=2):
    """The charts as one picture, on white, so that it reads on a dark page too."""
    rows = math.ceil(len(charts) / columns)
    style = ("text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:14px}"
             ".grid{stroke:#ddd;stroke-width:1}")
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * width} {rows * height}" '
             f'width="{columns * width}" height="{rows * height}">',
             f"<style>{style}</style>", '<rect width="100%" height="100%" fill="#fff"/>']
    for index, drawn in enumerate(charts):
        lines.append(f'<g transform="translate({index % columns * width} {index // columns * height})">{drawn}</g>')
    return "\n".join(lines + ["</svg>", ""])


def short(value):
    for limit, suffix in [(1_000_000, "M"), (1000, "k")]:
        if value >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:g}"


def bytes_label(value):
    for limit, suffix in [(1 << 20, " MiB"), (1 << 10, " KiB")]:
        if value >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:g} B"
