import GatewayModel
import JSON

/// What API Gateway refuses of an API and its routes although each value by itself is fine.
struct APIChecker {
    private(set) var diagnostics: [Diagnostic] = []
    private let api: Node?
    private let routes: [(key: String, node: Node)]
    private let kind: APIKind

    private static let restOnlyOfAPI = ["binaryMediaTypes", "keys", "usagePlans"]
    private static let restOnlyOfRoutes = [
        "responses", "contentTypes", "apiKeyRequired", "requestSchema", "requiredParameters",
    ]

    init(_ root: Node) {
        api = root["api"]
        routes = root["routes"]?.members ?? []
        kind = api?["type"]?.text.flatMap(APIKind.init(rawValue:)) ?? .rest
    }

    mutating func check() {
        if kind == .http {
            refuse(Self.restOnlyOfAPI, of: api, "is for REST APIs (api.type)")
        } else if let stage = api?["stage"], stage.text == "$default" {
            report(stage, "\(stage.path) is '$default', which is for HTTP APIs (api.type)")
        }
        check(cors: api?["cors"])
        checkPlans()
        checkPaths()
        for (key, route) in routes { check(route, key) }
    }

    private mutating func check(_ route: Node, _ key: String) {
        if kind == .http {
            refuse(Self.restOnlyOfRoutes, of: route, "is for REST APIs (api.type)")
            if let node = route["integration"], node.text == "lambda" {
                report(node, "\(node.path) is 'lambda', which is for REST APIs; allowed: proxy")
            }
            if let node = route["authorization"], node.text == "apiKey" {
                report(node, "\(node.path) is 'apiKey', which is for REST APIs (api.type)")
            }
        } else {
            if let node = route["payloadVersion"], node.text == "2.0" {
                report(node, "\(node.path) is '2.0', which is for HTTP APIs (api.type)")
            }
            if let node = route["timeout"], node.integer == 30 {
                report(node, "\(node.path) is 30; allowed for a REST API: 1 to 29 (seconds)")
            }
        }
        let isProxy =
            (route["integration"]?.text ?? (kind == .rest ? "lambda" : "proxy")) == "proxy"
        if isProxy {
            refuse(["responses", "contentTypes"], of: route, "is for the lambda integration")
        } else {
            refuse(["payloadVersion"], of: route, "is for the proxy integration")
        }
        if route["authorization"]?.text != "jwt" {
            refuse(["scopes"], of: route, "is for routes with authorization jwt")
        }
        check(responses: route["responses"])
        check(schema: route["requestSchema"])
        check(cors: route["cors"])
        let needsKey =
            route["authorization"]?.text == "apiKey" || route["apiKeyRequired"]?.boolean == true
        if needsKey, kind == .rest, api?["usagePlans"]?.members.isEmpty != false {
            report(
                route,
                "\(route.path) needs an API key, and no plan in api.usagePlans has one: "
                    + "every request will be refused", .warning)
        }
        let variables = (try? RouteTable.Key(key))?.path.segments ?? []
        for parameter in route["requiredParameters"]?.elements ?? [] {
            guard let name = parameter.text, name.hasPrefix("path.") else { continue }
            let isThere = variables.contains {
                [.variable(String(name.dropFirst(5))), .greedy(String(name.dropFirst(5)))]
                    .contains($0)
            }
            if !isThere {
                report(parameter, "\(parameter.path) is '\(name)', which the path does not have")
            }
        }
    }

    /// Paths that make no sense, that are the same, or that no REST API could have together.
    private mutating func checkPaths() {
        var shapes: [String: String] = [:]
        var variables: [String: String] = [:]
        for (key, route) in routes where key.contains(" /") || key == RouteTable.defaultKey {
            guard key != RouteTable.defaultKey else {
                if kind == .rest { report(route, "\(route.path) is for HTTP APIs (api.type)") }
                continue
            }
            let parsed: RouteTable.Key
            do throws(RoutePath.Mistake) {
                parsed = try RouteTable.Key(key)
            } catch {
                report(route, "\(route.path): \(error.message)")
                continue
            }
            let shape = "\(parsed.method) \(parsed.path.shape)"
            if let other = shapes[shape], other != key {
                report(route, "\(route.path) takes the same requests as '\(other)'")
            }
            shapes[shape] = shapes[shape] ?? key
            guard kind == .rest else { continue }
            var parent = ""
            for segment in parsed.path.segments {
                if case .variable(let name) = segment {
                    if let other = variables[parent], other != name {
                        report(
                            route,
                            "\(route.path): '{\(name)}' stands where another route has "
                                + "'{\(other)}'; a REST API has one variable in a place")
                    }
                    variables[parent] = variables[parent] ?? name
                }
                switch segment {
                case .text(let text): parent += "/\(text)"
                case .variable: parent += "/{}"
                case .greedy: break
                }
            }
        }
    }

    private mutating func checkPlans() {
        let keys = api?["keys"]?.members ?? []
        var plans: [String: String] = [:]
        for (plan, node) in api?["usagePlans"]?.members ?? [] {
            for name in node["keys"]?.elements ?? [] {
                guard let key = name.text else { continue }
                if !keys.contains(where: { $0.key == key }) {
                    let near = closestMatch(to: key, among: keys.map(\.key))
                    report(
                        name,
                        "\(name.path) is '\(key)', and there is no such key in api.keys"
                            + (near.map { "; did you mean '\($0)'?" } ?? ""))
                } else if let other = plans[key] {
                    report(
                        name,
                        "\(name.path) is '\(key)', which \(other) has already; a key has one plan "
                            + "for a stage")
                }
                plans[key] = "api.usagePlans.\(plan)"
            }
        }
        for (key, node) in keys where kind == .rest && plans[key] == nil {
            report(
                node, "\(node.path) is in no plan of api.usagePlans: it will be refused", .warning)
        }
    }

    private mutating func check(responses: Node?) {
        var hasDefault = false
        for response in responses?.elements ?? [] {
            guard let pattern = response["pattern"] else {
                if hasDefault {
                    report(response, "\(response.path) is a second one without pattern")
                }
                hasDefault = true
                continue
            }
            do throws(TextPattern.Mistake) {
                if let text = pattern.text { _ = try TextPattern(text) }
            } catch {
                report(pattern, "\(pattern.path) is no regular expression: \(error.message)")
            }
        }
    }

    private mutating func check(schema: Node?) {
        guard let schema else { return }
        do throws(RequestSchema.Mistake) {
            _ = try RequestSchema(schema.value.plain)
        } catch {
            let node = schema.descendant(error.path)
            report(node, "\(node.path): \(error.message)")
        }
    }

    private mutating func check(cors: Node?) {
        guard let cors, cors["credentials"]?.boolean == true else { return }
        let origins = cors["origins"]?.elements
        guard origins == nil || origins?.contains(where: { $0.text == "*" }) == true else { return }
        report(
            cors,
            "\(cors.path) lets every page send a user's cookies; with credentials, name the origins"
        )
    }

    private mutating func refuse(_ keys: [String], of node: Node?, _ reason: String) {
        for key in keys {
            guard let member = node?[key] else { continue }
            report(member, "\(member.path) \(reason)")
        }
    }

    private mutating func report(
        _ node: Node, _ message: String, _ severity: Diagnostic.Severity = .error
    ) {
        diagnostics.append(Diagnostic(severity, node.value.position, message))
    }
}
