"""The load generator (Benchmarks/LoadGenerator), the same for every server."""
import json, os, subprocess


def run(bench, subject, server, queue, /, **options):
    """What it counted; an answer that is not what was asked for is a failure of the whole run."""
    words = [bench.load, subject, "--url", server.url, "--queue-url", queue]
    if server.key:
        options["signed"] = "yes"
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    shown = subprocess.run(words, env={**os.environ, **(server.key or {})}, capture_output=True, text=True,
                           timeout=bench.patience)
    if shown.returncode != 0:
        raise RuntimeError(f"load {subject} on {server.name} ended with {shown.returncode}: {shown.stderr.strip()}")
    return checked(json.loads(shown.stdout), f"{subject} on {server.name}")


def checked(counts, what):
    if counts["errors"]:
        raise RuntimeError(f"{what}: {counts['errors']} wrong answers, the first: {counts['failure']}")
    if not counts["messages"]:
        raise RuntimeError(f"{what}: no message in {counts['seconds']:.1f} s")
    return counts
