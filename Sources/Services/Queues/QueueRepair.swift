import JSON
import Journal
import Posix
import QueueModel

/// What became of a damaged queue.
package struct RepairReport: Sendable {
    package struct Loss: Sendable {
        package var file: String
        package var offset: UInt64
        package var bytes: Int
    }

    /// Messages that the new journal holds.
    package var kept = 0
    /// What could not be read. A lost send is up to ten messages; a lost receive or delete makes
    /// messages come back.
    package var losses: [Loss] = []
    /// Where the damaged journal is now, untouched.
    package var original = ""
}

extension QueueDirectory {
    /// Makes a new journal of every message that the damaged one still tells of, and puts the
    /// damaged one aside as it is. Messages in flight become visible; order, sent times and receive
    /// counts stay.
    package func repair(_ name: String) throws -> RepairReport {
        let path = folderPath(of: name)
        let copy = hiddenPath("repair-\(name)")
        let aside = hiddenPath("damaged-\(name)-\(environment.clock.now().milliseconds)")
        var report = RepairReport()
        try storage.removeTree(copy)
        try Salvage.replace(folder: path, storage: storage) {
            let state = try fold(path, &report)
            let queue = try open(name, in: copy)
            try queue.set(state.settings)
            try write(state, from: path, to: queue, &report)
            try queue.settle()
            try storage.rename(path, to: aside)
            try storage.rename(copy, to: path)
            try storage.syncDirectory(FileSystem.parent(of: path))
        }
        forget(name)
        report.original = aside
        return report
    }

    /// The state that the good records make; a segment's base record sets it right again.
    private func fold(_ path: String, _ report: inout RepairReport) throws -> QueueState {
        var state = QueueState()
        try Salvage.read(folder: path, storage: storage) { piece in
            switch piece {
            case .harmed(let file, let offset, let bytes):
                report.losses.append(RepairReport.Loss(file: file, offset: offset, bytes: bytes))
            case .record(let line):
                let place = RecordPlace(line.location)
                let isApplied: Void? = line.bytes.withUnsafeBytes {
                    try? state.apply(line: $0, n: line.n, time: line.time, at: place)
                }
                guard isApplied == nil else { return }
                report.losses.append(
                    RepairReport.Loss(
                        file: SegmentName.file(line.location.segment),
                        offset: line.location.offset, bytes: line.bytes.count + 1))
            }
        }
        return state
    }

    /// Sends every live message to the new journal, in order, as it was.
    private func write(
        _ state: QueueState, from path: String, to queue: Queue, _ report: inout RepairReport
    ) throws {
        var held = state.held
        for transfer in state.transfers {
            for message in transfer.messages { held[message.entry.place] = message }
        }
        let now = environment.clock.now()
        var kept = 0
        try Salvage.read(folder: path, storage: storage) { piece in
            guard case .record(let line) = piece else { return }
            let messages =
                (try? line.bytes.withUnsafeBytes { try QueueRecord.stored(in: $0) }) ?? []
            var live: [QueueRecord.NewMessage] = []
            for (index, message) in messages.enumerated() {
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
                if let known, known.isDelayed(at: now) {
                    copy.delaySeconds = max(1, (known.visibleAt - now).wholeMilliseconds / 1000)
                }
                live.append(copy)
            }
            guard !live.isEmpty else { return }
            kept += live.count
            try queue.commit(isDurable: { _ in false }) { try $0.append(.send(live)) }
        }
        report.kept = kept
    }
}
