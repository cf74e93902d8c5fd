import Crypto
import JSON

extension RandomBytes {
    /// A version 4 UUID (RFC 9562), lower case.
    package static func uuid() -> String {
        let (high, low) = uuidBits()
        return JSONPieces.text(upTo: 36) { $0.appendUUID(high, low) }
    }
}
