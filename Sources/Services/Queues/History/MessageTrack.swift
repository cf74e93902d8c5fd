import JSON
import Journal
import QueueModel

/// One message's way through one queue, as the records tell it one after the other.
struct MessageTrack {
    /// A transfer between queues, and which of its messages this is.
    struct Passage: Hashable {
        /// The giver, as takers name it: its name, `@`, and when it was made.
        var giver: String
        var number: UInt64
        var index: Int
    }

    let queue: String
    let messageID: String
    private(set) var place: Place
    private(set) var events: [QueueEvent] = []
    /// How it came from another queue.
    var cameBy: Passage?
    /// How it left for another queue, and for which.
    private(set) var leftBy: (passage: Passage, target: String)?
    /// Events beyond the limit were left out.
    private(set) var isCut = false

    private let origin: String
    private let group: String?
    private var receiveCount: Int64
    /// Where it stands in the stream, until a receive comes to it.
    private var waiting: Head?
    /// Where those messages of its group begin that the head has passed and left there.
    private var passed: Head?
    /// The receive that gave it out, if that can be repeated.
    private var attempt: String?
    /// Hidden until then.
    private var hiddenUntil: Timestamp?
    private var isGone = false

    /// Events of one message in one queue; a receive a second for a day is as many.
    private static let eventLimit = 100_000

    /// - Parameter origin: this queue, as takers of its transfers name it.
    init(
        of message: QueueRecord.NewMessage, index: Int, in line: RecordLine, queue: String,
        origin: String
    ) {
        self.queue = queue
        self.origin = origin
        messageID = message.messageID
        group = message.group
        receiveCount = message.receiveCount
        place = Place(n: line.n, index: UInt8(index))
        waiting =
            message.delaySeconds > 0 || message.due != nil
            ? nil
            : Head(
                segment: line.location.segment, offset: line.location.offset, index: place.index)
    }

    /// A message whose beginning is not retained: all that is known is what `line` says.
    init(
        _ entry: StreamEntry, receiveCount: Int64, hiddenUntil: Timestamp?, since line: RecordLine,
        retained: UInt64, queue: String, origin: String
    ) {
        self.queue = queue
        self.origin = origin
        messageID = entry.messageID
        group = entry.group
        place = entry.place
        self.receiveCount = receiveCount
        self.hiddenUntil = hiddenUntil
        var event = QueueEvent(.notRetained(records: retained - 1), at: line.time, place: place)
        event.messageID = messageID
        events = [event]
    }

    /// Adds what a record says of this message.
    mutating func apply(_ record: QueueRecord, _ line: RecordLine) {
        guard !isGone, line.n != place.n else { return }
        switch record {
        case .base, .send, .take, .carry, .set, .transferred: break
        case .moveTask, .moveTaskStatus: break
        case .requeue(let messages):
            guard let index = messages.firstIndex(where: { $0.was == place }) else { return }
            add(.requeued, line)
            place = Place(n: line.n, index: UInt8(index))
            waiting = Head(
                segment: line.location.segment, offset: line.location.offset, index: place.index)
        case .receive(let receive): apply(receive, line)
        case .retry(let attempt, let until):
            guard attempt == self.attempt else { return }
            add(.visibility(until: until), line)
            hiddenUntil = until
        case .delete(let places): if places.contains(place) { end(.deleted, line) }
        case .visibility(let changes):
            guard let change = changes.first(where: { $0.place == place }) else { return }
            add(.visibility(until: change.visibleAt), line)
            hiddenUntil = change.visibleAt
        case .purge: end(.purged, line)
        case .transfer(let number, let target, let isMove, let places):
            guard let index = places.firstIndex(of: place) else { return }
            end(isMove ? .redriven(to: target) : .deadLettered(to: target), line)
            leftBy = (Passage(giver: origin, number: number, index: index), target)
        }
    }

    private mutating func apply(_ receive: QueueRecord.Receive, _ line: RecordLine) {
        if receive.gone.contains(place) || receive.over.contains(place) {
            return end(.expired(count: 1), line)
        }
        let first = receive.first.first { $0.entry.place == place }
        if first?.bits != nil || receive.again.contains(where: { $0.place == place }) {
            receiveCount += 1
            add(.received(until: receive.visibleAt), line)
            events[events.count - 1].receiveCount = receiveCount
            hiddenUntil = receive.visibleAt
            attempt = receive.attempt
        }
        if first != nil { waiting = nil }
        if let group, let messages = receive.passed[group] {
            passed = messages.count > 0 ? messages.cursor : nil
        }
        // The head stepped over it, and neither took it nor left it: its retention had passed.
        guard let waiting, receive.expired > 0, waiting < receive.head,
            passed.map({ waiting < $0 }) ?? true
        else { return }
        end(.expired(count: 1), line)
    }

    /// Records before `line` were deleted before they could be read.
    ///
    /// - Parameter held: the message as `line` has it; `nil` if it is in the stream, or gone.
    mutating func skip(_ records: UInt64, to line: RecordLine, _ held: HeldMessage?) {
        guard !isGone else { return }
        append(QueueEvent(.notRetained(records: records), at: line.time, place: place))
        attempt = nil
        hiddenUntil = nil
        // Where it stood in the stream, if it is there, nobody knows any more.
        waiting = nil
        passed = nil
        guard let held else { return }
        place = held.entry.place
        receiveCount = held.receiveCount
        hiddenUntil = held.lastReceived == nil ? nil : held.visibleAt
    }

    /// As of `time`: says that it is visible again, if it is.
    mutating func settle(at time: Timestamp) {
        guard !isGone, let due = hiddenUntil, due <= time else { return }
        hiddenUntil = nil
        append(QueueEvent(.returned, at: due, place: place))
    }

    mutating func add(_ event: QueueEvent) { append(event) }

    private mutating func add(_ kind: QueueEvent.Kind, _ line: RecordLine) {
        settle(at: line.time)
        append(QueueEvent(kind, at: line.time, n: line.n, place: place))
    }

    private mutating func end(_ kind: QueueEvent.Kind, _ line: RecordLine) {
        add(kind, line)
        isGone = true
    }

    private mutating func append(_ event: QueueEvent) {
        guard events.count < Self.eventLimit else {
            isCut = true
            return
        }
        var event = event
        event.messageID = messageID
        events.append(event)
    }
}
