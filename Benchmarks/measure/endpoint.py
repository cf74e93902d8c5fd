"""SQS over HTTP: `msorch serve` beside other servers that speak it, nginx that only answers, a loop that only writes, syncs and
answers, and redis.

Every round asks everybody the same, in turns, while all others stand still. Each client waits for its answer; bodies have 256 bytes; queues are new
in each round, but for those that hold a backlog from the beginning.
"""
import contextlib, statistics, time
from dataclasses import dataclass
from . import load, peers, servers
from .bench import Unavailable, ratio

title = "endpoint"
connections = [1, 16, 64]
operations = {"SendMessage": 1, "SendMessageBatch, messages": 10, "ReceiveMessage and DeleteMessage": None}
warmup = 0.2
# So many wait where a shallow queue is emptied: peers get slow with depth.
shallow = 1000


@dataclass
class Series:
    """A line of the tables: a server, and its queue of a round."""
    name: str
    server: servers.Server
    queue: str
    is_deep: bool = False
    speaks_sqs: bool = True

    def url(self, turn):
        if not self.speaks_sqs:
            return "static"
        return self.server.queue(self.queue if self.is_deep else f"{self.queue}-{turn}")


def measure(bench):
    # The servers end first.
    with bench.folder() as folder, contextlib.ExitStack() as running:
        ours, secured = start_ours(bench, running, folder)
        series = our_series(bench, ours, secured) + their_series(bench, running, folder)
        at_rest(bench, ours)
        redis = start_redis(bench, running, folder)
        rates, pushes = throughput(bench, series, redis)
        waits = latency(bench, [one for one in series if one.speaks_sqs and not one.is_deep])
        with servers.alone(ours, [one.server for one in series]):
            drains(bench, ours)
        bench.figures.add(f"memory of serve under that load, {bench.scope.messages:,} waiting", ours.memory()[1], "MB",
                          at_most=80)
    tables(bench.figures, series, rates, waits)
    goals(bench.figures, rates, waits, pushes)


def start_ours(bench, running, folder):
    turns = range(bench.scope.rounds)
    queues = [f"{durability}-{turn}" for durability in ["fsync", "os"] for turn in [*turns, "shallow", "wake"]]
    deep = {f"{durability}-deep": bench.scope.messages for durability in ["fsync", "os"]}
    deep["os-drained"] = bench.scope.messages
    ours = running.enter_context(servers.msorch(bench, f"{folder}/msorch", queues, deep=deep))
    secured = running.enter_context(servers.msorch(bench, f"{folder}/secured", queues, iam="enforce"))
    return ours, secured


def our_series(bench, ours, secured):
    found = []
    for durability in ["fsync", "os"]:
        found += [Series(f"msorch, {durability}", ours, durability),
                  Series(f"msorch, {durability}, {bench.scope.messages:,} waiting", ours, f"{durability}-deep", True),
                  Series(f"msorch, {durability}, signatures and policies", secured, durability)]
    return found


def their_series(bench, running, folder):
    """Those that are there; each that is not is named with the reason."""
    starts = {
        "roto --durable": lambda path: servers.roto(path, "--durable"), "roto": servers.roto,
        "roto --ephemeral": lambda path: servers.roto(path, "--ephemeral"),
        "ministack": servers.ministack, "localstack": servers.localstack, "moto": servers.moto,
        "nginx": servers.nginx, "bare loop": lambda path: servers.bare_loop(bench, path),
    }
    found = []
    for name, begin in starts.items():
        try:
            server = running.enter_context(begin(f"{folder}/{name.replace(' ', '')}"))
            found.append(Series(name, server, "round", speaks_sqs=name not in ["nginx", "bare loop"]))
        except (Unavailable, RuntimeError, OSError) as problem:
            bench.figures.failures[name] = str(problem)
    return found


