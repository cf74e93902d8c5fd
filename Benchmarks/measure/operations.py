"""What a queue does in process when it need not wait for the disk, and whether depth slows it."""
import statistics

title = "os durability in process"


def measure(bench):
    seconds, rounds = bench.scope.seconds, bench.scope.rounds
    sent, received, batched = [], [], []
    for _ in range(rounds):
        with bench.folder() as folder:
            sent.append(bench.inside(folder, "sends", durability="os", seconds=seconds)["sends"])
            batched.append(bench.inside(folder, "sends", durability="os", seconds=seconds, queue="batch",
                                        batch=10)["sends"])
        with bench.folder() as folder:
            received.append(bench.inside(folder, "receive-delete", durability="os", seconds=seconds,
                                         backlog=bench.scope.messages)["receive-delete"])
    figures = bench.figures
    figures.add("sends, os, 64 clients, one queue", statistics.median(sent), "messages/s", at_least=400_000)
    figures.add("sends, os, 64 clients, ten a send", statistics.median(batched), "messages/s")
    figures.add("receive + delete, os, 64 clients, one queue", statistics.median(received), "messages/s",
                at_least=250_000)
    with bench.folder() as folder:
        seen = bench.inside(folder, "depth", durability="os", deep=bench.scope.messages)
    figures.add("receive + delete, 1 client, 1,000 waiting", seen["shallow"], "messages/s")
    figures.add(f"receive + delete, 1 client, {bench.scope.messages:,} waiting", seen["deep"], "messages/s")
    figures.add("receive + delete, deep / shallow", seen["deep / shallow"], "×", at_least=0.8)
