import JSON
import Posix

/// A text as a client's JSON has it: the journal and the answers carry its escaping on.
struct EscapedText: Sendable {
    /// The inside of a JSON string.
    let escaped: [UInt8]
    let decoded: [UInt8]
    /// Half a surrogate pair: what it decodes to is not what was sent.
    let hasLoneSurrogate: Bool

    /// - Parameter slice: the inside of a string that a scanner has checked.
    init(_ slice: UnsafeRawBufferPointer) {
        let raw = Array(slice)
        guard slice.firstIndex(of: UInt8(ascii: "\\"), from: 0) != nil else {
            escaped = raw
            decoded = raw
            hasLoneSurrogate = false
            return
        }
        decoded = JSONText.unescape(raw)
        hasLoneSurrogate = JSONText.hasLoneSurrogate(raw)
        if Self.isShort(raw) {
            escaped = raw
        } else {
            // `\u00f1` would take the journal thrice the room of what it means.
            var output: [UInt8] = []
            output.reserveCapacity(decoded.count)
            JSONWriter.appendEscaped(decoded, to: &output)
            escaped = output
        }
    }

    /// Whether every escape is one that JSON demands.
    private static func isShort(_ raw: [UInt8]) -> Bool {
        var at = 0
        while at < raw.count {
            guard raw[at] == UInt8(ascii: "\\"), at + 1 < raw.count else {
                at += 1
                continue
            }
            switch raw[at + 1] {
            case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"), UInt8(ascii: "\""),
                UInt8(ascii: "\\"):
                at += 2
            default: return false
            }
        }
        return true
    }
}
