import FunctionModel
import Glibc
import JSON
import Posix
import Telemetry
import TestSupport
import Testing

@testable import Services

@Suite struct MonitorTests {
    @Test("log lines wait for a disk that takes none, and so many at the most")
    func waiting() throws {
        let folder = try TemporaryFolder("monitor")
        let clock = SteppedClock()
        let monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
        let queues = QueueDirectory(stateDirectory: folder.path)
        monitor.write(by: { _, _ in })
        let more = 50
        for number in 0..<Monitor.waitingLines + more {
            monitor.log(
                FunctionLogLine(
                    functionName: "F", stream: "s", time: clock.clock.now(), text: "\(number)"))
        }
        // A file stands where the folder belongs.
        let logs = folder.path + "/logs"
        try FileSystem.replace(logs, with: [])
        #expect(throws: SystemError.self) { try monitor.flush(queues) }
        try FileSystem.remove(logs)
        try monitor.flush(queues)
        var position = LogStore.Position()
        let entries = try LogStore(stateDirectory: folder.path)
            .read("F", from: Timestamp(milliseconds: 0), after: &position)
        #expect(entries.count == Monitor.waitingLines)
        #expect(entries.first?.event.message == "\(more)")
    }

    @Test("an environment that began days ago goes on being read", arguments: [1, 40])
    func longLife(days: Int) throws {
        let folder = try TemporaryFolder("monitor")
        let now = StackClock().now()
        let began = now - .seconds(Int64(days) * 86_400)
        let stream = "\(began.date.split(separator: "-").joined(separator: "/"))/[$LATEST]0a"
        let store = LogStore(stateDirectory: folder.path)
        var lines = [began, now].map {
            FunctionLogLine(functionName: "F", stream: stream, time: $0, text: $0.iso8601)
        }
        try store.append(&lines)
        var position = LogStore.Position()
        let entries = try store.read("F", from: now - .seconds(60), after: &position)
        #expect(entries.map(\.event.message) == [now.iso8601])
    }

    @Test("who follows is told of one that was silent, and looks for old ones only once")
    func followed() throws {
        let folder = try TemporaryFolder("monitor")
        let store = LogStore(stateDirectory: folder.path)
        let now = StackClock().now()
        // By then it has said nothing for ten minutes.
        let start = now + .seconds(600)
        func log(_ stream: String, _ time: Timestamp, _ text: String) throws {
            var lines = [
                FunctionLogLine(functionName: "F", stream: stream, time: time, text: text)
            ]
            try store.append(&lines)
        }
        func stream(daysBefore days: Int64) -> (day: String, name: String) {
            let day = (now - .seconds(days * 86_400)).date
            return (day, "\(day.split(separator: "-").joined(separator: "/"))/[$LATEST]0a")
        }
        let old = stream(daysBefore: 2)
        let older = stream(daysBefore: 40)
        try log(old.name, now, "before")
        try log(older.name, now, "before")
        var position = LogStore.Position()
        func read() throws -> [String] {
            try store.read("F", from: start, after: &position).map(\.event.message)
        }
        #expect(try read().isEmpty)
        // Somebody clears up: who would look into it would fail.
        let cleared = "\(folder.path)/logs/aws/lambda/F/\(older.day)"
        try FileSystem.removeTree(cleared)
        try FileSystem.replace(cleared, with: [])
        try log(old.name, start, "after")
        try log(stream(daysBefore: 0).name, start, "new")
        #expect(try read() == ["after", "new"])
        #expect(try read().isEmpty)
    }

    @Test("the newest line of a log of more than 2 GiB, so much as Linux reads at once, is found")
    func longLog() throws {
        let folder = try TemporaryFolder("monitor")
        let store = LogStore(stateDirectory: folder.path)
        let now = StackClock().now()
        let name = LogStreamName("s", time: now)
        let path = "\(folder.path)/logs/aws/lambda/F/\(name.date)/\(name.file)"
        try FileSystem.makeDirectory(FileSystem.parent(of: path))
        do {
            // Lines of nothing, which take next to no room on the disk.
            let file = try FileDescriptor(updating: path, creating: true)
            for offset in stride(from: UInt64(0), through: 2 << 30, by: 512 << 10) {
                let written = try [0x0A].withBytes { bytes throws(SystemError) in
                    try file.write(bytes, at: offset)
                }
                #expect(written == 1)
            }
        }
        var position = LogStore.Position()
        for text in ["first", "second"] {
            var lines = [FunctionLogLine(functionName: "F", stream: "s", time: now, text: text)]
            try store.append(&lines)
            let entries = try store.read("F", from: now, after: &position)
            #expect(entries.map(\.event.message) == [text])
        }
    }

