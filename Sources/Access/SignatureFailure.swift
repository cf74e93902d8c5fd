/// Why a request is not who it says it is. Each protocol has its own codes; the words are AWS's.
package enum SignatureFailure: Error, Equatable, Sendable {
    /// It is not signed at all.
    case missing
    /// A part of the signature is not there, or makes no sense.
    case incomplete(String)
    /// No such access key, or a session token that is not its own.
    case unknownKey
    case mismatch
    /// Signed for another region or service.
    case wrongScope(String)
    /// Signed too long ago, too far ahead, or for too long.
    case expired(String)

    /// As services of AWS's JSON and REST protocols spell them (IAM User Guide, *Troubleshoot
    /// Signature Version 4*); SQS has codes of its own.
    package var exception: String {
        switch self {
        case .missing: "MissingAuthenticationTokenException"
        case .incomplete: "IncompleteSignatureException"
        case .unknownKey: "UnrecognizedClientException"
        case .mismatch, .wrongScope, .expired: "InvalidSignatureException"
        }
    }

    package var message: String {
        switch self {
        case .missing: "Missing Authentication Token"
        case .incomplete(let what), .wrongScope(let what), .expired(let what): what
        case .unknownKey: "The security token included in the request is invalid."
        case .mismatch:
            "The request signature we calculated does not match the signature you provided. Check "
                + "your AWS Secret Access Key and signing method. Consult the service "
                + "documentation for details."
        }
    }
}
