/// Sends the same request over and over.
struct SendScript: Script {
    private let request: [UInt8]
    private let messages: Int
    private let isUnchecked: Bool

    static func clients(_ options: LoadOptions) throws -> [any Script] {
        let script = SendScript(
            request: try QueueRequests(options).send(options.body), messages: options.batch,
            isUnchecked: options.isUnchecked)
        return Array(repeating: script, count: options.connections)
    }

    mutating func next(after answer: Answer?, _ counts: inout Counts) -> Step {
        if let answer {
            if answer.status == 200, isUnchecked || answer.count(of: "MessageId") == messages {
                counts.messages += messages
                counts.note(microseconds: answer.microseconds)
            } else {
                counts.fail(answer)
            }
        }
        guard counts.begun < counts.limit else { return .end }
        counts.begun += messages
        counts.requests += 1
        return .request(request)
    }
}

/// Receives and deletes what is there; with `isSending` it sends it first.
struct ConsumeScript: Script {
    private enum Phase { case sending, receiving, deleting }

    let isFinished = true
    private let requests: QueueRequests
    private let send: [UInt8]?
    private let receive: [UInt8]
    private var phase: Phase?
    private var received = 0
    private var microseconds = 0.0

    init(_ options: LoadOptions, isSending: Bool) throws {
        requests = try QueueRequests(options)
        send = isSending ? requests.send(options.body) : nil
        receive = requests.receive(waitSeconds: 0)
    }

    mutating func next(after answer: Answer?, _ counts: inout Counts) -> Step {
        counts.requests += 1
        guard let answer, let phase else { return begin(&counts) }
        guard answer.status == 200, answer.count(of: "SenderFault") == 0 else {
            counts.fail(answer)
            return begin(&counts)
        }
        microseconds += answer.microseconds
        switch phase {
        case .sending:
            self.phase = .receiving
            return .request(receive)
        case .receiving:
            let handles = answer.texts(of: "ReceiptHandle")
            counts.begun += handles.count - 1
            guard !handles.isEmpty else {
                counts.empties += 1
                return begin(&counts)
            }
            received = handles.count
            self.phase = .deleting
            return .request(requests.delete(handles))
        case .deleting:
            counts.messages += received
            counts.note(microseconds: microseconds)
            return begin(&counts)
        }
    }

    /// A message that is about to be received counts as begun: the clients take no more than the
    /// limit between them, and leave the rest to the next run.
    private mutating func begin(_ counts: inout Counts) -> Step {
        guard counts.begun < counts.limit else { return .end }
        counts.begun += 1
        microseconds = 0
        phase = send == nil ? .receiving : .sending
        return .request(send ?? receive)
    }
}

/// Receive and delete, of what waits.
enum ReceiveDeleteScript {
    static func clients(_ options: LoadOptions) throws -> [any Script] {
        let script = try ConsumeScript(options, isSending: false)
        return Array(repeating: script, count: options.connections)
    }
}

/// Send, receive and delete: the queue keeps its depth.
enum CycleScript {
    static func clients(_ options: LoadOptions) throws -> [any Script] {
        let script = try ConsumeScript(options, isSending: true)
        return Array(repeating: script, count: options.connections)
    }
}
