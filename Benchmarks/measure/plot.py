"""Line charts as SVG, both axes logarithmic, several side by side."""
import math
from xml.sax.saxutils import escape

width, height = 460, 320
left, right, top, bottom = 66, 20, 44, 52
colours = ["#1f6feb", "#d1570d", "#1a7f37", "#8250df"]


def chart(title, axis, unit, curves, labels=None):
    """One chart; `curves` is {name: [(x, y)]}, zero on the x axis is drawn one step before the least."""
    xs = sorted({x for points in curves.values() for x, _ in points})
    ys = [y for points in curves.values() for _, y in points if y > 0]
    least = min(x for x in xs if x > 0)
    shift = {0: least / 10}
    low, high = math.log10(shift.get(xs[0], xs[0])), math.log10(xs[-1])
    floor, ceiling = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    if ceiling == floor:
        ceiling += 1

    def across(x):
        return left + (math.log10(shift.get(x, x)) - low) / max(high - low, 1e-9) * (width - left - right)

    def up(y):
        return height - bottom - (math.log10(y) - floor) / (ceiling - floor) * (height - top - bottom)
    parts = [f'<text x="{left}" y="20" class="title">{escape(title)}</text>']
    for power in range(floor, ceiling + 1):
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{up(10 ** power):.1f}" y2="{up(10 ** power):.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 8}" y="{up(10 ** power) + 4:.1f}" text-anchor="end">{short(10 ** power)}</text>')
    step = max(1, math.ceil(len(xs) / 8))
    for x in xs[::step]:
        parts.append(f'<line x1="{across(x):.1f}" x2="{across(x):.1f}" y1="{top}" y2="{height - bottom}" class="grid"/>')
        parts.append(f'<text x="{across(x):.1f}" y="{height - bottom + 17}" text-anchor="middle">'
                     f'{(labels or short)(x)}</text>')
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 12}" text-anchor="middle">{escape(axis)}</text>')
    parts.append(f'<text x="14" y="{(top + height - bottom) / 2}" text-anchor="middle" '
                 f'transform="rotate(-90 14 {(top + height - bottom) / 2})">{escape(unit)}</text>')
    for index, (name, points) in enumerate(curves.items()):
        colour = colours[index % len(colours)]
        places = [(across(x), up(y)) for x, y in points if y > 0]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(f'<rect x="{left + index * 130}" y="29" width="10" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{left + 15 + index * 130}" y="35">{escape(name)}</text>')
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
