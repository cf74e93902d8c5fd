import JSON

/// Reads a base record in pieces: what it holds of 120,000 messages in flight is 24 MB of text,
/// which need not be in memory at once.
package struct BaseReader {
    /// What the next byte is inside of.
    private enum Level {
        case nothing
        case record
        case state
        case held
        case end
    }

    private var level = Level.nothing
    /// Whether nothing of it was read yet.
    private var isFirst = true
    private var state = JSONObject()
    private var held: [HeldMessage] = []

    /// Bytes that a held message takes, at least: ids and times have their length.
    private static let shortestHeld = 180
    /// Nearly every member and message is shorter, and every number: none is taken for whole whose
    /// digits go on in the next piece.
    private static let usual = 4096

    /// - Parameter length: the record's, in bytes.
    package init(length: Int) {
        if length > 0 { held.reserveCapacity(HeldMessages.room(for: length / Self.shortestHeld)) }
    }

    /// Reads what is whole in a piece.
    ///
    /// - Parameters:
    ///   - piece: goes on where the last one was read to.
    ///   - isLast: whether the record ends with it.
    /// - Returns: how many of its bytes are done with; 0 if it must be longer.
    package mutating func read(
        _ piece: UnsafeRawBufferPointer, isLast: Bool
    ) throws(QueueRecordError) -> Int {
        var read = 0
        while level != .end, isLast || piece.count - read > Self.usual {
            var scanner = JSONScanner(piece, at: read)
            do throws(JSONError) {
                try step(&scanner)
            } catch {
                guard !isLast else { throw QueueRecordError(message: error.message) }
                break
            }
            read = scanner.at
        }
        return level == .end ? piece.count : read
    }

    /// The state and its held messages; this is empty then.
    package mutating func take() throws(QueueRecordError) -> (JSONObject, [HeldMessage]) {
        let format = state["format"]?.intValue ?? 0
        guard level == .end, format == QueueState.format else {
            throw QueueRecordError(
                message: "this journal has format \(format); this msorch reads format "
                    + "\(QueueState.format)", isNewer: format > QueueState.format)
        }
        var taken = BaseReader(length: 0)
        swap(&self, &taken)
        return (taken.state, taken.held)
    }

    /// Reads one member or message, or steps into or out of something. Nothing has changed if it
    /// fails.
    private mutating func step(_ scanner: inout JSONScanner) throws(JSONError) {
        switch level {
        case .nothing:
            try scanner.begin("{")
            enter(.record)
        case .record:
            guard try scanner.goesOn(isFirst: isFirst, until: "}") else { return leave(to: .end) }
            if scanner.matches(try scanner.name(), "state") {
                try scanner.begin("{")
                return enter(.state)
            }
            try scanner.skipValue()
            isFirst = false
        case .state:
            guard try scanner.goesOn(isFirst: isFirst, until: "}") else {
                return leave(to: .record)
            }
            let name = try scanner.name()
            if scanner.matches(name, "held") {
                try scanner.begin("[")
                return enter(.held)
            }
            let value = Array(scanner.slice(try scanner.skipValue()))
            state[scanner.text(name)] = try JSONValue.parse(value)
            isFirst = false
        case .held:
            guard try scanner.goesOn(isFirst: isFirst, until: "]") else {
                return leave(to: .state)
            }
            held.append(try HeldMessage(&scanner))
            isFirst = false
        case .end: break
        }
    }

    private mutating func enter(_ inner: Level) { (level, isFirst) = (inner, true) }

    private mutating func leave(to outer: Level) { (level, isFirst) = (outer, false) }
}