def start_redis(bench, running, folder):
    try:
        port = running.enter_context(peers.redis(f"{folder}/redis"))
    except Unavailable as problem:
        bench.figures.failures["redis"] = str(problem)
        return None
    count = int(peers.redis_pushes(port, 5000) * bench.scope.seconds) + 1000
    return lambda: peers.redis_pushes(port, count)


def at_rest(bench, ours):
    """Memory and processor of a `serve` that nobody asks, its deep queues open."""
    for name in ["fsync-deep", "os-deep"]:
        load.run(bench, "send", ours, ours.queue(name), connections=1, count=1)
        load.run(bench, "receive-delete", ours, ours.queue(name), connections=1, count=1)
    seconds = 30 if bench.scope.rounds > 3 else 5
    before = ours.processor_seconds()
    time.sleep(seconds)
    used = ours.processor_seconds() - before
    bench.figures.add(f"memory of serve, {bench.scope.messages:,} waiting in each of two queues", ours.memory()[0],
                      "MB", at_most=40)
    bench.figures.add("processor that an idle serve takes", 100 * used / seconds, "%", at_most=0.5)


def throughput(bench, series, redis):
    """Messages a second of each round, by series, operation and connections."""
    rates, pushes = {}, []
    everybody = [one.server for one in series]
    for turn in range(bench.scope.rounds):
        for count in connections:
            for operation, batch in operations.items():
                for one in series:
                    if one.speaks_sqs or operation == "SendMessage":
                        with servers.alone(one.server, everybody):
                            rate = attempt(bench, one, lambda: (
                                sends(bench, one, turn, count, batch) if batch else receives(bench, one, turn, count)))
                        rates.setdefault((one.name, operation, count), []).append(rate)
                if redis and operation == "SendMessage" and count == 64:
                    with servers.alone(None, everybody):
                        pushes.append(redis())
    return rates, pushes


def sends(bench, one, turn, count, batch):
    more = {} if one.speaks_sqs else {"unchecked": "yes"}
    return load.run(bench, "send", one.server, one.url(turn), connections=count, batch=batch, warmup=warmup,
                    seconds=bench.scope.seconds, **more)["rate"]


def receives(bench, one, turn, count):
    if one.is_deep:
        return load.run(bench, "receive-delete", one.server, one.url(0), connections=count, warmup=warmup,
                        seconds=bench.scope.seconds)["rate"]
    # Where a peer does not get through in time, the next round has a queue of its own.
    name = f"{one.queue}-shallow" if isinstance(one.server, servers.Msorch) else f"shallow-{turn}-{count}"
    return emptied(bench, one.server, one.server.queue(name), count)


def emptied(bench, server, queue, count):
    """Receive and delete of a thousand messages that are all there are, again and again until the time is up."""
    messages = seconds = 0
    while seconds < bench.scope.seconds and messages < 20 * shallow:
        load.run(bench, "send", server, queue, batch=10, count=shallow, seconds=60)
        seen = load.run(bench, "receive-delete", server, queue, connections=count, count=shallow,
                        seconds=max(10, bench.scope.seconds))
        messages, seconds = messages + seen["messages"], seconds + seen["seconds"]
    return messages / seconds


def attempt(bench, one, run):
    """A peer that answers wrongly is named, and has no figure; msorch must not."""
    try:
        return run()
    except (RuntimeError, OSError) as problem:
        if isinstance(one.server, servers.Msorch):
            raise
        bench.figures.failures[one.name] = str(problem)
        return None


def latency(bench, series):
    """Microseconds from the begin of a send to the end of a receive that waited for it: (median, 99 %) of each round,
    by series and receivers."""
    waits = {}
    everybody = [one.server for one in series]
    for turn in range(bench.scope.rounds):
        for count in connections:
            for one in series:
                with servers.alone(one.server, everybody):
                    seen = attempt(bench, one, lambda: load.run(
                        bench, "wake", one.server, wake_queue(one, turn, count), connections=count, warmup=warmup,
                        seconds=max(1, bench.scope.seconds)))
                waits.setdefault((one.name, count), []).append(seen and (seen["p50"], seen["p99"]))
    return waits


