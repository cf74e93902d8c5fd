import JSON

/// A record that no queue can take, in words for the user.
package struct QueueRecordError: Error, Equatable, Sendable {
    package var message: String
    /// Nothing is wrong with it: a newer msorch has written it.
    package var isNewer: Bool
    package init(message: String, isNewer: Bool = false) {
        self.message = message
        self.isNewer = isNewer
    }
}

extension QueueRecord {
    /// Reads a journal line.
    package init(line: UnsafeRawBufferPointer) throws(QueueRecordError) {
        let operation: Range<Int>?
        var scanner = JSONScanner(line)
        do throws(JSONError) {
            operation = try Self.operation(&scanner)
        } catch {
            throw QueueRecordError(message: error.message)
        }
        guard let operation else { throw QueueRecordError(message: "a record without 'op'") }
        if scanner.matches(operation, "send") || scanner.matches(operation, "take") {
            self = try Self.arrival(line)
        } else if scanner.matches(operation, "receive") {
            self = try Self.frequent(line, isReceive: true)
        } else if scanner.matches(operation, "delete") {
            self = try Self.frequent(line, isReceive: false)
        } else if scanner.matches(operation, "visibility") {
            self = try Self.visibility(line)
        } else if scanner.matches(operation, "requeue") {
            guard case .send(let messages) = try Self.arrival(line) else {
                throw QueueRecordError(message: "a requeue record names a queue")
            }
            self = .requeue(messages)
        } else if scanner.matches(operation, "carry") {
            guard case .send(let messages) = try Self.arrival(line) else {
                throw QueueRecordError(message: "a carry record names a queue")
            }
            self = .carry(messages)
        } else if scanner.matches(operation, "base") {
            self = try Self.base(line)
        } else {
            self = try Self.change(line)
        }
    }

    /// Whether a line brings messages, without reading all of it.
    package static func isArrival(_ line: UnsafeRawBufferPointer) throws(QueueRecordError) -> Bool {
        var scanner = JSONScanner(line)
        do throws(JSONError) {
            guard let operation = try operation(&scanner) else { return false }
            return scanner.matches(operation, "send") || scanner.matches(operation, "take")
                || scanner.matches(operation, "requeue")
        } catch {
            throw QueueRecordError(message: error.message)
        }
    }

    /// Where `op` stands: behind a few numbers in the lines that we write, anywhere in others.
    private static func operation(_ scanner: inout JSONScanner) throws(JSONError) -> Range<Int>? {
        if let known = operationBehindNumbers(scanner.bytes) { return known }
        var operation: Range<Int>?
        try scanner.object { (key, scanner) throws(JSONError) in
            if scanner.matches(key, "op") {
                operation = try scanner.string()
            } else {
                try scanner.skipValue()
            }
        }
        return operation
    }

