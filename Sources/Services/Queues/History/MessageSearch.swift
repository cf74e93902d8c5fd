import JSON
import Journal
import Posix
import QueueModel

/// Finds one message in one queue's records and follows it, in one pass.
struct MessageSearch {
    enum Sought: Equatable {
        case id(String)
        /// Another queue's transfer brought it.
        case passage(MessageTrack.Passage)
        case place(Place)
    }

    private let queue: String
    private let history: QueueHistory
    private let sought: Sought
    private var tracks: [MessageTrack] = []
    private var oldest: UInt64 = 1

    init(_ sought: Sought, in queue: String, _ history: QueueHistory) {
        self.sought = sought
        self.queue = queue
        self.history = history
    }

    /// The messages that were found, each with all that is retained of it.
    mutating func run(now: Timestamp) throws -> [MessageTrack] {
        var start = history.journal.start
        if case .place(let place) = sought, let line = try history.journal.record(place.n) {
            start = line.location
        }
        var records = history.journal.records(from: start)
        var next: UInt64 = 0
        while let line = try records.next() {
            // All that is known of what is not retained, or was deleted meanwhile.
            let isFirst = line.n != next
            if isFirst { oldest = line.n }
            if isFirst || concerns(line) {
                let record = try line.bytes.withUnsafeBytes { try QueueRecord(line: $0) }
                if case .base(_, let held) = record {
                    if isFirst { begin(with: held, line, missing: line.n - next) }
                } else {
                    for index in tracks.indices { tracks[index].apply(record, line) }
                    try begin(with: record, line)
                }
            }
            next = line.n + 1
        }
        for index in tracks.indices { tracks[index].settle(at: now) }
        return tracks
    }

    /// Whether a record may say something; most need not be read for that.
    private func concerns(_ line: RecordLine) -> Bool {
        line.bytes.withUnsafeBytes { bytes in
            func holds(_ text: String) -> Bool { bytes.contains(Array(text.utf8)) }
            switch sought {
            case .id(let id): if holds(id) { return true }
            case .passage(let passage): if holds("\"from\":\"\(passage.giver)\"") { return true }
            case .place(let place): if line.n == place.n { return true }
            }
            guard !tracks.isEmpty else { return false }
            return ["\"op\":\"purge\"", "\"op\":\"retry\"", "\"expired\":", "\"passed\":"]
                .contains(where: holds)
                || tracks.contains { holds("[\($0.place.n),\($0.place.index)") }
        }
    }

    /// Takes up what a record already knows of, before which others are not there.
    private mutating func begin(
        with held: [HeldMessage], _ line: RecordLine, missing: UInt64
    ) {
        for index in tracks.indices {
            let id = tracks[index].messageID
            tracks[index].skip(missing, to: line, held.first { $0.entry.messageID == id })
        }
        for message in held where isSought(message.entry) && !isKnown(message.entry.place) {
            tracks.append(
                MessageTrack(
                    message.entry, receiveCount: message.receiveCount,
                    hiddenUntil: message.lastReceived == nil ? nil : message.visibleAt,
                    since: line, retained: line.n, queue: queue, origin: history.origin(queue)))
        }
    }

    private mutating func begin(with record: QueueRecord, _ line: RecordLine) throws {
        switch record {
        case .send(let messages):
            try begin(messages, line) { .beginning(of: $0) }
        case .take(let giver, let number, let messages):
            let name = String(giver.prefix { $0 != "@" })
            try begin(messages, line, giver, number) { _ in .arrived(from: name) }
        case .requeue(let messages):
            for (index, message) in messages.enumerated() {
                let place = Place(n: line.n, index: UInt8(index))
                guard !isKnown(place) else { continue }
                let entry = StreamEntry(
                    message, place: place, time: line.time, record: RecordPlace(line.location))
                begin(with: entry, line, receiveCount: message.receiveCount)
            }
        case .receive(let receive):
            for first in receive.first where !isKnown(first.entry.place) {
                begin(with: first.entry, line, receiveCount: first.entry.receiveCount)
                guard !tracks.isEmpty, isKnown(first.entry.place) else { continue }
                tracks[tracks.count - 1].apply(record, line)
            }
        default: break
        }
    }

    /// A message whose send is gone.
    private mutating func begin(
        with entry: StreamEntry, _ line: RecordLine, receiveCount: Int64
    ) {
        guard isSought(entry) else { return }
        tracks.append(
            MessageTrack(
                entry, receiveCount: receiveCount, hiddenUntil: nil, since: line,
                retained: oldest, queue: queue, origin: history.origin(queue)))
    }

    private mutating func begin(
        _ messages: [QueueRecord.NewMessage], _ line: RecordLine, _ giver: String = "",
        _ number: UInt64 = 0, _ kind: (QueueRecord.NewMessage) -> QueueEvent.Kind
    ) throws {
        for (index, message) in messages.enumerated() {
            let passage = MessageTrack.Passage(giver: giver, number: number, index: index)
            let place = Place(n: line.n, index: UInt8(index))
            let isFound =
                switch sought {
                case .id(let id): message.messageID == id
                case .passage(let wanted): wanted == passage
                case .place(let wanted): wanted == place
                }
            guard isFound else { continue }
            var track = MessageTrack(
                of: message, index: index, in: line, queue: queue, origin: history.origin(queue))
            if !giver.isEmpty { track.cameBy = passage }
            var event = QueueEvent(kind(message), at: line.time, n: line.n, place: place)
            try event.describe(message)
            track.add(event)
            tracks.append(track)
        }
    }

    private func isKnown(_ place: Place) -> Bool { tracks.contains { $0.place == place } }

    private func isSought(_ entry: StreamEntry) -> Bool {
        switch sought {
        case .id(let id): entry.messageID == id
        case .place(let place): entry.place == place
        case .passage: false
        }
    }
}
