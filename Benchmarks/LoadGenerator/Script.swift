/// What one client does.
protocol Script: Sendable {
    /// - Parameter answer: to the request before; `nil` at the beginning, and after a pause.
    mutating func next(after answer: Answer?, _ counts: inout Counts) -> Step

    /// Whether what it has begun is done to its end when the time is up, so that it leaves nothing
    /// behind.
    var isFinished: Bool { get }
}

extension Script {
    var isFinished: Bool { false }
}

enum Step {
    case request([UInt8])
    case pause(Duration)
    case end
}

/// The bodies of requests, made by hand: what comes out of answers goes in as it is.
struct QueueRequests {
    private let options: LoadOptions
    private let queue: String
    private let sendTemplate: RequestTemplate
    private let receiveTemplate: RequestTemplate
    private let deleteTemplate: RequestTemplate

    init(_ options: LoadOptions) throws {
        let signer = try Signer(options)
        let isBatch = options.batch > 1
        self.options = options
        queue = "{\"QueueUrl\":\"\(options.queueURL)\""
        sendTemplate = RequestTemplate(isBatch ? "SendMessageBatch" : "SendMessage", signer)
        receiveTemplate = RequestTemplate("ReceiveMessage", signer)
        deleteTemplate = RequestTemplate(isBatch ? "DeleteMessageBatch" : "DeleteMessage", signer)
    }

    /// As many messages as a request takes (`--batch`), of one body.
    func send(_ body: String) -> [UInt8] {
        guard options.batch > 1 else {
            return sendTemplate.request(Array("\(queue),\"MessageBody\":\"\(body)\"}".utf8))
        }
        let entries = (0..<options.batch).map { "{\"Id\":\"\($0)\",\"MessageBody\":\"\(body)\"}" }
        return sendTemplate.request(
            Array("\(queue),\"Entries\":[\(entries.joined(separator: ","))]}".utf8))
    }

    func receive(waitSeconds: Int) -> [UInt8] {
        let rest = ",\"MaxNumberOfMessages\":\(options.batch),\"WaitTimeSeconds\":\(waitSeconds)}"
        return receiveTemplate.request(Array((queue + rest).utf8))
    }

    /// - Parameter handles: escaped, as they were received.
    func delete(_ handles: [ArraySlice<UInt8>]) -> [UInt8] {
        guard options.batch > 1 else {
            var body = Array("\(queue),\"ReceiptHandle\":\"".utf8)
            body += handles.first ?? []
            body += "\"}".utf8
            return deleteTemplate.request(body)
        }
        var body = Array("\(queue),\"Entries\":[".utf8)
        for (number, handle) in handles.enumerated() {
            if number > 0 { body.append(UInt8(ascii: ",")) }
            body += "{\"Id\":\"\(number)\",\"ReceiptHandle\":\"".utf8
            body += handle
            body += "\"}".utf8
        }
        return deleteTemplate.request(body + "]}".utf8)
    }
}
