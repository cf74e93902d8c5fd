import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Journals that an earlier version wrote: what its records do not say does not happen.
@Suite struct EarlierVersionTests {
    private static let begin = [
        #"{"n":1,"t":1800000000000,"d":0,"op":"base","state":{"format":1,"created":null,"#
            + #""settings":{},"head":[1,0,0],"streamed":0,"counters":{"sent":0,"received":0,"#
            + #""deleted":0,"expired":0,"purged":0,"deadLettered":0,"taken":0},"transfers":[],"#
            + #""lastTransfer":0,"taken":{},"lastPurge":null,"deduplication":[],"held":[]}"#,
        #"{"n":2,"t":1800000000000,"d":0,"op":"set","settings":{"fifo":true,"durability":"os"}"#,
    ]

    /// A send, a purge, another send, and a segment that begins with what they make.
    private static let purged = [
        begin + [
            #"{"n":3,"t":1800000001000,"d":2,"op":"send","#
                + #""m":[{"id":"baf2b2fa-4e2f-45da-8465-91e678fb00c6","body":"a","group":"a","#
                + #""dedup":"a"}]"#,
            #"{"n":4,"t":1800000002000,"d":2,"op":"purge""#,
            #"{"n":5,"t":1800000003000,"d":2,"op":"send","#
                + #""m":[{"id":"3480d20a-cddc-43ac-8e75-1aa22199d1da","body":"b","group":"b","#
                + #""dedup":"b"}]"#,
        ],
        [
            #"{"n":6,"t":1800000003000,"d":5,"op":"base","state":{"format":1,"#
                + #""created":1800000000000,"settings":{"fifo":true,"durability":"os"},"#
                + #""head":[1,638,0],"streamed":1,"counters":{"sent":2,"received":0,"deleted":0,"#
                + #""expired":0,"purged":1,"deadLettered":0,"taken":0},"transfers":[],"#
                + #""lastTransfer":0,"taken":{},"lastPurge":1800000002000,"deduplication":["#
                + #"["a","baf2b2fa-4e2f-45da-8465-91e678fb00c6",[3,0],1800000001000],"#
                + #"["b","3480d20a-cddc-43ac-8e75-1aa22199d1da",[5,0],1800000003000]],"#
                + #""sentTimes":[[1799999550000,1]],"modified":1800000000000,"held":[]}"#
        ],
    ]

    /// `m` waits, `a` and `b` are delayed behind it for a minute. The delay is taken off, which
    /// moves neither. After the minute `m` and `a` are received and deleted.
    private static let delayed = [
        begin + [
            #"{"n":3,"t":1800000001000,"d":2,"op":"send","#
                + #""m":[{"id":"4ac41f25-9751-4127-96e0-f3ab93c07473","body":"m","group":"m","#
                + #""dedup":"m"}]"#,
            #"{"n":4,"t":1800000001000,"d":2,"op":"set","#
                + #""settings":{"fifo":true,"delay":60,"durability":"os"}"#,
            #"{"n":5,"t":1800000001200,"d":2,"op":"send","#
                + #""m":[{"id":"52de717a-a8a8-4a04-b5ee-e06dfd7b2905","body":"a","delay":60,"#
                + #""due":1800000062000,"group":"a","dedup":"a"}]"#,
            #"{"n":6,"t":1800000002500,"d":2,"op":"send","#
                + #""m":[{"id":"931c67ba-f1bc-4032-970d-90c8e3d672a0","body":"b","delay":60,"#
                + #""due":1800000063000,"group":"b","dedup":"b"}]"#,
            #"{"n":7,"t":1800000003000,"d":2,"op":"set","#
                + #""settings":{"fifo":true,"durability":"os"}"#,
            #"{"n":8,"t":1800000062000,"d":2,"op":"receive","until":1800000092000,"#
                + #""head":[1,1151,0],"first":[{"m":[3,0],"at":[1,428,148],"#
                + #""id":"4ac41f25-9751-4127-96e0-f3ab93c07473","sent":1800000001000,"#
                + #""group":"m","bits":"26c6eeb02749c1b7"},{"m":[5,0],"at":[1,690,179],"#
                + #""id":"52de717a-a8a8-4a04-b5ee-e06dfd7b2905","sent":1800000001200,"#
                + #""group":"a","delay":60,"bits":"1fb5911d56fad166"}],"#
                + #""delayed":[1800000062000,[1,869,0],0]"#,
            #"{"n":9,"t":1800000062000,"d":2,"op":"delete","m":[[3,0],[5,0]]"#,
        ],
        [
            #"{"n":10,"t":1800000062000,"d":9,"op":"base","state":{"format":1,"#
                + #""created":1800000000000,"settings":{"fifo":true,"durability":"os"},"#
                + #""head":[1,1151,0],"streamed":1,"counters":{"sent":3,"received":2,"#
                + #""deleted":2,"expired":0,"purged":0,"deadLettered":0,"taken":0},"#
                + #""transfers":[],"lastTransfer":0,"taken":{},"lastPurge":null,"#
                + #""deduplication":["#
                + #"["m","4ac41f25-9751-4127-96e0-f3ab93c07473",[3,0],1800000001000],"#
                + #"["a","52de717a-a8a8-4a04-b5ee-e06dfd7b2905",[5,0],1800000001200],"#
                + #"["b","931c67ba-f1bc-4032-970d-90c8e3d672a0",[6,0],1800000002500]],"#
                + #""sentTimes":[[1799999550000,1]],"modified":1800000003000,"#
                + #""delayed":[[1800000063000,1800000063000,[1,869,0],1,false]],"held":[]}"#
        ],
    ]

