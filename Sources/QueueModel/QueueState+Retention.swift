import JSON

/// Messages end when their retention period does, whether anybody looks at them or not.
///
/// Counts leave out what has expired: exactly for messages in the state; in the stream exactly up
/// to where the caller looked, and beyond that within 1/256 of the retention period, since a
/// dead-letter queue's messages keep their old sent times and do not expire in order.
extension QueueState {
    /// Messages of the stream that one sweep steps over at most, and held ones that it ends.
    package static let sweepLimit = 1000

    /// What was sent then or before has expired at `now`.
    private func horizon(_ now: Timestamp) -> Timestamp {
        Timestamp(milliseconds: now.milliseconds - settings.retentionSeconds * 1000)
    }

    /// Whether a message is past the retention period.
    package func isExpired(_ entry: StreamEntry, _ now: Timestamp) -> Bool {
        entry.sent <= horizon(now)
    }

    /// Whether messages of the stream may have expired: then, and only then, it is worth a look.
    func mayHaveExpired(at now: Timestamp) -> Bool {
        sentTimes.oldest.map { $0 <= horizon(now) } ?? false
    }

    /// Whether held messages have expired that no receive would meet.
    ///
    /// To the moment in a FIFO queue, where they would hold up their group.
    private func mustSweepHeld(at now: Timestamp) -> Bool {
        if settings.isFIFO { return index.expiry.first.map { $0.time <= horizon(now) } ?? false }
        return index.sentTimes.count(upTo: horizon(now)) > 0
    }

    /// Whether `sweep` may find something.
    package func needsSweep(at now: Timestamp) -> Bool {
        mayHaveExpired(at: now) || mustSweepHeld(at: now)
    }

    /// Held messages that have expired, counted by what they were.
    func expiredHeld(at now: Timestamp) -> Counts {
        var counts = Counts(visible: 0, inFlight: 0, delayed: 0)
        guard let oldest = index.sentTimes.oldest, oldest <= horizon(now) else { return counts }
        for message in held.values where isExpired(message.entry, now) {
            if message.isInFlight(at: now) {
                counts.inFlight += 1
            } else if message.isDelayed(at: now) {
                counts.delayed += 1
            } else {
                counts.visible += 1
            }
        }
        return counts
    }

    /// Messages of the stream that have expired.
    /// - Parameter seen: how many a look from the head on met before the first that has not.
    package func expiredInStream(at now: Timestamp, seen: UInt64) -> UInt64 {
        min(streamed, max(seen, sentTimes.count(upTo: horizon(now))))
    }

    /// When the oldest message of the stream that has not expired was sent, or up to 1/256 of the
    /// retention period earlier.
    package func oldestInStream(at now: Timestamp) -> Timestamp? {
        sentTimes.oldest(after: horizon(now))
    }

    /// Ends a bounded number of expired messages; `nil` if there are none. For whoever writes to
    /// the queue anyway.
    package func sweep<Stream: MessageStream>(
        at now: Timestamp, stream: () throws -> Stream
    ) throws -> QueueRecord? {
        guard needsSweep(at: now) else { return nil }
        var receive = QueueRecord.Receive(
            visibleAt: now, head: head, first: [], again: [], expired: 0, gone: [])
        if mustSweepHeld(at: now) {
            receive.gone = expiredPlaces(at: now).prefix(Self.sweepLimit).sorted()
        }
        if mayHaveExpired(at: now) {
            var stream = try stream()
            try sweepPassed(at: now, stream, &receive)
            try sweepDelayed(at: now, stream, &receive)
            var scanned = 0
            while scanned < Self.sweepLimit, let next = try stream.next(),
                passes(next, now, &receive)
            {
                scanned += 1
                receive.head = next.after
            }
            goOnBehindLine(&receive, stream)
        }
        guard
            receive.expired > 0 || !receive.gone.isEmpty || !receive.over.isEmpty
                || !receive.passed.isEmpty || receive.delayed != nil
        else { return nil }
        return .receive(receive)
    }

    private func expiredPlaces(at now: Timestamp) -> [Place] {
        guard settings.isFIFO else {
            return held.values.filter { isExpired($0.entry, now) }.map(\.entry.place)
        }
        var places: Set<Place> = []
        index.expiry.forEach(upTo: horizon(now)) { entry in
            if held[entry.place] != nil { places.insert(entry.place) }
        }
        return places.sorted()
    }

    /// Whether a sweep may go past a message.
    private func passes(
        _ entry: StreamEntry, _ now: Timestamp, _ receive: inout QueueRecord.Receive
    ) -> Bool {
        guard entry.waitsInLine else { return true }
        // Whatever became of it, its tenant's walk comes to it later.
        if let group = entry.group, var messages = receive.passed[group] ?? fair.passed[group],
            messages.count > 0
        {
            messages.count += 1
            receive.passed[group] = messages
            return true
        }
        return steps(over: entry, now, &receive)
    }

    /// Whether a message that the head comes to is gone; notes it if so.
    func steps(
        over entry: StreamEntry, _ now: Timestamp, _ receive: inout QueueRecord.Receive
    ) -> Bool {
        if entry.isRequeued, requeued.holes.contains(entry.place) {
            receive.over.append(entry.place)
            return true
        }
        guard isExpired(entry, now) else { return false }
        receive.expired += 1
        if entry.isRequeued { receive.over.append(entry.place) }
        return true
    }

    /// Whether a held message has expired.
    package func isGone(_ message: HeldMessage, at now: Timestamp) -> Bool {
        isExpired(message.entry, now)
    }

    /// Whether a message that came to the stream has expired there.
    package func hasExpired(_ entry: StreamEntry, at now: Timestamp) -> Bool {
        isExpired(entry, now) && isInStream(entry)
    }

    /// Whether a message that came to the stream is there to be received, if not yet.
    package func isWaiting(_ entry: StreamEntry, at now: Timestamp) -> Bool {
        !isExpired(entry, now) && isInStream(entry)
    }

    /// Whether a message that came to the stream can be received now.
    package func isVisible(_ entry: StreamEntry, at now: Timestamp) -> Bool {
        isWaiting(entry, at: now) && visibleAt(entry).map { $0 <= now } ?? true
    }

    /// Messages come into the stream, or leave it.
    mutating func enterStream(_ sent: Timestamp, at record: RecordPlace, _ index: UInt8) {
        // Where nothing waited in line, that begins here: the head needs not go through the rest.
        if streamed == delayed.count {
            head = Head(segment: record.segment, offset: record.offset, index: index)
        }
        streamed += 1
        sentTimes.add(sent)
    }

    /// A delayed message comes into the stream, for the head to step over.
    mutating func enterStream(
        _ sent: Timestamp, delayedUntil due: Timestamp, at record: RecordPlace, _ index: UInt8
    ) {
        let isFirst = streamed == delayed.count
        streamed += 1
        sentTimes.add(sent)
        delayed.add(due, at: Head(segment: record.segment, offset: record.offset, index: index))
        if isFirst {
            head = Head(segment: record.segment, offset: record.offset, index: index + 1)
        }
    }

    mutating func leaveStream(_ sent: Timestamp) {
        streamed -= min(streamed, 1)
        sentTimes.remove(sent)
    }

    mutating func leaveStream(expired count: UInt64) {
        streamed -= min(streamed, count)
        sentTimes.removeOldest(count)
    }
}
