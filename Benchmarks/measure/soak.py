"""A `serve` under load for hours: what grows?"""
import json, statistics, sys, time
from . import load

# How much more the last quarter of the turns may take than the second one.
growth = {"memory": 1.1, "descriptors": 1.05, "latency": 1.5}


def turns(bench, server, options):
    samples, end = [], time.monotonic() + options.seconds
    load.run(bench, "cycle", server, server.queue("os-deep"), connections=1, count=1)
    while time.monotonic() < end or len(samples) < 8:
        queue = ["fsync", "os"][len(samples) % 2]
        seen = load.run(bench, "cycle", server, server.queue(queue), seconds=options.turn)
        time.sleep(0.2)  # the connections of that turn are closed by now
        sample = {"queue": queue, "messages": seen["messages"], "rate": seen["rate"], "latency": seen["p99"],
                  "memory": server.memory()[0], "descriptors": server.descriptors()}
        samples.append(sample)
        print(f"{len(samples)}: {queue} {seen['rate']:,.0f} messages/s, 99 % {seen['p99'] / 1000:.2f} ms, "
              f"{sample['memory']:.1f} MB, {sample['descriptors']} descriptors", file=sys.stderr, flush=True)
    return samples


def report(samples, options):
    found = judge(samples)
    messages = sum(sample["messages"] for sample in samples)
    if options.output == "json":
        print(json.dumps({"messages": messages, "judgements": found, "samples": samples}, indent=2))
    else:
        print(f"{messages:,} messages sent, received and deleted in {len(samples)} turns")
        for one in found:
            print(f"{one['what']}: {one['early']:.4g} -> {one['late']:.4g}" + ("" if one["holds"] else "   grew"))
    return 0 if all(one["holds"] for one in found) else 1


def judge(samples):
    """Medians of the second and the last quarter, each kind of turn by itself where turns differ."""
    quarter = len(samples) // 4
    early, late = samples[quarter:2 * quarter], samples[-quarter:]
    found = []
    for what, most in growth.items():
        for queue in ["fsync", "os"] if what == "latency" else [None]:
            both = [statistics.median(one[what] for one in part if queue in (None, one["queue"]))
                    for part in (early, late)]
            found.append({"what": f"{what}, {queue}" if queue else what, "early": both[0], "late": both[1],
                          "holds": both[1] <= both[0] * most})
    return found