    /// Calls `member` for each member of a line, as `JSONScanner.object` does. In the lines that we
    /// write what stands before `op` is the frame's, and passed over.
    static func members(
        _ line: UnsafeRawBufferPointer,
        _ member: (_ name: Range<Int>, inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) {
        guard let operation = operationBehindNumbers(line) else {
            var scanner = JSONScanner(line)
            return try scanner.object(member)
        }
        var scanner = JSONScanner(line, at: operation.upperBound + 1)
        while try scanner.goesOn(isFirst: false, until: "}") {
            try member(try scanner.name(), &scanner)
        }
    }

    private static func operationBehindNumbers(_ line: UnsafeRawBufferPointer) -> Range<Int>? {
        let key: StaticString = ",\"op\":\""
        let limit = min(line.count - key.utf8CodeUnitCount, 250)
        var at = 1
        while at < limit, line[at] != UInt8(ascii: "["), line[at] != UInt8(ascii: "{") {
            if line[at] == UInt8(ascii: ","), line[at + 2] == UInt8(ascii: "o") {
                let start = at + key.utf8CodeUnitCount
                // A checkpoint has an `offset` before its `op`.
                if (at..<start).allSatisfy({ line[$0] == key.utf8Start[$0 - at] }) {
                    return line[start...].firstIndex(of: UInt8(ascii: "\"")).map { start..<$0 }
                }
            }
            at += 1
        }
        return nil
    }

    /// Sends and takes: bodies are carried as they stand.
    private static func arrival(_ line: UnsafeRawBufferPointer) throws(QueueRecordError)
        -> QueueRecord
    {
        var messages: [NewMessage] = []
        var giver: String?
        var number: Int64 = 0
        do throws(JSONError) {
            try members(line) { (key, scanner) throws(JSONError) in
                if scanner.matches(key, "m") {
                    try scanner.array { (scanner) throws(JSONError) in
                        messages.append(try message(&scanner))
                    }
                } else if scanner.matches(key, "from") {
                    giver = scanner.text(try scanner.string())
                } else if scanner.matches(key, "x") {
                    number = try scanner.int()
                } else {
                    try scanner.skipValue()
                }
            }
        } catch {
            throw QueueRecordError(message: error.message)
        }
        guard let giver else { return .send(messages) }
        return .take(from: giver, number: UInt64(clamping: number), messages)
    }

    private static func message(_ scanner: inout JSONScanner) throws(JSONError) -> NewMessage {
        var copy = scanner
        if let usual = usual(&copy) {
            scanner = copy
            return usual
        }
        return try anyMessage(&scanner)
    }

    /// What nearly every message looks like, byte for byte as `append` writes it: each is read here
    /// before it is received. `nil` for anything else.
    private static func usual(_ scanner: inout JSONScanner) -> NewMessage? {
        guard scanner.steps(over: "{\"id\":\""), let id = scanner.messageID(),
            scanner.steps(over: ",\"body\":"), let body = try? scanner.string(),
            scanner.steps(over: "}")
        else { return nil }
        return NewMessage(id: id, escapedBody: Array(scanner.slice(body)))
    }

    private static func anyMessage(
        _ scanner: inout JSONScanner
    ) throws(JSONError) -> NewMessage {
        var message = NewMessage(messageID: "", escapedBody: [])
        var packed: [UInt8]?
        var size: Int64 = 0
        try scanner.object { (key, scanner) throws(JSONError) in
            if scanner.matches(key, "id") {
                message.id = MessageID(scanner.text(try scanner.string()))
            } else if scanner.matches(key, "body") {
                message.escapedBody = Array(scanner.slice(try scanner.string()))
            } else if scanner.matches(key, "delay") {
                message.delaySeconds = try scanner.int()
            } else if scanner.matches(key, "due") {
                message.due = Timestamp(milliseconds: try scanner.int())
            } else if scanner.matches(key, "group") {
                message.group = scanner.text(try scanner.string())
            } else if scanner.matches(key, "dedup") {
                message.deduplicationID = scanner.text(try scanner.string())
            } else if scanner.matches(key, "attributes") {
                message.attributes = Array(scanner.slice(try scanner.skipValue()))
            } else if scanner.matches(key, "trace") {
                message.traceHeader = scanner.text(try scanner.string())
            } else if scanner.matches(key, "sender") {
                message.sender = scanner.text(try scanner.string())
            } else if scanner.matches(key, "sent") {
                message.sent = Timestamp(milliseconds: try scanner.int())
            } else if scanner.matches(key, "receives") {
                message.receiveCount = try scanner.int()
            } else if scanner.matches(key, "z") {
                packed = Array(scanner.slice(try scanner.string()))
            } else if scanner.matches(key, "size") {
                size = try scanner.int()
            } else if scanner.matches(key, "first") {
                message.firstReceived = Timestamp(milliseconds: try scanner.int())
            } else if scanner.matches(key, "source") {
                message.source = scanner.text(try scanner.string())
            } else if scanner.matches(key, "was") {
                let value = try JSONValue.parse(Array(scanner.slice(try scanner.skipValue())))
                message.was = Place(json: value)
            } else if scanner.matches(key, "m") {
                let place = Array(scanner.slice(try scanner.skipValue()))
                message.place = Place(json: try JSONValue.parse(place))
            } else {
                try scanner.skipValue()
            }
        }
        message.packed = packed.map { PackedBody(base64: $0, size: size) }
        return message
    }

    private static func base(_ line: UnsafeRawBufferPointer) throws(QueueRecordError)
        -> QueueRecord
    {
        var reader = BaseReader(length: line.count)
        _ = try reader.read(line, isLast: true)
        let (state, held) = try reader.take()
        return .base(state, held: held)
    }

    /// The two that are as frequent as sends.
    private static func frequent(
        _ line: UnsafeRawBufferPointer, isReceive: Bool
    ) throws(QueueRecordError) -> QueueRecord {
        do throws(JSONError) {
            if isReceive { return .receive(try Receive(line)) }
            var places: [Place] = []
            try members(line) { (key, scanner) throws(JSONError) in
                if scanner.matches(key, "m") {
                    places = try scanner.places()
                } else {
                    try scanner.skipValue()
                }
            }
            return .delete(places)
        } catch {
            throw QueueRecordError(message: error.message)
        }
    }

    /// By hand: consumers that return what they took write many.
    private static func visibility(
        _ line: UnsafeRawBufferPointer
    ) throws(QueueRecordError) -> QueueRecord {
        var changes: [(place: Place, visibleAt: Timestamp)] = []
        do throws(JSONError) {
            try members(line) { (key, scanner) throws(JSONError) in
                guard scanner.matches(key, "m") else {
                    try scanner.skipValue()
                    return
                }
                try scanner.array { (scanner) throws(JSONError) in
                    let (n, index, until) = try scanner.numbers()
                    changes.append(
                        (
                            Place(n: n, index: UInt8(clamping: index)),
                            Timestamp(milliseconds: Int64(clamping: until))
                        ))
                }
            }
        } catch {
            throw QueueRecordError(message: error.message)
        }
        return .visibility(changes)
    }

    private static func change(_ line: UnsafeRawBufferPointer) throws(QueueRecordError)
        -> QueueRecord
    {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue.parse(Array(line))
        } catch {
            throw QueueRecordError(message: error.message)
        }
        let places = (value["m"]?.arrayValue ?? []).compactMap { Place(json: $0) }
        let number = UInt64(clamping: value["x"]?.intValue ?? 0)
        switch value["op"]?.stringValue {
        case "retry":
            guard let attempt = value["attempt"]?.stringValue, let until = value["until"]?.intValue
            else { throw QueueRecordError(message: "a retry record lacks a part") }
            return .retry(attempt: attempt, visibleAt: Timestamp(milliseconds: until))
        case "purge":
            return .purge(
                forgetsIDs: value["ids"]?.boolValue ?? false,
                keepsLeaving: value["leaving"]?.boolValue ?? false)
        case "set":
            return .set(
                QueueSettings(json: value["settings"] ?? .null),
                moved: value["moved"]?.intValue ?? 0)
        case "transfer":
            return .transfer(
                number: number, target: value["to"]?.stringValue ?? "",
                isMove: value["move"]?.boolValue ?? false, places)
        case "transferred": return .transferred(number: number)
        case "task":
            guard let task = MoveTask(json: value) else {
                throw QueueRecordError(message: "a task record lacks a part")
            }
            return .moveTask(task)
        case "taskStatus":
            guard let id = value["id"]?.stringValue,
                let status = value["status"]?.stringValue.flatMap(MoveTask.Status.init)
            else { throw QueueRecordError(message: "a taskStatus record lacks a part") }
            return .moveTaskStatus(id: id, status, failure: value["failure"]?.stringValue)
        case let other:
            throw QueueRecordError(
                message: "a record of a kind this msorch does not know: '\(other ?? "")'",
                isNewer: true)
        }
    }
}
