import JSON

/// Messages as records and checkpoints have them, read and written by hand: there may be 120,000.
extension HeldMessage {
    func append(to output: inout [UInt8]) {
        entry.appendMembers(to: &output)
        func number(_ name: StaticString, _ value: Int64) {
            JSONWriter.append(name, &output)
            JSONWriter.appendInteger(value, to: &output)
        }
        number(",\"count\":", receiveCount)
        number(",\"until\":", visibleAt.milliseconds)
        if let firstReceived { number(",\"first\":", firstReceived.milliseconds) }
        if let lastReceived { number(",\"last\":", lastReceived.milliseconds) }
        if bits != 0 {
            JSONWriter.append(",\"bits\":\"", &output)
            JSONWriter.appendHexadecimal(bits, digits: 16, to: &output)
            JSONWriter.append("\"", &output)
        }
        JSONWriter.append("}", &output)
    }

    /// Reads what `append` wrote.
    init(_ scanner: inout JSONScanner) throws(JSONError) {
        var copy = scanner
        if let usual = HeldMessage(usual: &copy) {
            scanner = copy
            self = usual
        } else {
            try self.init(anyOrder: &scanner)
        }
    }

    /// What nearly every message looks like, byte for byte as `append` writes it: opening a queue
    /// reads all that are in flight. `nil` for anything else.
    private init?(usual scanner: inout JSONScanner) {
        guard let entry = StreamEntry(usual: &scanner),
            scanner.steps(over: ",\"count\":"), let count = scanner.digits(),
            scanner.steps(over: ",\"until\":"), let until = scanner.time(),
            scanner.steps(over: ",\"first\":"), let first = scanner.time(),
            scanner.steps(over: ",\"last\":"), let last = scanner.time(),
            scanner.steps(over: ",\"bits\":\""), let bits = scanner.hexadecimalDigits(),
            scanner.steps(over: "\"}")
        else { return nil }
        self.init(
            entry: entry, receiveCount: Int64(clamping: count), visibleAt: until,
            firstReceived: first, lastReceived: last, bits: bits)
    }

    private init(anyOrder scanner: inout JSONScanner) throws(JSONError) {
        var place = Place(n: 0, index: 0)
        var record = RecordPlace(segment: 0, offset: 0, length: 0)
        var id = ""
        var group: String?
        var source: String?
        var bits: UInt64 = 0
        var numbers = Numbers()
        try scanner.object { (key, scanner) throws(JSONError) in
            if scanner.matches(key, "m") {
                let (n, index, _) = try scanner.numbers()
                place = Place(n: n, index: UInt8(clamping: index))
            } else if scanner.matches(key, "at") {
                let (segment, offset, length) = try scanner.numbers()
                record = RecordPlace(
                    segment: segment, offset: offset, length: UInt32(clamping: length))
            } else if scanner.matches(key, "id") {
                id = scanner.text(try scanner.string())
            } else if scanner.matches(key, "group") {
                group = scanner.text(try scanner.string())
            } else if scanner.matches(key, "source") {
                source = scanner.text(try scanner.string())
            } else if scanner.matches(key, "bits") {
                bits = scanner.hexadecimal(try scanner.string())
            } else {
                try numbers.read(key, &scanner)
            }
        }
        func time(_ milliseconds: Int64?) -> Timestamp? {
            milliseconds.map { Timestamp(milliseconds: $0) }
        }
        self.init(
            entry: StreamEntry(
                place: place, record: record, id: MessageID(id),
                sent: Timestamp(milliseconds: numbers.sent), group: group,
                past: .of(
                    delaySeconds: numbers.delay, receiveCount: numbers.receives,
                    firstReceived: time(numbers.requeued), arrived: time(numbers.arrived),
                    source: source)),
            receiveCount: numbers.count, visibleAt: Timestamp(milliseconds: numbers.until),
            firstReceived: time(numbers.first), lastReceived: time(numbers.last), bits: bits)
    }

    private struct Numbers {
        var sent: Int64 = 0
        var delay: Int64 = 0
        var receives: Int64 = 0
        var requeued: Int64?
        var arrived: Int64?
        var count: Int64 = 0
        var until: Int64 = 0
        var first: Int64?
        var last: Int64?

        mutating func read(_ key: Range<Int>, _ scanner: inout JSONScanner) throws(JSONError) {
            if scanner.matches(key, "sent") {
                sent = try scanner.int()
            } else if scanner.matches(key, "count") {
                count = try scanner.int()
            } else if scanner.matches(key, "until") {
                until = try scanner.int()
            } else if scanner.matches(key, "first") {
                first = try scanner.int()
            } else if scanner.matches(key, "last") {
                last = try scanner.int()
            } else if scanner.matches(key, "delay") {
                delay = try scanner.int()
            } else if scanner.matches(key, "receives") {
                receives = try scanner.int()
            } else if scanner.matches(key, "requeued") {
                requeued = try scanner.int()
            } else if scanner.matches(key, "arrived") {
                arrived = try scanner.int()
            } else {
                try scanner.skipValue()
            }
        }
    }
}

