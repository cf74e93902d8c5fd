import Access
import HTTP
import QueueModel

extension Authorizer {
    /// - Parameters:
    ///   - action: `sqs:SendMessage`.
    ///   - resource: the queue's ARN.
    ///   - policy: the queue's own.
    /// - Throws: the SQS error that AWS answers with.
    @discardableResult
    func authorize(
        _ request: HTTPRequest, _ action: String, on resource: String, policy: Policy? = nil
    ) throws(SQSError) -> Caller {
        let caller: Caller
        do throws(SignatureFailure) {
            caller = try self.caller(of: request, service: "sqs")
        } catch {
            throw SQSError(error)
        }
        let judgement = judge(caller, action: action, resource: resource, resourcePolicy: policy)
        guard judgement.isRefused else { return caller }
        if caller.isAnonymous { throw SQSError(.missing) }
        throw .accessDenied(judgement.message)
    }
}

extension SQSError {
    /// How SQS's JSON protocol spells them (API reference, *Common Errors*); docs/security.md.
    init(_ failure: SignatureFailure) {
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

    static func accessDenied(_ message: String) -> SQSError {
        SQSError(
            shape: "AccessDeniedException", queryCode: "AccessDenied", status: 403,
            message: message)
    }
}
