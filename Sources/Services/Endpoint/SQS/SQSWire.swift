import HTTP
import JSON
import QueueModel

/// How one call is spoken: JSON 1.0, or Query with its XML.
struct SQSWire: Sendable {
    let format: SQSWriter.Format
    let requestID: String
    /// As the Query protocol's answers are named after it.
    var action = ""

    private static let jsonType: StaticString = "application/x-amz-json-1.0"
    private static let xmlHead = "<?xml version=\"1.0\"?>"
    private static let namespace = "http://queue.amazonaws.com/doc/2012-11-05/"

    /// - Parameter principal: who asked, for the log.
    func success(
        _ reply: SQSReply, _ operation: SQSOperation, by principal: String? = nil
    ) -> HTTPResponse {
        func response(_ body: [UInt8]) -> HTTPResponse {
            self.response(200, body, operation, principal)
        }
        var writer = SQSWriter(format)
        switch format {
        case .json:
            // What has nothing to say says nothing, not even `{}`.
            guard operation.hasResult else { return response([]) }
            writer.answer(reply)
            return response(writer.bytes)
        case .xml:
            writer.answer(reply)
            let name = operation.rawValue
            var bytes = Array(
                "\(Self.xmlHead)<\(name)Response xmlns=\"\(Self.namespace)\">".utf8)
            if operation.hasResult {
                bytes += "<\(name)Result>".utf8
                bytes += writer.bytes
                bytes += "</\(name)Result>".utf8
            }
            bytes += "<ResponseMetadata><RequestId>\(requestID)</RequestId></ResponseMetadata>".utf8
            bytes += "</\(name)Response>".utf8
            return response(bytes)
        }
    }

    /// Whose mistake it is, the status says.
    func failure(
        _ error: SQSError, _ operation: SQSOperation? = nil, by principal: String? = nil
    ) -> HTTPResponse {
        let type = error.status >= 500 ? "Receiver" : "Sender"
        switch format {
        case .json:
            let json: JSONValue = [
                "__type": .string("\(error.namespace)#\(error.shape)"),
                "message": .string(error.message),
            ]
            var response = response(
                error.status, Array(json.serialized().utf8), operation, principal)
            response.headers["x-amzn-query-error"] = "\(error.queryCode);\(type)"
            return response
        case .xml:
            var bytes = Array("\(Self.xmlHead)<ErrorResponse xmlns=\"\(Self.namespace)\">".utf8)
            bytes += "<Error><Type>\(type)</Type><Code>\(error.queryCode)</Code><Message>".utf8
            XMLText.append(error.queryMessage.utf8, to: &bytes)
            bytes += "</Message><Detail/></Error><RequestId>\(requestID)</RequestId>".utf8
            bytes += "</ErrorResponse>".utf8
            return response(error.status, bytes, operation, principal)
        }
    }

    /// Who asks for nothing, as a browser does, is not told in any protocol.
    func nothingAsked() -> HTTPResponse {
        response(404, Array("<UnknownOperationException/>\n".utf8))
    }

    private func response(
        _ status: Int, _ body: [UInt8], _ operation: SQSOperation? = nil,
        _ principal: String? = nil
    ) -> HTTPResponse {
        .reply(
            status, to: requestID, type: format == .json ? Self.jsonType : "text/xml", body,
            operation: operation?.rawValue, principal: principal)
    }
}

extension SQSOperation {
    /// Whether its answer has members, ever.
    var hasResult: Bool {
        switch self {
        case .addPermission, .removePermission, .changeMessageVisibility, .deleteMessage,
            .deleteQueue, .purgeQueue, .setQueueAttributes, .tagQueue, .untagQueue:
            false
        default: true
        }
    }
}

extension SQSError {
    static let unknownOperation = SQSError(
        shape: "UnknownOperationException", queryCode: "InvalidAction",
        message: "The action or operation requested is invalid.")
    static let malformed = SQSError(
        shape: "SerializationException", queryCode: "MalformedInput",
        message: "The request is not a JSON object.")

    static func serialization(_ name: String, _ kind: String) -> SQSError {
        SQSError(
            shape: "SerializationException", queryCode: "MalformedInput",
            message: "\(name) must be \(kind).")
    }

    static func invalidAction(_ action: String) -> SQSError {
        SQSError(
            shape: "InvalidAction", queryCode: "InvalidAction",
            message: "The action \(action) is not valid for this endpoint.")
    }

    static func invalidAddress(_ address: String) -> SQSError {
        SQSError(
            shape: "InvalidAddress", queryCode: "InvalidAddress",
            message: "The address \(address) is not valid for this endpoint.")
    }

    /// What a client cannot be told more of (SQS API reference, *common errors*).
    static let unknownFailure = internalFailure(
        "The request processing has failed because of an unknown error, exception or failure.")

    var isInternalFailure: Bool { shape == "InternalFailure" }

    static func internalFailure(_ message: String) -> SQSError {
        SQSError(
            shape: "InternalFailure", queryCode: "InternalFailure", status: 500, message: message)
    }

    static func resourceNotFound(_ message: String) -> SQSError {
        SQSError(
            shape: "ResourceNotFoundException", queryCode: "ResourceNotFoundException",
            status: 404, message: message)
    }

    /// Errors of the protocol itself come from a namespace of their own.
    fileprivate var namespace: String {
        ["UnknownOperationException", "SerializationException"].contains(shape)
            ? "com.amazon.coral.service" : "com.amazonaws.sqs"
    }

    /// The Query protocol's own words.
    fileprivate var queryMessage: String {
        self == .queueDoesNotExist
            ? "The specified queue does not exist for this wsdl version." : message
    }
}
