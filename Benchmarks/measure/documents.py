"""The results as docs/performance.md shows them."""
import datetime, os, platform, subprocess
from pathlib import Path
from . import costs, curves
from .bench import root

page = root / "docs" / "performance.md"
picture = root / "docs" / "performance" / "curves.svg"


def machine():
    model = next((line.partition(": ")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024 // 1024
    mounted = subprocess.run(["df", "--output=fstype", str(root / ".build")], capture_output=True, text=True)
    system = (mounted.stdout.split() or ["", "an unknown file system"])[-1]
    return (f"{os.cpu_count()} cores ({model}), {memory} GiB, {system}, Linux {platform.release().split('-')[0]}, "
            f"{datetime.date.today():%-d %B %Y}")


def results(figures, is_quick):
    scope = "`Benchmarks/run --quick`: rough" if is_quick else "`Benchmarks/run`"
    parts = [f"{scope}; {machine()}.", "", figures.table(), ""]
    if figures.tables:
        parts += [figures.more_tables()]
    if figures.curves:
        parts += [curves.tables(figures.curves)]
    if figures.costs:
        parts += [costs.tables(figures.costs)]
    return "\n".join(parts)


# What stands between which marks of the page.
places = {"results": ["durable", "operations", "commands", "recovery", "scale", "functions", "costs", "curves"],
          "endpoint": ["endpoint"]}


def write(figures, is_quick):
    """Replaces what stands between the page's marks, and the picture, where all of it was measured."""
    measured = {figure.subject for figure in figures.list} | ({"curves"} if figures.curves else set())
    for mark, subjects in places.items():
        if measured.issuperset(subjects):
            replace(mark, results(figures.of(subjects), is_quick))
    if figures.curves:
        picture.parent.mkdir(exist_ok=True)
        picture.write_text(curves.picture(figures.curves))


def replace(mark, text):
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before = page.read_text()
    if begin not in before or end not in before:
        raise RuntimeError(f"{page} has no place for {mark}")
    head, _, rest = before.partition(begin)
    page.write_text(f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}")