    /// `a` and `b` are to be moved to another queue, and nobody has begun.
    private static let redriven = [
        begin + [
            #"{"n":3,"t":1800000001000,"d":2,"op":"send","#
                + #""m":[{"id":"baf2b2fa-4e2f-45da-8465-91e678fb00c6","body":"a","group":"a","#
                + #""dedup":"a"}]"#,
            #"{"n":4,"t":1800000001000,"d":2,"op":"send","#
                + #""m":[{"id":"3480d20a-cddc-43ac-8e75-1aa22199d1da","body":"b","group":"b","#
                + #""dedup":"b"}]"#,
            #"{"n":5,"t":1800000002000,"d":4,"op":"task","#
                + #""id":"0d4a5a92-7c1b-4f0e-9d5e-5b5c1f7b8a11","count":2,"to":"T.fifo""#,
        ],
        [
            #"{"n":6,"t":1800000002000,"d":5,"op":"base","state":{"format":1,"#
                + #""created":1800000000000,"settings":{"fifo":true,"durability":"os"},"#
                + #""head":[1,428,0],"streamed":2,"counters":{"sent":2,"received":0,"deleted":0,"#
                + #""expired":0,"purged":0,"deadLettered":0,"taken":0},"transfers":[],"#
                + #""lastTransfer":0,"taken":{},"lastPurge":null,"deduplication":["#
                + #"["a","baf2b2fa-4e2f-45da-8465-91e678fb00c6",[3,0],1800000001000],"#
                + #"["b","3480d20a-cddc-43ac-8e75-1aa22199d1da",[4,0],1800000001000]],"#
                + #""sentTimes":[[1799999550000,2]],"modified":1800000000000,"#
                + #""tasks":[{"id":"0d4a5a92-7c1b-4f0e-9d5e-5b5c1f7b8a11","count":2,"#
                + #""to":"T.fifo","started":1800000002000,"moved":0,"status":"RUNNING"}],"held":[]}"#
        ],
    ]

    /// `a` leaves for the dead-letter queue and has not arrived when a purge takes it back; `b` is
    /// sent.
    private static let takenBack = [
        begin + [
            #"{"n":3,"t":1800000001000,"d":2,"op":"send","#
                + #""m":[{"id":"80ae4be8-d6cb-4cdc-b229-559cebf98d8e","body":"a","group":"a","#
                + #""dedup":"a"}]"#,
            #"{"n":4,"t":1800000001000,"d":2,"op":"receive","until":1800000001000,"#
                + #""head":[1,576,0],"first":[{"m":[3,0],"at":[1,428,148],"#
                + #""id":"80ae4be8-d6cb-4cdc-b229-559cebf98d8e","sent":1800000001000,"#
                + #""group":"a","bits":"0b4ea39f828c6495"}]"#,
            #"{"n":5,"t":1800000001000,"d":2,"op":"transfer","x":1,"to":"D.fifo","m":[[3,0]]"#,
            #"{"n":6,"t":1800000002000,"d":2,"op":"purge""#,
            #"{"n":7,"t":1800000003000,"d":2,"op":"send","#
                + #""m":[{"id":"34f789f8-f0ec-40c0-a0ee-592111a03044","body":"b","group":"b","#
                + #""dedup":"b"}]"#,
        ],
        [
            #"{"n":8,"t":1800000003000,"d":7,"op":"base","state":{"format":1,"#
                + #""created":1800000000000,"settings":{"fifo":true,"durability":"os"},"#
                + #""head":[1,980,0],"streamed":1,"counters":{"sent":2,"received":1,"deleted":0,"#
                + #""expired":0,"purged":0,"deadLettered":1,"taken":0},"transfers":[],"#
                + #""lastTransfer":1,"taken":{},"lastPurge":1800000002000,"deduplication":["#
                + #"["a","80ae4be8-d6cb-4cdc-b229-559cebf98d8e",[3,0],1800000001000],"#
                + #"["b","34f789f8-f0ec-40c0-a0ee-592111a03044",[7,0],1800000003000]],"#
                + #""sentTimes":[[1799999550000,1]],"modified":1800000000000,"held":[]}"#
        ],
    ]

