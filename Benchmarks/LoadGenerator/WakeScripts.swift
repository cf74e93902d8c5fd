import Posix

/// How long a message takes from its send to a receiver that waits: one client sends, and the others
/// wait (`--connections`). A message's body is the time at which its send began.
enum WakeScripts {
    static func clients(_ options: LoadOptions) throws -> [any Script] {
        let requests = try QueueRequests(options)
        let receiver = WaitingScript(requests: requests, receive: requests.receive(waitSeconds: 20))
        return [PacedScript(requests: requests)]
            + Array(repeating: receiver, count: options.connections)
    }
}

/// Sends a message once the one before has arrived and its receiver is back.
private struct PacedScript: Script {
    private static let pause = Duration.milliseconds(5)
    /// How many pauses a message may take to arrive; then the next one is sent.
    private static let patience = 400

    let requests: QueueRequests
    private var pauses = 0

    init(requests: QueueRequests) { self.requests = requests }

    mutating func next(after answer: Answer?, _ counts: inout Counts) -> Step {
        if let answer {
            if answer.status != 200 { counts.fail(answer) }
            return .pause(Self.pause)
        }
        if counts.messages < counts.begun, pauses < Self.patience {
            pauses += 1
            return .pause(Self.pause)
        }
        pauses = 0
        counts.begun += 1
        counts.requests += 1
        return .request(requests.send(String(SystemClock.monotonicNanoseconds())))
    }
}

/// Waits for a message, notes how old it is, and deletes it.
private struct WaitingScript: Script {
    let requests: QueueRequests
    let receive: [UInt8]
    private var isDeleting = false

    init(requests: QueueRequests, receive: [UInt8]) {
        self.requests = requests
        self.receive = receive
    }

    mutating func next(after answer: Answer?, _ counts: inout Counts) -> Step {
        counts.requests += 1
        let wasDeleting = isDeleting
        isDeleting = false
        guard let answer, !wasDeleting else { return .request(receive) }
        guard answer.status == 200 else {
            counts.fail(answer)
            return .request(receive)
        }
        let handles = answer.texts(of: "ReceiptHandle")
        guard !handles.isEmpty, let body = answer.texts(of: "Body").first,
            let sent = UInt64(String(decoding: body, as: UTF8.self))
        else {
            counts.empties += 1
            return .request(receive)
        }
        counts.messages += 1
        counts.note(
            microseconds: Double(SystemClock.monotonicNanoseconds() - sent) / 1000)
        isDeleting = true
        return .request(requests.delete(handles))
    }
}
