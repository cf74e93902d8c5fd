"""Other people's queues, from Debian's packages, on free ports of the loopback, in the benchmark's folder."""
import contextlib, os, selectors, shutil, socket, subprocess, time
from .bench import Unavailable, body, root

patience = 20
environments = root / ".build" / "benchmark-peers"


def tool(environment, name):
    """A program out of a peer's own virtual environment."""
    path = environments / environment / "bin" / name
    if not path.exists():
        raise Unavailable(f"{environment} is not installed: run Benchmarks/install-peers")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, seconds=patience):
    """A connection, as soon as the server takes one."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=patience)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.0005)


def start(words, folder, environment=None):
    """A server's process, the first of a group; what it says goes to a file in its folder."""
    program = shutil.which(words[0], path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        raise Unavailable(f"{words[0]} is not installed: run Benchmarks/install-peers")
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/output", "ab") as output:
        return subprocess.Popen([program, *map(str, words[1:])], cwd=folder, stdin=subprocess.DEVNULL,
                                stdout=output, stderr=output, process_group=0,
                                env={**os.environ, **environment} if environment else None)


@contextlib.contextmanager
def running(words, folder, port):
    """A server that takes connections; killed at the end."""
    server = start(words, folder)
    try:
        connect(port).close()
        yield port
    finally:
        server.kill()
        server.wait()


def beanstalkd_words(folder, port, sync):
    return ["beanstalkd", "-l", "127.0.0.1", "-p", port, "-b", folder, *(["-f0"] if sync else ["-F"])]


def beanstalkd(folder, port=None, sync=True):
    os.makedirs(folder, exist_ok=True)
    port = port or free_port()
    return running(beanstalkd_words(folder, port, sync), folder, port)


def redis_words(folder, port, appendfsync):
    return ["redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--appendonly", "yes",
            "--appendfsync", appendfsync, "--save", "", "--daemonize", "no"]


def redis(folder, appendfsync="always"):
    port = free_port()
    return running(redis_words(folder, port, appendfsync), folder, port)


def nats_words(folder, port):
    return ["nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", folder]


def beanstalkd_puts(port, seconds, connections=64):
    """Puts of 256 bytes a second: each connection waits for INSERTED before its next."""
    request = f"put 0 0 60 {len(body)}\r\n{body}\r\n".encode()
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = stack.enter_context(connect(port))
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)
        done, start = 0, time.perf_counter()
        deadline = start + seconds
        while (now := time.perf_counter()) < deadline:
            for key, _ in selector.select(patience):
                answer = key.fileobj.recv(64)
                if not answer.startswith(b"INSERTED"):
                    raise RuntimeError(f"beanstalkd answered {answer!r}")
                done += 1
                key.fileobj.sendall(request)
        return done / (now - start)


def redis_pushes(port, count, connections=64, pipeline=1, command="lpush"):
    """LPUSHes of 256 bytes a second, by redis' own benchmark."""
    shown = subprocess.run(
        ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-c", str(connections), "-d", str(len(body)),
         "-t", command, "-P", str(pipeline), "-n", str(count), "--csv"],
        check=True, capture_output=True, text=True, timeout=patience * 10).stdout
    return float(shown.splitlines()[-1].split(",")[1].strip('"'))
