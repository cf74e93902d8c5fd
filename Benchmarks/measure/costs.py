"""Where the time of an operation goes: a profile of the very runs that the `os` goals judge.

perf samples every thread's processor time (cpu-clock: it needs no counters of the processor, so it works in virtual
machines) with its stack. A sample belongs to the innermost frame that a rule below knows; what no rule knows is shown
by its own function, and counts as not explained.
"""
import collections, re, shutil, subprocess
from .bench import Unavailable

title = "cost per operation, os durability"
frequency = 2000

# Tried from the innermost frame outwards; for one frame, from the first rule on.
rules = [(re.compile(pattern), part) for pattern, part in [
    (r"sys_pwrite|sys_write", "pwrite: the record into the page cache"),
    (r"sys_flock", "flock: the lock between processes, taken and given back"),
    (r"sys_newfstat|sys_fstat|sys_stat", "fstat: has somebody else appended?"),
    (r"sys_pread|sys_read", "pread: the lock file's numbers, and messages"),
    (r"futex|Waiter|ThreadCondition|pthread_|__lll_|Mutex", "threads that wait and wake"),
    (r"sys_fdatasync|sys_fsync", "fdatasync: before a checkpoint"),
    (r"sys_getrandom", "getrandom"),
    (r"sys_open|sys_close|sys_rename|sys_unlink|sys_getdents", "files opened, closed, renamed: checkpoints"),
    (r"sys_exit|sys_clone|sys_execve|sys_mmap|sys_munmap|sys_mprotect|sys_madvise|sys_brk",
     "memory and threads from the system"),
    (r"^crc32", "CRC-32, by zlib"),
    (r"Checkpoint|JournalSession\.tidy|JournalSession\.roll|encodeBase", "checkpoints and new segments"),
    (r"readGeneration", "the lock file's numbers, parsed"),
    (r"catchUp", "catching up with other processes"),
    (r"RecordFrame\.encode|RecordFrame\.hex", "the line's frame"),
    (r"RecordFrame", "a line's frame, checked"),
    (r"QueueRecord\.members|QueueRecord\.append|QueueRecord\.write|JSONWriter|JSONPieces|MessageID|Hexadecimal", "the record as JSON"),
    (r"QueueRecord|JSONScanner|JSONText|LineReader|RecordCursor|JournalStream|Queue\.messages",
     "records and messages read back"),
    (r"RandomBytes|RAND_|ossl_|CRYPTO_|EVP_|rand_|drbg|aes_|AES_", "random ids and receipts, by libcrypto"),
    (r"ReceiptHandle", "receipt handles"),
    (r"QueueState\.apply|QueueState\.[a-z]*[aA]pply|DeadlineHeap|HeldMessages", "the state changes"),
    (r"QueueState", "the model decides"),
    (r"Journal\.(lineUp|lead|run|note|transact|submit)|Transaction|WorkerPool", "transactions line up"),
    (r"JournalSession", "appending"),
    (r"Queue\.|QueueDirectory|QueueActivity|SendEntry|(Send|Look|Delete|Visibility)Work", "the operation itself"),
    (r"clock_gettime|SystemClock|StackClock", "the clock"),
    (r"in_process|Load\.run", "the benchmark's client"),
]]
# For samples of which no frame tells what they were for: the C library keeps no chain of frames.
fallbacks = [(re.compile(pattern), part) for pattern, part in [
    (r"malloc|^_int_free|^free|^__free|cfree|realloc|calloc|swift_alloc|swift_slowAlloc|unlink_chunk",
     "the heap"),
    (r"^swift_|^swift::|_swift_|^mem(move|cpy|set|cmp)|^__mem|^__str|Metadata|generic specialization",
     "Swift's runtime: reference counts, metadata, copies"),
    (r"asm_sysvec|asm_common_interrupt", "interrupts"),
    (r"exc_page_fault", "page faults"),
    (r"ret_from_fork|schedule|finish_task_switch|syscall|entry_SYSCALL", "entering and leaving the system"),
]]
ours = re.compile(r"^(Journal|Services|QueueModel|JSON|Crypto|Posix|in_process)\b|^\(extension in (Journal|Services)")


def measure(bench):
    if shutil.which("perf") is None:
        raise Unavailable("perf is not installed: run Benchmarks/install-peers")
    seconds = max(1, bench.scope.seconds)
    bench.figures.costs = []
    for name, subject in [("a send", "sends"), ("a receive and a delete", "receive-delete")]:
        with bench.folder() as folder:
            if subject == "receive-delete":
                bench.inside(folder, "fill", messages=bench.scope.messages, durability="os")
            words = bench.inside_words(folder, subject, durability="os", seconds=seconds, clients=64, by="callbacks",
                                       backlog=0)
            nanoseconds, parts = profile(folder, words)
        explained = 100 * sum(share for part, share in parts.items() if is_rule(part))
        bench.figures.add(f"processor time of {name}, 64 clients", nanoseconds / 1000, "us")
        bench.figures.add("of that explained", explained, "%", at_least=90)
        bench.figures.costs.append((name, nanoseconds, parts))


def profile(folder, words):
    """Nanoseconds of processor time a message, and each part's share of it."""
    data = f"{folder}/perf.data"
    seen = subprocess.run(["perf", "record", "-q", "-o", data, "-e", "cpu-clock", "-F", str(frequency), "-g", *words],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120)
    messages = float(re.search(r"^messages: (\S+)", seen.stdout, re.M).group(1))
    shown = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym"], check=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, timeout=300).stdout.decode(errors="replace")
    names = demangled(shown)
    counts = collections.Counter()
    for sample in names.split("\n\n"):
        frames = [line.split(None, 1)[1] for line in sample.splitlines() if len(line.split(None, 1)) == 2]
        if frames:
            counts[part(frames)] += 1
    total = sum(counts.values())
    return total / frequency * 1e9 / messages, {name: count / total for name, count in counts.most_common()}


def demangled(text):
    return subprocess.run(["swift", "demangle", "--simplified"], input=text, check=True, capture_output=True, text=True,
                          timeout=300).stdout


def part(frames):
    for known in [rules, fallbacks]:
        for frame in frames:
            for pattern, name in known:
                if pattern.search(frame):
                    return name
    return "`" + (next((frame for frame in frames if ours.search(frame)), frames[0]))[:60] + "`"


def is_rule(name):
    return not name.startswith("`")


def tables(costs):
    """What an operation costs, part by part; what takes less than 1 % together."""
    lines = []
    for name, nanoseconds, parts in costs:
        lines += [f"| {name}: {nanoseconds / 1000:.2f} us | ns | share |", "|---|---:|---:|"]
        shown = {part: share for part, share in parts.items() if share >= 0.01}
        shown["the rest, each less than 1 %"] = 1 - sum(shown.values())
        lines += [f"| {part} | {share * nanoseconds:,.0f} | {share:.1%} |" for part, share in shown.items()]
        lines.append("")
    return "\n".join(lines)
