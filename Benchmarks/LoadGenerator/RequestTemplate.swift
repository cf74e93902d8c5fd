import Access
import JSON
import Posix

/// Who asks: the requests of one server, signed, or with a signature that is none.
struct Signer {
    enum Failure: Error { case noKeyInEnvironment }

    let host: String
    private let region: String
    private let key: AccessKey?

    init(_ options: LoadOptions) throws(Failure) {
        host = options.host
        region = options.region
        key = try options.isSigned ? Self.environmentKey() : nil
    }

    var isSigning: Bool { key != nil }

    private static func environmentKey() throws(Failure) -> AccessKey {
        guard let id = ProcessEnvironment.value("AWS_ACCESS_KEY_ID"),
            let secret = ProcessEnvironment.value("AWS_SECRET_ACCESS_KEY")
        else { throw .noKeyInEnvironment }
        let token = ProcessEnvironment.value("AWS_SESSION_TOKEN")
        return AccessKey(id: id, secret: secret, sessionToken: token)
    }

    /// What is to be added to a request that is sent now.
    func fields(
        for headers: [(name: String, value: String)], _ body: [UInt8]
    ) -> [(name: String, value: String)] {
        let nobody = AccessKey(id: "AKIDEXAMPLE", secret: "nobody's")
        return SignatureV4.sign(
            SignedRequest(method: "POST", path: "/", query: "", headers: headers, body: body),
            with: key ?? nobody, region: region, service: "sqs",
            at: Timestamp(milliseconds: SystemClock.unixMilliseconds()))
    }
}

/// Requests of one action in SQS's JSON protocol, with the fields that boto3 sends.
struct RequestTemplate {
    private let signer: Signer
    private let headers: [(name: String, value: String)]
    /// The head up to the length, where it need not be signed anew for each body.
    private let head: [UInt8]

    /// - Parameter action: `SendMessage`.
    init(_ action: String, _ signer: Signer) {
        self.signer = signer
        headers = [
            (name: "Host", value: signer.host),
            (name: "User-Agent", value: "msorch-load"),
            (name: "Content-Type", value: "application/x-amz-json-1.0"),
            (name: "X-Amz-Target", value: "AmazonSQS.\(action)"),
            (name: "x-amzn-query-mode", value: "true"),
        ]
        head = Self.head(headers + signer.fields(for: headers, []))
    }

    /// The bytes for the wire.
    func request(_ body: [UInt8]) -> [UInt8] {
        let head =
            signer.isSigning ? Self.head(headers + signer.fields(for: headers, body)) : head
        return head + "Content-Length: \(body.count)\r\n\r\n".utf8 + body
    }

    private static func head(_ fields: [(name: String, value: String)]) -> [UInt8] {
        let lines = fields.map { "\($0.name): \($0.value)\r\n" }
        return Array("POST / HTTP/1.1\r\n\(lines.joined())".utf8)
    }
}
