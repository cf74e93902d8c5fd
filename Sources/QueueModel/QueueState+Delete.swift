import JSON

extension QueueState {
    /// The place to delete; `nil` if there is nothing left to do, which is not an error.
    ///
    /// A standard queue accepts the handle of an earlier receive without deleting; a FIFO queue
    /// refuses a handle whose visibility timeout has passed.
    package func delete(_ handle: ReceiptHandle, at now: Timestamp) throws(SQSError) -> Place? {
        guard let position = held.position(of: handle.place) else {
            // Put back since, and waiting in the stream: it is deleted there.
            guard let message = requeued[handle.place], message.bits == handle.bits,
                requeued.canDelete
            else { return nil }
            return message.place
        }
        let isNewest = held[at: position].bits == handle.bits
        if settings.isFIFO, !isNewest || !held[at: position].isInFlight(at: now) {
            throw .receiptHandleExpired(handle.text)
        }
        return isNewest && held[at: position].lastReceived != nil ? handle.place : nil
    }

    /// The new moment at which the message becomes visible.
    package func changeVisibility(
        _ handle: ReceiptHandle, toSeconds seconds: Int64, at now: Timestamp
    ) throws(SQSError) -> (place: Place, visibleAt: Timestamp) {
        guard QueueLimits.visibilitySeconds.contains(seconds) else {
            throw .invalidValue(
                String(seconds), of: "VisibilityTimeout",
                reason: "VisibilityTimeout must be an integer between 0 and 43200.")
        }
        guard requeued[handle.place]?.bits != handle.bits else { throw .messageNotInFlight }
        guard let message = held[handle.place], message.bits == handle.bits,
            let received = message.lastReceived
        else {
            throw .invalidValue(
                handle.text, of: "ReceiptHandle",
                reason: "Message does not exist or is not available for visibility timeout change.")
        }
        guard message.isInFlight(at: now) else { throw .messageNotInFlight }
        let visibleAt = now + .seconds(seconds)
        guard visibleAt - received <= .seconds(QueueLimits.visibilitySeconds.upperBound) else {
            throw .invalidParameter(
                "Value \(seconds) for parameter VisibilityTimeout is invalid. Reason: Total "
                    + "VisibilityTimeout for the message is beyond the limit [43200 seconds].")
        }
        return (handle.place, visibleAt)
    }

    /// What is on its way to another queue is that one's.
    ///
    /// - Throws: `purgeInProgress` within 60 seconds of the last one.
    package func purge(_ queue: String, at now: Timestamp) throws(SQSError) -> QueueRecord {
        if let lastPurge, now - lastPurge < .seconds(60) { throw .purgeInProgress(queue) }
        return .purge(forgetsIDs: settings.isFIFO, keepsLeaving: !transfers.isEmpty)
    }
}
