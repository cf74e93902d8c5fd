import JSON
import QueueModel

extension SQSEndpoint {
    func getQueueAttributes(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        let names = call.input.attributeNames
        let isFIFO = queue.name.hasSuffix(".fifo")
        let unknown = names.first { $0 != "All" && !QueueAttributes.isKnown($0, isFIFO: isFIFO) }
        if let unknown { throw SQSError.unknownAttribute(unknown) }
        guard !names.isEmpty else { return .attributes([]) }
        queues.finishArrivals(at: queue.name)
        let statistics = try queue.statistics()
        let isAll = names.contains("All")
        return .attributes(
            counts(statistics, of: queue.name).filter { isAll || names.contains($0.name) }
                + QueueAttributes.settable.compactMap { name in
                    guard isAll || names.contains(name) else { return nil }
                    return QueueAttributes.value(name, statistics.settings, arn: arn)
                        .map { (name, $0) }
                })
    }

    func setQueueAttributes(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        guard let attributes = call.input.attributes, !attributes.isEmpty else {
            throw SQSError.missingParameter("Attributes")
        }
        let change = QueueAttributes(attributes, endpoint: self)
        var planned = try queue.settings
        try change.apply(to: &planned, of: queue.name)
        try queues.change(queue.name, redrive: planned.redrivePolicy) { settings in
            try change.apply(to: &settings, of: queue.name, isChecked: true)
        }
        return .nothing
    }

    /// What a queue is told by what happens to it.
    private func counts(_ statistics: Queue.Statistics, of name: String) -> [SQSReply.Pair] {
        let created = statistics.created?.seconds ?? 0
        return [
            ("QueueArn", arn(name)),
            ("ApproximateNumberOfMessages", String(statistics.counts.visible)),
            ("ApproximateNumberOfMessagesNotVisible", String(statistics.counts.inFlight)),
            ("ApproximateNumberOfMessagesDelayed", String(statistics.counts.delayed)),
            ("CreatedTimestamp", String(created)),
            ("LastModifiedTimestamp", String(statistics.modified?.seconds ?? created)),
        ]
    }
}
