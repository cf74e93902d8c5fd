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
    /// Messages that can be read in torn files are sent again, in both cases: a damaged queue's in
    /// its new journal, so that they are there with it or not at all.
    package func repair(_ name: String) throws -> RepairReport {
        try whereItIs(name) { try repairOnce(name) }
    }

    private func repairOnce(_ name: String) throws -> RepairReport {
        var report = RepairReport()
        let found = try examine(name)
        report.losses = found.damages
        report.unreadable = found.torn.reduce(0) { $0 + $1.harmedBytes }
        if !report.losses.isEmpty {
            try replace(name, &report)
        } else if found.torn.contains(where: { $0.records > 0 }) {
            report.restored = try withQueue(name) { try $0.restoreTorn() }
        }
        return report
    }

    private func replace(_ name: String, _ report: inout RepairReport) throws {
        let path = folderPath(of: name)
        clearGraves()
        let copy = unfinishedPath(of: name)
        let aside = hiddenPath("damaged-\(name)-\(environment.clock.now().milliseconds)")
        try Salvage.replace(folder: path, with: copy, aside: aside, storage: storage) {
            let lines = try SalvagedLines(folder: path, storage: storage)
            let salvaged = try SalvagedState(of: lines)
            let state = salvaged.state
            let queue = try open(name, in: copy, creating: true)
            defer { queue.close() }
            var settings = state.settings
            // The name tells, should the settings be lost.
            settings.isFIFO = name.hasSuffix(".fifo")
            try queue.set(settings)
            crashPoint("during-repair")
            var messages = SalvagedMessages(
                salvaged, lines, of: path, storage, at: environment.clock.now())
            try messages.write(to: queue)
            report.kept = messages.kept
            try queue.commit { try $0.append(state.moved(into: $0.state.queue, at: $0.now)) }
            // The files themselves stay with the damaged journal.
            let torn = try TornFile.all(in: path, storage)
            report.restored = try queue.commit(isDurable: { _ in false }) { try $0.restore(torn) }
            try queue.settle()
        }
        forget(name)
        report.original = aside
    }
}
