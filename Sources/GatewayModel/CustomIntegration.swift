import JSON

/// The `lambda` integration: API Gateway's non-proxy (custom) one without mapping templates. The
/// body is the event; the whole result is the answer's body, its status that of the first response
/// whose pattern fits the function's error, else of the default one.
package struct CustomIntegration: Sendable {
    /// One integration response (API Gateway guide, *integration responses*).
    package struct Response: Sendable {
        /// Fits the whole `errorMessage` of a failed function; `nil` is the default response.
        package var pattern: TextPattern?
        package var status: Int
        package var headers: [GatewayHeader]

        package init(pattern: TextPattern?, status: Int, headers: [GatewayHeader] = []) {
            self.pattern = pattern
            self.status = status
            self.headers = headers
        }
    }

    package var responses: [Response]
    /// The media types that are taken; empty takes all.
    package var contentTypes: [String]

    package init(responses: [Response] = [], contentTypes: [String] = []) {
        self.responses = responses
        self.contentTypes = contentTypes
    }

    /// The function's event: the body as it is; `{}` without one.
    /// - Throws: `unsupportedMediaType`; `notJSON`, as Lambda refuses such an event.
    package func event(_ request: GatewayRequest) throws(GatewayFailure) -> [UInt8] {
        guard !request.body.isEmpty else { return Array("{}".utf8) }
        let type = request.mediaType ?? "application/json"
        guard contentTypes.isEmpty || MediaTypes.contain(contentTypes, type) else {
            throw .unsupportedMediaType
        }
        do throws(JSONError) {
            _ = try JSONValue.parse(request.body)
        } catch {
            throw .notJSON(
                message: "Could not parse request body into json: \(error.message) "
                    + "(line \(error.position.line), column \(error.position.column))")
        }
        return request.body
    }

    /// - Parameters:
    ///   - payload: the function's result, or its error object.
    ///   - isError: whether the function failed. Its result alone never is an error.
    package func response(_ payload: [UInt8], isError: Bool) -> GatewayResponse {
        let chosen = isError ? failed(payload) : fallback
        var response = GatewayResponse(
            status: chosen.status, headers: chosen.headers, body: payload)
        if response.header("Content-Type") == nil {
            response.headers.append(GatewayHeader("Content-Type", "application/json"))
        }
        return response
    }

    private var fallback: Response {
        responses.first { $0.pattern == nil } ?? Response(pattern: nil, status: 200)
    }

    private func failed(_ payload: [UInt8]) -> Response {
        let message = (try? JSONValue.parse(payload))?["errorMessage"]?.stringValue ?? ""
        return responses.first { $0.pattern?.matches(message) == true } ?? fallback
    }
}
