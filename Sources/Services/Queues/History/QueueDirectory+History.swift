import JSON
import Journal
import QueueModel

/// All that is retained of one message, in every queue that it went through.
package struct MessageHistory: Sendable {
    package var events: [(queue: String, event: QueueEvent)] = []
    /// There were more than are kept in memory.
    package var isCut = false
    /// Why some queues that nobody named could not be searched.
    package var failures: [any Error] = []
}

extension QueueDirectory {
    /// How often a message is followed from one queue to another.
    private static let passageLimit = 100

    /// Every record of a message in order, followed through dead-letter queues and redrives, whose
    /// messages are new ones. One pass over each queue concerned; memory is bounded.
    ///
    /// - Parameter queue: where to look first; `nil` is everywhere.
    /// - Throws: `QueueError.noSuchMessage` if no record tells of it; where a queue cannot be read
    ///   that may know more, that instead.
    package func history(of messageID: String, in queue: String?) throws -> MessageHistory {
        let now = environment.clock.now()
        var history = MessageHistory()
        var tracks: [MessageTrack] = []
        if let queue {
            tracks = try search(.id(messageID), in: queue, now)
        } else {
            for name in try names() {
                tracks += unlessUnreadable(&history) {
                    try search(.id(messageID), in: name, now)
                }
            }
        }
        guard !tracks.isEmpty else {
            if let failure = history.failures.first { throw failure }
            let oldest = try (queue.map { [$0] } ?? names()).compactMap { name in
                try? withQueue(name) { try QueueHistory($0).journal.oldest()?.time }
            }.min()
            throw QueueError.noSuchMessage(messageID, oldest: oldest)
        }
        for _ in 0..<Self.passageLimit {
            let more = try follow(tracks, now, &history)
            if more.isEmpty { break }
            tracks += more
        }
        for track in Self.ordered(tracks) {
            history.isCut = history.isCut || track.isCut
            history.events += track.events.map { (track.queue, $0) }
        }
        let order = history.events.enumerated().sorted {
            ($0.element.event.time, $0.offset) < ($1.element.event.time, $1.offset)
        }
        history.events = order.map(\.element)
        return history
    }

    private func search(
        _ sought: MessageSearch.Sought, in name: String, _ now: Timestamp
    ) throws -> [MessageTrack] {
        try withQueue(name) { queue in
            var search = MessageSearch(sought, in: name, try QueueHistory(queue))
            return try search.run(now: now)
        }
    }

    /// What was found in a queue that nobody named: one that is removed meanwhile is passed over,
    /// and one that cannot be read is noted.
    private func unlessUnreadable(
        _ history: inout MessageHistory, _ search: () throws -> [MessageTrack]
    ) -> [MessageTrack] {
        do {
            return try search()
        } catch  where Self.isRemoval(error) {
            return []
        } catch {
            history.failures.append(error)
            return []
        }
    }

    /// The other ends of passages that have been seen at one end only.
    private func follow(
        _ tracks: [MessageTrack], _ now: Timestamp, _ history: inout MessageHistory
    ) throws -> [MessageTrack] {
        let known = Set(try names())
        var more: [MessageTrack] = []
        for track in tracks {
            if let (passage, target) = track.leftBy, known.contains(target),
                !(tracks + more).contains(where: { $0.cameBy == passage })
            {
                more += unlessUnreadable(&history) {
                    try search(.passage(passage), in: target, now)
                }
            }
            if let passage = track.cameBy {
                let giver = String(passage.giver.prefix { $0 != "@" })
                guard known.contains(giver),
                    !(tracks + more).contains(where: { $0.leftBy?.passage == passage })
                else { continue }
                more += unlessUnreadable(&history) {
                    guard let place = try place(of: passage, in: giver) else { return [] }
                    return try search(.place(place), in: giver, now)
                }
            }
        }
        return more
    }

    /// Where a message stood that left by a transfer; `nil` if that is not retained, or of an
    /// earlier queue of that name.
    private func place(of passage: MessageTrack.Passage, in giver: String) throws -> Place? {
        let history = try withQueue(giver) { try QueueHistory($0) }
        guard history.origin(giver) == passage.giver else { return nil }
        var records = history.journal.records(from: history.journal.start)
        let needle = Array("\"op\":\"transfer\"".utf8)
        while let line = try records.next() {
            guard line.bytes.withUnsafeBytes({ $0.contains(needle) }),
                case .transfer(passage.number, _, _, let places) = try line.bytes.withUnsafeBytes({
                    try QueueRecord(line: $0)
                })
            else { continue }
            return passage.index < places.count ? places[passage.index] : nil
        }
        return nil
    }

    /// Givers before takers: what happened in one millisecond is told in order.
    private static func ordered(_ tracks: [MessageTrack]) -> [MessageTrack] {
        var rest = tracks
        var ordered: [MessageTrack] = []
        while !rest.isEmpty {
            let next = rest.firstIndex { track in
                guard let passage = track.cameBy else { return true }
                return !rest.contains { $0.leftBy?.passage == passage }
            }
            ordered.append(rest.remove(at: next ?? 0))
        }
        return ordered
    }
}
