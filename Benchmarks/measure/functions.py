"""A warm invocation of a Python function, beside what a process boundary costs."""
import subprocess, sys, time

title = "functions"


def measure(bench):
    with bench.folder() as folder:
        warm = bench.inside(folder, "invocations", folder=folder, msorch=bench.msorch)["warm invocation"]
    pipe = pipe_loop() * 1e6
    bench.figures.add("warm invocation of a Python function", warm, "us")
    bench.figures.add("bare Python pipe loop", pipe, "us")
    bench.figures.add("warm invocation / bare pipe loop", warm / pipe, "×")


def pipe_loop(count=3000):
    """Seconds for an event through a Python child's pipes and back."""
    program = "import sys\nfor line in sys.stdin: sys.stdout.write(line); sys.stdout.flush()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    event = b'{"order_id": 1}\n'
    start = None
    for number in range(count + 100):
        if number == 100:
            start = time.perf_counter()
        child.stdin.write(event)
        child.stdin.flush()
        child.stdout.readline()
    took = time.perf_counter() - start
    child.stdin.close()
    child.wait()
    return took / count
