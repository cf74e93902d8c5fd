"""Ten messages waiting, or ten million: what opening and one command cost, in time, memory and disk."""
import json, statistics, subprocess
from pathlib import Path
from .bench import interleaved

title = "scale"
processes = 64
most_in_flight = 120_000


def measure(bench):
    with bench.folder() as folder:
        depth(bench, folder)
        given_back(bench, folder)
    with bench.folder() as folder:
        in_flight(bench, folder)
        returned(bench, folder)
    with bench.folder() as folder:
        wake_ups(bench, folder)
    with bench.folder() as folder:
        fairness(bench, folder)


def depth(bench, folder):
    figures, deep = bench.figures, bench.scope.deepest
    for name, count in [("shallow", 10), ("deep", deep)]:
        filled = bench.inside(folder, "fill", queue=name, messages=count, durability="os")
        # Up to 1,000 in flight, on both sides.
        bench.run(folder, "send", name, "-", "--quiet", input=flight(folder))
        for _ in range(100):
            bench.run(folder, "queue", "receive", name, "--max", "10", "--visibility-timeout", "3600")
    figures.add(f"memory of the process that sent {deep:,} in bulk", filled["resident"], "MB", at_most=30)
    commands = {
        "send": ["send", "{}", "hello"], "receive": ["queue", "receive", "{}"], "stats": ["queue", "stats", "{}"],
    }
    runs = {(word, queue): [part.format(queue) for part in command]
            for word, command in commands.items() for queue in ["shallow", "deep"]}
    seen = interleaved(bench.scope.commands, **{" ".join(key): lambda words=words: bench.run(folder, *words)
                                                for key, words in runs.items()})
    for word in commands:
        above, below = seen[f"{word} deep"], seen[f"{word} shallow"]
        figures.add(f"{word} with {deep:,} waiting", statistics.median(above) * 1000, "ms")
        figures.add(f"{word}, {deep:,} waiting / 10 waiting",
                    statistics.median(above) / statistics.median(below), "×", at_most=1.5)
    peak = max(bench.watched(folder, *runs[word, "deep"])[1] for word in commands)
    figures.add(f"memory of any of them at {deep:,} waiting", peak, "MB", at_most=30)


def flight(folder):
    path = Path(folder) / "flight"
    path.write_text("message\n" * 1000)
    return str(path)


def in_flight(bench, folder):
    """Nearly as many in flight as a queue allows: each command reads what is known of all of them."""
    bench.inside(folder, "fill", queue="flight", messages=most_in_flight - 10, durability="os")
    bench.run(folder, "poll", "flight", "--all", "--visibility-timeout", "36000", "--quiet")
    # Who opens it next leaves a checkpoint of all.
    (Path(folder) / ".msorch" / "queues" / "flight" / "checkpoint.json").unlink(missing_ok=True)
    bench.run(folder, "queue", "stats", "flight")
    commands = [["send", "flight", "hello"], ["queue", "receive", "flight"], ["queue", "stats", "flight"]]
    took, peaks = zip(*[bench.watched(folder, *words) for words in commands])
    bench.figures.add(f"the slowest of them with {most_in_flight:,} in flight", max(took) * 1000, "ms")
    bench.figures.add(f"memory of any of them with {most_in_flight:,} in flight", max(peaks), "MB", at_most=30)


def returned(bench, folder):
    """Messages that were received and given back by hand: each is known by itself."""
    for name, count in [("few", 10), ("many", 1000)]:
        bench.inside(folder, "fill", queue=name, messages=1000, durability="os")
        for _ in range(count // 10):
            words = ["queue", "receive", name, "--max", "10", "--visibility-timeout", "3600", "--output", "json"]
            shown = subprocess.run([bench.msorch, "-C", folder, *words], check=True, text=True,
                                   stdout=subprocess.PIPE, timeout=bench.patience).stdout
            for line in shown.splitlines():
                handle = json.loads(line)["ReceiptHandle"]
                bench.run(folder, "queue", "change-visibility", name, handle, "0", "--quiet")
    seen = interleaved(bench.scope.commands, **{name: lambda name=name: bench.run(folder, "queue", "stats", name)
                                                for name in ["few", "many"]})
    bench.figures.add("stats, 1,000 returned / 10 returned",
                      statistics.median(seen["many"]) / statistics.median(seen["few"]), "×", at_most=1.5)


def given_back(bench, folder):
    """After all of them went through, what is left on the disk."""
    queue = Path(folder) / ".msorch" / "queues" / "deep"
    before = size(queue)
    _, peak = bench.watched(folder, "poll", "deep", "--all", "--delete", "--quiet")
    bench.figures.add(f"folder with {bench.scope.deepest:,} waiting", before / 1e6, "MB")
    # 64 MiB of history are kept, and a segment of up to 64 MiB grows.
    bench.figures.add("folder after they went through", size(queue) / 1e6, "MB", at_most=150)
    bench.figures.add("memory of the process that polled them all", peak, "MB", at_most=30)


def size(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


def wake_ups(bench, folder):
    count = 200 if bench.scope.rounds > 3 else 50
    for durability in ["fsync", "os"]:
        same = bench.inside(folder, "wake", queue=f"same-{durability}", durability=durability, count=count)
        bench.figures.add(f"send to a waiting receiver, same process, {durability}", same["wake"] / 1000, "ms",
                          at_most=5)
        words = {"queue": f"other-{durability}", "durability": durability, "count": count}
        receiver = subprocess.Popen(bench.inside_words(folder, "receiver", **words), text=True,
                                    stdout=subprocess.PIPE)
        try:
            receiver.stdout.readline()
            bench.inside(folder, "sender", **words)
            other = receiver.communicate(timeout=60)[0]
        finally:
            receiver.kill()
            receiver.wait()
        wait = float(other.split("wake: ")[1].split()[0])
        bench.figures.add(f"send to a waiting receiver, another process, {durability}", wait / 1000, "ms",
                          at_most=5)


def fairness(bench, folder):
    """Processes that send to one queue at the same time: how far apart they get."""
    seconds = max(2, bench.scope.seconds)
    bench.inside(folder, "fill", queue="q-0", messages=1)
    words = bench.inside_words(folder, "sends", clients=1, seconds=seconds, durability="fsync")
    running = [subprocess.Popen(words, text=True, stdout=subprocess.PIPE) for _ in range(processes)]
    try:
        rates = [float(one.communicate(timeout=bench.patience)[0].split("sends: ")[1].split()[0]) for one in running]
    finally:
        for one in running:
            one.kill()
            one.wait()
    figures = bench.figures
    figures.add(f"sends, fsync, by {processes} processes on one queue", sum(rates), "messages/s")
    figures.add("the slowest process / the average", min(rates) / statistics.mean(rates), "×", at_least=0.5)
    figures.add("the fastest process / the average", max(rates) / statistics.mean(rates), "×")
