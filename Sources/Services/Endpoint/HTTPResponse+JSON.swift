import HTTP
import JSON

extension HTTPResponse {
    /// One JSON value.
    package static func json(
        _ status: Int, _ json: JSONValue, headers: HTTPHeaders = [:]
    ) -> HTTPResponse {
        var headers = headers
        headers["Content-Type"] = "application/json"
        return HTTPResponse(status, headers: headers, body: Array(json.serialized().utf8))
    }

    /// One that says which request it is for, as AWS's services do.
    static func reply(
        _ status: Int, to requestID: String, type: StaticString? = nil, _ body: [UInt8] = [],
        operation: String? = nil, principal: String? = nil
    ) -> HTTPResponse {
        HTTPResponse(
            status, requestID: requestID, in: "x-amzn-RequestId", type: type, body,
            operation: operation, principal: principal)
    }
}
