import GatewayModel
import Testing

@Suite struct GatewayFailureTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String { "\(failure)" }
        var failure: GatewayFailure
        /// Status, `x-amzn-ErrorType` and body of a REST API.
        var rest: String
        /// Status and body of an HTTP API.
        var http: String
    }

    @Test(arguments: [
        Case(
            failure: .noSuchStage, rest: #"403 ForbiddenException {"message":"Forbidden"}"#,
            http: #"404 {"message":"Not Found"}"#),
        Case(
            failure: .noSuchRoute,
            rest:
                #"403 MissingAuthenticationTokenException {"message":"Missing Authentication Token"}"#,
            http: #"404 {"message":"Not Found"}"#),
        Case(
            failure: .missingSignature,
            rest:
                #"403 MissingAuthenticationTokenException {"message":"Missing Authentication Token"}"#,
            http: #"403 {"message":"Forbidden"}"#),
        Case(
            failure: .accessDenied(message: "User: x is not authorized"),
            rest: #"403 AccessDeniedException {"Message":"User: x is not authorized"}"#,
            http: #"403 {"message":"Forbidden"}"#),
        Case(
            failure: .unauthorized, rest: #"401 UnauthorizedException {"message":"Unauthorized"}"#,
            http: #"401 {"message":"Unauthorized"}"#),
        Case(
            failure: .noAPIKey, rest: #"403 ForbiddenException {"message":"Forbidden"}"#,
            http: #"403 {"message":"Forbidden"}"#),
        Case(
            failure: .throttled,
            rest: #"429 TooManyRequestsException {"message":"Too Many Requests"}"#,
            http: #"429 {"message":"Too Many Requests"}"#),
        Case(
            failure: .quotaExceeded,
            rest: #"429 LimitExceededException {"message":"Limit Exceeded"}"#,
            http: #"429 {"message":"Limit Exceeded"}"#),
        Case(
            failure: .missingParameters(["page", "X-A"]),
            rest:
                #"400 BadRequestException {"message":"Missing required request parameters: [page, X-A]"}"#,
            http: #"400 {"message":"Missing required request parameters: [page, X-A]"}"#),
        Case(
            failure: .invalidBody,
            rest: #"400 BadRequestException {"message":"Invalid request body"}"#,
            http: #"400 {"message":"Invalid request body"}"#),
        Case(
            failure: .unsupportedMediaType,
            rest: #"415 BadRequestException {"message":"Unsupported Media Type"}"#,
            http: #"415 {"message":"Unsupported Media Type"}"#),
        Case(
            failure: .tooLarge,
            rest: #"413 RequestTooLargeException {"message":"Request Too Long"}"#,
            http: #"413 {"message":"Request Entity Too Large"}"#),
        Case(
            failure: .badFunctionResponse,
            rest: #"502 InternalServerErrorException {"message":"Internal server error"}"#,
            http: #"500 {"message":"Internal Server Error"}"#),
        Case(
            failure: .timeout,
            rest: #"504 InternalServerErrorException {"message":"Endpoint request timed out"}"#,
            http: #"503 {"message":"Service Unavailable"}"#),
    ])
    func answers(_ sample: Case) {
        for (kind, expected) in [(APIKind.rest, sample.rest), (.http, sample.http)] {
            let response = sample.failure.response(kind)
            let type = response.header("x-amzn-ErrorType").map { "\($0) " } ?? ""
            let body = String(decoding: response.body, as: UTF8.self)
            #expect("\(response.status) \(type)\(body)" == expected)
        }
    }
}
