"""The load generator against a server that answers in all the ways servers do: `swift build` makes it."""
import contextlib, itertools, json, os, re, socketserver, subprocess, sys, threading, unittest
from pathlib import Path

root = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "Benchmarks"))
from measure import load  # noqa: E402

binary = Path(os.environ.get("MSORCH_LOAD", root / ".build" / "debug" / "load"))


class Queue(socketserver.ThreadingTCPServer):
    """One queue in memory. `style` says how answers come."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, style):
        super().__init__(("127.0.0.1", 0), Connection)
        self.style, self.waiting, self.taken = style, [], {}
        self.numbers = itertools.count()
        self.arrived = threading.Condition()
        self.sent = self.deleted = self.connections = 0

    def answer(self, action, input):
        with self.arrived:
            if action == "SendMessage":
                self.sent += 1
                self.waiting.append(input["MessageBody"])
                self.arrived.notify()
                return {"MessageId": "m", "MD5OfMessageBody": "d"}
            if action == "SendMessageBatch":
                self.sent += len(input["Entries"])
                self.waiting += [entry["MessageBody"] for entry in input["Entries"]]
                return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in input["Entries"]]}
            if action == "ReceiveMessage":
                self.arrived.wait_for(lambda: self.waiting, input["WaitTimeSeconds"])
                found = []
                for _ in range(min(input["MaxNumberOfMessages"], len(self.waiting))):
                    handle = f"h\"\\{next(self.numbers)}"
                    self.taken[handle] = self.waiting.pop()
                    found.append({"Body": self.taken[handle], "ReceiptHandle": handle})
                return {"Messages": found}
            handles = [input] if action == "DeleteMessage" else input["Entries"]
            for one in handles:
                self.taken.pop(one["ReceiptHandle"])
                self.deleted += 1
            return {"Successful": [{"Id": one["Id"]} for one in handles if "Id" in one]}


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections += 1
        with contextlib.suppress(ConnectionError):  # the generator ends where its time is up
            self.converse()

    def converse(self):
        for turn in range(1_000_000):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            if self.server.style == "drops" and turn == 3:
                return
            body = json.loads(self.rfile.read(int(re.search(rb"Content-Length: (\d+)", head)[1])))
            action = re.search(rb"X-Amz-Target: AmazonSQS\.(\w+)", head)[1].decode()
            self.say(json.dumps(self.server.answer(action, body)).encode())
            if self.server.style == "1.0":
                return

    def say(self, body):
        style = self.server.style
        if style == "wrong":
            self.wfile.write(b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nbusy")
        elif style == "1.0":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        elif style == "chunked":
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:5], body[5:]))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        else:
            whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            for start in range(0, len(whole), 30 if style == "pieces" else len(whole)):
                self.wfile.write(whole[start:start + 30 if style == "pieces" else len(whole)])
                self.wfile.flush()


class LoadTests(unittest.TestCase):
    def asked(self, style, subject, server=None, **options):
        """What the generator counted, and the server that it asked."""
        server = server or Queue(style)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        words = [binary, subject, "--url", f"http://127.0.0.1:{server.server_address[1]}", "--queue-url", "http://q"]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        shown = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
        return json.loads(shown), server

    def test_every_way_of_answering(self):
        for style in ["plain", "pieces", "chunked", "1.0", "drops"]:
            with self.subTest(style):
                counts, server = self.asked(style, "cycle", connections=3, count=20, seconds=30)
                self.assertEqual((counts["errors"], counts["failure"]), (0, None))
                self.assertGreaterEqual(counts["messages"], 20)
                self.assertEqual(counts["messages"], server.deleted)
                self.assertEqual(server.connections > 3, style in ["1.0", "drops"])

    def test_batches(self):
        counts, server = self.asked("plain", "send", connections=2, count=40, batch=10, seconds=30)
        self.assertEqual((counts["messages"], server.sent, counts["errors"]), (40, 40, 0))
        counts, server = self.asked("plain", "receive-delete", server=self.filled(40), connections=2, count=40,
                                    batch=10, seconds=30)
        self.assertEqual((counts["messages"], server.deleted, counts["errors"]), (40, 40, 0))

    def filled(self, count):
        server = Queue("plain")
        server.waiting = ["x"] * count
        return server

    def test_wrong_answers_are_counted(self):
        counts, _ = self.asked("wrong", "send", connections=1, seconds=0.2)
        self.assertEqual(counts["messages"], 0)
        self.assertGreater(counts["errors"], 0)
        self.assertEqual(counts["failure"], "500 busy")
        with self.assertRaisesRegex(RuntimeError, "500 busy"):
            load.checked(counts, "sends")

    def test_nobody_there(self):
        with Queue("plain") as server:
            port = server.server_address[1]
        shown = subprocess.run([binary, "send", "--url", f"http://127.0.0.1:{port}", "--queue-url", "http://q",
                                "--seconds", "0.1"], check=True, capture_output=True, text=True, timeout=60).stdout
        self.assertIn("refused", json.loads(shown)["failure"])

    def test_waiting_receivers(self):
        counts, server = self.asked("plain", "wake", connections=2, seconds=0.5)
        self.assertGreater(counts["messages"], 2)
        self.assertEqual(counts["errors"], 0)
        self.assertTrue(0 < counts["p50"] <= counts["p99"] <= counts["max"] < 500_000, counts)

    def test_what_waited_before_is_in_nobodys_way(self):
        server = self.filled(300)
        server.waiting += ["1"] * 300  # of an earlier run
        counts, server = self.asked("plain", "wake", server=server, connections=2, seconds=2)
        self.assertGreater(counts["messages"], 2)
        self.assertEqual((counts["errors"], counts["empties"]), (0, 0))
        self.assertLess(counts["messages"], server.sent + 1)
        self.assertGreaterEqual(server.deleted, 600)
        self.assertLess(counts["max"], 500_000)

    def test_no_message_is_no_figure(self):
        with self.assertRaisesRegex(RuntimeError, "no message"):
            load.checked({"errors": 0, "messages": 0, "seconds": 1.0}, "sends")


if __name__ == "__main__":
    unittest.main()
