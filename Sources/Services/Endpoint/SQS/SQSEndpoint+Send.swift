import Crypto
import HTTP
import JSON
import Posix
import QueueModel

extension SQSEndpoint {
    /// A message as a call describes it, and what its answer says of it.
    private typealias Draft = (entry: SendEntry, digests: Digests)

    private static func draft(
        _ input: SQSInput.Entry, of exchange: SQSExchange
    ) throws(SQSError) -> Draft {
        let call = exchange.call
        guard let body = input.body, !body.decoded.isEmpty else {
            throw .missingParameter("MessageBody")
        }
        let attributes = try MessageAttributes(
            sending: input.attributes, by: call.operation.rawValue)
        let system = try Self.systemAttributes(input.systemAttributes)
        // X-Ray Developer Guide, *xray-services-sqs*: the call's own header serves as well.
        let trace =
            system?.attributes.first.map { String(decoding: $0.value, as: UTF8.self) }
            ?? call.traceHeader
        let digests = Digests(
            body: Digest.md5Bits(body.decoded), attributes: attributes.md5,
            systemAttributes: system?.md5)
        let sender = exchange.caller?.userID ?? Principal.developerID
        return (
            SendEntry(
                escaped: body.escaped, decoded: body.decoded, attributes: attributes,
                group: input.group, deduplicationID: input.deduplicationID,
                delaySeconds: input.delaySeconds, traceHeader: trace,
                sender: sender == Principal.developerID ? nil : sender,
                hasLoneSurrogate: body.hasLoneSurrogate),
            digests
        )
    }

    /// That of a single message. It borrows what is not copied then.
    private static func draft(
        _ input: borrowing SQSInput, of exchange: SQSExchange
    ) throws(SQSError) -> Draft { try draft(input.entry, of: exchange) }

    /// AWSTraceHeader is the only one that a sender may set.
    private static func systemAttributes(
        _ json: JSONValue?
    ) throws(SQSError) -> MessageAttributes? {
        guard let json = json?.objectValue, !json.isEmpty else { return nil }
        for (name, value) in json.members {
            guard name == "AWSTraceHeader", value["DataType"]?.stringValue == "String" else {
                throw .invalidParameter(
                    "Message system attribute name '\(name)' is invalid.")
            }
        }
        // Its name would be refused in a user's attribute, and its digest is made the same
        // way.
        return try MessageAttributes(.object(json))
    }

    private struct Digests: Sendable {
        var body: (high: UInt64, low: UInt64)
        var attributes: String?
        var systemAttributes: String?

        func reply(_ sent: SentMessage) -> SentReply {
            SentReply(
                messageID: sent.id, bodyMD5: body, attributesMD5: attributes,
                systemAttributesMD5: systemAttributes, sequenceNumber: sent.sequenceNumber)
        }
    }

    func sendMessage(_ exchange: SQSExchange, _ queue: Queue) throws(SQSError) {
        let (entry, digests) = try Self.draft(exchange.call.input, of: exchange)
        queue.submitSend([entry]) { [self] result in
            // Mostly it is there already, and needs no closure to get there.
            if exchange.client.isOnLoop { return answer(exchange, queue, digests, result) }
            exchange.client.perform { [self] in answer(exchange, queue, digests, result) }
        }
    }

    private func answer(
        _ exchange: SQSExchange, _ queue: Queue, _ digests: Digests,
        _ result: Result<[Outcome<SentMessage>], any Error>
    ) {
        // Where they are: to get them by `get` would copy them.
        switch result {
        case .success(let outcomes):
            switch outcomes[0] {
            case .success(let sent): exchange.succeed(.sent(digests.reply(sent)))
            case .failure(let error): failed(exchange, queue, error)
            }
        case .failure(let error): failed(exchange, queue, error)
        }
    }

    func sendMessageBatch(_ exchange: SQSExchange, _ queue: Queue) throws(SQSError) {
        let operation = exchange.call.operation
        var drafts: [(id: String, draft: Outcome<Draft>)] = []
        for (id, input) in try exchange.call.input.batch(operation) {
            do throws(SQSError) {
                drafts.append((id, .success(try Self.draft(input, of: exchange))))
            } catch {
                drafts.append((id, .failure(error)))
            }
        }
        let good = drafts.compactMap { try? $0.draft.get() }
        let bytes = good.reduce(0) { $0 + $1.entry.size }
        guard bytes <= QueueLimits.messageBytes else { throw .batchTooLong(bytes) }
        if queue.name.hasSuffix(".fifo"), good.contains(where: { $0.entry.group == nil }) {
            throw .invalidParameter("The request must contain the parameter MessageGroupId.")
        }
        if queue.demandsDeduplicationIDs,
            good.contains(where: { $0.entry.deduplicationID == nil })
        {
            throw .noDeduplicationID
        }
        // Who waits for the disk need not hold the bodies.
        let digests = drafts.map { (id: $0.id, digests: $0.draft.map(\.digests)) }
        let answer: @Sendable ([Outcome<SentMessage>]) -> SQSReply = { outcomes in
            var reply = BatchReply(operation)
            var rest = outcomes[...]
            for (id, digests) in digests {
                let sent = digests.flatMap { digests in
                    (rest.popFirst() ?? .failure(.internalFailure("no outcome")))
                        .map { SentReply?.some(digests.reply($0)) }
                }
                reply.entries.append((id, sent))
            }
            return .batch(reply)
        }
        guard !good.isEmpty else { return exchange.succeed(answer([])) }
        queue.submitSend(good.map(\.entry)) { [self] result in
            finish(exchange, queue, result) { answer($0) }
        }
    }

    /// Answers with what `reply` makes of an outcome: the journal's thread has others to tell. So
    /// has the loop, if there is much to be hashed and written.
    func finish<R: Sendable>(
        _ exchange: SQSExchange, _ queue: Queue, _ result: Result<R, any Error>,
        bytes: Int = 0, _ reply: @escaping @Sendable (R) throws -> SQSReply
    ) {
        let work: @Sendable () -> Void = { [self] in
            answer(exchange, queue) { try reply(try result.get()) }
        }
        guard bytes <= Self.largeBody else { return workers.execute(work) }
        exchange.client.perform(work)
    }

    private func answer(
        _ exchange: SQSExchange, _ queue: Queue, _ reply: () throws -> SQSReply
    ) {
        do {
            exchange.succeed(try reply())
        } catch {
            failed(exchange, queue, error)
        }
    }
}