extension QueueRecord.FirstReceive {
    /// Reads one of a receive record.
    init(_ scanner: inout JSONScanner) throws(JSONError) {
        var copy = scanner
        if let entry = StreamEntry(usual: &copy), copy.steps(over: ",\"bits\":\""),
            let bits = copy.hexadecimalDigits(), copy.steps(over: "\"}")
        {
            scanner = copy
            self.init(entry: entry, bits: bits)
        } else {
            let message = try HeldMessage(&scanner)
            self.init(entry: message.entry, bits: message.bits == 0 ? nil : message.bits)
        }
    }
}

extension StreamEntry {
    /// What nearly every one looks like, byte for byte as `appendMembers` writes it; `nil` for
    /// anything else.
    fileprivate init?(usual scanner: inout JSONScanner) {
        guard scanner.steps(over: "{\"m\":["), let n = scanner.digits(),
            scanner.steps(over: ","), let index = scanner.digits(),
            scanner.steps(over: "],\"at\":["), let segment = scanner.digits(),
            scanner.steps(over: ","), let offset = scanner.digits(),
            scanner.steps(over: ","), let length = scanner.digits(),
            scanner.steps(over: "],\"id\":\""), let id = scanner.messageID(),
            scanner.steps(over: ",\"sent\":"), let sent = scanner.time()
        else { return nil }
        var group: String?
        if scanner.steps(over: ",\"group\":\"") {
            guard let text = scanner.plainText() else { return nil }
            group = text
        }
        self.init(
            place: Place(n: n, index: UInt8(clamping: index)),
            record: RecordPlace(
                segment: segment, offset: offset, length: UInt32(clamping: length)),
            id: id, sent: sent, group: group)
    }

    /// An object without its end.
    func appendMembers(to output: inout [UInt8]) {
        JSONWriter.gather(upTo: 140, to: &output) { pieces in
            pieces.append("{\"m\":[")
            pieces.append(place.n)
            pieces.append(",")
            pieces.append(UInt64(place.index))
            pieces.append("],\"at\":")
            pieces.append(record.segment, record.offset, UInt64(record.length))
            pieces.append(",\"id\":\"")
        }
        id.append(to: &output)
        JSONWriter.gather(upTo: 40, to: &output) { pieces in
            pieces.append("\",\"sent\":")
            pieces.append(sent.milliseconds)
        }
        if let group = group {
            JSONWriter.append(",\"group\":", &output)
            JSONWriter.appendString(group, to: &output)
        }
        if delaySeconds != 0 {
            JSONWriter.append(",\"delay\":", &output)
            JSONWriter.appendInteger(delaySeconds, to: &output)
        }
        if receiveCount != 0 {
            JSONWriter.append(",\"receives\":", &output)
            JSONWriter.appendInteger(receiveCount, to: &output)
        }
        if let time = past?.firstReceived {
            JSONWriter.append(",\"requeued\":", &output)
            JSONWriter.appendInteger(time.milliseconds, to: &output)
        }
        if let time = past?.arrived {
            JSONWriter.append(",\"arrived\":", &output)
            JSONWriter.appendInteger(time.milliseconds, to: &output)
        }
        if let source = past?.source {
            JSONWriter.append(",\"source\":", &output)
            JSONWriter.appendString(source, to: &output)
        }
    }
}

extension JSONScanner {
    /// Up to three numbers of an array.
    mutating func numbers() throws(JSONError) -> (UInt64, UInt64, UInt64) {
        var numbers: (UInt64, UInt64, UInt64) = (0, 0, 0)
        var index = 0
        try array { (scanner) throws(JSONError) in
            let value = UInt64(clamping: try scanner.int())
            switch index {
            case 0: numbers.0 = value
            case 1: numbers.1 = value
            default: numbers.2 = value
            }
            index += 1
        }
        return numbers
    }

    fileprivate mutating func time() -> Timestamp? {
        digits().map { Timestamp(milliseconds: Int64(clamping: $0)) }
    }

    fileprivate func hexadecimal(_ range: Range<Int>) -> UInt64 {
        slice(range).reduce(0) { value, digit in
            value << 4 | UInt64(digit < 58 ? digit &- 48 : digit &- 87) & 15
        }
    }
}
