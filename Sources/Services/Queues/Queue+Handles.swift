import JSON
import Journal
import QueueModel

/// What is done by receipt handle: deleting, and changing how long messages stay hidden.
extension Queue {
    /// FNV-1a: opening a queue must not cost what libcrypto takes to start.
    static func mark(of name: String, repaired: Timestamp?) -> UInt32 {
        let text = repaired.map { "\(name)@\($0.milliseconds)" } ?? name
        let hash = text.utf8.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        // 0 is a handle's that does not say whose it is.
        return max(1, hash)
    }

    /// A receipt handle as a client gives it.
    ///
    /// - Throws: `SQSError.receiptHandleIsInvalid` for what is none.
    package static func handle(_ text: String) throws(SQSError) -> ReceiptHandle {
        guard let handle = ReceiptHandle(text) else { throw .receiptHandleIsInvalid(text) }
        return handle
    }

    /// Inside a transaction: a repair may have come before it, and the queue is another one then.
    ///
    /// - Throws: `SQSError.receiptHandleOfAnother` for another queue's, or one of before a repair:
    ///   places were other messages' then. One that does not say whose it is, as of an older
    ///   msorch, is taken as this one's.
    func check(_ handle: ReceiptHandle) throws(SQSError) {
        guard [0, mark].contains(handle.mark) else { throw .receiptHandleOfAnother(handle.text) }
    }

    static func handles(_ texts: [String]) -> [Outcome<ReceiptHandle>] {
        texts.map { text in
            do throws(SQSError) {
                return .success(try handle(text))
            } catch {
                return .failure(error)
            }
        }
    }

    /// As below, of handles as clients give them.
    package func delete(_ texts: [String]) throws -> [Outcome<Void>] {
        let handles = Self.handles(texts)
        return Self.outcomes(of: handles, try delete(handles.compactMap { try? $0.get() }))
    }

    /// In the order of the handles.
    /// - Parameter deleted: of those that could be read.
    static func outcomes(
        of handles: [Outcome<ReceiptHandle>], _ deleted: [Outcome<Void>]
    ) -> [Outcome<Void>] {
        var deleted = deleted[...]
        return handles.map { handle in handle.flatMap { _ in deleted.removeFirst() } }
    }

    /// Deletes by receipt handle; each handle's outcome.
    package func delete(_ handles: [ReceiptHandle]) throws -> [Outcome<Void>] {
        let outcomes = try commit(isDurable: { $0.isFIFO }) { session in
            try delete(handles, &session)
        }
        observeDeleted(outcomes)
        return outcomes
    }

    func delete(
        _ handles: [ReceiptHandle], _ session: inout JournalSession<QueueJournalState>
    ) throws -> [Outcome<Void>] {
        try session.sweepExpired()
        var places: [Place] = []
        let outcomes = handles.map { handle -> Outcome<Void> in
            do throws(SQSError) {
                try check(handle)
                if let place = try session.state.queue.delete(handle, at: session.now),
                    !places.contains(place)
                {
                    places.append(place)
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        if !places.isEmpty { try session.append(delete: places) }
        return outcomes
    }

    func observeDeleted(_ outcomes: [Outcome<Void>]) {
        let count = outcomes.count { outcome in
            if case .success = outcome { true } else { false }
        }
        if count > 0 { observe(QueueActivity(queue: name, kind: .deleted(count))) }
    }

    package func changeVisibility(of handle: String, toSeconds seconds: Int64) throws {
        try commit(isDurable: { _ in false }) { session in
            try session.sweepExpired()
            let change = try change(handle, toSeconds: seconds, &session)
            try session.append(.visibility([change]))
        }
    }

    func change(
        _ text: String, toSeconds seconds: Int64,
        _ session: inout JournalSession<QueueJournalState>
    ) throws(SQSError) -> (place: Place, visibleAt: Timestamp) {
        let handle = try Self.handle(text)
        try check(handle)
        return try session.state.queue.changeVisibility(
            handle, toSeconds: seconds, at: session.now)
    }
}
