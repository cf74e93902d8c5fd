"""As much of NATS' protocol as it takes to fill a JetStream and to get its first message."""
import json, threading, time
from . import peers


class Client:
    stream = "BENCHMARK"

    def __init__(self, port):
        self.connection = peers.connect(port, 60)
        self.input = self.connection.makefile("rb")
        self.input.readline()
        options = json.dumps({"verbose": False, "pedantic": False})
        self.send(f"CONNECT {options}\r\nSUB inbox.* 1\r\nPING\r\n")
        self.expect(b"PONG")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.connection.close()

    def send(self, text):
        self.connection.sendall(text if isinstance(text, bytes) else text.encode())

    def expect(self, word):
        """The next line that begins with `word`; answers PING."""
        while True:
            line = self.input.readline()
            if not line:
                raise RuntimeError("nats-server closed the connection")
            if line.startswith(word):
                return line
            if line.startswith(b"PING"):
                self.send("PONG\r\n")
            if line.startswith(b"-ERR"):
                raise RuntimeError(f"nats-server answered {line!r}")

    def message(self):
        """The payload of the next message."""
        size = int(self.expect(b"MSG").split()[-1])
        return self.input.read(size + 2)[:-2]

    def ask(self, subject, request):
        payload = json.dumps(request).encode() if request is not None else b""
        self.send(f"PUB {subject} inbox.1 {len(payload)}\r\n".encode() + payload + b"\r\n")
        return self.message()

    def make_stream(self):
        answer = json.loads(self.ask(f"$JS.API.STREAM.CREATE.{self.stream}", {
            "name": self.stream, "subjects": ["work"], "storage": "file", "retention": "workqueue",
            "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1,
        }))
        if "error" in answer:
            raise RuntimeError(f"nats-server answered {answer['error']}")
        self.ask(f"$JS.API.CONSUMER.DURABLE.CREATE.{self.stream}.worker", {
            "stream_name": self.stream, "config": {"durable_name": "worker", "ack_policy": "explicit"}})

    def publish(self, body, count):
        """Publishes many in a row; every one is acknowledged."""
        def answers():
            for _ in range(count):
                self.message()
        reader = threading.Thread(target=answers, daemon=True)
        reader.start()
        one = f"PUB work inbox.1 {len(body)}\r\n".encode() + body + b"\r\n"
        for done in range(0, count, 1000):
            self.send(one * min(1000, count - done))
        reader.join(peers.patience * 5)
        if reader.is_alive():
            raise RuntimeError("nats-server did not acknowledge everything in time")

    def first_message(self, body):
        """Asks until the stream is there and gives a message: `body`, not a status or an error."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            # The server takes connections before its streams are read: nobody answers then.
            self.connection.settimeout(0.25)
            try:
                request = json.dumps({"batch": 1, "no_wait": True}).encode()
                self.send(f"PUB $JS.API.CONSUMER.MSG.NEXT.{self.stream}.worker inbox.1 {len(request)}\r\n".encode()
                          + request + b"\r\n")
                if self.message() == body:
                    return
            except TimeoutError:
                self.input = self.connection.makefile("rb")
        raise RuntimeError("nats-server gave no message")
