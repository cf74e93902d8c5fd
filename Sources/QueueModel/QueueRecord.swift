import JSON

/// One change of a queue, as its journal keeps it (docs/journal.md, *Records*).
package enum QueueRecord: Equatable, Sendable {
    /// A message that a receive took or, in a FIFO queue, passed over.
    package struct FirstReceive: Equatable, Sendable {
        package var entry: StreamEntry
        /// `nil` if it was passed over.
        package var bits: UInt64?
    }

    package struct Again: Equatable, Sendable {
        package var place: Place
        package var bits: UInt64
    }

    package struct Receive: Equatable, Sendable {
        package var visibleAt: Timestamp
        package var head: Head
        package var first: [FirstReceive]
        package var again: [Again]
        /// Messages of the stream that the head stepped over because their retention had passed.
        package var expired: UInt64
        /// Held messages whose retention had passed.
        package var gone: [Place]
        /// Messages that were once put back, in the stream, and that the head stepped over: deleted
        /// by an old handle, or expired.
        package var over: [Place] = []
        /// Noisy tenants whose messages the head has passed, as that is now; those with none left
        /// are forgotten.
        package var passed: [String: PassedMessages] = [:]
        /// How far it came among the delayed messages that the state does not hold.
        package var delayed: DelayedStep?
        /// FIFO: the name under which the caller may repeat it.
        package var attempt: String?
    }

    /// Every `op` there is.
    package static let names: Set<String> = [
        "base", "send", "take", "requeue", "receive", "delete", "visibility", "purge", "set",
        "transfer", "transferred", "carry", "retry", "task", "taskStatus",
    ]

    /// The whole state: its held messages, and all else as an object.
    case base(JSONObject, held: [HeldMessage])
    case send([NewMessage])
    case take(from: String, number: UInt64, [NewMessage])
    /// Messages that came back too often stand behind all others again.
    case requeue([NewMessage])
    case receive(Receive)
    /// A receive is repeated: its messages stay hidden until then.
    case retry(attempt: String, visibleAt: Timestamp)
    case delete([Place])
    case visibility([(place: Place, visibleAt: Timestamp)])
    /// Every message is gone. What is known of deduplication ids goes with them, and what is on its
    /// way to another queue goes on, only where it says so: an earlier version kept the ones, and
    /// took the others back.
    case purge(forgetsIDs: Bool, keepsLeaving: Bool)
    /// The queue's attributes, and by how many milliseconds that moves what is delayed: an earlier
    /// version moved nothing.
    case set(QueueSettings, moved: Int64 = 0)
    /// Messages leave for another queue: dead letters, or with `isMove` those that go back.
    case transfer(number: UInt64, target: String, isMove: Bool = false, [Place])
    case transferred(number: UInt64)
    /// A move task begins.
    case moveTask(MoveTask)
    case moveTaskStatus(id: String, MoveTask.Status, failure: String?)
    /// Messages of an old segment lie here from now on; nothing else changes for them.
    case carry([NewMessage])

    package static func == (lhs: QueueRecord, rhs: QueueRecord) -> Bool {
        lhs.members == rhs.members
    }

    /// What the journal writes behind `d`.
    package var members: [UInt8] {
        var output: [UInt8] = []
        append(to: &output)
        return output
    }

    /// Writes the same.
    package func append(to output: inout [UInt8]) {
        switch self {
        case .base(let value, let held):
            Self.appendBase(value, held, to: &output) { _ in }
        case .send(let messages): Self.append(send: messages, to: &output)
        case .take(let giver, let number, let messages):
            Self.append(
                "take", [("from", .string(giver)), ("x", .int(Int64(number)))], to: &output)
            JSONWriter.append(",\"m\":[", &output)
            Self.append(list: messages, to: &output)
        case .requeue(let messages):
            JSONWriter.append("\"op\":\"requeue\",\"m\":[", &output)
            Self.append(list: messages, to: &output)
        case .receive(let receive): receive.append(to: &output)
        case .retry(let attempt, let visibleAt):
            Self.append(
                "retry",
                [("attempt", .string(attempt)), ("until", .int(visibleAt.milliseconds))],
                to: &output)
        case .delete(let places): Self.append(delete: places, to: &output)
        case .visibility(let changes):
            let list = changes.map { change -> JSONValue in
                [
                    .int(Int64(change.place.n)), .int(Int(change.place.index)),
                    .int(change.visibleAt.milliseconds),
                ]
            }
            Self.append("visibility", [("m", .array(list))], to: &output)
        case .purge(let forgetsIDs, let keepsLeaving):
            var members: [(String, JSONValue)] = []
            if forgetsIDs { members.append(("ids", true)) }
            if keepsLeaving { members.append(("leaving", true)) }
            Self.append("purge", members, to: &output)
        case .set(let settings, let moved):
            var members = [("settings", settings.json)]
            if moved != 0 { members.append(("moved", .int(moved))) }
            Self.append("set", members, to: &output)
        case .transfer(let number, let target, let isMove, let places):
            var members: [(String, JSONValue)] = [
                ("x", .int(Int64(number))), ("to", .string(target)),
                ("m", .array(places.map(\.json))),
            ]
            if isMove { members.append(("move", true)) }
            Self.append("transfer", members, to: &output)
        case .transferred(let number):
            Self.append("transferred", [("x", .int(Int64(number)))], to: &output)
        case .moveTask(let task):
            Self.append("task", task.json.members.map { ($0.key, $0.value) }, to: &output)
        case .moveTaskStatus(let id, let status, let failure):
            var members: [(String, JSONValue)] = [
                ("id", .string(id)), ("status", .string(status.rawValue)),
            ]
            if let failure { members.append(("failure", .string(failure))) }
            Self.append("taskStatus", members, to: &output)
        case .carry(let messages):
            JSONWriter.append("\"op\":\"carry\",\"m\":[", &output)
            Self.append(list: messages, isCarried: true, to: &output)
        }
    }

    /// The members of a send's record.
    package static func append(send messages: [NewMessage], to output: inout [UInt8]) {
        JSONWriter.append("\"op\":\"send\",\"m\":[", &output)
        append(list: messages, to: &output)
    }

    /// The members of a delete's record.
    package static func append(delete places: [Place], to output: inout [UInt8]) {
        JSONWriter.append("\"op\":\"delete\",\"m\":[", &output)
        for (index, place) in places.enumerated() {
            JSONWriter.gather(upTo: 40, to: &output) { pieces in
                pieces.append(index == 0 ? "[" : ",[")
                pieces.append(place.n)
                pieces.append(",")
                pieces.append(UInt64(place.index))
                pieces.append("]")
            }
        }
        JSONWriter.append("]", &output)
    }

    /// - Parameter spill: called now and then; may take what stands there.
    static func appendBase<Failure: Error>(
        _ state: JSONObject, _ held: some Sequence<HeldMessage>, to output: inout [UInt8],
        spill: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        JSONWriter.append("\"op\":\"base\",\"state\":", &output)
        JSONValue.object(state).append(to: &output)
        output.removeLast()
        JSONWriter.append(",\"held\":[", &output)
        for (index, message) in held.enumerated() {
            if index > 0 { JSONWriter.append(",", &output) }
            message.append(to: &output)
            try spill(&output)
        }
        JSONWriter.append("]}", &output)
    }

    private static func append(
        _ operation: String, _ members: [(String, JSONValue)], to output: inout [UInt8]
    ) {
        output.append(contentsOf: "\"op\":\"\(operation)\"".utf8)
        for (key, value) in members {
            output.append(contentsOf: ",\"\(key)\":".utf8)
            value.append(to: &output)
        }
    }

    /// What follows `"m":[`, to the end of the list.
    private static func append(
        list messages: [NewMessage], isCarried: Bool = false, to output: inout [UInt8]
    ) {
        // A message's parts are read where they are: it would be copied else.
        for index in messages.indices {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            if let packed = messages[index].packed {
                messages[index].id.append(to: &output, behind: "{\"id\":\"", "\",\"z\":\"")
                output.append(contentsOf: packed.base64)
                JSONWriter.append("\",\"size\":", &output)
                JSONWriter.appendInteger(packed.size, to: &output)
            } else {
                messages[index].id.append(to: &output, behind: "{\"id\":\"", "\",\"body\":\"")
                output.append(contentsOf: messages[index].escapedBody)
                output.append(UInt8(ascii: "\""))
            }
            func number(_ name: StaticString, _ value: Int64?) {
                guard let value, value != 0 else { return }
                JSONWriter.append(name, &output)
                JSONWriter.appendInteger(value, to: &output)
            }
            func text(_ name: StaticString, _ value: String?) {
                guard let value else { return }
                JSONWriter.append(name, &output)
                JSONWriter.appendString(value, to: &output)
            }
            number(",\"delay\":", messages[index].delaySeconds)
            number(",\"due\":", messages[index].due?.milliseconds)
            text(",\"group\":", messages[index].group)
            text(",\"dedup\":", messages[index].deduplicationID)
            if let attributes = messages[index].attributes {
                JSONWriter.append(",\"attributes\":", &output)
                output.append(contentsOf: attributes)
            }
            text(",\"trace\":", messages[index].traceHeader)
            text(",\"sender\":", messages[index].sender)
            number(",\"sent\":", messages[index].sent?.milliseconds)
            number(",\"receives\":", messages[index].receiveCount)
            number(",\"first\":", messages[index].firstReceived?.milliseconds)
            text(",\"source\":", messages[index].source)
            if let was = messages[index].was {
                JSONWriter.append(",\"was\":", &output)
                was.json.append(to: &output)
            }
            if isCarried, let place = messages[index].place {
                JSONWriter.append(",\"m\":", &output)
                place.json.append(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
        output.append(UInt8(ascii: "]"))
    }
}

extension Place {
    var json: JSONValue { [.int(Int64(n)), .int(Int(index))] }

    init?(json: JSONValue?) {
        guard let parts = json?.arrayValue, parts.count >= 2, let n = parts[0].intValue,
            let index = parts[1].intValue, let place = UInt64(exactly: n),
            let number = UInt8(exactly: index)
        else { return nil }
        self.init(n: place, index: number)
    }
}

extension Head {
    var json: JSONValue { [.int(Int64(segment)), .int(Int64(offset)), .int(Int(index))] }

    init?(json: JSONValue?) {
        guard let parts = json?.arrayValue, parts.count == 3,
            let segment = parts[0].intValue, let offset = parts[1].intValue,
            let index = parts[2].intValue
        else { return nil }
        self.init(
            segment: UInt64(clamping: segment), offset: UInt64(clamping: offset),
            index: UInt8(clamping: index))
    }
}

extension StreamEntry {
    var json: JSONValue {
        var object: JSONObject = [
            "m": place.json,
            "at": [
                .int(Int64(record.segment)), .int(Int64(record.offset)), .int(Int(record.length)),
            ],
            "id": .string(messageID),
            "sent": .int(sent.milliseconds),
        ]
        if let group { object["group"] = .string(group) }
        if delaySeconds != 0 { object["delay"] = .int(delaySeconds) }
        if receiveCount != 0 { object["receives"] = .int(receiveCount) }
        if let time = past?.firstReceived { object["requeued"] = .int(time.milliseconds) }
        if let time = past?.arrived { object["arrived"] = .int(time.milliseconds) }
        if let source = past?.source { object["source"] = .string(source) }
        return .object(object)
    }

    init?(json: JSONValue) {
        guard let place = Place(json: json["m"]), let at = json["at"]?.arrayValue, at.count == 3,
            let segment = at[0].intValue, let offset = at[1].intValue, let length = at[2].intValue,
            let id = json["id"]?.stringValue, let sent = json["sent"]?.intValue
        else { return nil }
        self.init(
            place: place,
            record: RecordPlace(
                segment: UInt64(clamping: segment), offset: UInt64(clamping: offset),
                length: UInt32(clamping: length)),
            id: MessageID(id), sent: Timestamp(milliseconds: sent),
            group: json["group"]?.stringValue,
            past: .of(
                delaySeconds: json["delay"]?.intValue ?? 0,
                receiveCount: json["receives"]?.intValue ?? 0,
                firstReceived: json["requeued"]?.intValue.map { Timestamp(milliseconds: $0) },
                arrived: json["arrived"]?.intValue.map { Timestamp(milliseconds: $0) },
                source: json["source"]?.stringValue))
    }
}

/// 64 bits do not fit JSON's numbers everywhere: 16 hexadecimal digits do.
func hexBits(_ bits: UInt64) -> JSONValue {
    let digits = String(bits, radix: 16)
    return .string(String(repeating: "0", count: 16 - digits.utf8.count) + digits)
}

func bits(_ json: JSONValue?) -> UInt64? { json?.stringValue.flatMap { UInt64($0, radix: 16) } }

extension QueueRecord.Again {
    var json: JSONValue { [.int(Int64(place.n)), .int(Int(place.index)), hexBits(bits)] }

    init?(json: JSONValue) {
        guard let place = Place(json: json), let parts = json.arrayValue, parts.count == 3,
            let bits = QueueModel.bits(parts[2])
        else { return nil }
        self.init(place: place, bits: bits)
    }
}

extension QueueRecord.Receive {
    /// The members of its record, `op` included; written by hand, since each message passes here.
    package func append(to output: inout [UInt8]) {
        JSONWriter.gather(upTo: 140, to: &output) { pieces in
            pieces.append("\"op\":\"receive\",\"until\":")
            pieces.append(visibleAt.milliseconds)
            pieces.append(",\"head\":")
            pieces.append(head.segment, head.offset, UInt64(head.index))
        }
        if !first.isEmpty {
            JSONWriter.append(",\"first\":[", &output)
            for (index, first) in first.enumerated() {
                if index > 0 { JSONWriter.append(",", &output) }
                Self.append(first, to: &output)
            }
            JSONWriter.append("]", &output)
        }
        if !again.isEmpty {
            JSONWriter.append(",\"again\":", &output)
            JSONValue.array(again.map(\.json)).append(to: &output)
        }
        if expired > 0 {
            JSONWriter.append(",\"expired\":", &output)
            JSONWriter.appendInteger(expired, to: &output)
        }
        if !gone.isEmpty {
            JSONWriter.append(",\"gone\":", &output)
            JSONValue.array(gone.map(\.json)).append(to: &output)
        }
        if !over.isEmpty {
            JSONWriter.append(",\"over\":", &output)
            JSONValue.array(over.map(\.json)).append(to: &output)
        }
        if let attempt {
            JSONWriter.append(",\"attempt\":", &output)
            JSONWriter.appendString(attempt, to: &output)
        }
        if !passed.isEmpty {
            let list = passed.sorted { $0.key < $1.key }.map { $0.value.json($0.key) }
            JSONWriter.append(",\"passed\":", &output)
            JSONValue.array(list).append(to: &output)
        }
        if let delayed {
            JSONWriter.append(",\"delayed\":", &output)
            delayed.json.append(to: &output)
        }
    }

    private static func append(_ first: QueueRecord.FirstReceive, to output: inout [UInt8]) {
        first.entry.appendMembers(to: &output)
        JSONWriter.gather(upTo: 40, to: &output) { pieces in
            if let bits = first.bits {
                pieces.append(",\"bits\":\"")
                pieces.appendHexadecimal(bits, digits: 16)
                pieces.append("\"")
            }
            pieces.append("}")
        }
    }

    /// Reads a receive record: by hand, since whoever opens a queue reads many.
    init(_ line: UnsafeRawBufferPointer) throws(JSONError) {
        self.init(
            visibleAt: Timestamp(milliseconds: 0), head: Head(segment: 0, offset: 0, index: 0),
            first: [], again: [], expired: 0, gone: [])
        try QueueRecord.members(line) { (key, scanner) throws(JSONError) in
            if scanner.matches(key, "first") {
                try scanner.array { (scanner) throws(JSONError) in
                    first.append(try QueueRecord.FirstReceive(&scanner))
                }
            } else if scanner.matches(key, "until") {
                visibleAt = Timestamp(milliseconds: try scanner.int())
            } else if scanner.matches(key, "head") {
                let (segment, offset, index) = try scanner.numbers()
                head = Head(segment: segment, offset: offset, index: UInt8(clamping: index))
            } else if scanner.matches(key, "expired") {
                expired = UInt64(clamping: try scanner.int())
            } else if scanner.matches(key, "gone") {
                gone = try scanner.places()
            } else if scanner.matches(key, "over") {
                over = try scanner.places()
            } else if scanner.matches(key, "attempt") {
                attempt = scanner.text(try scanner.string())
            } else if scanner.matches(key, "again") {
                again = try scanner.values().compactMap { QueueRecord.Again(json: $0) }
            } else if scanner.matches(key, "delayed") {
                let value = Array(scanner.slice(try scanner.skipValue()))
                delayed = DelayedStep(json: try JSONValue.parse(value))
            } else if scanner.matches(key, "passed") {
                for value in try scanner.values() {
                    guard let (group, messages) = PassedMessages.read(value) else { continue }
                    passed[group] = messages
                }
            } else {
                try scanner.skipValue()
            }
        }
    }
}

extension JSONScanner {
    /// A list of places: `[[17,0],[17,1]]`.
    mutating func places() throws(JSONError) -> [Place] {
        var places: [Place] = []
        try array { (scanner) throws(JSONError) in
            let (n, index, _) = try scanner.numbers()
            places.append(Place(n: n, index: UInt8(clamping: index)))
        }
        return places
    }

    /// A list as values.
    mutating func values() throws(JSONError) -> [JSONValue] {
        try JSONValue.parse(Array(slice(try skipValue()))).arrayValue ?? []
    }
}
