import Posix

/// How long a message takes from its send to a receiver that waits: one client sends, and the others
/// wait (`--connections`). A message's body is the time at which its send began. What waited in the
/// queue before is taken away first, and counts for nothing.
enum WakeScripts {
    static func clients(_ options: LoadOptions) throws -> [any Script] {
        let requests = try QueueRequests(options)
        let receiver = WaitingScript(requests: requests, receive: requests.receive(waitSeconds: 20))
        return [PacedScript(requests: requests, look: requests.receive(waitSeconds: 0))]
            + Array(repeating: receiver, count: options.connections)
    }
}

/// Sends a message once the one before has arrived and its receiver is back.
private struct PacedScript: Script {
    private static let pause = Duration.milliseconds(5)
    /// How many pauses a message may take to arrive; then the next one is sent.
    private static let patience = 400

    let requests: QueueRequests
    let look: [UInt8]
    private var isEmptying = true
    private var isDeleting = false
    private var pauses = 0

    init(requests: QueueRequests, look: [UInt8]) {
        self.requests = requests
        self.look = look
    }

    mutating func next(after answer: Answer?, _ counts: inout Counts) -> Step {
        if let answer, answer.status != 200 { counts.fail(answer) }
        if isEmptying, let request = empty(after: answer) {
            counts.requests += 1
            return .request(request)
        }
        if answer != nil { return .pause(Self.pause) }
        if counts.messages < counts.begun, pauses < Self.patience {
            pauses += 1
            return .pause(Self.pause)
        }
        pauses = 0
        counts.begun += 1
        counts.requests += 1
        return .request(requests.send(String(SystemClock.monotonicNanoseconds())))
    }

    /// What to ask until a look finds nothing; then `nil`.
    private mutating func empty(after answer: Answer?) -> [UInt8]? {
        guard let answer, answer.status == 200, !isDeleting else {
            isDeleting = false
            return look
        }
        let handles = answer.texts(of: "ReceiptHandle")
        isDeleting = !handles.isEmpty
        isEmptying = isDeleting
        return isDeleting ? requests.delete(handles) : nil
    }
}

/// Waits for a message, notes how old it is, and deletes it.
private struct WaitingScript: Script {
    let requests: QueueRequests
    let receive: [UInt8]
    private let start = SystemClock.monotonicNanoseconds()
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
        guard !handles.isEmpty, let body = answer.texts(of: "Body").first else {
            counts.empties += 1
            return .request(receive)
        }
        isDeleting = true
        // Others, and those of an earlier run, only are in the way.
        if let sent = UInt64(String(decoding: body, as: UTF8.self)), sent >= start {
            counts.messages += 1
            counts.note(
                microseconds: Double(SystemClock.monotonicNanoseconds() - sent) / 1000)
        }
        return .request(requests.delete(handles))
    }
}
