import Posix
import QueueModel
import Services

/// How long a waiting receiver waits on after a message was sent. A message's body is the time when
/// its send began, on the clock that all processes share.
enum Wake {
    /// Between two messages: the receiver is back and waits.
    private static let pauseMicroseconds: UInt32 = 5000
    private static let patience = Duration.seconds(20)

    /// Sender and receiver are threads of this process. `--count`.
    static func run(_ options: Options) throws {
        let queue = try QueueDirectory(stateDirectory: options.state)
            .benchmarkQueue(options.queue, options)
        let count = options.integer("count", 200)
        let sender = try Thread(name: "sender") {
            do { try send(queue, count) } catch { StandardStream.error.write("\(error)\n".utf8) }
        }
        Report.figure("wake", Report.median(try receive(queue, count)), "us")
        sender.join()
    }

    /// The receiving process; says `ready` when it waits.
    static func receiver(_ options: Options) throws {
        let queue = try QueueDirectory(stateDirectory: options.state)
            .benchmarkQueue(options.queue, options)
        StandardStream.output.write("ready: 1 \n".utf8)
        Report.figure(
            "wake", Report.median(try receive(queue, options.integer("count", 200))), "us")
    }

    /// The sending process.
    static func sender(_ options: Options) throws {
        let queue = try QueueDirectory(stateDirectory: options.state)
            .benchmarkQueue(options.queue, options)
        try send(queue, options.integer("count", 200))
    }

    private static func send(_ queue: Queue, _ count: Int) throws {
        for _ in 0..<count {
            SystemClock.pause(microseconds: pauseMicroseconds)
            let body = Array(String(SystemClock.monotonicNanoseconds()).utf8)
            _ = try queue.send([SendEntry(escapedBody: body, size: body.count)])[0].get()
        }
    }

    /// Microseconds from the begin of each send to the return of its receive.
    private static func receive(_ queue: Queue, _ count: Int) throws -> [Double] {
        var waits: [Double] = []
        while waits.count < count {
            let deliveries = try queue.receive(upTo: 1, wait: patience)
            guard let delivery = deliveries.first else { break }
            let now = SystemClock.monotonicNanoseconds()
            let sent = UInt64(String(decoding: delivery.body, as: UTF8.self)) ?? now
            waits.append(Double(now - sent) / 1000)
            for outcome in try queue.delete([delivery.received.handle]) { try outcome.get() }
        }
        return waits
    }
}
