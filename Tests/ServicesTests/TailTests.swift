import JSON
import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

@Suite struct TailTests {
    @Test("who follows sees every message once, across segments and deletions of segments")
    func follow() throws {
        let folder = try TemporaryFolder("follow")
        var options = JournalOptions()
        options.segmentBytes = 3000
        options.historyBytes = 6000
        let queues = QueueDirectory(stateDirectory: folder.path, options: options)
        try queues.create("Q", QueueSettings())
        let writer = try queues.queue("Q")
        let reader = try QueueDirectory(stateDirectory: folder.path, options: options).queue("Q")
        let seen = Mutex<[String]>([])
        let missed = Mutex<UInt64>(0)
        let isDone = Atomic<Bool>(false)
        let thread = try Thread(name: "follower") {
            try? reader.tail(
                last: 0, isFollowing: true,
                isCancelled: { isDone.load(ordering: .relaxed) }
            ) { event in
                switch event.kind {
                case .sent:
                    seen.withLock { $0.append(String(decoding: event.body ?? [], as: UTF8.self)) }
                case .notRetained(let records): missed.withLock { $0 += records }
                default: break
                }
            }
        }
        var sent: [String] = []
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        func waitUntil(_ condition: () -> Bool) {
            while !condition(), SystemClock.monotonicNanoseconds() < deadline {
                SystemClock.pause(microseconds: 1000)
            }
        }
        func send(_ body: String) throws {
            _ = try writer.send([SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)])
        }
        // Until it has begun to look.
        waitUntil {
            try? send("begin")
            return seen.withLock { !$0.isEmpty }
        }
        for number in 0..<300 {
            sent.append("m\(number)")
            try send("m\(number)")
            // So that what is to be seen is not deleted before.
            waitUntil { seen.withLock { $0.last == "m\(number)" } || missed.withLock { $0 > 0 } }
            let handles = try writer.receive(upTo: 10, wait: .zero).map(\.received.handle.text)
            _ = try writer.delete(handles)
        }
        isDone.store(true, ordering: .relaxed)
        thread.join()
        #expect(missed.withLock { $0 } == 0)
        #expect(seen.withLock { $0.filter { $0 != "begin" } } == sent)
    }

    @Test("the last events are the last, however they lie in records and segments")
    func last() throws {
        let folder = try TemporaryFolder("last")
        var options = JournalOptions()
        options.segmentBytes = 2000
        let queues = QueueDirectory(stateDirectory: folder.path, options: options)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        for batch in 0..<20 {
            _ = try queue.send(
                (0..<7).map { index in
                    let body = Array("\(batch * 7 + index)".utf8)
                    return SendEntry(escapedBody: body, size: body.count)
                })
        }
        for count in [0, 1, 6, 7, 8, 100, 140, 1000] {
            var bodies: [String] = []
            try queue.tail(last: count, isFollowing: false, isCancelled: { false }) { event in
                if let body = event.body { bodies.append(String(decoding: body, as: UTF8.self)) }
            }
            #expect(bodies == (0..<140).suffix(count).map(String.init), "\(count)")
        }
    }
}
