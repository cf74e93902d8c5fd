import HTTP

/// The words after a subject: `--name value`, in any order.
struct LoadOptions {
    private var words: [String: String] = [:]

    /// The server.
    let client: HTTPClient
    /// As the server's own CreateQueue gave it.
    let queueURL: String

    /// `nil` if the words are not pairs, or the server or its queue is missing.
    init?(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let name = rest.popFirst() {
            guard name.hasPrefix("--"), let value = rest.popFirst() else { return nil }
            words[String(name.dropFirst(2))] = value
        }
        guard let url = words["url"], let client = HTTPClient(url: url),
            let queueURL = words["queue-url"]
        else { return nil }
        self.client = client
        self.queueURL = queueURL
    }

    func integer(_ name: String, _ fallback: Int) -> Int {
        words[name].flatMap(Int.init) ?? fallback
    }
    func number(_ name: String, _ fallback: Double) -> Double {
        words[name].flatMap(Double.init) ?? fallback
    }

    /// How requests name the server.
    var host: String { client.authority }
    var connections: Int { integer("connections", 16) }
    /// Measured, after `warmup`, unless `count` messages are done before.
    var seconds: Double { number("seconds", 3) }
    /// Seconds before anything is counted.
    var warmup: Double { number("warmup", 0) }
    var count: Int { integer("count", .max) }
    /// Messages a request, at most 10.
    var batch: Int { integer("batch", 1) }
    var body: String { String(repeating: "x", count: integer("body", 256)) }
    /// Whether requests are signed, with the key of the environment (`AWS_ACCESS_KEY_ID` and so on).
    var isSigned: Bool { words["signed"] == "yes" }
    /// Whether any answer of status 200 will do: a server that only answers.
    var isUnchecked: Bool { words["unchecked"] == "yes" }
    var region: String { words["region"] ?? "us-east-1" }
}
