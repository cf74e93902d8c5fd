import Access
import Synchronization

/// Signing keys that were derived lately: four of the five digests that a signature takes. A key
/// serves a whole day.
final class SigningKeys: Sendable {
    /// Forgotten at once when full: whoever asks for many dates gains nothing.
    private static let limit = 256

    private struct Use: Hashable {
        var secret: String
        var date: String
        var region: String
        var service: String
    }

    private let known = Mutex<[Use: [UInt8]]>([:])

    func key(_ secret: String, _ scope: CredentialScope) -> [UInt8] {
        let use = Use(
            secret: secret, date: scope.date, region: scope.region, service: scope.service)
        if let key = known.withLock({ $0[use] }) { return key }
        let key = SignatureV4.signingKey(secret: secret, scope)
        known.withLock { known in
            if known.count >= Self.limit { known = [:] }
            known[use] = key
        }
        return key
    }
}
