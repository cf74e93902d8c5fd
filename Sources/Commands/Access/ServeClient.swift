import Access
import HTTP
import JSON
import Posix
import Services
import StackModel

/// Asks a `serve` that runs, with a key of the stack.
struct ServeClient {
    /// How long a function may wait for its turn, beyond its own timeout.
    private static let patience = Duration.seconds(300)

    private let deployment: Deployment
    private let key: AccessKey
    private let endpoint: HTTPClient

    /// - Parameter owner: `developer`, a function or a key that `msorch keys` has made.
    /// - Returns: `nil` if the record names no place.
    init?(_ record: ServerRecord, _ deployment: Deployment, as owner: String) throws {
        guard let endpoint = HTTPClient(url: record.endpointURL) else { return nil }
        self.deployment = deployment
        self.endpoint = endpoint
        key = try deployment.accessKey(of: owner)
    }

    /// Runs a function once.
    /// - Throws: `InvocationError`, and `HTTPClient.Failure` if nobody answers.
    func invoke(
        _ function: FunctionDefinition, payload: [UInt8]
    ) throws -> InvocationSummary {
        var request = HTTPRequest(
            method: "POST",
            target: InvokeEndpoint.prefix + PercentEncoding.encode(function.functionName),
            headers: ["Host": endpoint.authority, "Content-Type": "application/json"],
            body: payload)
        request.sign(with: key, deployment.stack.region, service: "lambda")
        request.headers[InvokeEndpoint.deployedField] = deployment.deployedAt.iso8601
        let timeout = Duration.seconds(function.timeoutSeconds) + Self.patience
        let response = try endpoint.send(request, timeout: timeout)
        let json = try? JSONValue.parse(response.body)
        if response.status == 200, let summary = json.flatMap(InvocationSummary.init) {
            return summary
        }
        if let error = json.flatMap(InvocationError.init) { throw error }
        let message = json?["message"]?.stringValue ?? json?["Message"]?.stringValue
        throw CommandError(
            .failure, "The serve that runs refused: \(message ?? "status \(response.status)").",
            hint: "'msorch status' shows which one runs.")
    }
}

extension HTTPRequest {
    /// Adds what Signature V4 wants; nothing that is signed may change afterwards.
    mutating func sign(with key: AccessKey, _ region: String, service: String) {
        let added = SignatureV4.sign(
            SignedRequest(self), with: key, region: region, service: service,
            at: StackClock().now())
        for (name, value) in added { headers.append(name, value) }
    }
}

extension Deployment {
    /// - Throws: with the nearest name as its hint.
    func accessKey(of owner: String) throws -> AccessKey {
        let credentials = CredentialStore(stateDirectory: stateDirectory)
        let keys = try credentials.load()
        let names = [owner, stack.function(owner)?.functionName ?? owner, "user/\(owner)"]
        guard let own = names.lazy.compactMap({ keys[$0] }).first else {
            let known = keys.keys.map { $0.hasPrefix("user/") ? String($0.dropFirst(5)) : $0 }
            throw CommandError(
                .notFound, "There is no key '\(owner)'.",
                hint: closestMatch(to: owner, among: known.sorted()).map { "Did you mean '\($0)'?" }
                    ?? "'msorch keys list' lists them, and the developer's is 'developer'.")
        }
        return AccessKey(
            id: own.accessKeyID, secret: own.secretAccessKey,
            sessionToken: own.sessionToken.isEmpty ? nil : own.sessionToken)
    }
}
