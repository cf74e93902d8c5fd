import Access
import HTTP
import JSON
import QueueModel
import StackModel

/// Who calls a stack's endpoint, and whether it may: signatures are checked and policies evaluated,
/// as `security.iam` says.
package struct Authorizer: Sendable {
    /// Somebody with an access key.
    package struct Principal: Sendable {
        package var arn: String
        package var key: AccessKey
        package var policy: Policy
    }

    /// What became of a call that policies were asked about.
    package struct Judgement: Sendable {
        package var request: AccessRequest
        package var decision: AccessDecision
        /// In `audit`, what is not allowed is done all the same.
        package var isEnforced: Bool
    }

    private let mode: IAMMode
    private let verifier: SignatureVerifier
    private let clock: StackClock
    private let principals: [String: Principal]
    private let observe: @Sendable (Judgement) -> Void

    /// - Parameter observe: gets every call that is not allowed; from any thread.
    package init(
        _ deployment: Deployment, clock: StackClock,
        observe: @escaping @Sendable (Judgement) -> Void
    ) throws {
        mode = deployment.stack.iamMode
        verifier = SignatureVerifier(region: deployment.stack.region, service: "sqs")
        self.clock = clock
        self.observe = observe
        let principals = try deployment.principals().map { ($0.key.id, $0) }
        self.principals = Dictionary(principals, uniquingKeysWith: { $1 })
    }

    /// - Parameters:
    ///   - action: `sqs:SendMessage`.
    ///   - resource: the queue's ARN.
    /// - Throws: the SQS error that AWS answers with.
    func authorize(
        _ request: HTTPRequest, _ action: String, on resource: String
    ) throws(SQSError) {
        guard mode != .off else { return }
        let signed = SignedRequest(
            method: request.method, path: String(request.path),
            query: request.query.map(String.init) ?? "",
            headers: request.headers.fields.map { ($0.name, $0.value) }, body: request.body)
        let key: AccessKey
        do throws(SignatureFailure) {
            key = try verifier.verify(signed, at: clock.now()) { principals[$0]?.key }
        } catch {
            guard mode == .enforce else { return }
            throw SQSError(error)
        }
        guard let principal = principals[key.id] else {
            preconditionFailure("the key that signed was found here")
        }
        let asked = AccessRequest(
            principal: principal.arn, action: action, resource: resource,
            context: ["aws:SourceIp": ["127.0.0.1"], "aws:SecureTransport": ["false"]])
        let decision = AccessDecision(asked, identity: principal.policy)
        guard !decision.isAllowed else { return }
        observe(Judgement(request: asked, decision: decision, isEnforced: mode == .enforce))
        if mode == .enforce { throw .accessDenied(decision.message(asked)) }
    }
}

extension Deployment {
    /// The developer, who may do everything, and every function's role.
    package func principals() throws -> [Authorizer.Principal] {
        let credentials = try CredentialStore(stateDirectory: stateDirectory).load()
        func principal(
            _ owner: String, _ arn: String, _ policies: JSONValue
        ) throws -> Authorizer.Principal? {
            guard let own = credentials[owner] else { return nil }
            let token = own.sessionToken.isEmpty ? nil : own.sessionToken
            let key = AccessKey(
                id: own.accessKeyID, secret: own.secretAccessKey, sessionToken: token)
            return Authorizer.Principal(arn: arn, key: key, policy: try Policy(json: policies))
        }
        let everything: JSONValue = ["Effect": "Allow", "Action": "*", "Resource": "*"]
        let developer = try principal(
            CredentialStore.developer, stack.developerARN, everything)
        let roles = try stack.functions.map {
            try principal($0.functionName, stack.roleARN(of: $0), $0.policies)
        }
        return ([developer] + roles).compactMap { $0 }
    }
}

extension SQSError {
    /// How SQS's JSON protocol spells them (API reference, *Common Errors*); docs/security.md.
    fileprivate init(_ failure: SignatureFailure) {
        let (code, status): (String, Int) =
            switch failure {
            case .missing: ("MissingAuthenticationToken", 403)
            case .incomplete: ("IncompleteSignature", 400)
            case .unknownKey: ("InvalidClientTokenId", 403)
            case .mismatch, .wrongScope, .expired: ("SignatureDoesNotMatch", 403)
            }
        let message =
            failure == .missing ? "Request is missing Authentication Token" : failure.message
        self.init(shape: code, queryCode: code, status: status, message: message)
    }

    fileprivate static func accessDenied(_ message: String) -> SQSError {
        SQSError(
            shape: "AccessDeniedException", queryCode: "AccessDenied", status: 403,
            message: message)
    }
}
