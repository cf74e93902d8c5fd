import JSON

/// What the gateway itself answers when a request does not reach a function, or its answer is no
/// answer (API Gateway guide, *Gateway response types*, and *HTTP API error responses*).
package enum GatewayFailure: Error, Equatable, Sendable {
    /// The path does not begin with the stage.
    case noSuchStage
    case noSuchRoute
    /// The route demands a signature, and there is none.
    case missingSignature
    /// A signature that does not hold: AWS's code and words.
    case signature(code: String, message: String)
    /// Known, but not allowed.
    case accessDenied(message: String)
    /// No token, or one that does not hold.
    case unauthorized
    case tokenExpired
    /// A good token without the scopes that the route demands.
    case insufficientScope
    case noAPIKey
    case throttled
    case quotaExceeded
    case invalidBody
    case missingParameters([String])
    case unsupportedMediaType
    case tooLarge
    /// A body that the function cannot be given, since events are JSON.
    case notJSON(message: String)
    /// The function failed, or answered what a proxy integration does not understand.
    case badFunctionResponse
    /// The function could not be run at all.
    case integrationFailure
    case timeout

    /// The HTTP status.
    package func status(_ kind: APIKind) -> Int {
        switch self {
        case .noSuchStage, .noSuchRoute: kind == .rest ? 403 : 404
        case .insufficientScope: kind == .rest ? 401 : 403
        case .missingSignature, .signature, .accessDenied, .noAPIKey: 403
        case .unauthorized, .tokenExpired: 401
        case .throttled, .quotaExceeded: 429
        case .invalidBody, .missingParameters, .notJSON: 400
        case .unsupportedMediaType: 415
        case .tooLarge: 413
        case .badFunctionResponse: kind == .rest ? 502 : 500
        case .integrationFailure: 500
        case .timeout: kind == .rest ? 504 : 503
        }
    }

    /// The value of `x-amzn-ErrorType`; HTTP APIs send none.
    package func errorType(_ kind: APIKind) -> String? {
        guard kind == .rest else { return nil }
        switch self {
        case .noSuchStage, .noAPIKey: return "ForbiddenException"
        case .noSuchRoute, .missingSignature: return "MissingAuthenticationTokenException"
        case .signature(let code, _): return code
        case .accessDenied: return "AccessDeniedException"
        case .unauthorized, .tokenExpired, .insufficientScope: return "UnauthorizedException"
        case .throttled: return "TooManyRequestsException"
        case .quotaExceeded: return "LimitExceededException"
        case .invalidBody, .missingParameters, .unsupportedMediaType, .notJSON:
            return "BadRequestException"
        case .tooLarge: return "RequestTooLargeException"
        case .badFunctionResponse, .integrationFailure, .timeout:
            return "InternalServerErrorException"
        }
    }

    /// The words of the body.
    package func message(_ kind: APIKind) -> String {
        switch self {
        case .noSuchStage: kind == .rest ? "Forbidden" : "Not Found"
        case .noSuchRoute: kind == .rest ? "Missing Authentication Token" : "Not Found"
        case .missingSignature:
            kind == .rest ? "Missing Authentication Token" : "Forbidden"
        case .signature(_, let message), .accessDenied(let message):
            kind == .rest ? message : "Forbidden"
        case .unauthorized: "Unauthorized"
        case .tokenExpired: kind == .rest ? "The incoming token has expired" : "Unauthorized"
        case .insufficientScope: kind == .rest ? "Unauthorized" : "Forbidden"
        case .noAPIKey: "Forbidden"
        case .throttled: "Too Many Requests"
        case .quotaExceeded: "Limit Exceeded"
        case .invalidBody: "Invalid request body"
        case .missingParameters(let names):
            "Missing required request parameters: [\(names.joined(separator: ", "))]"
        case .unsupportedMediaType: "Unsupported Media Type"
        case .tooLarge: kind == .rest ? "Request Too Long" : "Request Entity Too Large"
        case .notJSON(let message): message
        case .badFunctionResponse, .integrationFailure:
            kind == .rest ? "Internal server error" : "Internal Server Error"
        case .timeout: kind == .rest ? "Endpoint request timed out" : "Service Unavailable"
        }
    }

    /// The whole answer but for what every answer carries.
    package func response(_ kind: APIKind) -> GatewayResponse {
        // AWS writes this one with a capital.
        let isCapital =
            if case .accessDenied = self { kind == .rest } else { false }
        let body: JSONValue = [(isCapital ? "Message" : "message"): .string(message(kind))]
        var headers = [GatewayHeader("Content-Type", "application/json")]
        if let type = errorType(kind) { headers.append(GatewayHeader("x-amzn-ErrorType", type)) }
        if self == .unauthorized || self == .tokenExpired, kind == .http {
            headers.append(GatewayHeader("WWW-Authenticate", "Bearer"))
        }
        return GatewayResponse(
            status: status(kind), headers: headers, body: Array(body.serialized().utf8))
    }
}
