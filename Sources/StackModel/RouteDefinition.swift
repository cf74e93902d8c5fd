import GatewayModel
import JSON

/// One route of an API.
package struct RouteDefinition: Sendable {
    package enum Integration: Sendable {
        /// The body is the event.
        case custom(CustomIntegration)
        /// The request is the event.
        case proxy(PayloadVersion)
    }

    package enum PayloadVersion: String, Sendable {
        case version1 = "1.0"
        case version2 = "2.0"
    }

    package enum Authorization: String, Sendable {
        case none
        case iam
        case jwt
    }

    /// Something that a request must bring.
    package struct Parameter: Equatable, Sendable {
        package enum Place: String, Sendable {
            case querystring
            case header
            case path
        }

        package var place: Place
        package var name: String
    }

    /// `POST /orders`, or `$default`.
    package let key: String
    /// `nil` for `$default`.
    package let parsedKey: RouteTable.Key?
    /// The function, by key or name.
    package let function: String
    package let integration: Integration
    package let authorization: Authorization
    package let needsAPIKey: Bool
    package let scopes: [String]
    package let requestSchema: RequestSchema?
    package let requiredParameters: [Parameter]
    package let throttle: ThrottleSettings?
    package let timeout: Duration
    package let cors: CORSRules?

    init(key: String, json: JSONValue, kind: APIKind, cors: CORSRules?) {
        self.key = key
        parsedKey = try? RouteTable.Key(key)
        function = json["lambda"]?.stringValue ?? ""
        let ownVersion = json["payloadVersion"]?.stringValue.flatMap(PayloadVersion.init(rawValue:))
        integration =
            json["integration"] == "proxy"
            ? .proxy(ownVersion ?? (kind == .rest ? .version1 : .version2))
            : .custom(CustomIntegration(json: json))
        let authorization = json["authorization"]?.stringValue ?? "none"
        self.authorization = Authorization(rawValue: authorization) ?? .none
        needsAPIKey = authorization == "apiKey" || json["apiKeyRequired"]?.boolValue == true
        scopes = (json["scopes"]?.arrayValue ?? []).compactMap(\.stringValue)
        requestSchema = json["requestSchema"].flatMap { try? RequestSchema($0) }
        requiredParameters = (json["requiredParameters"]?.arrayValue ?? []).compactMap {
            $0.stringValue.flatMap(Parameter.init)
        }
        throttle = ThrottleSettings(json: json["throttle"])
        timeout = .seconds(json["timeout"]?.intValue ?? (kind == .rest ? 29 : 30))
        self.cors = json["cors"] == nil ? cors : CORSRules(json: json["cors"])
    }

    /// The path as it was written; `$default` has none.
    package var resourcePath: String { parsedKey?.path.text ?? RouteTable.defaultKey }
    package var method: String { parsedKey?.method ?? "ANY" }
}

extension RouteDefinition.Parameter {
    /// `querystring.page`.
    fileprivate init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let place = Place(rawValue: String(parts[0])) else { return nil }
        self.init(place: place, name: String(parts[1]))
    }
}

extension CustomIntegration {
    fileprivate init(json: JSONValue) {
        self.init(
            responses: (json["responses"]?.arrayValue ?? []).map { response in
                Response(
                    pattern: response["pattern"]?.stringValue.flatMap { try? TextPattern($0) },
                    status: Int(response["statusCode"]?.intValue ?? 200),
                    headers: (response["headers"]?.objectValue?.members ?? []).map {
                        GatewayHeader($0.key, $0.value.stringValue ?? "")
                    })
            },
            contentTypes: (json["contentTypes"]?.arrayValue ?? []).compactMap(\.stringValue))
    }
}
