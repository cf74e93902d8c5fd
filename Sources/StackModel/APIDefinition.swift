import GatewayModel
import JSON

/// The API of a stack: what its gateway serves.
package struct APIDefinition: Sendable {
    package let name: String
    /// As ARNs name it.
    package let id: String
    package let kind: APIKind
    /// `$default` has no place in paths.
    package let stage: String
    package let stageVariables: JSONObject
    package let throttle: ThrottleSettings
    package let binaryMediaTypes: [String]
    /// Of routes that have none of their own, and of answers where no route is.
    package let cors: CORSRules?
    package let keys: [APIKeyDefinition]
    package let plans: [UsagePlanDefinition]
    /// In the order of the file.
    package let routes: [RouteDefinition]

    /// - Parameters:
    ///   - json: a whole stack, its defaults filled in.
    ///   - stackName: what an API without a name is called.
    init(json: JSONValue, stackName: String) {
        let api = json["api"] ?? [:]
        name = api["name"]?.stringValue ?? stackName
        id = api["id"]?.stringValue ?? Self.id(of: name)
        let kind = api["type"]?.stringValue.flatMap(APIKind.init(rawValue:)) ?? .rest
        self.kind = kind
        stage = api["stage"]?.stringValue ?? "prod"
        stageVariables = api["stageVariables"]?.objectValue ?? JSONObject()
        throttle = ThrottleSettings(json: api["throttle"]) ?? .standard
        binaryMediaTypes = (api["binaryMediaTypes"]?.arrayValue ?? []).compactMap(\.stringValue)
        keys = (api["keys"]?.objectValue?.members ?? []).map {
            APIKeyDefinition(name: $0.key, isEnabled: $0.value["enabled"]?.boolValue ?? true)
        }
        plans = (api["usagePlans"]?.objectValue?.members ?? []).map {
            UsagePlanDefinition(name: $0.key, json: $0.value)
        }
        let cors = CORSRules(json: api["cors"])
        self.cors = cors
        routes = (json["routes"]?.objectValue?.members ?? []).map {
            RouteDefinition(key: $0.key, json: $0.value, kind: kind, cors: cors)
        }
    }

    /// `OrderProcessingAPI` is `orderprocessingapi`.
    static func id(of name: String) -> String {
        let letters = name.lowercased().utf8.filter {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        return letters.isEmpty ? "api" : String(decoding: letters, as: UTF8.self)
    }
}

extension Stack {
    /// Of `api.keys`, in the order of the file.
    package var apiKeyNames: [String] { json["api"]?["keys"]?.objectValue?.keys ?? [] }

    /// Schemas and patterns are compiled with each call: keep what you get.
    package var api: APIDefinition { APIDefinition(json: json, stackName: name) }
}

package struct APIKeyDefinition: Equatable, Sendable {
    package var name: String
    package var isEnabled: Bool
}

/// Which keys may call how much.
package struct UsagePlanDefinition: Equatable, Sendable {
    package var name: String
    package var keys: [String]
    package var throttle: ThrottleSettings?
    package var quota: QuotaSettings?

    init(name: String, json: JSONValue) {
        self.name = name
        keys = (json["keys"]?.arrayValue ?? []).compactMap(\.stringValue)
        throttle = ThrottleSettings(json: json["throttle"])
        quota = json["quota"].flatMap { quota in
            guard let limit = quota["limit"]?.intValue,
                let period = quota["period"]?.stringValue.flatMap(
                    QuotaSettings.Period.init(rawValue:))
            else { return nil }
            return QuotaSettings(
                limit: limit, period: period, offset: quota["offset"]?.intValue ?? 0)
        }
    }
}

extension ThrottleSettings {
    init?(json: JSONValue?) {
        guard let rate = json?["rate"]?.intValue, let burst = json?["burst"]?.intValue else {
            return nil
        }
        self.init(rate: rate, burst: burst)
    }
}

extension CORSRules {
    /// `nil` where no other origin may call.
    init?(json: JSONValue?) {
        if json?.boolValue == true {
            self.init()
            return
        }
        guard let json, json.objectValue != nil else { return nil }
        func texts(_ key: String) -> [String]? {
            json[key]?.arrayValue?.compactMap(\.stringValue)
        }
        self.init(
            origins: texts("origins") ?? ["*"], methods: texts("methods") ?? [],
            headers: texts("headers") ?? CORSRules.defaultHeaders,
            exposeHeaders: texts("exposeHeaders") ?? [], maxAge: json["maxAge"]?.intValue,
            allowsCredentials: json["credentials"]?.boolValue ?? false)
    }
}
