import Foundation
import HTTP
import JSON
import Posix
import TestSupport
import Testing

/// The lab's routes on a `serve` of the built binary, asked by curl.
@Suite struct GatewayCommandTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder("gateway")
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        for name in ["stack.json", "functions"] {
            try FileManager.default.copyItem(
                atPath: root.appending(path: name).path, toPath: "\(folder.path)/\(name)")
        }
    }

    private func run(
        _ program: String, _ arguments: [String]
    ) throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(program, arguments, in: folder.path, inheritingPath: true)
    }

    private func msorch(_ arguments: String...) throws -> BuiltExecutable.Result {
        try run(BuiltExecutable.folder + "/msorch", arguments)
    }

    /// Changes the stack file's `api` and one route, and deploys it.
    private func deploy(
        api: [String: JSONValue] = [:], route: [String: JSONValue] = [:],
        security: JSONValue? = nil
    ) throws {
        let path = folder.path + "/stack.json"
        var stack = try #require(try JSONValue.parse(try FileSystem.read(path)).objectValue)
        if let security { stack["security"] = security }
        var own = stack["api"]?.objectValue ?? [:]
        for (key, value) in api { own[key] = value }
        stack["api"] = .object(own)
        var routes = stack["routes"]?.objectValue ?? [:]
        var orders = routes["POST /orders"]?.objectValue ?? [:]
        for (key, value) in route { orders[key] = value }
        routes["POST /orders"] = .object(orders)
        stack["routes"] = .object(routes)
        try FileSystem.replace(path, with: Array(JSONValue.object(stack).serialized().utf8))
        let result = try msorch("deploy", "--quiet")
        try #require(result.status == 0, "\(result.error)")
    }

    /// - Returns: the body, then a line with the status.
    private func curl(_ arguments: String...) throws -> (status: String, body: String) {
        let result = try run("/usr/bin/curl", ["-s", "-w", "\n%{http_code}"] + arguments)
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
    }

    @Test("the lab's step: a signed request creates an order, and without it 403")
    func lab() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        let url = (serve.record["gateway"]?.stringValue ?? "") + "/prod/orders"
        let key = try JSONValue.parse(
            try FileSystem.read(folder.path + "/.msorch/credentials"))["developer"]
        let user =
            "\(key?["accessKeyId"]?.stringValue ?? ""):\(key?["secretAccessKey"]?.stringValue ?? "")"
        let order = #"{"order_id":1,"order_details":"x"}"#
        let signed = try curl(
            "--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", user, url, "-d", order)
        #expect(signed.status == "200", "\(signed) \(serve.words)")
        #expect(
            try JSONValue.parse(signed.body)["body"]?.stringValue
                == #""Pedido creado exitosamente""#)
        let unsigned = try curl(url, "-d", order)
        #expect(unsigned.status == "403")
        #expect(unsigned.body == #"{"message":"Missing Authentication Token"}"#)
        let forged = try curl(
            "--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", user + "x", url, "-d", order)
        #expect(forged.status == "403")
        #expect(forged.body.contains("The request signature we calculated does not match"))
        let isNotified = eventually {
            (try? msorch("logs", "Notification", "--filter", "order paid").output)?
                .contains("order paid") == true
        }
        #expect(isNotified, "the order went its way through both queues")
        #expect(serve.end(by: SIGTERM) == 0)
        let folder = folder.path + "/.msorch/requests"
        let lines = try FileSystem.list(folder).flatMap {
            try FileSystem.read("\(folder)/\($0)").split(separator: 0x0A)
        }
        let log = try lines.map { try JSONValue.parse(Array($0)) }
            .filter { $0["path"]?.stringValue == "/prod/orders" }
        #expect(log.map { $0["status"]?.intValue } == [200, 403, 403])
        #expect(log.first?["operation"] == "POST /orders")
        #expect(log.first?["principal"] == "arn:aws:iam::123456789012:user/developer")
        #expect(log.first?["requestId"]?.stringValue?.count == 36)
        let metrics = try msorch(
            "metrics", "OrderProcessingAPI", "--stat", "Sum", "--output", "json")
        let rows = try JSONValue.parse(metrics.output).arrayValue ?? []
        func sum(_ name: String, _ metric: String) -> Int64? {
            rows.first { $0["name"]?.stringValue == name && $0["metric"]?.stringValue == metric }?[
                "value"]?.intValue
        }
        #expect(sum("OrderProcessingAPI", "Count") == 3)
        #expect(sum("OrderProcessingAPI prod", "4XXError") == 2)
        #expect(sum("OrderProcessingAPI prod POST /orders", "Count") == 3)
    }

    @Test("API keys are made by deploy, shown, and count; a deploy changes what a serve demands")
    func keys() throws {
        try deploy(route: ["authorization": "none"])
        let serve = try RunningServe(in: folder.path)
        let url = (serve.record["gateway"]?.stringValue ?? "") + "/prod/orders"
        let order = #"{"order_id":1,"order_details":"x"}"#
        #expect(try curl(url, "-d", order).status == "200")
        try deploy(
            api: [
                "keys": ["mobile": [:], "spare": [:]],
                "usagePlans": [
                    "basic": ["keys": ["mobile"], "quota": ["limit": 2, "period": "DAY"]]
                ],
            ], route: ["authorization": "apiKey"])
        #expect(eventually { (try? curl(url, "-d", order).status) == "403" }, "\(serve.words)")
        let shown = try msorch("apikeys", "show", "mobile").output
        let value = String(shown.dropLast())
        #expect(value.count == 40)
        for expected in ["200", "200", "429"] {
            #expect(try curl("-H", "x-api-key: \(value)", url, "-d", order).status == expected)
        }
        #expect(serve.end(by: SIGTERM) == 0)
        let list = try JSONValue.parse(try msorch("apikeys", "list", "--output", "json").output)
        #expect(list.arrayValue?.first?["quotaUsed"] == 2)
        #expect(list.arrayValue?.last?["plan"] == .null)
        let table = try msorch("apikeys", "list").output
        #expect(table.contains("2 of 2 a DAY"))
        #expect(!table.contains(value))
        let completed = try msorch("__complete", "apikeys", "show", "m")
        #expect(completed.output == "mobile\n")
        let unknown = try msorch("apikeys", "show", "mobil")
        #expect(unknown.status != 0 && unknown.error.contains("hint: "))
        let mode = try FileManager.default.attributesOfItem(
            atPath: folder.path + "/.msorch/api-keys.json")[.posixPermissions]
        #expect(mode as? Int == 0o600)
    }

    @Test("a user of the pool calls with a token, and nobody without")
    func tokens() throws {
        try deploy(
            route: ["authorization": "jwt", "scopes": ["orders/write"]],
            security: ["userPool": [:]])
        let added = try msorch("users", "add", "ana", "--password", "Correct-Horse-1")
        try #require(added.status == 0, "\(added.error)")
        func token(_ scope: String) throws -> String {
            String(try msorch("users", "token", "ana", "--scopes", scope).output.dropLast())
        }
        let serve = try RunningServe(in: folder.path)
        let url = (serve.record["gateway"]?.stringValue ?? "") + "/prod/orders"
        let order = #"{"order_id":1,"order_details":"x"}"#
        let good = try token("orders/write")
        #expect(try curl("-H", "Authorization: Bearer \(good)", url, "-d", order).status == "200")
        let poor = try curl(
            "-H", "Authorization: Bearer \(try token("orders/read"))", url, "-d", order)
        #expect(poor.status == "401")
        for token in [good + "x", "", "a.b.c"] {
            let answer = try curl("-H", "Authorization: Bearer \(token)", url, "-d", order)
            #expect(answer.status == "401")
            #expect(answer.body == #"{"message":"Unauthorized"}"#)
        }
        #expect(try curl(url, "-d", order).status == "401")
    }
}
