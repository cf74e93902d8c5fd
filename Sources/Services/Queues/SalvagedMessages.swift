import JSON
import Journal
import QueueModel

/// The messages that a damaged journal still tells of, on their way to a new one.
struct SalvagedMessages {
    private let salvaged: SalvagedState
    private var state: QueueState { salvaged.state }
    private let lines: SalvagedLines
    private let folder: String
    private let storage: any JournalStorage
    private let now: Timestamp
    /// What the state holds, and what is on its way to another queue.
    private var held: HeldMessages
    private var leaving: [Place: UInt64] = [:]
    /// Where that lies in the new journal, by its transfer's number.
    private var left: [UInt64: [Place]] = [:]
    /// What was carried on, of it.
    private var carried: [Place: Carried] = [:]
    /// How many the new journal holds.
    private(set) var kept = 0

    private struct Carried {
        var location: RecordLocation
        /// Among its record's messages.
        var index: Int
    }

    /// - Parameters:
    ///   - salvaged: what the good records make.
    ///   - lines: the damaged journal's.
    ///   - folder: where it is.
    init(
        _ salvaged: SalvagedState, _ lines: SalvagedLines, of folder: String,
        _ storage: any JournalStorage, at now: Timestamp
    ) {
        self.salvaged = salvaged
        self.lines = lines
        self.folder = folder
        self.storage = storage
        self.now = now
        held = salvaged.state.held
        for transfer in salvaged.state.transfers {
            for message in transfer.messages {
                held[message.entry.place] = message
                leaving[message.entry.place] = transfer.number
            }
        }
    }

    /// Sends every live message to the new journal, in order, as it was.
    mutating func write(to queue: Queue) throws {
        // What was carried on is older than all that was not.
        try writeCarried(to: queue)
        try lines.forEach { line in
            let messages = Self.messages(in: line.bytes).enumerated().compactMap {
                index, message -> Renewed? in
                guard message.place == nil else { return nil }
                let place = Place(n: line.n, index: UInt8(index))
                return carried[place] == nil ? renewed(message, at: place, in: line) : nil
            }
            try write(messages, to: queue)
        }
        for transfer in state.transfers {
            guard let places = left[transfer.number] else { continue }
            try queue.commit(isDurable: { _ in false }) {
                try $0.append(
                    .transfer(
                        number: transfer.number, target: transfer.target, isMove: transfer.isMove,
                        places))
            }
        }
    }

    private typealias Renewed = (message: QueueRecord.NewMessage, transfer: UInt64?)

    private static func messages(in line: [UInt8]) -> [QueueRecord.NewMessage] {
        (try? line.withUnsafeBytes { try QueueRecord.stored(in: $0) }) ?? []
    }

    /// By place: what was carried on a second time lies behind what is younger.
    private mutating func writeCarried(to queue: Queue) throws {
        try lines.forEach { line in
            for (index, message) in Self.messages(in: line.bytes).enumerated() {
                guard let place = message.place, held[place] != nil else { continue }
                carried[place] = Carried(location: line.location, index: index)
            }
        }
        var rest = carried.sorted { $0.key < $1.key }[...]
        while let location = rest.first?.value.location {
            let together = rest.prefix { $0.value.location == location }
            rest = rest.dropFirst(together.count)
            guard let line = try Salvage.line(at: location, in: folder, storage: storage) else {
                continue
            }
            let messages = Self.messages(in: line.bytes)
            try write(
                together.compactMap { renewed(messages[$0.value.index], at: $0.key, in: line) },
                to: queue)
        }
    }

    /// The message as the new journal gets it; `nil` if it is none of the live ones.
    private func renewed(
        _ message: QueueRecord.NewMessage, at place: Place, in line: RecordLine
    ) -> Renewed? {
        var copy = message
        copy.place = nil
        copy.delaySeconds = 0
        if let known = held[place] {
            copy.sent = known.entry.sent
            copy.receiveCount = known.receiveCount
            copy.due = nil
            if known.isDelayed(at: now) { copy.delaySeconds = seconds(until: known.visibleAt) }
        } else {
            let entry = salvaged.entry(message, at: place, in: line)
            guard salvaged.isWaiting(entry, at: now) else { return nil }
            copy.sent = entry.sent
            if let visibleAt = salvaged.state.visibleAt(entry) {
                copy.due = visibleAt > now ? visibleAt : nil
                if visibleAt > now { copy.delaySeconds = seconds(until: visibleAt) }
            }
        }
        let transfer = leaving[place]
        // Held, as a transfer takes only what is.
        if transfer != nil { copy.delaySeconds = 1 }
        return (copy, transfer)
    }

    private func seconds(until time: Timestamp) -> Int64 {
        max(1, (time - now).wholeMilliseconds / 1000)
    }

    private mutating func write(_ messages: [Renewed], to queue: Queue) throws {
        kept += messages.count
        for start in stride(from: 0, to: messages.count, by: QueueLimits.batchEntries) {
            let batch = messages[start..<min(start + QueueLimits.batchEntries, messages.count)]
            let n = try queue.commit(isDurable: { _ in false }) { session in
                try session.append(send: batch.map(\.message))
                return session.lastN
            }
            for (index, message) in batch.enumerated() {
                guard let transfer = message.transfer else { continue }
                left[transfer, default: []].append(Place(n: n, index: UInt8(index)))
            }
        }
    }
}
