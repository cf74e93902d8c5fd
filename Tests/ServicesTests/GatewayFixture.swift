import Access
import FunctionModel
import GatewayModel
import HTTP
import JSON
import Posix
import StackModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// A gateway on a port of its own, before functions that a test makes up.
final class GatewayFixture: Sendable {
    enum Answer: Sendable {
        /// The function's result, JSON.
        case result(String)
        case failure(InvocationFailure)
        case error(InvocationError)
        /// It never ends.
        case nothing
    }

    typealias Function = @Sendable (_ name: String, _ event: JSONValue) -> Answer

    /// Functions that answer at once.
    struct Functions: GatewayBackend {
        let function: Function
        let events = Events()

        final class Events: Sendable {
            let all = Mutex<[JSONValue]>([])
            /// Until when they must have begun.
            let limits = Mutex<[Timestamp?]>([])
            /// Who waits for functions that never end.
            let waiting = Mutex<[@Sendable (Result<InvocationResult, InvocationError>) -> Void]>(
                [])
        }

        func invoke(
            _ definition: FunctionDefinition, payload: [UInt8], notAfter: Timestamp?,
            completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
        ) {
            let event = (try? JSONValue.parse(payload)) ?? .null
            events.all.withLock { $0.append(event) }
            events.limits.withLock { $0.append(notAfter) }
            var report = InvocationReport(
                requestID: "r", durationMilliseconds: 1, initMilliseconds: nil, memorySize: 128,
                maxMemoryUsed: 1, failure: nil)
            var payload: [UInt8] = []
            switch function(definition.functionName, event) {
            case .nothing: return events.waiting.withLock { $0.append(completion) }
            case .error(let error): return completion(.failure(error))
            case .result(let text): payload = Array(text.utf8)
            case .failure(let failure):
                report.failure = failure
                payload = failure.payload(requestID: "r")
            }
            completion(
                .success(
                    InvocationResult(
                        functionName: definition.functionName, payload: payload, report: report,
                        started: Timestamp(milliseconds: 0), log: [], concurrentExecutions: 1)))
        }
    }

    /// Tokens are what they say: `good`, `expired`, `scopeless`, or bad.
    struct Tokens: TokenJudge {
        func claims(
            of request: HTTPRequest, scopes: [String]
        ) throws(TokenFailure) -> JSONObject {
            switch request.headers["Authorization"] {
            case "good": return ["sub": "user-1", "scope": "orders/read", "exp": 12]
            case "expired": throw .expired
            case "scopeless": throw .scope
            default: throw .signature
            }
        }
    }

    static let threads = 4

    let folder: TemporaryFolder
    let clock = SteppedClock()
    let functions: Functions
    let usage: GatewayUsage
    let gateway: Gateway
    let client: HTTPClient
    private let loop: EventLoop
    let pool: WorkerPool
    private let server: HTTPServer

