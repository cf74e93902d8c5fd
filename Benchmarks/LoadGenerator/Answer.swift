import HTTP
import Posix

/// What a server said to a request. Bodies are searched, not parsed: the generator has to be fast.
struct Answer {
    /// 0 if there was none: the body says why.
    var status: Int
    var body: [UInt8]
    /// Whether the server will close the connection.
    var isLast = false
    /// From the request's first byte to the answer's last.
    var microseconds = 0.0

    /// How often a member of that name stands in it.
    func count(of member: String) -> Int { places(of: member).count }

    /// The texts of every member of that name, escaped as they stand there.
    func texts(of member: String) -> [ArraySlice<UInt8>] {
        places(of: member).compactMap { place in
            let rest = body[place...]
            guard let colon = rest.firstIndex(where: { !$0.isJSONSpace }), body[colon] == 0x3A,
                let quote = body[(colon + 1)...].firstIndex(where: { !$0.isJSONSpace }),
                body[quote] == 0x22
            else { return nil }
            var end = quote + 1
            while end < body.count, body[end] != 0x22 { end += body[end] == 0x5C ? 2 : 1 }
            return end < body.count ? body[(quote + 1)..<end] : nil
        }
    }

    /// Where every `"member"` ends.
    private func places(of member: String) -> [Int] {
        let name = Array("\"\(member)\"".utf8)
        return body.withUnsafeBytes { bytes in
            var found: [Int] = []
            var start = 0
            while let quote = bytes.firstIndex(of: 0x22, from: start) {
                let end = quote + name.count
                guard end <= bytes.count else { break }
                let isName = bytes[quote..<end].elementsEqual(name)
                if isName { found.append(end) }
                start = isName ? end : quote + 1
            }
            return found
        }
    }
}

extension UInt8 {
    fileprivate var isJSONSpace: Bool {
        self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09
    }
}

/// Bytes to answers, one after the other.
struct AnswerReader {
    private var bytes: [UInt8] = []

    mutating func append(_ more: UnsafeRawBufferPointer) { bytes += more }

    /// The next answer; `nil` if more bytes are needed.
    /// - Parameter isEnd: whether the connection has ended, and the answer with it.
    mutating func next(isEnd: Bool = false) throws(HTTPError) -> Answer? {
        guard !bytes.isEmpty else { return nil }
        let (found, length) = Self.plain(bytes)
        if let found {
            bytes.removeFirst(length)
            return found
        }
        guard !isEnd, length > 0 else {
            // Chunks, or a body that ends with the connection.
            var parser = HTTPResponseParser(limits: HTTPClient.answers)
            var response = try parser.append(bytes)
            if response == nil, isEnd { response = try parser.append([]) }
            guard let response else { return nil }
            bytes = []
            return Answer(
                status: response.status, body: response.body,
                isLast: response.headers["Connection"]?.lowercased() == "close")
        }
        return nil
    }

    /// An answer that says how long it is.
    /// - Returns: the answer if it is whole, and its length; 0 if it does not say.
    private static func plain(_ bytes: [UInt8]) -> (Answer?, length: Int) {
        bytes.withUnsafeBytes { bytes -> (Answer?, Int) in
            guard var line = bytes.firstIndex(of: 0x0A, from: 0), line > 12 else { return (nil, 1) }
            let status = bytes[9..<12].reduce(0) { $0 * 10 + Int($1 & 0x0F) }
            var isLast = bytes[7] == UInt8(ascii: "0")  // HTTP/1.0
            var length: Int?
            while let end = bytes.firstIndex(of: 0x0A, from: line + 1) {
                let field = UnsafeRawBufferPointer(rebasing: bytes[(line + 1)..<end])
                if field.count <= 1 {
                    guard let length, status >= 200 else { return (nil, 0) }
                    let whole = end + 1 + length
                    guard whole <= bytes.count else { return (nil, whole) }
                    let body = Array(bytes[(end + 1)..<whole])
                    return (Answer(status: status, body: body, isLast: isLast), whole)
                }
                if field[0] | 0x20 == UInt8(ascii: "c") {
                    if let text = Self.value(of: field, "content-length") { length = Int(text) }
                    if let text = Self.value(of: field, "connection") {
                        isLast = text.lowercased() == "close"
                    }
                }
                line = end
            }
            return (nil, 1)
        }
    }

    private static func value(of field: UnsafeRawBufferPointer, _ name: StaticString) -> String? {
        let count = name.utf8CodeUnitCount
        guard field.count > count, field[count] == 0x3A else { return nil }
        for index in 0..<count where field[index] | 0x20 != name.utf8Start[index] { return nil }
        let text = field[(count + 1)...].filter { $0 > 0x20 }
        return String(decoding: text, as: UTF8.self)
    }
}
