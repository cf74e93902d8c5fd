"""One run: the release binaries, a folder on the journal's disk, and how much to do."""
import contextlib, os, shutil, statistics, subprocess, sys, tempfile, threading, time
from dataclasses import dataclass
from pathlib import Path

root = Path(__file__).resolve().parent.parent.parent
null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
body = "x" * 256


class Unavailable(Exception):
    """A peer, or a tool, that is not there."""


@dataclass
class Scope:
    """How much of everything; `--quick` divides it."""
    messages: int = 1_000_000
    deepest: int = 10_000_000
    rounds: int = 5
    seconds: float = 3.0
    commands: int = 51

    @classmethod
    def quick(cls):
        return cls(messages=100_000, deepest=200_000, rounds=3, seconds=0.5, commands=11)


class Bench:
    """Commands outlive no limit: each is killed after `patience` seconds."""
    patience = 600

    def __init__(self, scope, figures):
        self.scope, self.figures = scope, figures
        self.binaries = build()
        self.msorch = f"{self.binaries}/msorch"
        self.in_process = f"{self.binaries}/in-process"
        self.load = f"{self.binaries}/load"

    @contextlib.contextmanager
    def folder(self):
        """An empty folder on the disk that is measured."""
        with tempfile.TemporaryDirectory(dir=root / ".build", prefix="benchmark-") as path:
            yield path

    def inside(self, folder, subject, /, **options):
        """Runs the in-process tool; its figures by name."""
        shown = subprocess.run(self.inside_words(folder, subject, **options), check=True, text=True,
                               stdout=subprocess.PIPE, timeout=self.patience).stdout
        return parse(shown)

    def inside_words(self, folder, subject, /, **options):
        words = [self.in_process, subject]
        for name, value in {"state": f"{folder}/.msorch", **options}.items():
            words += [f"--{name}", str(value)]
        return words

    def run(self, folder, *words, input=None):
        """Runs msorch in `folder`; seconds from start to exit."""
        return timed([self.msorch, "-C", folder, *words], input)

    def watched(self, folder, *words, input=None):
        """The same, and the most memory that it took, in MB. GNU time starts it: what Python starts inherits Python's
        peak."""
        report = f"{folder}/peak"
        words = ["/usr/bin/time", "-f", "%M", "-o", report, self.msorch, "-C", folder, *words]
        return timed(words, input), int(Path(report).read_text()) / 1024


def build():
    """The folder of the release binaries, as they are once installed: copied. The pages of a file that the linker has
    just written are kept one by one, and a program starts 0.4 ms later from them."""
    products = ["msorch", "in-process", "load"]
    for product in products:
        built = subprocess.run(["swift", "build", "-c", "release", "--product", product], cwd=root, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if built.returncode != 0:
            sys.exit(built.stdout + f"error: {product} could not be built.")
    shown = subprocess.run(["swift", "build", "-c", "release", "--show-bin-path"], cwd=root, check=True,
                           capture_output=True, text=True)
    installed = root / ".build/benchmark-programs"
    installed.mkdir(exist_ok=True)
    for product in products:
        shutil.copy(Path(shown.stdout.strip()) / product, installed)
    return installed


def parse(shown):
    """`name: value unit` lines."""
    figures = {}
    for line in shown.splitlines():
        name, _, value = line.rpartition(": ")
        figures[name] = float(value.split()[0])
    return figures


def timed(words, input=None, environment=None):
    """Seconds from start to exit of a command that must succeed, with as little of Python as possible."""
    source = os.open(input, os.O_RDONLY) if input else null
    actions = [(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
    start = time.perf_counter()
    pid = os.posix_spawn(words[0], words, environment or os.environ, file_actions=actions)
    watchdog = threading.Timer(Bench.patience, os.kill, [pid, 9])
    watchdog.start()
    try:
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter() - start
    finally:
        watchdog.cancel()
        if input:
            os.close(source)
    if status != 0:
        raise RuntimeError(f"{' '.join(words[:6])} … ended with {os.waitstatus_to_exitcode(status)}")
    return took


def interleaved(rounds, **commands):
    """What each command gave, their runs taking turns."""
    seen = {name: [] for name in commands}
    for _ in range(rounds):
        for name, run in commands.items():
            seen[name].append(run())
    return seen


def medians(seen):
    return {name: statistics.median(values) for name, values in seen.items()}


def ratio(above, below):
    """The median of the rounds' own ratios: what slows a whole round down cancels out."""
    return statistics.median(a / b for a, b in zip(above, below))


def lines_file(folder, count):
    """A file of `count` lines of 256 bytes."""
    path = f"{folder}/lines-{count}"
    with open(path, "w") as stream:
        for start in range(0, count, 10_000):
            stream.write((body + "\n") * min(10_000, count - start))
    return path
