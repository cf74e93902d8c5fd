import HTTP
import JSON
import Posix
import Services
import StackModel

extension Command {
    static let curl = Command(
        path: ["curl"],
        abstract: "Sends a signed request to a route, and prints the answer's body.",
        arguments: [
            Argument(name: "METHOD", help: "GET, POST, ….", isOptional: false),
            Argument(name: "PATH", help: "With the stage, as in /prod/orders."),
        ],
        options: [
            .text("d", "BODY|@FILE|-", "The body: text, a file, or standard input."),
            .repeated("H", "NAME: VALUE", "A header field."),
            .flag("i", "Show status and header fields on standard error."),
            .text("as", "KEY", "Whose key: a function's or one of 'msorch keys' (developer)."),
            .flag("unsigned", "Do not sign."),
            .number("max-time", "SECONDS", 1...900, "Give up after so long (default: 60)."),
        ],
        examples: [
            "msorch curl POST /prod/orders -d '{\"order_id\": 1}'",
            "msorch curl GET '/prod/orders?limit=1' -H 'Accept: application/json' -i",
        ],
        run: { invocation in
            let request = try request(invocation)
            let deployment = try invocation.deployment()
            guard let record = ServerRecord.running(invocation.stateDirectory),
                let client = HTTPClient(url: record.gatewayURL)
            else {
                throw CommandError(
                    .notFound, "No serve runs on \(invocation.stateDirectory).",
                    hint: "'msorch serve &' starts one.")
            }
            let response = try client.send(
                try signed(request, client, deployment, invocation),
                timeout: .seconds(invocation.number("max-time") ?? 60))
            if invocation.has("i") {
                let fields = response.headers.fields.map { "\($0.name): \($0.value)\n" }.joined()
                StandardStream.error.write("HTTP/1.1 \(response.status)\n\(fields)\n".utf8)
            }
            try print(response, invocation)
            guard response.status >= 400 else { return }
            if !invocation.has("i") { invocation.output.note("HTTP status \(response.status)") }
            throw SilentExit(exitCode: .failure)
        })

    private static func request(_ invocation: Invocation) throws -> HTTPRequest {
        let method = invocation.arguments[0].uppercased()
        guard (1...20).contains(method.utf8.count),
            method.utf8.allSatisfy({ (65...90).contains($0) })
        else { throw CommandError(.usage, "'\(method)' is no HTTP method.") }
        let path = invocation.arguments[1]
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CommandError(
                .usage, "The path must begin with '/' and be percent-encoded, not '\(path)'.",
                hint: "For example /prod/orders?limit=1.")
        }
        var headers = HTTPHeaders()
        for field in invocation.texts("H") {
            let parts = field.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains(" "),
                !field.utf8.contains(where: { $0 < 0x20 })
            else {
                throw CommandError(
                    .usage, "-H must be 'Name: value', not '\(field)'.")
            }
            headers.append(String(parts[0]), String(parts[1].drop { $0 == " " }))
        }
        let body = try invocation.text("d").map { try bytes($0) } ?? []
        if !body.isEmpty, headers["Content-Type"] == nil {
            headers["Content-Type"] = "application/json"
        }
        return HTTPRequest(method: method, target: path, headers: headers, body: body)
    }

    private static func bytes(_ text: String) throws -> [UInt8] {
        guard text == "-" || text.hasPrefix("@") else { return Array(text.utf8) }
        guard text == "-" else {
            let path = String(text.dropFirst())
            do throws(SystemError) {
                return try FileSystem.read(path)
            } catch {
                throw CommandError(
                    error.isNotFound ? .notFound : .inputOutput,
                    "The body \(path) cannot be read: \(error.reason).")
            }
        }
        let limit = HTTPClient.answers.bodyBytes
        var bytes: [UInt8] = []
        while case let more = try StandardStream.input.read(upTo: 65_536), !more.isEmpty {
            bytes += more
            guard bytes.count <= limit else {
                throw CommandError(.usage, "The body is longer than \(limit) bytes.")
            }
        }
        return bytes
    }

    private static func signed(
        _ request: HTTPRequest, _ client: HTTPClient, _ deployment: Deployment,
        _ invocation: Invocation
    ) throws -> HTTPRequest {
        var request = request
        if request.headers["Host"] == nil { request.headers["Host"] = client.authority }
        guard !invocation.has("unsigned") else { return request }
        let key = try deployment.accessKey(of: invocation.text("as") ?? CredentialStore.developer)
        request.sign(with: key, deployment.stack.region, service: "execute-api")
        return request
    }

    /// The body as it is; with `--output json` all of the answer as one value.
    private static func print(_ response: HTTPResponse, _ invocation: Invocation) throws {
        guard invocation.output.format == .json else {
            guard !response.body.isEmpty else { return }
            let end: [UInt8] = response.body.last == 0x0A ? [] : [0x0A]
            return try invocation.output.data(response.body + end)
        }
        let headers = response.headers.fields.map { name, value -> JSONValue in
            ["name": .string(name), "value": .string(value)]
        }
        let body =
            (try? JSONValue.parse(response.body))
            ?? .string(String(decoding: response.body, as: UTF8.self))
        let json: JSONValue = [
            "status": .int(response.status), "headers": .array(headers), "body": body,
        ]
        try invocation.output.data(json.serialized())
    }
}
