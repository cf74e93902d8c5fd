import JSON

extension QueueState {
    /// The version of the records. A journal with another is refused, never guessed at.
    package static let format: Int64 = 1

    /// The only place where a queue changes, live or on replay. Total: a record about a message
    /// that is gone changes nothing.
    package mutating func apply(
        _ record: QueueRecord, n: UInt64, time: Timestamp, at place: RecordPlace
    ) {
        settle(at: time)
        switch record {
        case .base(let value, let held):
            restore(value, held: held, at: time)
            return
        case .send(let messages): send(messages, n, time, place)
        case .take(let giver, let number, let messages):
            taken[giver] = max(taken[giver] ?? 0, number)
            counters.taken += UInt64(messages.count)
            arrive(messages, n, time, place)
        case .requeue(let messages): requeue(messages, n, time, place)
        case .receive(let receive): applyReceive(receive, at: time)
        case .retry(let attempt, let visibleAt): apply(retry: attempt, until: visibleAt)
        case .delete(let places): delete(places)
        case .visibility(let changes):
            for change in changes {
                guard var message = held[change.place] else { continue }
                message.visibleAt = change.visibleAt
                hold(consume message)
            }
        case .purge(let forgetsIDs, let keepsLeaving):
            counters.purged += streamed + UInt64(held.count)
            streamed = 0
            sentTimes = SentTimes(retentionSeconds: settings.retentionSeconds)
            releaseAll()
            requeued = RequeuedMessages()
            delayed = DelayedBacklog()
            fair = FairShare()
            attempts = ReceiveAttempts()
            if !keepsLeaving { transfers = [] }
            head = Head(segment: place.segment, offset: place.offset, index: 0)
            lastPurge = time
            if forgetsIDs { forgetDeduplication(at: n) }
        case .set(let settings, let moved):
            let isResorted =
                settings.redrivePolicy != self.settings.redrivePolicy
                || settings.retentionSeconds != self.settings.retentionSeconds
            self.settings = settings
            modified = time
            if moved != 0 { delay(by: moved, at: time) }
            sentTimes = sentTimes.resized(retentionSeconds: settings.retentionSeconds)
            if isResorted { rebuildIndex(at: time) }
        case .transfer(let number, let target, let isMove, let places):
            lastTransfer = max(lastTransfer, number)
            let messages = places.compactMap { release($0) }
            if isMove {
                counters.moved += UInt64(messages.count)
                countMoved(messages.count)
            } else {
                counters.deadLettered += UInt64(messages.count)
            }
            transfers.append(
                Transfer(number: number, target: target, isMove: isMove, messages: messages))
        case .moveTask(let task): apply(task, at: time)
        case .moveTaskStatus(let id, let status, let failure):
            apply(status, of: id, failure: failure)
        case .transferred(let number): transfers.removeAll { $0.number == number }
        case .carry(let messages): relocate(Set(messages.compactMap(\.place)), to: place)
        }
        delayed.merge(upTo: time)
    }

    /// As above, of a base record that was read in pieces.
    package mutating func apply(
        _ base: inout BaseReader, time: Timestamp
    ) throws(QueueRecordError) {
        let (state, held) = try base.take()
        restore(state, held: held, at: time)
    }

    /// As above, of a send's messages.
    package mutating func apply(
        send messages: [QueueRecord.NewMessage], n: UInt64, time: Timestamp, at place: RecordPlace
    ) {
        settle(at: time)
        send(messages, n, time, place)
        delayed.merge(upTo: time)
    }

    /// As above, of a receive.
    package mutating func apply(_ receive: QueueRecord.Receive, time: Timestamp) {
        settle(at: time)
        applyReceive(receive, at: time)
        delayed.merge(upTo: time)
    }

    /// As above, of what a delete names.
    package mutating func apply(delete places: [Place], time: Timestamp) {
        settle(at: time)
        delete(places)
        delayed.merge(upTo: time)
    }

    /// As above, from a journal's line.
    package mutating func apply(
        line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at place: RecordPlace
    ) throws(QueueRecordError) {
        apply(try QueueRecord(line: line), n: n, time: time, at: place)
    }

    private mutating func send(
        _ messages: [QueueRecord.NewMessage], _ n: UInt64, _ time: Timestamp, _ record: RecordPlace
    ) {
        counters.sent += UInt64(messages.count)
        arrive(messages, n, time, record)
    }

