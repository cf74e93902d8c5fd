import Access
import Crypto
import FunctionModel
import HTTP
import JSON

/// A refusal as Lambda's REST protocol spells it: the exception's name in a header, its members in
/// the body (botocore `lambda/2015-03-31`).
struct LambdaError: Error, Equatable {
    var status: Int
    var exception: String
    var body: JSONObject
    var retryAfterSeconds: Int?

    private init(_ status: Int, _ exception: String, _ body: JSONObject) {
        self.status = status
        self.exception = exception
        self.body = body
    }

    var message: String? { (body["Message"] ?? body["message"])?.stringValue }

    func response(_ requestID: String) -> HTTPResponse {
        let json = Array(JSONValue.object(body).serialized().utf8)
        var response = HTTPResponse.reply(status, to: requestID, json)
        response.headers["x-amzn-ErrorType"] = exception
        response.headers["Retry-After"] = retryAfterSeconds.map(String.init)
        response.headers["Content-Type"] = "application/json"
        return response
    }

    static func notFound(_ arn: String) -> LambdaError {
        LambdaError(
            404, "ResourceNotFoundException",
            ["Type": "User", "Message": .string("Function not found: \(arn)")])
    }

    static func notJSON(_ reason: String) -> LambdaError {
        LambdaError(
            400, "InvalidRequestContentException",
            [
                "Type": "User",
                "message": .string("Could not parse request body into json: \(reason)"),
            ])
    }

    static let badClientContext = LambdaError(
        400, "InvalidRequestContentException",
        [
            "Type": "User",
            "message": "Client context must be a valid Base64-encoded JSON object.",
        ])

    static func invalid(_ message: String) -> LambdaError {
        LambdaError(
            400, "InvalidParameterValueException", ["Type": "User", "message": .string(message)])
    }

    static let tooLarge = entityTooLarge(
        "Request must be smaller than \(FunctionLimits.requestBytes) bytes for the "
            + "InvokeFunction operation")

    static func eventTooLarge(bytes: Int, limit: Int) -> LambdaError {
        entityTooLarge(
            "\(bytes) byte payload is too large for the Event invocation type "
                + "(limit \(limit) bytes)")
    }

    /// Not botocore's RequestTooLargeException: that is what its model says, this is what is seen.
    private static func entityTooLarge(_ message: String) -> LambdaError {
        LambdaError(413, "RequestEntityTooLargeException", ["Message": .string(message)])
    }

    /// - Parameter isReserved: whether the function's own concurrency is used up.
    static func throttled(isReserved: Bool) -> LambdaError {
        let reason = (isReserved ? "ReservedFunction" : "") + "ConcurrentInvocationLimitExceeded"
        var error = LambdaError(
            429, "TooManyRequestsException",
            ["Reason": .string(reason), "Type": "User", "message": "Rate Exceeded."])
        error.retryAfterSeconds = 1
        return error
    }

    static func service(_ message: String) -> LambdaError {
        LambdaError(
            500, "ServiceException", ["Type": "Service", "Message": .string(message)])
    }

    static let unavailable = LambdaError(
        503, "ServiceUnavailableException", ["Type": "Service", "Message": "Service is stopping."])

    static func accessDenied(_ message: String) -> LambdaError {
        LambdaError(403, "AccessDeniedException", ["Message": .string(message)])
    }

    static let unknownOperation = LambdaError(
        404, "UnknownOperationException", ["Message": "The operation is not known."])

    init(_ failure: SignatureFailure) {
        let status = if case .incomplete = failure { 400 } else { 403 }
        self.init(status, failure.exception, ["message": .string(failure.message)])
    }
}
