import Crypto
import JSON

/// What a proxy integration's function is invoked with (API Gateway guide,
/// *set-up-lambda-proxy-integrations*, and *http-api-develop-integrations-lambda*).
package enum ProxyEvent {
    /// Payload format 1.0. What is empty is `null`; a name that stands twice has its last value,
    /// and all of them under `multiValue…`.
    package static func version1(
        _ request: GatewayRequest, _ context: EventContext, _ caller: GatewayCaller
    ) -> JSONValue {
        let headers = forwarded(request, context)
        let parameters = request.parameters
        let body = text(of: request, context)
        var event: JSONObject = [
            "resource": .string(context.resourcePath),
            "path": .string(path(of: request, context)),
            "httpMethod": .string(request.method),
            "headers": single(headers.map { ($0.name, $0.value) }),
            "multiValueHeaders": multiple(headers.map { ($0.name, $0.value) }),
            "queryStringParameters": single(parameters),
            "multiValueQueryStringParameters": multiple(parameters),
            "pathParameters": orNull(context.sortedVariables),
            "stageVariables": orNull(context.stageVariables),
            "requestContext": .object(context1(request, context, caller)),
            "body": body.map { .string($0.text) } ?? .null,
            "isBase64Encoded": .bool(body?.isBase64 ?? false),
        ]
        if context.kind == .http { event["version"] = "1.0" }
        return .object(event)
    }

    private static func context1(
        _ request: GatewayRequest, _ context: EventContext, _ caller: GatewayCaller
    ) -> JSONObject {
        let host = request.header("Host") ?? ""
        var json: JSONObject = [
            "accountId": .string(context.accountID), "apiId": .string(context.apiID),
            "domainName": .string(host),
            "domainPrefix": .string(String(host.prefix { $0 != "." && $0 != ":" })),
            "httpMethod": .string(request.method),
            "identity": .object(identity(request, context, caller)),
            "path": .string(request.path), "protocol": "HTTP/1.1",
            "requestId": .string(request.requestID),
            "requestTime": .string(logTime(request.received)),
            "requestTimeEpoch": .int(request.received.milliseconds),
            "resourcePath": .string(context.resourcePath), "stage": .string(context.stage),
        ]
        switch context.kind {
        case .rest:
            let deployment = "\(context.apiID) \(context.stage)"
            let resource = "\(context.apiID) \(context.resourcePath)"
            json["deploymentId"] = .string(EventContext.identifier(of: deployment, length: 6))
            json["extendedRequestId"] = .string(extendedRequestID(request))
            json["resourceId"] = .string(EventContext.identifier(of: resource, length: 6))
        case .http:
            json["extendedRequestId"] = .string(request.requestID)
            json["resourceId"] = .string(context.routeKey)
        }
        if case .token(let claims, let scopes) = caller.identity {
            json["authorizer"] =
                context.kind == .rest
                ? ["claims": .object(texts(claims, .rest))]
                : [
                    "claims": .object(texts(claims, .http)),
                    "scopes": scopes.isEmpty ? .null : .array(scopes.map { .string($0) }),
                ]
        }
        return json
    }

    private static func identity(
        _ request: GatewayRequest, _ context: EventContext, _ caller: GatewayCaller
    ) -> JSONObject {
        var json: JSONObject = [
            "accessKey": nil, "accountId": nil, "caller": nil,
            "cognitoAuthenticationProvider": nil, "cognitoAuthenticationType": nil,
            "cognitoIdentityId": nil, "cognitoIdentityPoolId": nil, "principalOrgId": nil,
            "sourceIp": .string(request.sourceIP), "user": nil,
            "userAgent": request.header("User-Agent").map { .string($0) } ?? .null,
            "userArn": nil,
        ]
        if context.kind == .http { json["cognitoAmr"] = .null }
        if case .iam(let key, let account, let arn, let user) = caller.identity {
            json["accessKey"] = .string(key)
            json["accountId"] = .string(account)
            json["caller"] = .string(user)
            json["user"] = .string(user)
            json["userArn"] = .string(arn)
        }
        if let apiKey = caller.apiKey {
            json["apiKey"] = .string(apiKey.value)
            json["apiKeyId"] = .string(apiKey.id)
        }
        return json
    }

    /// As events have it: a REST API leaves the stage out, with further slashes behind it, and
    /// escapes as they are; an HTTP API leaves the stage in and resolves escapes.
    static func path(of request: GatewayRequest, _ context: EventContext) -> String {
        guard context.kind == .rest else { return PercentEncoding.decode(request.path) }
        return "/" + request.path.dropFirst(context.stage.utf8.count + 1).drop { $0 == "/" }
    }

    /// The request's fields as functions see them: without those of the connection, with those
    /// that a proxy adds. An HTTP API tells the body's length, also of none. A REST API writes
    /// `Authorization` its own way; other names keep their case.
    static func forwarded(
        _ request: GatewayRequest, _ context: EventContext
    ) -> [GatewayHeader] {
        let own = [
            "connection", "content-length", "transfer-encoding", "expect", "keep-alive",
            "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id",
        ]
        var headers = request.headers.filter { !own.contains($0.name.lowercased()) }
        let before = request.header("X-Forwarded-For").map { "\($0), " } ?? ""
        switch context.kind {
        case .rest:
            for index in headers.indices where headers[index].isNamed("Authorization") {
                headers[index].name = "Authorization"
            }
        case .http: headers.append(GatewayHeader("Content-Length", String(request.body.count)))
        }
        headers.append(GatewayHeader("X-Amzn-Trace-Id", request.traceID))
        headers.append(GatewayHeader("X-Forwarded-For", before + request.sourceIP))
        headers.append(GatewayHeader("X-Forwarded-Port", String(request.localPort)))
        headers.append(GatewayHeader("X-Forwarded-Proto", "http"))
        return headers
    }

    /// The body as text, or in base64 where its type says that it is none; `nil` if it is empty.
    static func text(
        of request: GatewayRequest, _ context: EventContext
    ) -> (text: String, isBase64: Bool)? {
        guard !request.body.isEmpty else { return nil }
        let type = request.mediaType
        let isBinary =
            switch context.kind {
            case .rest:
                MediaTypes.contain(context.binaryMediaTypes, type ?? "application/json")
            case .http: !MediaTypes.isText(type ?? "application/octet-stream")
            }
        return isBinary
            ? (Base64.encode(request.body), true)
            : (String(decoding: request.body, as: UTF8.self), false)
    }

    /// `x-amz-apigw-id` of a REST API.
    package static func extendedRequestID(_ request: GatewayRequest) -> String {
        EventContext.identifier(of: request.requestID, length: 15) + "="
    }

    /// `25/Nov/2026:15:50:00 +0000`.
    static func logTime(_ time: Timestamp) -> String {
        let (year, month, day, clock) = words(time)
        return "\(day)/\(month)/\(year):\(clock) +0000"
    }

    private static func words(
        _ time: Timestamp
    ) -> (year: Substring, month: Substring, day: Substring, clock: Substring) {
        let text = time.iso8601
        let parts = text.prefix(10).split(separator: "-")
        let months = "JanFebMarAprMayJunJulAugSepOctNovDec"
        let month = months.dropFirst(3 * ((Int(parts[1]) ?? 1) - 1)).prefix(3)
        return (parts[0], month, parts[2], text.dropFirst(11).prefix(8))
    }

    /// Claims as API Gateway hands them over, every one a text: in an HTTP API lists are
    /// `[one two]`; in a REST API they are `one,two`, and times are words.
    static func texts(_ claims: JSONObject, _ kind: APIKind) -> JSONObject {
        JSONObject(
            claims.members.map { key, value in
                let text: String =
                    switch value {
                    case .string(let text): text
                    case .array(let elements): list(elements, kind)
                    default: kind == .rest ? date(key, value) : value.serialized()
                    }
                return (key: key, value: .string(text))
            })
    }

    private static func list(_ elements: [JSONValue], _ kind: APIKind) -> String {
        let texts = elements.map { $0.stringValue ?? $0.serialized() }
        return kind == .rest
            ? texts.joined(separator: ",") : "[\(texts.joined(separator: " "))]"
    }

    /// When a token was issued and ends: `Tue Apr 04 18:39:39 UTC 2023`. Other times stay numbers.
    private static func date(_ claim: String, _ value: JSONValue) -> String {
        guard ["exp", "iat"].contains(claim), let seconds = value.intValue,
            (0..<253_402_300_800).contains(seconds)  // up to the year 9999
        else { return value.serialized() }
        let (year, month, day, clock) = words(Timestamp(milliseconds: seconds * 1000))
        // 1 January 1970 was a Thursday.
        let weekday = "ThuFriSatSunMonTueWed".dropFirst(3 * Int(seconds / 86_400 % 7)).prefix(3)
        return "\(weekday) \(month) \(day) \(clock) UTC \(year)"
    }

    static func orNull(_ object: JSONObject) -> JSONValue {
        object.isEmpty ? .null : .object(object)
    }

    private static func single(_ pairs: [(name: String, value: String)]) -> JSONValue {
        var object = JSONObject()
        for (name, value) in pairs { object[name] = .string(value) }
        return orNull(object)
    }

    private static func multiple(_ pairs: [(name: String, value: String)]) -> JSONValue {
        var lists: [ExactText: [JSONValue]] = [:]
        for (name, value) in pairs { lists[ExactText(name), default: []].append(.string(value)) }
        var object = JSONObject()
        for (name, _) in pairs { object[name] = .array(lists[ExactText(name)] ?? []) }
        return orNull(object)
    }
}
