import HTTP
import JSON
import Posix
import Synchronization

/// What was asked on the ports, one line of JSON a request: `requests/DATE.jsonl` (docs/serve.md).
/// Queries are left out, since they may hold signatures.
final class RequestLog: Sendable {
    struct Limits: Sendable {
        /// A file that has grown beyond this is put aside, and another one begun.
        var fileBytes: UInt64 = 64 * 1024 * 1024
        /// Older files than so many are removed.
        var files = 8
        /// So many bytes of lines do not wait to be followed by others: memory that is used again
        /// at once stays small.
        var flushBytes = 64 * 1024
        /// Of lines that wait to be written; further requests are only counted.
        var waitingBytes = 32 * 1024 * 1024
    }

    /// Of an operation that nobody took: it is the client's own word.
    private static let operationLength = 64
    /// Of a file's number, so that names sort as numbers do.
    private static let numberDigits = 6
    /// How long they wait, so that others can follow them.
    private static let interval = Duration.milliseconds(200)

    private struct State {
        /// Whole lines.
        var lines: [UInt8] = []
        /// Where each day's lines begin.
        var days: [(first: Timestamp, start: Int)] = []
        /// How lines begin that are of one second, and which second that is.
        var beginning: (second: Int64, text: [UInt8]) = (.min, [])
        /// What lines say of such requests as the last one was.
        var middle: (target: Target, text: [UInt8]) = (Target(), [])
        var dropped = 0
        /// The one timer that there is at most.
        var isScheduled = false
        var isHurried = false

        /// Sees to it that `beginning` is that of lines of this time: to write a date costs more
        /// than to copy one.
        mutating func begin(_ time: Timestamp) {
            guard time.seconds != beginning.second else { return }
            let text = time.iso8601.dropLast(4)
            beginning = (time.seconds, Array("{\"time\":\"\(text)".utf8))
        }

        /// The same for `middle`: most requests come as those before them.
        mutating func turn(to request: HTTPRequest) {
            guard !middle.target.isOf(request) else { return }
            let target = Target(request)
            middle = (target, target.members)
        }
    }

    private let folder: String
    private let clock: StackClock
    private let schedule: Monitor.Schedule
    private let limits: Limits
    private let state = Mutex(State())
    /// One writer at a time.
    private let writing = Mutex(())

    init(
        stateDirectory: String, clock: StackClock, limits: Limits = Limits(),
        schedule: @escaping Monitor.Schedule
    ) {
        self.limits = limits
        folder = "\(stateDirectory)/requests"
        self.clock = clock
        self.schedule = schedule
    }

    /// Where a request came from, and what it went to. It is ASCII: what is equal is the same.
    private struct Target: Sendable {
        var port: UInt16 = 0
        var address = ""
        var method = ""
        var path = ""

        init() {}

        init(_ request: HTTPRequest) {
            port = request.localPort
            address = request.remoteAddress
            method = request.method
            path = String(request.path)
        }

        func isOf(_ request: HTTPRequest) -> Bool {
            port == request.localPort && address == request.remoteAddress
                && method == request.method
                && (path == request.target || path == request.path)
        }

        var members: [UInt8] {
            let json: JSONValue = [
                "port": .int(Int64(port)), "from": .string(address), "method": .string(method),
                "path": .string(path),
            ]
            return Array(",\(json.serialized().dropFirst().dropLast())".utf8)
        }
    }

    /// Writes down what a request was answered with.
    ///
    /// - Parameters:
    ///   - nanoseconds: how long the answer took.
    ///   - isSent: whether the client was still there.
    func record(
        _ response: HTTPResponse, to request: HTTPRequest, after nanoseconds: UInt64,
        isSent: Bool = true
    ) {
        let time = clock.now()
        let wait = state.withLock { state -> Duration? in
            guard state.lines.count < limits.waitingBytes else {
                state.dropped += 1
                return nil
            }
            if state.days.last?.first.day != time.day {
                state.days.append((time, state.lines.count))
            }
            state.begin(time)
            state.turn(to: request)
            Self.append(
                response, to: request, state.beginning.text, state.middle.text, time, nanoseconds,
                isSent, to: &state.lines)
            if state.lines.count >= limits.flushBytes, !state.isHurried {
                state.isHurried = true
                return .zero
            }
            defer { state.isScheduled = true }
            return state.isScheduled ? nil : Self.interval
        }
        if let wait { schedule(wait) { [self] in flush(endsWait: wait != .zero) } }
    }

