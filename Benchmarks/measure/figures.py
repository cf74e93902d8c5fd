"""What was measured, what it should be, and whether it is."""
import json, sys
from dataclasses import asdict, dataclass


@dataclass
class Figure:
    subject: str
    name: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def is_goal(self):
        return self.at_least is not None or self.at_most is not None

    @property
    def holds(self):
        if not self.is_goal:
            return None
        if self.value is None:
            return False
        return (self.at_least is None or self.value >= self.at_least) and \
            (self.at_most is None or self.value <= self.at_most)

    @property
    def shown(self):
        return "not measured" if self.value is None else f"{number(self.value)} {self.unit}".strip()

    @property
    def goal(self):
        if self.at_least is not None:
            return f"≥ {number(self.at_least)} {self.unit}".strip()
        return f"≤ {number(self.at_most)} {self.unit}".strip() if self.at_most is not None else ""

    @property
    def verdict(self):
        return {None: "", True: "holds", False: "no"}[self.holds]


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


class Figures:
    def __init__(self):
        self.subject = ""
        self.list = []
        self.tables = []
        self.curves = {}
        self.costs = []
        self.failures = {}

    def add(self, name, value, unit="", **more):
        figure = Figure(self.subject, name, value, unit, **more)
        self.list.append(figure)
        print(f"  {name}: {figure.shown}" + (f"   goal {figure.goal}: {figure.verdict}" if figure.is_goal else ""),
              flush=True, file=sys.stderr)

    def of(self, subjects):
        """Those of some subjects alone."""
        part = Figures()
        part.list = [figure for figure in self.list if figure.subject in subjects]
        part.tables = [table for table in self.tables if table[0] in subjects]
        part.curves = self.curves if "curves" in subjects else {}
        part.costs = self.costs if "costs" in subjects else []
        return part

    def table(self):
        """Markdown, which also reads well on a terminal."""
        rows = [("what", "figure", "goal", "")]
        rows += [(f.name + (f" ({f.note})" if f.note else ""), f.shown, f.goal, f.verdict) for f in self.list]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def add_table(self, heading, columns, rows):
        self.tables.append((self.subject, heading, columns, rows))

    def more_tables(self):
        """Those that a subject made itself."""
        lines = []
        for _, heading, columns, rows in self.tables:
            lines += [heading, "", *("| " + " | ".join(row) + " |" for row in
                                     [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]), ""]
        return "\n".join(lines)

    def json(self, machine):
        return json.dumps({
            "machine": machine,
            "figures": [{**asdict(f), "holds": f.holds} for f in self.list],
            "tables": [{"heading": heading, "columns": columns, "rows": rows}
                       for _, heading, columns, rows in self.tables],
            "curves": self.curves,
            "costs": [{"operation": name, "nanoseconds": time, "parts": parts} for name, time, parts in self.costs],
            "failures": self.failures,
        }, indent=2)
