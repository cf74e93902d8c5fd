"""What a queue does in process when it need not wait for the disk, and whether depth slows it."""
import statistics

title = "os durability in process"


def measure(bench):
    rates = {"callbacks": [], "threads": [], "ten a send": [], "receive": [], "receive by threads": [],
             "receive ten": []}
    for _ in range(bench.scope.rounds):
        with bench.folder() as folder:
            rates["callbacks"].append(sends(bench, folder, "callbacks"))
            rates["threads"].append(sends(bench, folder, "threads"))
            rates["ten a send"].append(sends(bench, folder, "callbacks", batch=10))
        for by, name, batch in [("callbacks", "receive", 1), ("threads", "receive by threads", 1),
                                ("callbacks", "receive ten", 10)]:
            with bench.folder() as folder:
                seen = bench.inside(folder, "receive-delete", durability="os", by=by, seconds=bench.scope.seconds,
                                    backlog=bench.scope.messages, batch=batch)
                rates[name].append(seen["receive-delete"])
    for name, what, least in [
            ("callbacks", "sends, os, 64 clients, one queue", 400_000),
            ("threads", "the same, each client a thread that waits", None),
            ("ten a send", "sends, os, 64 clients, ten messages a send", None),
            ("receive", "receive + delete, os, 64 clients, one queue", 250_000),
            ("receive by threads", "the same, each client a thread that waits", None),
            ("receive ten", "receive + delete, os, 64 clients, ten messages a receive", None)]:
        bench.figures.add(what, statistics.median(rates[name]), "messages/s", at_least=least)
    depth(bench)


def sends(bench, folder, by, **more):
    return bench.inside(folder, "sends", durability="os", by=by, seconds=bench.scope.seconds,
                        queue="-".join([by, *more]), **more)["sends"]


def depth(bench):
    with bench.folder() as folder:
        seen = bench.inside(folder, "depth", durability="os", deep=bench.scope.messages)
    figures = bench.figures
    figures.add("receive + delete, 1 client, 1,000 waiting", seen["shallow"], "messages/s")
    figures.add(f"receive + delete, 1 client, {bench.scope.messages:,} waiting", seen["deep"], "messages/s")
    figures.add("receive + delete, deep / shallow", seen["deep / shallow"], "×", at_least=0.8)
