"""After kill -9 with a million waiting: how long until the first message is received."""
import contextlib, signal, statistics, subprocess, threading, time
from . import nats, peers
from .bench import Unavailable, body

title = "after kill -9"


def measure(bench):
    figures, count = bench.figures, bench.scope.messages
    found = msorch(bench)
    figures.add(f"msorch: first message after kill -9, {count:,} waiting", found * 1000, "ms", at_most=50)
    for name, run in [("nats-server JetStream", nats_server), ("redis", redis), ("beanstalkd", beanstalkd)]:
        try:
            figures.add(f"{name}: the same", run(bench) * 1000, "ms")
        except Unavailable as problem:
            figures.failures[name] = str(problem)


def msorch(bench):
    """A sender is killed while it sends, some time after the wanted number; then a receive, start to exit."""
    seen = []
    with bench.folder() as folder:
        bench.inside(folder, "fill", queue="Q", messages=bench.scope.messages, durability="os")
        for _ in range(bench.scope.rounds):
            sender = subprocess.Popen(bench.inside_words(folder, "fill", queue="Q", durability="os"),
                                      stdout=subprocess.DEVNULL)
            time.sleep(0.3)
            sender.kill()
            sender.wait()
            seen.append(bench.run(folder, "queue", "receive", "Q"))
    return statistics.median(seen)


@contextlib.contextmanager
def killed(words, folder, port, load):
    """Starts, loads, kills; then starts again and gives the time of that start."""
    server = peers.start(words, folder)
    try:
        peers.connect(port).close()
        load(port)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    start = time.perf_counter()
    server = peers.start(words, folder)
    try:
        yield start
    finally:
        server.kill()
        server.wait()


def beanstalkd(bench):
    with bench.folder() as folder:
        port = peers.free_port()

        def load(port):
            puts(port, bench.scope.messages)
        with killed(peers.beanstalkd_words(folder, port, sync=False), folder, port, load) as start:
            with peers.connect(port, 60) as connection:
                connection.settimeout(60)
                connection.sendall(b"reserve\r\n")
                if not connection.recv(64).startswith(b"RESERVED"):
                    raise RuntimeError("beanstalkd lost what it had")
                return time.perf_counter() - start


def puts(port, count):
    """Puts many in a row on one connection; answers are read meanwhile."""
    request = f"put 0 0 60 {len(body)}\r\n{body}\r\n".encode()
    with peers.connect(port) as connection:
        def answers():
            lines = 0
            while lines < count and (piece := connection.recv(1 << 16)):
                lines += piece.count(b"\n")
        reader = threading.Thread(target=answers, daemon=True)
        reader.start()
        for done in range(0, count, 1000):
            connection.sendall(request * min(1000, count - done))
        reader.join(peers.patience * 3)
        if reader.is_alive():
            raise RuntimeError("beanstalkd did not acknowledge everything in time")


def redis(bench):
    with bench.folder() as folder:
        port = peers.free_port()

        def load(port):
            peers.redis_pushes(port, bench.scope.messages, pipeline=100)
        with killed(peers.redis_words(folder, port, "everysec"), folder, port, load) as start:
            with peers.connect(port, 60) as connection:
                while True:
                    connection.sendall(b"RPOP mylist\r\n")
                    answer = connection.recv(4096)
                    if answer.startswith(b"$") and not answer.startswith(b"$-1"):
                        return time.perf_counter() - start
                    if not answer.startswith(b"-LOADING") or time.perf_counter() - start > 60:
                        raise RuntimeError(f"redis answered {answer!r}")
                    time.sleep(0.001)


def nats_server(bench):
    with bench.folder() as folder:
        port = peers.free_port()

        def load(port):
            with nats.Client(port) as client:
                client.make_stream()
                client.publish(body.encode(), bench.scope.messages)
        with killed(peers.nats_words(folder, port), folder, port, load) as start:
            with nats.Client(port) as client:
                client.first_message(body.encode())
                return time.perf_counter() - start
