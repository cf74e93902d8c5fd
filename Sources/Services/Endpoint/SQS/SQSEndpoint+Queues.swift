import Crypto
import JSON
import Journal
import QueueModel

/// Queues made, found and removed through the API: they live beside the stack's own, and deploys
/// leave them alone.
extension SQSEndpoint {
    /// Lists answer at most so many names at once.
    private static let pageLimit = 1000

    func createQueue(_ call: SQSCall) throws -> SQSReply {
        let name = try SQSInput.required(call.input.queueName, "QueueName")
        var attributes = call.input.attributes ?? []
        let isFIFO = try Self.takeFIFO(name, &attributes)
        var settings = QueueSettings()
        settings.isFIFO = isFIFO
        let change = QueueAttributes(attributes, endpoint: self)
        try change.apply(to: &settings, of: name)
        settings.tags = try tags(call.input.tags ?? [], addedTo: [:], of: name)
        do {
            try queues.create(name, settings, waitsAfterRemoval: true)
        } catch QueueError.exists {
            let existing = try queue(named: name)
            var wanted = try existing.settings
            let present = wanted
            try change.apply(to: &wanted, of: name)
            if let other = attributes.first(where: {
                QueueAttributes.differ($0.name, wanted, present)
            }) {
                throw SQSError.queueNameExists(other.name)
            }
        }
        return .queueURL(url(name, call.host))
    }

    /// Checks a queue's name, and takes `FifoQueue` out: it must say what the name says.
    private static func takeFIFO(
        _ name: String, _ attributes: inout [SQSInput.Pair]
    ) throws(SQSError) -> Bool {
        let value = attributes.first { $0.name == "FifoQueue" }?.value.lowercased()
        attributes.removeAll { $0.name == "FifoQueue" }
        switch value {
        case nil: break
        case "true": break
        // AWS knows the attribute on FIFO queues only.
        case "false": throw .unknownAttribute("FifoQueue")
        default: throw .invalidAttributeValue("FifoQueue")
        }
        let isFIFO = value == "true"
        let stem = isFIFO && name.hasSuffix(".fifo") ? String(name.dropLast(5)) : name
        guard SQSInput.isPlainName(stem, upTo: QueueLimits.nameLength - (name.count - stem.count)),
            name.hasSuffix(".fifo") == isFIFO
        else {
            throw .invalidParameter(
                isFIFO
                    ? "The name of a FIFO queue can only include alphanumeric characters, "
                        + "hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in "
                        + "length."
                    : "Can only include alphanumeric characters, hyphens, or underscores. 1 to "
                        + "80 in length")
        }
        return isFIFO
    }

    /// Removes the queue with its messages. A queue of the stack comes back with the next deploy.
    func deleteQueue(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        try queues.remove(queue.name, force: true)
        return .nothing
    }

    func purgeQueue(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        queues.finishArrivals(at: queue.name)
        try queue.purge()
        return .nothing
    }

    func getQueueURL(_ call: SQSCall) throws -> SQSReply {
        let name = try SQSInput.required(call.input.queueName, "QueueName")
        let owner = call.input.ownerAccount
        guard owner == nil || owner == accountID else { throw SQSError.queueDoesNotExist }
        return .queueURL(url(try queue(named: name).name, call.host))
    }

    func listQueues(_ call: SQSCall) throws -> SQSReply {
        let prefix = call.input.namePrefix ?? ""
        let names = try queues.names().filter { $0.beginsExactly(with: prefix) }
        let (page, next) = try page(of: names, call.input)
        return .queueURLs(page.map { url($0, call.host) }, next: next)
    }

    func listDeadLetterSourceQueues(_ call: SQSCall) throws -> SQSReply {
        let names = try queues.sources(of: try queue(call).name).all()
        let (page, next) = try page(of: names, call.input)
        return .deadLetterSources(page.map { url($0, call.host) }, next: next)
    }

    /// - Parameter names: sorted.
    private func page(
        of names: [String], _ input: borrowing SQSInput
    ) throws(SQSError) -> (names: [String], next: String?) {
        try SQSInput.check(
            input.maxResults, of: "MaxResults", in: 1...Int64(Self.pageLimit),
            reason: "Must be between 1 and 1000, if provided.")
        var after = ""
        if let token = input.nextToken, !token.isEmpty {
            guard let name = Base64.decode(token) else {
                throw .invalidParameter("Invalid or expired next token.")
            }
            after = String(decoding: name, as: UTF8.self)
        }
        let rest = names.filter { $0 > after }
        let page = Array(rest.prefix(Int(input.maxResults ?? Int64(Self.pageLimit))))
        // AWS pages only where MaxResults asks for it.
        guard let last = page.last, input.maxResults != nil, page.count < rest.count else {
            return (page, nil)
        }
        return (page, Base64.encode(Array(last.utf8)))
    }

    func listQueueTags(_ call: SQSCall) throws -> SQSReply {
        let tags = try queue(call).settings.tags
        return .tags(tags.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value) })
    }

    func tagQueue(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        guard let given = call.input.tags, !given.isEmpty else {
            throw SQSError.missingParameter("Tags")
        }
        try queue.change { $0.tags = try tags(given, addedTo: $0.tags, of: queue.name) }
        return .nothing
    }

    func untagQueue(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        guard !call.input.tagKeys.isEmpty else { throw SQSError.missingParameter("TagKeys") }
        try queue.change { settings in
            for key in call.input.tagKeys { settings.tags[ExactText(key)] = nil }
        }
        return .nothing
    }

    private func tags(
        _ given: [SQSInput.Pair], addedTo present: [ExactText: String], of queue: String
    ) throws(SQSError) -> [ExactText: String] {
        var tags = present
        for (key, value) in given {
            guard (1...QueueLimits.tagKeyLength).contains(key.unicodeScalars.count),
                value.unicodeScalars.count <= QueueLimits.tagValueLength
            else {
                throw .invalidParameter(
                    "Tag keys must be 1 to 128 characters long, and values up to 256.")
            }
            // Developer Guide, *quotas-queues*.
            guard !key.beginsExactly(with: "aws:"), !value.beginsExactly(with: "aws:") else {
                throw .invalidParameter(
                    "Tag keys and values must not begin with 'aws:', which is reserved.")
            }
            tags[ExactText(key)] = value
        }
        guard tags.count <= QueueLimits.tags else {
            throw .invalidParameter("Too many tags added for queue \(queue).")
        }
        return tags
    }
}

extension SQSError {
    fileprivate static func queueNameExists(_ attribute: String) -> SQSError {
        SQSError(
            shape: "QueueNameExists", queryCode: "QueueAlreadyExists",
            message: "A queue already exists with the same name and a different value for "
                + "attribute \(attribute)")
    }
}
