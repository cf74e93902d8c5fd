import Crypto
import JSON

/// What becomes of a function's answer in a proxy integration (API Gateway guide,
/// *set-up-lambda-proxy-integrations*, *Output format*).
package enum ProxyResponse {
    private static let keys: Set<String> = [
        "statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded",
    ]
    /// Responses with these statuses would not be responses.
    private static let statuses = 200...599

    /// Of format 1.0.
    /// - Parameters:
    ///   - payload: what the function answered.
    ///   - decodesBase64: whether a REST API turns base64 back into bytes for this client; it
    ///     does so for its binary media types only. HTTP APIs always do.
    /// - Throws: `badFunctionResponse` for everything that is no proxy response;
    ///   `integrationFailure` for base64 that is none.
    package static func version1(
        _ payload: [UInt8], kind: APIKind, decodesBase64: Bool
    ) throws(GatewayFailure) -> GatewayResponse {
        guard let json = try? JSONValue.parse(payload), let object = json.objectValue,
            object.keys.allSatisfy(keys.contains)
        else { throw .badFunctionResponse }
        return try response(object, kind, decodesBase64: decodesBase64 || kind == .http)
    }

    /// Of format 2.0: an object with a statusCode, or else any JSON, which is the body of a 200.
    package static func version2(_ payload: [UInt8]) throws(GatewayFailure) -> GatewayResponse {
        guard let json = try? JSONValue.parse(payload) else { throw .badFunctionResponse }
        guard let object = json.objectValue, object["statusCode"] != nil else {
            let body = json.stringValue.map { Array($0.utf8) } ?? payload
            return GatewayResponse(
                status: 200, headers: [GatewayHeader("Content-Type", "application/json")],
                body: body)
        }
        var response = try response(object, .http, decodesBase64: true)
        switch object["cookies"] {
        case nil, .null?: break
        case .array(let cookies)?:
            for cookie in cookies {
                guard let text = cookie.stringValue else { throw .badFunctionResponse }
                response.headers.append(GatewayHeader("Set-Cookie", text))
            }
        default: throw .badFunctionResponse
        }
        return response
    }

    /// Whether a REST API answers this request in bytes: the first type that it accepts is a
    /// binary one.
    package static func acceptsBinary(_ request: GatewayRequest, _ types: [String]) -> Bool {
        let accepted = request.header("Accept").map { MediaTypes.essence($0) } ?? "*/*"
        if types.contains("*/*") { return true }
        return MediaTypes.contain(types, accepted)
    }

    private static func response(
        _ object: JSONObject, _ kind: APIKind, decodesBase64: Bool
    ) throws(GatewayFailure) -> GatewayResponse {
        var response = GatewayResponse(
            status: try status(object["statusCode"]), headers: try headers(object))
        let isBase64: Bool
        switch object["isBase64Encoded"] {
        case nil, .null?: isBase64 = false
        case .bool(let value)?: isBase64 = value
        default: throw .badFunctionResponse
        }
        switch object["body"] {
        case nil, .null?: break
        case .string(let text)?:
            if isBase64, decodesBase64 {
                guard let bytes = Base64.decode(text) else { throw .integrationFailure }
                response.body = bytes
            } else {
                response.body = Array(text.utf8)
            }
        default: throw .badFunctionResponse
        }
        response.headers = remapped(response.headers, kind)
        if response.header("Content-Type") == nil {
            response.headers.append(
                GatewayHeader(
                    "Content-Type",
                    kind == .rest ? "application/json" : "text/plain;charset=UTF-8"))
        }
        return response
    }

    private static func status(_ json: JSONValue?) throws(GatewayFailure) -> Int {
        let value: Int64?
        switch json {
        case nil, .null?: return 200
        case .string(let text)?: value = Int64(text)
        default: value = json?.intValue
        }
        guard let status = value.flatMap({ Int(exactly: $0) }), statuses.contains(status) else {
            throw .badFunctionResponse
        }
        return status
    }

    /// Both maps in one; where a value stands in both, it counts once.
    private static func headers(_ object: JSONObject) throws(GatewayFailure) -> [GatewayHeader] {
        var multiple: [(name: String, values: [String])] = []
        for (name, value) in try members(object["multiValueHeaders"]) {
            guard let elements = value.arrayValue else { throw .badFunctionResponse }
            var values: [String] = []
            for element in elements { values.append(try text(element)) }
            multiple.append((name, values))
        }
        var headers: [GatewayHeader] = []
        for (name, value) in try members(object["headers"]) {
            let text = try text(value)
            let isRepeated = multiple.contains {
                $0.name.lowercased() == name.lowercased() && $0.values.contains(text)
            }
            if !isRepeated { headers.append(GatewayHeader(name, text)) }
        }
        for (name, values) in multiple {
            headers += values.map { GatewayHeader(name, $0) }
        }
        return headers
    }

    private static func members(
        _ json: JSONValue?
    ) throws(GatewayFailure) -> [(key: String, value: JSONValue)] {
        switch json {
        case nil, .null?: return []
        case .object(let object)?:
            guard object.keys.allSatisfy(HeaderNames.isValid) else { throw .badFunctionResponse }
            return object.members
        default: throw .badFunctionResponse
        }
    }

    private static func text(_ json: JSONValue) throws(GatewayFailure) -> String {
        switch json {
        case .string(let text): return text
        case .bool(let value): return value ? "true" : "false"
        default: throw .badFunctionResponse
        }
    }

    /// What only the server may say is renamed by a REST API (*important notes*), and left out by
    /// an HTTP API; what speaks of the connection is left out by both.
    private static func remapped(_ headers: [GatewayHeader], _ kind: APIKind) -> [GatewayHeader] {
        headers.compactMap { header in
            let name = header.name.lowercased()
            if HeaderNames.ofConnection.contains(name) { return nil }
            guard HeaderNames.ofServer.contains(name) else { return header }
            return kind == .rest
                ? GatewayHeader("x-amzn-Remapped-\(header.name)", header.value) : nil
        }
    }
}

/// Names of header fields that are not everybody's to use.
package enum HeaderNames {
    static let ofConnection: Set<String> = [
        "transfer-encoding", "trailer", "upgrade", "te", "keep-alive", "proxy-connection",
        "proxy-authenticate",
    ]
    static let ofServer: Set<String> = [
        "connection", "content-length", "content-md5", "date", "host", "server",
        "www-authenticate", "authorization", "user-agent",
    ]

    /// RFC 9110 section 5.6.2: a token.
    package static func isValid(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
