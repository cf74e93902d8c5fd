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

    init(
        operation: SQSOperation, input: SQSInput, wire: SQSWire, host: String, request: HTTPRequest
    ) {
        self.operation = operation
        self.input = input
        self.wire = wire
        self.host = host
        self.request = request
    }
}

/// A request whose operation is known, and whose parameters are not read yet.
struct SQSRequestHead: Sendable {
    /// By what X-Amz-Target says.
    private static let operations = Dictionary(
        uniqueKeysWithValues: SQSOperation.allCases.map { ("AmazonSQS.\($0.rawValue)", $0) })

    let wire: SQSWire
    let operation: SQSOperation
    private let request: HTTPRequest
    private let form: QueryForm?

    /// Why a request is none, and how to say so; without an error nothing was asked for.
    struct Refusal: Error {
        var wire: SQSWire
        var error: SQSError?
    }

    init(_ request: HTTPRequest, requestID: String) throws(Refusal) {
        self.request = request
        guard let target = request.headers["X-Amz-Target"] else {
            (wire, operation, form) = try Self.query(request, requestID)
            return
        }
        wire = SQSWire(format: .json, requestID: requestID)
        form = nil
        guard request.method == "POST", !request.headers.isRepeated("X-Amz-Target"),
            let operation = Self.operations[target]
        else { throw Refusal(wire: wire, error: .unknownOperation) }
        self.operation = operation
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

    /// Reads the parameters. Without a QueueUrl, the path may be one.
    func call() throws(SQSError) -> SQSCall {
        let input =
            if let form { try SQSInput(form, operation) } else { try SQSInput(json: request.body) }
        guard operation.hasQueueURL, input.queueURL == nil, QueueAddress(request.path) != nil else {
            return call(input)
        }
        var addressed = input
        addressed.queueURL = String(request.path)
        return call(addressed)
    }

    private func call(_ input: consuming SQSInput) -> SQSCall {
        SQSCall(
            operation: operation, input: input, wire: wire,
            host: request.headers["Host"] ?? "localhost", request: request)
    }
}

extension SQSError {
    fileprivate static let invalidMethod = SQSError(
        shape: "InvalidAction", queryCode: "InvalidHttpRequest",
        message: "The HTTP method is invalid: GET or POST is expected.")
}
