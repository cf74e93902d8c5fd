"""Durable sends of 256 bytes, each client waiting for its answer: beside beanstalkd, redis, and the disk alone."""
import contextlib, statistics
from . import peers
from .bench import Unavailable, ratio

title = "durable sends in process"
PREPARED = 512 * 1024  # as the journal's steps


def measure(bench):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(bench.folder())
        others = {}
        for name, start in [("beanstalkd", beanstalkd), ("redis", redis)]:
            try:
                others[name] = start(bench, stack, folder)
            except Unavailable as problem:
                bench.figures.failures[name] = str(problem)
        seen = {"msorch": [], "disk": [], "disk prepared": [],
                "alone": [], "alone on disk": [], "alone on disk prepared": [],
                **{name: [] for name in others}}
        for _ in range(bench.scope.rounds):
            for clients, name, disk in [(64, "msorch", "disk"), (1, "alone", "alone on disk")]:
                sent = sends(bench, folder, clients)
                seen[name].append(sent)
                seen[disk].append(disk_limit(bench, folder, sent["bytes per sync"]))
                seen[f"{disk} prepared"].append(disk_limit(bench, folder, sent["bytes per sync"], PREPARED))
            for name, run in others.items():
                seen[name].append(run())
        report(bench.figures, seen)


def sends(bench, folder, clients):
    return bench.inside(folder, "sends", clients=clients, by="callbacks" if clients > 1 else "threads",
                        durability="fsync", seconds=bench.scope.seconds, queue=f"clients-{clients}")


def disk_limit(bench, folder, group, prepared=0):
    """Groups a second that the disk takes when nothing else is done."""
    return bench.inside(folder, "disk-limit", folder=folder, bytes=round(group), prepared=prepared,
                        seconds=bench.scope.seconds)["groups"]


def beanstalkd(bench, stack, folder):
    port = stack.enter_context(peers.beanstalkd(f"{folder}/beanstalkd"))
    with peers.beanstalkd(f"{folder}/beanstalkd-unsynced", sync=False) as unsynced:
        rate = peers.beanstalkd_puts(unsynced, 1)
    bench.figures.add("beanstalkd without sync", rate, "messages/s", note="its load generator can do no less")
    return lambda: peers.beanstalkd_puts(port, bench.scope.seconds)


def redis(bench, stack, folder):
    port = stack.enter_context(peers.redis(f"{folder}/redis"))
    count = int(peers.redis_pushes(port, 5000) * bench.scope.seconds) + 1000
    return lambda: peers.redis_pushes(port, count)


def report(figures, seen):
    for name, disk, clients in [("msorch", "disk", "64 clients"), ("alone", "alone on disk", "1 client")]:
        sent = seen[name]
        figures.add(f"sends, fsync, {clients}", statistics.median(one["sends"] for one in sent), "messages/s")
        figures.add(f"messages that share a sync, {clients}",
                    statistics.median(one["messages per sync"] for one in sent))
        groups = [one["sends"] / one["messages per sync"] for one in sent]
        figures.add(f"the disk alone, groups of {sent[-1]['bytes per sync']:,.0f} bytes",
                    statistics.median(seen[disk]), "syncs/s")
        figures.add("the same over prepared blocks", statistics.median(seen[f"{disk} prepared"]), "syncs/s")
        figures.add(f"sends, {clients} / the disk alone, prepared blocks", ratio(groups, seen[f"{disk} prepared"]), "×")
        figures.add(f"sends, {clients} / the disk alone", ratio(groups, seen[disk]), "×", at_least=0.8)
    rates = [one["sends"] for one in seen["msorch"]]
    for name, what, bound in [("beanstalkd", "beanstalkd -f0, 64 connections", 20),
                              ("redis", "redis, appendfsync always, 64 connections", 3)]:
        found = seen.get(name)
        if found:
            figures.add(what, statistics.median(found), "messages/s")
        figures.add(f"sends, 64 clients / {what}", ratio(rates, found) if found else None, "×", at_least=bound)
