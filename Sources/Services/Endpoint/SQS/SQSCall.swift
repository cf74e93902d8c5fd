import HTTP
import JSON
import QueueModel

/// One call, decoded: what is asked, and how it is to be answered. An object, since it goes through
/// many hands, and has many parts.
final class SQSCall: Sendable {
    let operation: SQSOperation
    let input: SQSInput
    let wire: SQSWire
    private let headers: HTTPHeaders

    /// As the client reached us: the queues' URLs begin with it.
    var host: String { headers["Host"] ?? "localhost" }
    /// What X-Ray's own header says.
    var traceHeader: String? { headers["X-Amzn-Trace-Id"] }

    /// By what X-Amz-Target says; first those that most calls ask for.
    private static let operations =
        (SQSOperation.allCases.filter(\.isAboutMessages)
        + SQSOperation.allCases.filter { !$0.isAboutMessages })
        .map { (target: Array("AmazonSQS.\($0.rawValue)".utf8), operation: $0) }

    /// Why a request is no call, and how to say so; without an error nothing was asked for.
    struct Refusal: Error {
        var wire: SQSWire
        var error: SQSError?
    }

    /// Reads a request. Without a QueueUrl, its path may be one.
    ///
    /// - Parameter lastURL: the QueueUrl that it may well have; without backslashes.
    init(
        _ request: borrowing HTTPRequest, requestID: String, lastURL: String? = nil
    ) throws(Refusal) {
        headers = request.headers
        var form: QueryForm?
        if let target = request.headers.bytes(of: "X-Amz-Target") {
            wire = SQSWire(format: .json, requestID: requestID)
            guard request.method == "POST", !request.headers.isRepeated("X-Amz-Target"),
                let asked = Self.operation(target)
            else { throw Refusal(wire: wire, error: .unknownOperation) }
            operation = asked
        } else {
            (wire, operation, form) = try Self.query(request, requestID)
        }
        do throws(SQSError) {
            input = try Self.input(request, form, operation, lastURL)
        } catch {
            throw Refusal(wire: wire, error: error)
        }
    }

    /// All are looked through, since most are of another length: that costs less than a hash.
    private static func operation(_ target: ArraySlice<UInt8>) -> SQSOperation? {
        operations.first { $0.target.count == target.count && target.elementsEqual($0.target) }?
            .operation
    }

    private static func input(
        _ request: HTTPRequest, _ form: QueryForm?, _ operation: SQSOperation, _ lastURL: String?
    ) throws(SQSError) -> SQSInput {
        var input = SQSInput()
        if let form {
            try input.read(form, operation)
        } else {
            try input.read(json: request.body, lastURL: lastURL)
        }
        if operation.hasQueueURL, input.queueURL == nil, QueueAddress(request.path) != nil {
            input.queueURL = String(request.path)
        }
        return input
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