    @Test("metrics of a minute are kept for fifteen days, as on AWS; the first of a day clears up")
    func retention() throws {
        let folder = try TemporaryFolder("monitor")
        let store = MetricStore(stateDirectory: folder.path)
        let first = SteppedClock().clock.now()
        func append(day: Int64) throws {
            let time = first + .seconds(day * 86_400)
            var datapoints = [Datapoint(Metric("N", "m"), .count, time, 1)]
            try store.append(&datapoints)
        }
        for day: Int64 in 0..<16 { try append(day: day) }
        let metrics = folder.path + "/metrics"
        try FileSystem.replace(metrics + "/0-notes", with: [])
        #expect(try FileSystem.list(metrics).count == 17)
        try append(day: 16)
        let kept = try FileSystem.list(metrics)
        #expect(kept.count == 17 && kept.first == "0-notes", "\(kept)")
        #expect(kept[1] == "\((first + .seconds(86_400)).date).jsonl")
    }

    @Test("metrics wait for a disk that takes none, and so many at the most")
    func metricsWait() throws {
        let folder = try TemporaryFolder("monitor")
        let clock = SteppedClock()
        let monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
        let queues = QueueDirectory(stateDirectory: folder.path)
        func record(_ name: String) {
            monitor.record([Datapoint(Metric("N", name), .count, clock.clock.now(), 1)])
        }
        let metrics = folder.path + "/metrics"
        try FileSystem.replace(metrics, with: [])
        record("lost-first")
        clock.step(.seconds(1))
        for number in 0..<Monitor.waitingDatapoints { record("m\(number)") }
        #expect(throws: SystemError.self) { try monitor.flush(queues) }
        record("m0")  // of the same second: it joins what waits
        try FileSystem.remove(metrics)
        try monitor.flush(queues)
        try monitor.flush(queues)
        let kept = try MetricStore(stateDirectory: folder.path)
            .read(from: Timestamp(milliseconds: 0), to: clock.clock.now() + .seconds(1))
        #expect(kept.count == Monitor.waitingDatapoints)
        #expect(kept.first { $0.metric.name == "m0" }?.values.count == 2)
        #expect(!kept.contains { $0.metric.name == "lost-first" })
    }

    @Test(
        "an invocation that the end of its server cut off is not counted", arguments: [false, true])
    func cutOff(wasCutOff: Bool) throws {
        let folder = try TemporaryFolder("monitor")
        let clock = SteppedClock()
        let monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
        let report = InvocationReport(
            requestID: "r", durationMilliseconds: 1, initMilliseconds: nil, memorySize: 128,
            maxMemoryUsed: 1, failure: .exit(reason: "signal: killed"))
        let result = InvocationResult(
            functionName: "F", payload: [], report: report, started: clock.clock.now(), log: [],
            concurrentExecutions: 1, wasCutOff: wasCutOff)
        monitor.observe(.success(result), function: "F")
        try monitor.flush(QueueDirectory(stateDirectory: folder.path))
        let names = try MetricStore(stateDirectory: folder.path)
            .read(from: Timestamp(milliseconds: 0), to: clock.clock.now() + .seconds(1))
            .map(\.metric.name)
        #expect(names.contains("Errors") == !wasCutOff, "\(names)")
        #expect(names.isEmpty == wasCutOff, "\(names)")
    }