    private let folder: TemporaryFolder
    private let clock = SteppedClock()

    init() throws { folder = try TemporaryFolder("earlier") }

    /// Each as a process of its own.
    private func directory() -> QueueDirectory {
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        return QueueDirectory(stateDirectory: folder.path, environment: environment)
    }

    /// Puts the segments there, but for the last `without`.
    private func place(
        _ segments: [[String]], without: Int = 0, saying more: (op: String, members: String)? = nil
    ) throws {
        let path = "\(folder.path)/queues/Q.fifo"
        try FileSystem.removeTree(path)
        try FileSystem.makeDirectory(path)
        var n: UInt64 = 1
        for lines in segments.dropLast(without) {
            let first = n
            var bytes: [UInt8] = []
            for line in lines {
                let isMeant = more.map { line.contains(#""op":"\#($0.op)""#) } == true
                let checked = Array((line + (isMeant ? more?.members ?? "" : "")).utf8)
                let sum = checked.withUnsafeBytes { RecordFrame.checksum(of: $0) }
                let digits = String(sum, radix: 16)
                let zeros = String(repeating: "0", count: 8 - digits.utf8.count)
                bytes += checked + Array(",\"crc\":\"\(zeros)\(digits)\"}\n".utf8)
                n += 1
            }
            try FileSystem.replace("\(path)/\(SegmentName.file(first))", with: bytes)
        }
    }

    private func entry(_ name: String) -> SendEntry {
        var entry = SendEntry(escapedBody: Array(name.utf8), size: 1)
        entry.group = name
        entry.deduplicationID = name
        return entry
    }

    private func ids(_ queue: Queue) throws -> [String] {
        try queue.receive(upTo: 10, wait: .zero).map(\.received.entry.messageID)
    }

    @Test("a purge that does not say that the ids go: they outlive it", arguments: [0, 1])
    func purge(without: Int) throws {
        clock.step(.seconds(10))
        try place(Self.purged, without: without)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
        let queue = try directory().queue("Q.fifo")
        let again = try queue.send([entry("a")])[0].get()
        #expect(again.messageID == "baf2b2fa-4e2f-45da-8465-91e678fb00c6")
        #expect(try ids(queue) == ["3480d20a-cddc-43ac-8e75-1aa22199d1da"])
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
    }

    @Test("a set that does not say what it moves: what was delayed stays", arguments: [0, 1])
    func delay(without: Int) throws {
        clock.step(.seconds(62))
        try place(Self.delayed, without: without)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
        let queue = try directory().queue("Q.fifo")
        #expect(try ids(queue).isEmpty)
        clock.step(.seconds(1))
        #expect(try ids(queue) == ["931c67ba-f1bc-4032-970d-90c8e3d672a0"])
        #expect(try queue.statistics().counts.inFlight == 1)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
    }

    @Test(
        "a task that does not say how many it moves at most: those it counted", arguments: [0, 1])
    func task(without: Int) throws {
        clock.step(.seconds(10))
        try place(Self.redriven, without: without)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
        let queues = directory()
        var settings = QueueSettings()
        settings.isFIFO = true
        try queues.create("T.fifo", settings)
        _ = try queues.queue("Q.fifo").send([entry("c")])[0].get()
        let task = try queues.runMoveTask(of: "Q.fifo", isCancelled: { false }, progress: { _ in })
        #expect(task?.status == .completed && task?.moved == 2)
        #expect(try queues.queue("Q.fifo").messageCount == 1)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
    }

    @Test("a purge that does not say that what has left goes on: it is gone", arguments: [0, 1])
    func takenBack(without: Int) throws {
        clock.step(.seconds(10))
        try place(Self.takenBack, without: without)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
        let queue = try directory().queue("Q.fifo")
        #expect(try queue.statistics().leaving.isEmpty)
        #expect(try queue.messageCount == 1)
        #expect(try ids(queue) == ["34f789f8-f0ec-40c0-a0ee-592111a03044"])
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
    }

    @Test("records that do say so make another state")
    func said() throws {
        try place(Self.purged, saying: ("purge", #","ids":true"#))
        #expect(try directory().examine("Q.fifo").damages.count == 1)
        try place(Self.delayed, saying: ("set", #","moved":-60000"#))
        #expect(try directory().examine("Q.fifo").damages.count == 1)
        try place(Self.takenBack, saying: ("purge", #","leaving":true"#))
        #expect(try directory().examine("Q.fifo").damages.count == 1)
    }
}