    /// Writes what waits. A disk that is full must not keep requests from being answered: what
    /// cannot be written is gone.
    ///
    /// - Parameter endsWait: whether the timer is over.
    func flush(endsWait: Bool = true) {
        writing.withLock { _ in
            let waiting = state.withLock { state in
                var rest = State()
                rest.isScheduled = state.isScheduled && !endsWait
                rest.beginning = state.beginning
                rest.middle = state.middle
                // Where many lines come, as many are to be expected.
                if !endsWait { rest.lines.reserveCapacity(limits.flushBytes * 5 / 4) }
                swap(&rest, &state)
                return rest
            }
            guard !waiting.days.isEmpty else { return }
            try? FileSystem.makeDirectory(folder)
            let ends = waiting.days.dropFirst().map(\.start) + [waiting.lines.count]
            for (day, end) in zip(waiting.days, ends) {
                try? write(Array(waiting.lines[day.start..<end]), day.first.date)
            }
            if waiting.dropped > 0 {
                let now = clock.now()
                let line = "{\"time\":\"\(now.iso8601)\",\"dropped\":\(waiting.dropped)}\n"
                try? write(Array(line.utf8), now.date)
            }
        }
    }

    private func write(_ bytes: [UInt8], _ day: String) throws(SystemError) {
        let path = "\(folder)/\(day).jsonl"
        if let size = try? FileDescriptor(reading: path).status().size, size > limits.fileBytes {
            try putAside(path, day)
        }
        if !FileSystem.exists(path) { try removeOldFiles(but: limits.files - 1) }
        try FileSystem.appendLines(bytes, to: path)
    }

    /// `DATE.000001.jsonl` is older than `DATE.000002.jsonl`, and that than `DATE.jsonl`.
    private func putAside(_ path: String, _ day: String) throws(SystemError) {
        let names = try FileSystem.list(folder)
        let last = names.last { $0.hasPrefix("\(day).") && $0 != "\(day).jsonl" }
        let number = last.flatMap { Int($0.split(separator: ".")[1]) } ?? 0
        let digits = String(number + 1)
        let padded =
            String(repeating: "0", count: max(0, Self.numberDigits - digits.count)) + digits
        try FileSystem.rename(path, to: "\(folder)/\(day).\(padded).jsonl")
    }

    private func removeOldFiles(but kept: Int) throws(SystemError) {
        for name in try FileSystem.list(folder).dropLast(kept) {
            try FileSystem.remove("\(folder)/\(name)")
        }
    }
}

extension RequestLog {
    /// Bytes of a line without its texts.
    private static let lineLength = 320

    /// What the client says.
    private static func operation(of request: HTTPRequest) -> String? {
        request.headers["X-Amz-Target"]?.split(separator: ".").last.map {
            String($0.prefix(operationLength))
        }
    }

    /// Appends a request's line.
    ///
    /// - Parameters:
    ///   - beginning: up to the time's milliseconds.
    ///   - middle: from the time to the operation.
    private static func append(
        _ response: HTTPResponse, to request: HTTPRequest, _ beginning: [UInt8], _ middle: [UInt8],
        _ time: Timestamp, _ nanoseconds: UInt64, _ isSent: Bool, to bytes: inout [UInt8]
    ) {
        let operation = response.operation ?? operation(of: request)
        // Escaped, a byte may become six.
        func longest(_ text: String?) -> Int { 6 * (text?.utf8.count ?? 0) }
        let length =
            lineLength + middle.count + longest(operation) + longest(response.principal)
            + longest(response.requestID)
        JSONWriter.gather(upTo: length, to: &bytes) { line in
            func member(_ name: StaticString, _ text: String?) {
                guard let text else { return }
                line.append(name)
                line.append(quoted: text)
            }
            func member(_ name: StaticString, _ value: Int) {
                line.append(name)
                line.append(Int64(value))
            }
            beginning.withUnsafeBytes { line.append($0) }
            line.append(UInt64(time.milliseconds - time.seconds * 1000), digits: 3)
            line.append("Z\"")
            middle.withUnsafeBytes { line.append($0) }
            member(",\"operation\":", operation)
            member(",\"status\":", response.status)
            member(",\"bytes\":", response.body.count)
            let microseconds = nanoseconds / 1000
            member(",\"ms\":", Int(microseconds / 1000))
            line.append(".")
            line.append(microseconds % 1000, digits: 3)
            member(",\"principal\":", response.principal)
            member(",\"requestId\":", response.requestID)
            if !isSent { line.append(",\"gone\":true") }
            line.append("}\n")
        }
    }
}

extension Timestamp {
    /// Days since the epoch.
    fileprivate var day: Int64 { milliseconds / 86_400_000 }
}