def wake_queue(one, turn, count):
    """An empty one. Peers do not see that a receiver is gone, and give it what comes later: each run has its own."""
    name = "wake" if isinstance(one.server, servers.Msorch) else f"wake-{turn}-{count}"
    return one.server.queue(f"{one.queue}-{name}")


def drains(bench, ours):
    """Receive and delete until a deep queue is empty, in turns with one that holds a thousand."""
    slices = 10
    queue = ours.queue("os-drained")
    seen = {"deep": [], "shallow": []}
    for _ in range(slices):
        count = bench.scope.messages // slices
        seen["deep"].append(load.run(bench, "receive-delete", ours, queue, count=count, seconds=300)["rate"])
        seen["shallow"].append(emptied(bench, ours, ours.queue("os-shallow"), 16))
    figures = bench.figures
    figures.add("receive + delete, 16 connections, os, 1,000 waiting", statistics.median(seen["shallow"]), "messages/s")
    figures.add(f"the same until {bench.scope.messages:,} are gone", statistics.median(seen["deep"]), "messages/s")
    figures.add("deep / shallow", ratio(seen["deep"], seen["shallow"]), "×", at_least=0.8)


def goals(figures, rates, waits, pushes):
    def sent(name, count):
        return [rate for rate in rates.get((name, "SendMessage", count), []) if rate]

    def beside(ours, count, theirs, name, bound):
        both = len(theirs) == len(sent(ours, count)) > 0
        figures.add(f"SendMessage, {count} connections: {ours} / {name}",
                    ratio(sent(ours, count), theirs) if both else None, "×", at_least=bound)
    for name, bound in [("roto --durable", 8), ("roto --ephemeral", 3), ("localstack", 45), ("moto", 250)]:
        beside("msorch, fsync", 16, sent(name, 16), name, bound)
    if pushes:
        figures.add("redis, appendfsync always, 64 connections", statistics.median(pushes), "messages/s")
    beside("msorch, fsync", 64, pushes, "redis, appendfsync always", 1)
    for count in [16, 64]:
        beside("msorch, fsync", count, sent("bare loop", count), "a bare loop with one sync for all that are ready", None)
    beside("bare loop", 16, sent("localstack", 16), "localstack", None)
    beside("msorch, os", 16, sent("nginx", 16), "nginx, one worker, a static answer", 0.4)
    beside("msorch, os, signatures and policies", 16, sent("nginx", 16), "nginx, one worker, a static answer", None)
    for durability, bound in [("fsync", 0.5), ("os", 0.2)]:
        seen = waits[f"msorch, {durability}", 1]
        for name, value, most in zip(["median", "99 %"], zip(*seen), [bound, None]):
            figures.add(f"from a send to the receive that waits, {durability}: {name}",
                        statistics.median(value) / 1000, "ms", at_most=most)


def tables(figures, series, rates, waits):
    def middle(values, scale=1):
        values = [value for value in values if value]
        return f"{statistics.median(values) * scale:,.0f}" if values else "–"
    for operation in operations:
        rows = [[one.name, *(middle(rates.get((one.name, operation, count), [])) for count in connections)]
                for one in series if (one.name, operation, connections[0]) in rates]
        figures.add_table(f"{operation} a second, by connections:", ["", *map(str, connections)], rows)
    rows = []
    for one in series:
        if (one.name, connections[0]) in waits:
            seen = [[pair for pair in waits[one.name, count] if pair] for count in connections]
            rows.append([one.name, *(f"{middle(p[0] for p in pairs)} / {middle(p[1] for p in pairs)}"
                                     for pairs in seen)])
    figures.add_table("From a send to a receive that waited for it, median / 99 %, us, by receivers:",
                      ["", *map(str, connections)], rows)
