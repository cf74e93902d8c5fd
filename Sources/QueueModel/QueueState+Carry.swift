import JSON

/// Which segments a queue needs, and how it lets go of those that few messages keep.
extension QueueState {
    /// Messages that one `carry` record brings at most.
    static let carriedMessages = 1000

    /// The oldest segment with a message that is still to be read; `nil` if there is none.
    package var oldestSegment: UInt64? {
        var oldest = backlogSegment
        forEachStraggler { message in
            let segment = message.entry.record.segment
            oldest = min(oldest ?? segment, segment)
        }
        return oldest
    }

    /// Where the messages that wait in order begin; `nil` if none does.
    package var backlogSegment: UInt64? { streamed > 0 ? streamStart.segment : nil }

    /// Whether no message is left, in any state.
    package var isEmpty: Bool { streamed == 0 && held.isEmpty && transfers.isEmpty }

    /// Bytes of the records before `segment` that held messages, and those on their way out, lie
    /// in; by segment.
    package func straggling(before segment: UInt64) -> [UInt64: UInt64] {
        var seen: [UInt64: Set<UInt64>] = [:]
        var bytes: [UInt64: UInt64] = [:]
        forEachStraggler { message in
            let record = message.entry.record
            guard record.segment < segment,
                seen[record.segment, default: []].insert(record.offset).inserted
            else { return }
            bytes[record.segment, default: 0] += UInt64(record.length)
        }
        return bytes
    }

    /// Messages to carry on out of the oldest segment before `segment` that keeps any, in the order
    /// in which they lie there.
    ///
    /// - Parameter bytes: what their records take together; one record may take more.
    package func stragglers(before segment: UInt64, upToBytes bytes: Int) -> [StreamEntry] {
        var oldest = segment
        forEachStraggler { oldest = min(oldest, $0.entry.record.segment) }
        guard oldest < segment else { return [] }
        var entries: [StreamEntry] = []
        forEachStraggler { message in
            if message.entry.record.segment == oldest { entries.append(message.entry) }
        }
        entries.sort { ($0.record.offset, $0.place) < ($1.record.offset, $1.place) }
        var taken = 0
        var last: UInt64?
        let end = entries.prefix(Self.carriedMessages).firstIndex { entry in
            if entry.record.offset != last {
                if last != nil, taken + Int(entry.record.length) > bytes { return true }
                taken += Int(entry.record.length)
                last = entry.record.offset
            }
            return false
        }
        return Array(entries.prefix(min(end ?? .max, Self.carriedMessages)))
    }

    private func forEachStraggler(_ visit: (HeldMessage) -> Void) {
        for message in held.values { visit(message) }
        for transfer in transfers { for message in transfer.messages { visit(message) } }
    }

    /// Messages lie in another record from now on. Used by `apply` alone.
    mutating func relocate(_ places: Set<Place>, to record: RecordPlace) {
        for place in places {
            if let position = held.position(of: place) { held[at: position].entry.record = record }
        }
        for transfer in transfers.indices {
            for index in transfers[transfer].messages.indices
            where places.contains(transfers[transfer].messages[index].entry.place) {
                transfers[transfer].messages[index].entry.record = record
            }
        }
    }
}
