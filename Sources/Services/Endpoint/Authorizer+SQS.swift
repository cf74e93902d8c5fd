import Access
import QueueModel

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
