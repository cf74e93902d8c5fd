import JSON

/// A request as Signature Version 4 sees it: what came over the wire, untouched.
package struct SignedRequest: Equatable, Sendable {
    package var method: String
    /// The path up to the `?`, as it stands in the request line.
    package var path: String
    /// What follows the `?`, as it stands; empty without one.
    package var query: String
    /// In the order in which they came.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(
        method: String, path: String, query: String, headers: [(name: String, value: String)],
        body: [UInt8]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The first header of that name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { Self.isNamed($0.name, name) }?.value
    }

    /// - Parameter lowercase: in lower case.
    static func isNamed(_ name: String, _ lowercase: String) -> Bool {
        guard name.utf8.count == lowercase.utf8.count else { return false }
        return zip(name.utf8, lowercase.utf8).allSatisfy { byte, wanted in
            byte == wanted || (65...90).contains(byte) && byte + 32 == wanted
        }
    }

    /// The query's parameters, percent-decoded, in order.
    package var parameters: [(name: String, value: String)] {
        query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? PercentEncoding.decode(parts[1]) : ""
            return (PercentEncoding.decode(parts[0]), value)
        }
    }

    package static func == (lhs: SignedRequest, rhs: SignedRequest) -> Bool {
        lhs.method == rhs.method && lhs.path == rhs.path && lhs.query == rhs.query
            && lhs.body == rhs.body && lhs.headers.elementsEqual(rhs.headers, by: ==)
    }
}

/// RFC 3986's percent-encoding, as Signature Version 4 wants it.
package enum PercentEncoding {
    /// Everything but letters, digits, `-`, `.`, `_`, `~`, and `/` where `keepsSlash`.
    package static func encode(_ text: some StringProtocol, keepsSlash: Bool = false) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                output.append(byte)
            case UInt8(ascii: "/") where keepsSlash: output.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                output += [
                    UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)],
                ]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// A `%` without two hexadecimal digits stays as it is, and so does `+`.
    package static func decode(_ text: some StringProtocol) -> String {
        var output: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                // Not `UInt8(_:radix:)`, which takes a sign: two spellings would be signed as one.
                let high = JSONText.hexValue(rest[rest.startIndex]),
                let low = JSONText.hexValue(rest[rest.startIndex + 1])
            {
                output.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
