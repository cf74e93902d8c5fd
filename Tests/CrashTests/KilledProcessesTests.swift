import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

/// Senders and receivers as processes of their own, one of them killed every 100 ms.
@Suite struct KilledProcessesTests {
    private final class Shared: Sendable {
        let running = Mutex<Set<Int32>>([])
        let acknowledged = Mutex<Set<String>>([])
        let received = Mutex<Set<String>>([])
        let kills = Mutex(0)
        let isOver = Atomic(false)
        let sendersLeft = Atomic(8)
    }

    @Test(
        "eight senders, eight receivers: each acknowledged send arrives, none twice at once",
        arguments: ["fsync", "os"])
    func killed(durability: String) throws {
        let folder = try TemporaryFolder("crash")
        let program = "\(BuiltExecutable.folder)/msorch"
        func msorch(_ arguments: String..., onStart: (Int32) -> Void = { _ in }) throws
            -> BuiltExecutable.Result
        {
            try BuiltExecutable.run(program, arguments, in: folder.path, onStart: onStart)
        }
        let created = try msorch(
            "queue", "create", "Q", "--visibility-timeout", "1", "--durability", durability)
        #expect(created.status == 0, "\(created.error)")
        let shared = Shared()
        let start = Date.now
        // Longer where a machine, or a sanitizer, is so slow that little happens.
        @Sendable func goesOn() -> Bool {
            let seconds = Date.now.timeIntervalSince(start)
            let isEnough =
                shared.acknowledged.withLock { $0.count > 20 } && shared.kills.withLock { $0 > 10 }
            return seconds < 4 || seconds < 60 && !isEnough
        }
        let workers = DispatchGroup()
        func worker(_ body: @escaping @Sendable () throws -> Void) {
            workers.enter()
            let thread = Thread {
                #expect(throws: Never.self) { try body() }
                workers.leave()
            }
            thread.start()
        }
        @Sendable func run(_ arguments: [String]) throws -> BuiltExecutable.Result {
            var pid: Int32 = 0
            let result = try BuiltExecutable.run(program, arguments, in: folder.path) { started in
                pid = started
                shared.running.withLock { _ = $0.insert(started) }
            }
            shared.running.withLock { _ = $0.remove(pid) }
            return result
        }
        for sender in 0..<8 {
            worker {
                var number = 0
                while goesOn() {
                    number += 1
                    let body = "\(sender)-\(number)"
                    let result = try run(["send", "Q", body])
                    if result.status == 0 {
                        shared.acknowledged.withLock { _ = $0.insert(body) }
                    } else {
                        #expect(result.status == 137, "\(result.error)")
                    }
                }
                shared.sendersLeft.subtract(1, ordering: .relaxed)
            }
        }
        for _ in 0..<8 {
            worker {
                let deadline = start.addingTimeInterval(180)
                while Date.now < deadline {
                    let result = try run(
                        ["poll", "Q", "--max", "10", "--wait", "1", "--delete", "--output", "json"])
                    #expect([0, 137].contains(result.status), "\(result.error)")
                    for line in result.output.split(separator: "\n") {
                        // A killed receiver may leave half a line: that message comes again.
                        guard let body = try? JSONValue.parse(String(line))["Body"]?.stringValue
                        else { continue }
                        shared.received.withLock { _ = $0.insert(body) }
                    }
                    let isDone = shared.sendersLeft.load(ordering: .relaxed) == 0
                    guard isDone, result.status == 0, result.output.isEmpty else { continue }
                    let statistics = try JSONValue.parse(
                        run(["queue", "stats", "Q", "--output", "json"]).output)
                    let queue = statistics.arrayValue?[0]
                    if queue?["visible"] == 0, queue?["inFlight"] == 0 { return }
                }
                Issue.record("the queue never became empty")
            }
        }
        let killer = Thread {
            while !shared.isOver.load(ordering: .relaxed) {
                usleep(100_000)
                shared.running.withLock { running in
                    guard goesOn(), let victim = running.randomElement() else { return }
                    if kill(victim, SIGKILL) == 0 { shared.kills.withLock { $0 += 1 } }
                }
            }
        }
        killer.start()
        workers.wait()
        shared.isOver.store(true, ordering: .relaxed)
        let acknowledged = shared.acknowledged.withLock { $0 }
        let received = shared.received.withLock { $0 }
        #expect(acknowledged.subtracting(received).isEmpty)
        #expect(acknowledged.count > 20)
        #expect(shared.kills.withLock { $0 } > 10)
        try checkJournal(folder.path)
    }

    /// From the journal itself: a message is received again only once its time was up.
    private func checkJournal(_ folder: String) throws {
        let path = "\(folder)/.msorch/queues/Q/00000000000000000001.jsonl"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var hiddenUntil: [JSONValue: Int64] = [:]
        for line in text.split(separator: "\n") {
            let record = try JSONValue.parse(String(line))
            guard record["op"] == "receive", let time = record["t"]?.intValue,
                let until = record["until"]?.intValue
            else { continue }
            let first = (record["first"]?.arrayValue ?? []).compactMap { $0["m"] }
            let again = (record["again"]?.arrayValue ?? []).compactMap {
                $0.arrayValue.map { JSONValue.array(Array($0.prefix(2))) }
            }
            for place in first + again {
                #expect(hiddenUntil[place, default: 0] <= time, "\(place) twice at once")
                hiddenUntil[place] = until
            }
        }
        #expect(!hiddenUntil.isEmpty)
    }
}

extension JSONValue: Hashable {
    package func hash(into hasher: inout Hasher) { hasher.combine(serialized()) }
}
