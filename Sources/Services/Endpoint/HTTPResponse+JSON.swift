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
}