    init(
        api: JSONValue = [:], routes: JSONValue, mode: IAMMode = .enforce,
        hasTokens: Bool = true, in folder: TemporaryFolder? = nil, policies: [JSONValue]? = nil,
        _ function: @escaping Function = { _, _ in .result("{}") }
    ) throws {
        self.folder = try folder ?? TemporaryFolder("gateway")
        let allowed: JSONValue = [
            "Effect": "Allow", "Action": "execute-api:Invoke",
            "Resource": "arn:aws:execute-api:us-east-1:123456789012:shop/prod/POST/orders",
        ]
        let json: JSONValue = [
            "lambdas": [
                "F": [
                    "functionName": "Orders", "runtime": "python3", "handler": "h.f", "code": "c",
                    "policies": .array(policies ?? [allowed]),
                ],
                "G": ["runtime": "python3", "handler": "h.f", "code": "c"],
            ], "queues": [:], "api": api, "routes": routes, "name": "shop",
        ]
        var text: [UInt8] = []
        json.append(to: &text)
        let errors = StackFile(text).diagnostics.filter { $0.severity == .error }
        try #require(errors.isEmpty, "\(errors)")
        let stack = Stack(json: json)
        let state = self.folder.path
        try CredentialStore(stateDirectory: state).ensure(["developer", "Orders", "G"])
        let keys = APIKeyStore(stateDirectory: state)
        try keys.ensure(stack.api.keys.map(\.name))
        let deployment = Deployment(
            stateDirectory: state, stack: stack, code: [:],
            deployedAt: Timestamp(milliseconds: 0), removing: [])
        functions = Functions(function: function)
        usage = GatewayUsage(stateDirectory: state)
        loop = try EventLoop(name: "gateway")
        pool = WorkerPool(name: "gateway", limit: Self.threads)
        let holder = Holder()
        let authorizer = try Authorizer(deployment, mode: mode, clock: clock.clock) {
            holder.see($0)
        }
        let host = Gateway.Host(loop: loop, pool: pool, clock: clock.clock, usage: usage) {
            holder.see($0)
        }
        gateway = Gateway(
            stack, on: host, backend: functions, authorizer: authorizer,
            keyValues: try keys.load(), tokens: hasTokens ? Tokens() : nil)
        server = try HTTPServer(
            loop: loop, limits: Gateway.httpLimits, refusal: gateway.refusal,
            handler: gateway.handle)
        client = HTTPClient(host: "127.0.0.1", port: server.port)
        activities = holder
    }

    /// What the gateway told of.
    final class Holder: Sendable {
        private let all = Mutex<[GatewayActivity]>([])
        private let refusals = Mutex<[Judgement]>([])
        func see(_ activity: GatewayActivity) { all.withLock { $0.append(activity) } }
        func see(_ judgement: Judgement) { refusals.withLock { $0.append(judgement) } }
        var seen: [GatewayActivity] { all.withLock { $0 } }
        /// What the policies did not allow.
        var refused: [Judgement] { refusals.withLock { $0 } }
    }

    let activities: Holder

    deinit {
        server.stop()
        loop.shutdown()
        pool.shutdown()
    }

    var events: [JSONValue] { functions.events.all.withLock { $0 } }
    /// Until when each function must have begun.
    var limits: [Timestamp?] { functions.events.limits.withLock { $0 } }

    func key(_ owner: String) throws -> AccessKey {
        let own = try #require(
            try CredentialStore(stateDirectory: folder.path).load()[owner])
        return AccessKey(
            id: own.accessKeyID, secret: own.secretAccessKey,
            sessionToken: own.sessionToken.isEmpty ? nil : own.sessionToken)
    }

    func apiKey(_ name: String) throws -> String {
        try #require(try APIKeyStore(stateDirectory: folder.path).load()[name])
    }

    func send(
        _ method: String, _ target: String, _ headers: HTTPHeaders = [:], body: [UInt8] = [],
        signedBy key: AccessKey? = nil, service: String = "execute-api"
    ) throws -> HTTPResponse {
        var request = HTTPRequest(method: method, target: target, headers: headers, body: body)
        request.headers.append("Host", client.authority)
        if let key {
            let signed = SignedRequest(
                method: method, path: String(request.path),
                query: request.query.map(String.init) ?? "", headers: request.headers.fields,
                body: body)
            let added = SignatureV4.sign(
                signed, with: key, region: "us-east-1", service: service, at: clock.clock.now())
            for (name, value) in added { request.headers.append(name, value) }
        }
        return try client.send(request, timeout: .seconds(30))
    }
}

extension HTTPResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue? { try? JSONValue.parse(body) }
    /// `403 ForbiddenException Forbidden`.
    var summary: String {
        let type = headers["x-amzn-ErrorType"].map { " \($0)" } ?? ""
        let message = (json?["message"] ?? json?["Message"])?.stringValue.map { " \($0)" } ?? ""
        return "\(status)\(type)\(message)"
    }
}
