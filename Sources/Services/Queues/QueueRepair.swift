import JSON
import Journal
import Posix
import QueueModel

/// What became of a damaged queue.
package struct RepairReport: Sendable {
    /// Messages that the new journal holds.
    package var kept = 0
    /// What could not be read.
    package var losses: [QueueDamage] = []
    /// Where the damaged journal is now, untouched; `nil` if there was no damage and nothing was
    /// done.
    package var original: String?
    /// Messages of torn files that were sent again.
    package var restored = 0
    /// Bytes of torn files that are no record.
    package var unreadable: UInt64 = 0
}

extension QueueDirectory {
    /// Makes a new journal of every message that the damaged one still tells of, and puts the
    /// damaged one aside as it is. Messages in flight become visible; order, sent times, receive
    /// counts, counters, and what is on its way to another queue stay. A sound one stays as it is.
    /// Messages that can be read in torn files are sent again, in both cases.
    package func repair(_ name: String) throws -> RepairReport {
        try whereItIs(name) { try repairOnce(name) }
    }

    private func repairOnce(_ name: String) throws -> RepairReport {
        var report = RepairReport()
        let found = try examine(name)
        report.losses = found.damages
        report.unreadable = found.torn.reduce(0) { $0 + $1.harmedBytes }
        let torn = found.torn.filter { $0.records > 0 }
        if !report.losses.isEmpty { try replace(name, &report) }
        guard !torn.isEmpty else { return report }
        report.restored = try restore(torn, to: name)
        // A damaged queue's stay with it.
        if report.original == nil { try setAside(torn, of: name) }
        return report
    }

    private func replace(_ name: String, _ report: inout RepairReport) throws {
        let path = folderPath(of: name)
        let copy = hiddenPath("repair-\(name)")
        let aside = hiddenPath("damaged-\(name)-\(environment.clock.now().milliseconds)")
        try storage.removeTree(copy)
        try Salvage.replace(folder: path, with: copy, aside: aside, storage: storage) {
            let state = try fold(path)
            let queue = try open(name, in: copy, creating: true)
            var settings = state.settings
            // The name tells, should the settings be lost.
            settings.isFIFO = name.hasSuffix(".fifo")
            try queue.set(settings)
            crashPoint("during-repair")
            try write(state, from: path, to: queue, &report)
            try queue.commit { try $0.append(state.moved(into: $0.state.queue)) }
            try queue.settle()
        }
        forget(name)
        report.original = aside
    }

    /// The state that the good records make; a segment's base record sets it right again.
    private func fold(_ path: String) throws -> QueueState {
        var state = QueueState()
        try Salvage.read(folder: path, storage: storage) { piece in
            guard case .record(let line) = piece else { return }
            // What cannot be applied is a damage that the check has told of.
            try? line.bytes.withUnsafeBytes {
                try state.apply(
                    line: $0, n: line.n, time: line.time, at: RecordPlace(line.location))
            }
        }
        return state
    }

    /// Sends every live message to the new journal, in order, as it was.
    private func write(
        _ state: QueueState, from path: String, to queue: Queue, _ report: inout RepairReport
    ) throws {
        var held = state.held
        var leaving: [Place: UInt64] = [:]
        for transfer in state.transfers {
            for message in transfer.messages {
                held[message.entry.place] = message
                leaving[message.entry.place] = transfer.number
            }
        }
        var left: [UInt64: [Place]] = [:]
        let now = environment.clock.now()
        var kept = 0
        for isCarried in [true, false] {
            try Salvage.read(folder: path, storage: storage) { piece in
                guard case .record(let line) = piece else { return }
                let messages =
                    (try? line.bytes.withUnsafeBytes { try QueueRecord.stored(in: $0) }) ?? []
                var live: [QueueRecord.NewMessage] = []
                var transfers: [UInt64?] = []
                for (index, message) in messages.enumerated() {
                    // What was carried on is older than all that was not.
                    guard (message.place != nil) == isCarried else { continue }
                    let place = message.place ?? Place(n: line.n, index: UInt8(index))
                    let entry = StreamEntry(
                        message, place: place, time: line.time, record: RecordPlace(line.location))
                    let isWaiting = message.place == nil && state.isWaiting(entry, at: now)
                    let known = held[place].flatMap { known in
                        known.entry.record == RecordPlace(line.location) ? known : nil
                    }
                    guard known != nil || isWaiting else { continue }
                    var copy = message
                    copy.sent = message.sent ?? line.time
                    copy.receiveCount = known?.receiveCount ?? message.receiveCount
                    copy.delaySeconds = 0
                    copy.place = nil
                    if known != nil { copy.due = nil }
                    if let due = copy.due, due > now {
                        copy.delaySeconds = max(1, (due - now).wholeMilliseconds / 1000)
                    }
                    if let known, known.isDelayed(at: now) {
                        copy.delaySeconds = max(1, (known.visibleAt - now).wholeMilliseconds / 1000)
                    }
                    let transfer = leaving[place]
                    // Held, as a transfer takes only what is.
                    if transfer != nil { copy.delaySeconds = 1 }
                    live.append(copy)
                    transfers.append(transfer)
                }
                kept += live.count
                for start in stride(from: 0, to: live.count, by: QueueLimits.batchEntries) {
                    let end = min(start + QueueLimits.batchEntries, live.count)
                    let n = try queue.commit(isDurable: { _ in false }) { session in
                        try session.append(.send(Array(live[start..<end])))
                        return session.lastN
                    }
                    for (index, transfer) in transfers[start..<end].enumerated() {
                        guard let transfer else { continue }
                        left[transfer, default: []].append(Place(n: n, index: UInt8(index)))
                    }
                }
            }
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
        report.kept = kept
    }
}
