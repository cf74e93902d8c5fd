/// Header fields in the order and case in which they came; names compare without case.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var fields: [(name: String, value: String)] = []

    package init() {}
    package init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { (name: $0.0, value: $0.1) }
    }

    /// The first field of that name. Setting replaces every one of them.
    package subscript(name: String) -> String? {
        get { fields.first { Self.isSame($0.name, name) }?.value }
        set {
            fields.removeAll { Self.isSame($0.name, name) }
            if let newValue { append(name, newValue) }
        }
    }

    /// Every field of that name.
    package func all(_ name: String) -> [String] {
        fields.filter { Self.isSame($0.name, name) }.map(\.value)
    }

    package mutating func append(_ name: String, _ value: String) {
        fields.append((name: name, value: value))
    }

    mutating func reserveCapacity(_ count: Int) { fields.reserveCapacity(count) }

    /// One `Name: value` line (RFC 9112 section 5).
    static func field(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTPError) -> (name: String, value: String) {
        var colon = 0
        while colon < line.count, line[colon].isTokenCharacter { colon += 1 }
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
            throw HTTPError(400, "a header field is not 'Name: value'")
        }
        var start = colon + 1
        var end = line.count
        while start < end, line[start].isBlank { start += 1 }
        while end > start, line[end - 1].isBlank { end -= 1 }
        var place = start
        while place < end {
            let byte = line[place]
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else {
                throw HTTPError(400, "a header field holds a control character")
            }
            place += 1
        }
        return (
            String(decoding: line[..<colon], as: UTF8.self),
            String(decoding: line[start..<end], as: UTF8.self)
        )
    }

    static func isSame(_ lhs: some StringProtocol, _ rhs: some StringProtocol) -> Bool {
        let (lhs, rhs) = (lhs.utf8, rhs.utf8)
        return lhs.count == rhs.count
            && lhs.elementsEqual(rhs) { $0 == $1 || $0.asciiLowercase == $1.asciiLowercase }
    }
}

extension UInt8 {
    var asciiLowercase: UInt8 { 65 <= self && self <= 90 ? self + 32 : self }

    /// RFC 9110 section 5.6.2.
    var isTokenCharacter: Bool {
        let half = self < 64 ? Self.lowTokens : self < 128 ? Self.highTokens : 0
        return half >> UInt64(self & 63) & 1 == 1
    }

    /// A bit for each letter, each digit, and each of ``!#$%&'*+-.^_`|~``, from 0 and from 64 on.
    private static let lowTokens: UInt64 = 0x03FF_6CFA_0000_0000
    private static let highTokens: UInt64 = 0x57FF_FFFF_C7FF_FFFE

    var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension Substring {
    var trimmed: Substring {
        var text = self
        while let first = text.utf8.first, first.isBlank { text = text.dropFirst() }
        while let last = text.utf8.last, last.isBlank { text = text.dropLast() }
        return text
    }
}
