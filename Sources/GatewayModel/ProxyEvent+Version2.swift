import JSON

extension ProxyEvent {
    /// Payload format 2.0. What is empty is left out; names that stand twice are joined by commas;
    /// cookies stand apart.
    package static func version2(
        _ request: GatewayRequest, _ context: EventContext, _ caller: GatewayCaller
    ) -> JSONValue {
        var event: JSONObject = [
            "version": "2.0", "routeKey": .string(context.routeKey),
            "rawPath": .string(path(of: request, context)),
            "rawQueryString": .string(request.query),
        ]
        let cookies = request.headers.filter { $0.isNamed("Cookie") }
            .flatMap { $0.value.split(separator: ";") }
            .map { JSONValue.string(String($0.drop { $0 == " " })) }
        if !cookies.isEmpty { event["cookies"] = .array(cookies) }
        let headers = forwarded(request, context).filter { !$0.isNamed("Cookie") }
        event["headers"] = .object(joined(headers.map { ($0.name.lowercased(), $0.value) }))
        let parameters = joined(request.parameters)
        if !parameters.isEmpty { event["queryStringParameters"] = .object(parameters) }
        event["requestContext"] = .object(context2(request, context, caller))
        let variables = context.sortedVariables
        if !variables.isEmpty { event["pathParameters"] = .object(variables) }
        let body = text(of: request, context)
        if let body { event["body"] = .string(body.text) }
        event["isBase64Encoded"] = .bool(body?.isBase64 ?? false)
        if !context.stageVariables.isEmpty {
            event["stageVariables"] = .object(context.stageVariables)
        }
        return .object(event)
    }

    private static func context2(
        _ request: GatewayRequest, _ context: EventContext, _ caller: GatewayCaller
    ) -> JSONObject {
        let host = request.header("Host") ?? ""
        var json: JSONObject = [
            "accountId": .string(context.accountID), "apiId": .string(context.apiID),
        ]
        if let authorizer = authorizer(caller) { json["authorizer"] = authorizer }
        json["domainName"] = .string(host)
        json["domainPrefix"] = .string(String(host.prefix { $0 != "." && $0 != ":" }))
        json["http"] = [
            "method": .string(request.method), "path": .string(path(of: request, context)),
            "protocol": "HTTP/1.1", "sourceIp": .string(request.sourceIP),
            "userAgent": .string(request.header("User-Agent") ?? ""),
        ]
        json["requestId"] = .string(request.requestID)
        json["routeKey"] = .string(context.routeKey)
        json["stage"] = .string(context.stage)
        json["time"] = .string(logTime(request.received))
        json["timeEpoch"] = .int(request.received.milliseconds)
        return json
    }

    private static func authorizer(_ caller: GatewayCaller) -> JSONValue? {
        switch caller.identity {
        case .anonymous: nil
        case .iam(let key, let account, let arn, let user):
            [
                "iam": [
                    "accessKey": .string(key), "accountId": .string(account),
                    "callerId": .string(user), "cognitoIdentity": nil, "principalOrgId": nil,
                    "userArn": .string(arn), "userId": .string(user),
                ]
            ]
        case .token(let claims, let scopes):
            [
                "jwt": [
                    "claims": .object(texts(claims, .http)),
                    "scopes": scopes.isEmpty ? .null : .array(scopes.map { .string($0) }),
                ]
            ]
        }
    }

    private static func joined(_ pairs: [(name: String, value: String)]) -> JSONObject {
        var object = JSONObject()
        for (name, value) in pairs {
            let before = object[name]?.stringValue.map { "\($0)," } ?? ""
            object[name] = .string(before + value)
        }
        return object
    }
}
