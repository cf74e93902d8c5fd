"""Servers that speak SQS over HTTP: `msorch serve` and its peers, on free ports of the loopback, in the benchmark's
folder, with all data there."""
import contextlib, json, os, signal, subprocess, time, urllib.error, urllib.request
from pathlib import Path
from . import peers
from .bench import parse

# How long a server may take until it makes its first queue: LocalStack imports a lot.
patience = 120
region, account = "us-east-1", "123456789012"
dummy = (f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/{region}/sqs/aws4_request, SignedHeaders=host, "
         f"Signature={'0' * 64}")


class Server:
    """One that runs. `key` is what its requests are signed with, `None` where nobody looks."""

    def __init__(self, name, port, process, key=None):
        self.name, self.port, self.process, self.key = name, port, process, key
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, action, **input):
        """One call, unsigned."""
        request = urllib.request.Request(self.url, json.dumps(input).encode(), {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}",
            "X-Amz-Date": "20260101T000000Z", "Authorization": dummy})
        with urllib.request.urlopen(request, timeout=peers.patience) as answer:
            return json.loads(answer.read() or b"{}")

    def queue(self, name):
        """The URL of a queue, which is made if there is none."""
        return self.ask("CreateQueue", QueueName=name)["QueueUrl"]

    def pause(self):
        """It stands still, with all that it started, until `go_on`."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def wait(self):
        """Until it makes queues."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self.queue("ready")
            except (OSError, urllib.error.URLError, ValueError, KeyError) as problem:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} does not make queues: {problem}")
                time.sleep(0.1)


@contextlib.contextmanager
def alone(server, others):
    """The others stand still meanwhile: some of them are busy when nobody asks them anything."""
    paused = {other for other in others if other is not server}
    try:
        for other in paused:
            other.pause()
        yield
    finally:
        for other in paused:
            other.go_on()


class Msorch(Server):
    """`msorch serve` on a stack with the queues that were named. A queue of which fsync is wanted is called `fsync…`."""

    def __init__(self, port, process, key, folder):
        super().__init__("msorch", port, process, key)
        self.folder = folder

    def queue(self, name):
        return f"{self.url}/{account}/{name}"

    def memory(self):
        """Resident, and the most it ever was, in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return tuple(int(fields[name].split()[0]) / 1024 for name in ["VmRSS", "VmHWM"])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stack(queues, iam):
    """A stack of nothing but queues, whose received messages stay away for the whole run."""
    return {"name": "benchmark", "region": region, "accountId": account, "lambdas": {}, "security": {"iam": iam},
            "queues": {name: {"durability": "fsync" if name.startswith("fsync") else "os", "visibilityTimeout": 43200}
                       for name in queues}}


@contextlib.contextmanager
def msorch(bench, folder, queues, iam="off", deep={}):
    """`deep`: queues with so many messages from the beginning."""
    os.makedirs(folder, exist_ok=True)
    Path(f"{folder}/stack.json").write_text(json.dumps(stack([*queues, *deep], iam)))
    bench.run(folder, "deploy", "--quiet")
    for name, count in deep.items():
        bench.inside(folder, "fill", queue=name, messages=count)
    ready = Path(folder) / "ready.json"
    process = peers.start([bench.msorch, "-C", folder, "serve", "--port", 0, "--gateway-port", 0,
                           "--ready-file", ready], folder)
    try:
        yield Msorch(int(listening(ready, process)["endpoint"].rpartition(":")[2]), process,
                     key_of(bench, folder) if iam == "enforce" else None, folder)
    finally:
        stop(process)


def listening(ready, process):
    deadline = time.monotonic() + peers.patience
    while True:
        with contextlib.suppress(OSError, ValueError):
            return json.loads(ready.read_text())
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"msorch serve does not get ready: {(ready.parent / 'output').read_text()[-500:]}")
        time.sleep(0.005)


def key_of(bench, folder):
    """The developer's key, as variables."""
    shown = subprocess.run([bench.msorch, "-C", folder, "env", "--output", "json"], check=True, capture_output=True)
    return {name: value for name, value in json.loads(shown.stdout).items() if name.startswith("AWS_")}


def stop(process):
    process.terminate()
    try:
        process.wait(peers.patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def peer(name, words, folder, port, environment=None):
    process = peers.start(words, folder, environment)
    try:
        server = Server(name, port, process)
        server.wait()
        yield server
    finally:
        stop(process)


def roto(folder, *mode):
    """`--durable`: SQLite syncs each commit; `--ephemeral`: in memory; neither: SQLite's log without syncs."""
    port = peers.free_port()
    words = [peers.tool("roto", "roto-server"), "--port", port, "--data-dir", f"{folder}/data", *mode]
    return peer(" ".join(["roto", *mode]), words, folder, port)


def moto(folder):
    port = peers.free_port()
    return peer("moto", [peers.tool("moto", "moto_server"), "-H", "127.0.0.1", "-p", port], folder, port)


def ministack(folder):
    port = peers.free_port()
    return peer("ministack", [peers.tool("ministack", "ministack")], folder, port,
                {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": folder, "LOG_LEVEL": "WARNING"})


def localstack(folder):
    """On the machine itself, without a container."""
    port = peers.free_port()
    return peer("localstack", [peers.tool("localstack", "python"), "-m", "localstack.runtime.main"], folder, port, {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}", "SERVICES": "sqs", "STRICT_SERVICE_LOADING": "1", "DEBUG": "0",
        "DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1", "DNS_ADDRESS": "0",
        "OVERRIDE_IN_DOCKER": "0", "FILESYSTEM_ROOT": f"{folder}/data", "HOME": folder})


@contextlib.contextmanager
def bare_loop(bench, folder):
    """One thread that writes something for each request that is ready, syncs once for all of them, and answers: what the
    machine allows a durable server."""
    os.makedirs(folder, exist_ok=True)
    process = peers.start([bench.in_process, "bare-loop", "--folder", folder], folder)
    try:
        yield Server("bare loop", int(first_figure(Path(folder) / "output", process)), process)
    finally:
        stop(process)


def first_figure(path, process):
    deadline = time.monotonic() + peers.patience
    while not (shown := path.read_text()).endswith("\n"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the bare loop does not get ready: {shown}")
        time.sleep(0.005)
    return next(iter(parse(shown).values()))


@contextlib.contextmanager
def nginx(folder):
    """One worker that answers every POST with what SQS might: the machine's ceiling for one thread."""
    os.makedirs(folder, exist_ok=True)
    port = peers.free_port()
    answer = json.dumps({"MessageId": "x" * 36, "MD5OfMessageBody": "x" * 32})
    Path(f"{folder}/nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/x-amz-json-1.0;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{answer}'; }} }}
}}
""")
    words = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"]
    process = peers.start(words, folder)
    try:
        peers.connect(port).close()
        yield Server("nginx", port, process)
    finally:
        stop(process)