    @Test("logs that cannot be written keep neither metrics nor other streams back; no line twice")
    func oneStreamFails() throws {
        let folder = try TemporaryFolder("monitor")
        let clock = SteppedClock()
        let monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
        let queues = QueueDirectory(stateDirectory: folder.path)
        monitor.write(by: { _, _ in })
        func log(_ function: String, _ text: String) {
            monitor.log(
                FunctionLogLine(
                    functionName: function, stream: "s", time: clock.clock.now(), text: text))
        }
        for number in 0..<3 {
            log("Good", "\(number)")
            log("Bad", "\(number)")
        }
        monitor.record([Datapoint(Metric("N", "m"), .count, clock.clock.now(), 1)])
        let bad = folder.path + "/logs/aws/lambda/Bad"
        try FileSystem.makeDirectory(FileSystem.parent(of: bad))
        try FileSystem.replace(bad, with: [])
        #expect(throws: SystemError.self) { try monitor.flush(queues) }
        #expect(throws: SystemError.self) { try monitor.flush(queues) }
        #expect(FileSystem.exists(folder.path + "/metrics"))
        try FileSystem.remove(bad)
        try monitor.flush(queues)
        var position = LogStore.Position()
        let entries = try LogStore(stateDirectory: folder.path)
            .read(nil, from: Timestamp(milliseconds: 0), after: &position)
        for function in ["Good", "Bad"] {
            let texts = entries.filter { $0.functionName == function }.map(\.event.message)
            #expect(texts == ["0", "1", "2"])
        }
    }

    private func line(_ bytes: Int) -> FunctionLogLine {
        FunctionLogLine(
            functionName: "F", stream: "s", time: Timestamp(milliseconds: 0),
            text: String(repeating: "x", count: bytes))
    }

    @Test("what a slow disk is still writing waits, too, and is not taken a second time")
    func slowDisk() throws {
        let folder = try TemporaryFolder("monitor")
        let monitor = Monitor(stateDirectory: folder.path)
        let work = ThreadCondition<[@Sendable () -> Void]>([])
        monitor.write { _, body in work.withLock { $0.append(body) } }
        // A disk that takes what the test takes from it.
        let name = LogStreamName("s", time: Timestamp(milliseconds: 0))
        let path = "\(folder.path)/logs/aws/lambda/F/\(name.date)/\(name.file)"
        try FileSystem.makeDirectory(FileSystem.parent(of: path))
        try #require(mkfifo(path, 0o600) == 0)
        let reader = open(path, O_RDWR | O_NONBLOCK)
        try #require(reader >= 0)
        defer { close(reader) }
        let line = line(FunctionLimits.logEventBytes)
        var bytes = 0
        func fill() {
            while monitor.hasRoom {
                monitor.log(line)
                bytes += line.heldBytes
            }
        }
        fill()
        let isFull = bytes
        let flush = try #require(work.withLock { $0.popLast() })
        let thread = try Thread(name: "flush") { flush() }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let hasBegun = eventually { read(reader, &buffer, 1) == 1 }
        #expect(hasBegun)
        fill()
        #expect(bytes == isFull && isFull <= Monitor.waitingLineBytes + line.heldBytes)
        let isWritten = eventually {
            while read(reader, &buffer, buffer.count) > 0 {}
            return monitor.hasRoom
        }
        #expect(isWritten)
        thread.join()
    }

    @Test("long lines wait for a disk that takes none in so many bytes at the most")
    func longLines() throws {
        let folder = try TemporaryFolder("monitor")
        let monitor = Monitor(stateDirectory: folder.path)
        let queues = QueueDirectory(stateDirectory: folder.path)
        monitor.write(by: { _, _ in })
        let logs = folder.path + "/logs"
        try FileSystem.replace(logs, with: [])
        let line = line(FunctionLimits.logEventBytes)
        let fitting = Monitor.waitingLineBytes / line.heldBytes
        monitor.log(line)
        for _ in 0..<2 {
            #expect(throws: SystemError.self) { try monitor.flush(queues) }
            #expect(monitor.hasRoom, "a disk that is full stops no function")
            for _ in 0..<fitting + 20 { monitor.log(line) }
        }
        try FileSystem.remove(logs)
        try monitor.flush(queues)
        var position = LogStore.Position()
        let entries = try LogStore(stateDirectory: folder.path)
            .read(nil, from: Timestamp(milliseconds: 0), after: &position)
        #expect(entries.count == fitting)
    }
}
