"""The command line: in bulk, and one command at a time beside the aws command."""
import contextlib, itertools, json, os, statistics, subprocess
from . import peers
from .bench import Unavailable, interleaved, lines_file, medians, timed

title = "command line"


def measure(bench):
    bulk(bench)
    with bench.folder() as folder, bench.folder() as late:
        one_shot(bench, folder, late)


def bulk(bench):
    figures, count = bench.figures, bench.scope.messages
    rounds = [bulk_round(bench, count) for _ in range(bench.scope.rounds)]
    sent, polled, send_peak, poll_peak = zip(*rounds)
    few = bulk_round(bench, count // 10)
    figures.add(f"bulk send of {count:,} lines, fsync", statistics.median(sent), "messages/s", at_least=200_000)
    figures.add("bulk poll --all --delete of the same", statistics.median(polled), "messages/s",
                at_least=150_000)
    for name, peaks, least in [("send", send_peak, few[2]), ("poll", poll_peak, few[3])]:
        figures.add(f"memory of the bulk {name}", statistics.median(peaks), "MB")
        figures.add(f"memory of the bulk {name} / of one a tenth as long", statistics.median(peaks) / least, "×",
                    at_most=1.25)


def bulk_round(bench, count):
    """Messages a second sent and polled, and what memory each took at most, in MB."""
    with bench.folder() as folder:
        bench.run(folder, "queue", "create", "Q", "--quiet")
        sent, send_peak = bench.watched(folder, "send", "Q", "-", "--quiet", input=lines_file(folder, count))
        polled, poll_peak = bench.watched(folder, "poll", "Q", "--all", "--delete", "--quiet")
    return count / sent, count / polled, send_peak, poll_peak


def one_shot(bench, folder, late):
    figures = bench.figures
    bench.run(folder, "queue", "create", "Q", "--quiet")
    bench.run(folder, "send", "Q", "-", "--quiet", input=lines_file(folder, 1000))
    ours = {
        "send": lambda: bench.run(folder, "send", "Q", "hello"),
        "receive": lambda: bench.run(folder, "queue", "receive", "Q"),
        "stats": lambda: bench.run(folder, "queue", "stats", "Q"),
    }
    # A command reads what came since the newest checkpoint, which is due after 1 MiB.
    bench.inside(late, "sends", clients=1, body=5, durability="os", count=7000, seconds=30)
    reading = {"late": lambda: bench.run(late, "queue", "stats", "q-0")}
    start = {"true": lambda: timed(["/bin/true"])}
    seen = medians(interleaved(bench.scope.commands, **ours, **reading, **start))
    figures.add("/bin/true, the start of any program", seen["true"] * 1000, "ms")
    for name, word in [("send", "send Q hello, durable"), ("receive", "queue receive Q"), ("stats", "queue stats Q")]:
        figures.add(f"msorch {word}", seen[name] * 1000, "ms", at_most=5)
    figures.add("msorch queue stats, 7,000 small records after the checkpoint", seen["late"] * 1000, "ms")
    theirs = {}
    with contextlib.ExitStack() as stack:
        try:
            theirs = aws(stack, folder)
        except Unavailable as problem:
            figures.failures["aws"] = str(problem)
        turns = {}
        for name, run in ours.items():
            turns[name] = lambda run=run: row(run)
            if name in theirs:
                turns[f"aws {name}"] = lambda run=theirs[name]: row(run)
        both = interleaved(max(3, bench.scope.commands // 10), **turns)
    for name, operation in [("send", "send-message"), ("receive", "receive-message"),
                            ("stats", "get-queue-attributes")]:
        our = statistics.median(itertools.chain(*both[name]))
        their = statistics.median(itertools.chain(*both[f"aws {name}"])) if theirs else None
        if theirs:
            figures.add(f"aws sqs {operation}", their * 1000, "ms")
        figures.add(f"aws sqs {operation} / msorch's {name}", their / our if theirs else None, "×", at_least=150)
        figures.add(f"msorch's {name}, the first one behind another program",
                    statistics.median(first for first, *_ in both[name]) * 1000, "ms")


def row(run, length=5):
    """A command some times in turn, as a script calls it, so that each comes behind its own kind. The first one finds
    caches and disk as another program left them, and has a figure of its own (/bin/true takes 0.3 ms longer there)."""
    return [run() for _ in range(length)]


def aws(stack, folder):
    """The aws command on a server of its own; the three commands."""
    program = peers.tool("aws", "aws")
    port = peers.free_port()
    server = [peers.tool("moto", "moto_server"), "-H", "127.0.0.1", "-p", port]
    stack.enter_context(peers.running(server, f"{folder}/moto", port))
    environment = {
        "PATH": os.environ["PATH"], "HOME": folder, "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark", "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [program, "--endpoint-url", f"http://127.0.0.1:{port}", "sqs"]
    made = subprocess.run([*command, "create-queue", "--queue-name", "Q"], env=environment, check=True,
                          capture_output=True, timeout=60)
    url = ["--queue-url", json.loads(made.stdout)["QueueUrl"]]
    return {
        "send": lambda: timed([*command, "send-message", *url, "--message-body", "hello"], None, environment),
        "receive": lambda: timed([*command, "receive-message", *url], None, environment),
        "stats": lambda: timed([*command, "get-queue-attributes", *url, "--attribute-names", "All"], None, environment),
    }