    private mutating func delete(_ places: [Place]) {
        for place in places {
            if case .some = release(place) {
                counters.deleted += 1
            } else if let sent = requeued.delete(place) {
                counters.deleted += 1
                leaveStream(sent)
            }
        }
    }

    private mutating func arrive(
        _ messages: [QueueRecord.NewMessage], _ n: UInt64, _ time: Timestamp, _ record: RecordPlace
    ) {
        for index in messages.indices {
            arrive(messages, index, Place(n: n, index: UInt8(index)), time, record)
        }
    }

    // Of a list, whose message is copied only where it is held.
    @inline(__always)
    private mutating func arrive(
        _ messages: [QueueRecord.NewMessage], _ index: Int, _ place: Place, _ time: Timestamp,
        _ record: RecordPlace
    ) {
        if !settings.isFIFO { fair.sent(messages[index].group, at: time) }
        if let packed = messages[index].packed { counters.compression.count(packed) }
        if let id = messages[index].deduplicationID, settings.isFIFO {
            let key = deduplicationKey(id, group: messages[index].group)
            remember(key, messages[index].id, place, at: time)
        }
        let sent = messages[index].sent ?? time
        let delay = messages[index].delaySeconds
        if let due = messages[index].due {
            enterStream(sent, delayedUntil: due, at: record, place.index)
        } else if delay > 0 {
            hold(
                HeldMessage(
                    entry: StreamEntry(messages[index], place: place, time: time, record: record),
                    receiveCount: messages[index].receiveCount,
                    visibleAt: time + .seconds(delay), firstReceived: nil, lastReceived: nil,
                    bits: 0))
        } else {
            enterStream(sent, at: record, place.index)
        }
    }

    private mutating func applyReceive(_ receive: QueueRecord.Receive, at time: Timestamp) {
        defer { remember(receive, at: time) }
        for place in receive.gone {
            if case .some = release(place) { counters.expired += 1 }
        }
        for place in receive.over { requeued.remove(place) }
        counters.expired += receive.expired
        leaveStream(expired: receive.expired)
        head = receive.head
        if let step = receive.delayed { delayed.apply(step) }
        for (group, messages) in receive.passed {
            fair.pass(group, messages)
        }
        for index in receive.first.indices {
            let entry = receive.first[index].entry
            leaveStream(entry.sent)
            if entry.isRequeued { requeued.remove(entry.place) }
            var message = HeldMessage(
                entry: entry, receiveCount: entry.receiveCount, visibleAt: time,
                firstReceived: entry.past?.firstReceived, lastReceived: nil, bits: 0)
            if let bits = receive.first[index].bits {
                mark(&message, bits, until: receive.visibleAt, at: time)
            }
            hold(consume message)
        }
        for again in receive.again {
            guard var message = held[again.place] else { continue }
            mark(&message, again.bits, until: receive.visibleAt, at: time)
            hold(consume message)
        }
        if streamed == 0 { delayed = DelayedBacklog() }
        for group in receive.passed.keys { noteUnheld(group) }
        // Nothing waits in line: what was known of that has no meaning any more.
        if streamed == delayed.count {
            requeued = RequeuedMessages()
            fair.forgetPassed()
            index.unheldGroups = []
        }
    }

    private mutating func mark(
        _ message: inout HeldMessage, _ bits: UInt64, until visibleAt: Timestamp, at time: Timestamp
    ) {
        message.receiveCount += 1
        message.firstReceived = message.firstReceived ?? time
        message.lastReceived = time
        message.visibleAt = visibleAt
        message.bits = bits
        counters.received += 1
    }

}

extension StreamEntry {
    /// The entry of one of the messages of a send or take record of `time`.
    package init(
        _ messages: [QueueRecord.NewMessage], _ place: Place, time: Timestamp, record: RecordPlace
    ) {
        self.init(messages[Int(place.index)], place: place, time: time, record: record)
    }

    /// The entry of a message that stands in a send or take record of `time`.
    @inline(__always)
    package init(
        _ message: QueueRecord.NewMessage, place: Place, time: Timestamp, record: RecordPlace
    ) {
        self.init(
            place: place, record: record, id: message.id, sent: message.sent ?? time,
            group: message.group,
            past: .of(
                delaySeconds: message.delaySeconds, receiveCount: message.receiveCount,
                firstReceived: message.firstReceived,
                arrived: message.sent == nil || message.was != nil ? nil : time,
                source: message.source, due: message.due))
    }
}
