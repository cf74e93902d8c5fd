import HTTP
import JSON
import QueueModel

/// One call, decoded: what is asked, and how it is to be answered. An object, since it goes through
/// many hands, and has many parts.
final class SQSCall: Sendable {
    let operation: SQSOperation
    let input: SQSInput
    let wire: SQSWire
    /// As the client reached us: the queues' URLs begin with it.
    let host: String
    /// For the signature.
    let request: HTTPRequest

    private init(
        operation: SQSOperation, input: consuming SQSInput, wire: SQSWire, host: String,
        request: HTTPRequest
    ) {
        self.operation = operation
        self.input = input
        self.wire = wire
        self.host = host
        self.request = request
    }
}

extension SQSCall {
    /// By what X-Amz-Target says.
    private static let operations = Dictionary(
        uniqueKeysWithValues: SQSOperation.allCases.map { ("AmazonSQS.\($0.rawValue)", $0) })

    /// Why a request is no call, and how to say so; without an error nothing was asked for.
    struct Refusal: Error {
        var wire: SQSWire
        var error: SQSError?
    }

    /// Reads a request. Without a QueueUrl, its path may be one.
    convenience init(_ request: HTTPRequest, requestID: String) throws(Refusal) {
        let wire: SQSWire
        let operation: SQSOperation
        var input: SQSInput
        if let target = request.headers["X-Amz-Target"] {
            wire = SQSWire(format: .json, requestID: requestID)
            guard request.method == "POST", !request.headers.isRepeated("X-Amz-Target"),
                let asked = Self.operations[target]
            else { throw Refusal(wire: wire, error: .unknownOperation) }
            operation = asked
            input = try Self.read(wire) { () throws(SQSError) in
                try SQSInput(json: request.body)
            }
        } else {
            let form: QueryForm
            (wire, operation, form) = try Self.query(request, requestID)
            input = try Self.read(wire) { () throws(SQSError) in try SQSInput(form, operation) }
        }
        if operation.hasQueueURL, input.queueURL == nil, QueueAddress(request.path) != nil {
            input.queueURL = String(request.path)
        }
        self.init(
            operation: operation, input: input, wire: wire,
            host: request.headers["Host"] ?? "localhost", request: request)
    }

    private static func read(
        _ wire: SQSWire, _ body: () throws(SQSError) -> SQSInput
    ) throws(Refusal) -> SQSInput {
        do throws(SQSError) {
            return try body()
        } catch {
            throw Refusal(wire: wire, error: error)
        }
    }

    private static func query(
        _ request: HTTPRequest, _ requestID: String
    ) throws(Refusal) -> (SQSWire, SQSOperation, QueryForm) {
        var wire = SQSWire(format: .xml, requestID: requestID)
        let form: QueryForm
        do throws(SQSError) {
            guard ["GET", "POST"].contains(request.method) else { throw .invalidMethod }
            form = try QueryForm(query: request.query, body: request.body)
        } catch {
            throw Refusal(wire: wire, error: error)
        }
        guard let action = form["Action"] else { throw Refusal(wire: wire, error: nil) }
        wire.action = action
        guard let operation = SQSOperation(rawValue: action),
            operation.isValidOnQueuePath || QueueAddress(request.path) == nil
        else { throw Refusal(wire: wire, error: .invalidAction(action)) }
        return (wire, operation, form)
    }
}

extension SQSError {
    fileprivate static let invalidMethod = SQSError(
        shape: "InvalidAction", queryCode: "InvalidHttpRequest",
        message: "The HTTP method is invalid: GET or POST is expected.")
}
