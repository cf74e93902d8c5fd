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
    }

    /// Requests that wait to be written; further ones are only counted.
    private static let waitingLimit = 100_000
    /// Of an operation that nobody took: it is the client's own word.
    private static let operationLength = 64
    /// Of a file's number, so that names sort as numbers do.
    private static let numberDigits = 6
    /// How long they wait, so that others can follow them.
    private static let interval = Duration.milliseconds(200)

    /// Only what is written: headers may be large, and many entries wait.
    fileprivate struct Entry {
        var time: Timestamp
        var port: UInt16
        var sender: String
        var method: String
        var path: String
        var operation: String?
        var status: Int
        var sentBytes: Int
        var nanoseconds: UInt64
        var principal: String?
        var requestID: String?

        /// Days since the epoch.
        var day: Int64 { time.milliseconds / 86_400_000 }
    }

    private struct State {
        var entries: [Entry] = []
        var dropped = 0
        var isScheduled = false
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

    /// A responder whose answer is written down.
    func following(_ request: HTTPRequest, _ responder: HTTPResponder) -> HTTPResponder {
        let start = SystemClock.monotonicNanoseconds()
        var head = request
        head.body = []
        return responder.observed { [self, head] response in
            record(response, to: head, after: SystemClock.monotonicNanoseconds() - start)
        }
    }

    /// - Parameter nanoseconds: how long the answer took.
    func record(_ response: HTTPResponse, to request: HTTPRequest, after nanoseconds: UInt64) {
        let target = request.headers["X-Amz-Target"]?.split(separator: ".").last
        add(
            Entry(
                time: clock.now(), port: request.localPort, sender: request.remoteAddress,
                method: request.method, path: String(request.path),
                operation: response.operation
                    ?? target.map { String($0.prefix(Self.operationLength)) },
                status: response.status, sentBytes: response.body.count,
                nanoseconds: nanoseconds, principal: response.principal,
                requestID: response.headers["x-amzn-RequestId"]
                    ?? response.headers["Apigw-Requestid"]))
    }

    private func add(_ entry: Entry) {
        let isFirst = state.withLock { state in
            guard state.entries.count < Self.waitingLimit else {
                state.dropped += 1
                return false
            }
            state.entries.append(entry)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if isFirst { schedule(Self.interval) { [self] in flush() } }
    }

    /// Writes what waits. A disk that is full must not keep requests from being answered: what
    /// cannot be written is gone.
    func flush() {
        writing.withLock { _ in
            let (entries, dropped) = state.withLock { state in
                defer { state = State() }
                return (state.entries, state.dropped)
            }
            guard !entries.isEmpty else { return }
            try? FileSystem.makeDirectory(folder)
            var rest = entries[...]
            while let first = rest.first {
                let entries = rest.prefix { $0.day == first.day }
                rest = rest.dropFirst(entries.count)
                var bytes: [UInt8] = []
                for entry in entries { entry.append(to: &bytes) }
                if dropped > 0 {
                    bytes += "{\"time\":\"\(clock.now().iso8601)\",\"dropped\":\(dropped)}\n".utf8
                }
                try? write(bytes, first.time.date)
            }
        }
    }

    private func write(_ bytes: [UInt8], _ day: String) throws(SystemError) {
        let path = "\(folder)/\(day).jsonl"
        if let size = try? FileDescriptor(reading: path).status().size, size > limits.fileBytes {
            try putAside(path, day)
        }
        if !FileSystem.exists(path) { try removeOldFiles(but: limits.files - 1) }
        try FileSystem.append(bytes, to: path)
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

extension RequestLog.Entry {
    fileprivate func append(to bytes: inout [UInt8]) {
        func member(_ name: StaticString, _ text: String?) {
            guard let text else { return }
            JSONWriter.append(name, &bytes)
            JSONWriter.appendString(text, to: &bytes)
        }
        func member(_ name: StaticString, _ value: Int) {
            JSONWriter.append(name, &bytes)
            JSONWriter.appendInteger(value, to: &bytes)
        }
        member("{\"time\":", time.iso8601)
        member(",\"port\":", Int(port))
        member(",\"from\":", sender)
        member(",\"method\":", method)
        member(",\"path\":", path)
        member(",\"operation\":", operation)
        member(",\"status\":", status)
        member(",\"bytes\":", sentBytes)
        let microseconds = nanoseconds / 1000
        let fraction = String(1000 + microseconds % 1000).dropFirst()
        JSONWriter.append(",\"ms\":", &bytes)
        bytes += "\(microseconds / 1000).\(fraction)".utf8
        member(",\"principal\":", principal)
        member(",\"requestId\":", requestID)
        JSONWriter.append("}\n", &bytes)
    }
}
