import Posix

/// A body that comes in chunks (RFC 9112 section 7.1). Extensions and trailers are read past.
struct ChunkedBody: Sendable {
    private enum Step: Sendable {
        case size
        case data(left: Int)
        case dataEnd
        case trailers(bytes: Int, fields: Int)
        case done
    }

    private(set) var bytes: [UInt8] = []
    private var step = Step.size
    /// Bytes of size lines beyond what the data of their chunks makes up for.
    private var overhead = 0
    /// Size lines that are not worth their data, in bytes, before somebody is only keeping us busy.
    private static let overheadLimit = 16_384
    private static let fairOverhead = 16

    /// Takes what it can from `input`.
    mutating func read(
        _ input: ArraySlice<UInt8>, _ limits: HTTPLimits
    ) throws(HTTPError) -> (used: Int, isDone: Bool) {
        var rest = input
        while true {
            switch step {
            case .size:
                guard let line = try Self.line(&rest, limits.chunkLine) else { return used(rest) }
                let size = try Self.size(line)
                overhead = max(0, overhead + line.count - Self.fairOverhead - size)
                guard overhead <= Self.overheadLimit else {
                    throw HTTPError(400, "the chunks have more extensions than data")
                }
                guard bytes.count + size <= limits.bodyBytes else {
                    throw HTTPError(413, "the body is longer than \(limits.bodyBytes) bytes")
                }
                step = size == 0 ? .trailers(bytes: 0, fields: 0) : .data(left: size)
            case .data(let left):
                guard !rest.isEmpty else { return used(rest) }
                let part = rest.prefix(left)
                bytes.append(contentsOf: part)
                rest = rest.dropFirst(part.count)
                step = part.count == left ? .dataEnd : .data(left: left - part.count)
            case .dataEnd:
                guard rest.count >= 2 else { return used(rest) }
                guard rest.starts(with: [0x0D, 0x0A]) else {
                    throw HTTPError(400, "a chunk is longer than it says")
                }
                rest = rest.dropFirst(2)
                step = .size
            case .trailers(let count, let fields):
                guard let line = try Self.line(&rest, limits.headerBytes) else { return used(rest) }
                guard !line.isEmpty else {
                    step = .done
                    continue
                }
                guard count + line.count <= limits.headerBytes, fields < limits.headerFields else {
                    throw HTTPError(431, "the trailer is longer than \(limits.headerBytes) bytes")
                }
                try Array(line).withBytes { (bytes) throws(HTTPError) in
                    _ = try HTTPHeaders.field(bytes)
                }
                step = .trailers(bytes: count + line.count, fields: fields + 1)
            case .done: return (input.count - rest.count, true)
            }
        }

        func used(_ rest: ArraySlice<UInt8>) -> (used: Int, isDone: Bool) {
            (input.count - rest.count, false)
        }
    }

    /// A line without its CR LF; `nil` if its end has not come yet.
    private static func line(
        _ rest: inout ArraySlice<UInt8>, _ limit: Int
    ) throws(HTTPError) -> ArraySlice<UInt8>? {
        guard let end = rest.prefix(limit + 2).firstIndex(of: 0x0A) else {
            guard rest.count <= limit + 1 else {
                throw HTTPError(400, "a line of a chunked body is longer than \(limit) bytes")
            }
            return nil
        }
        guard end > rest.startIndex, rest[end - 1] == 0x0D else {
            throw HTTPError(400, "a line does not end in CR LF")
        }
        let line = rest[..<(end - 1)]
        rest = rest[(end + 1)...]
        return line
    }

    private static func size(_ line: ArraySlice<UInt8>) throws(HTTPError) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && !$0.isBlank }
        let tail = line.dropFirst(digits.count).drop(while: \.isBlank)
        guard (1...8).contains(digits.count), tail.isEmpty || tail.first == UInt8(ascii: ";"),
            tail.allSatisfy(\.isTextCharacter),
            digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0.asciiLowercase) }),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw HTTPError(400, "a chunk's size is not a hexadecimal number") }
        return size
    }
}
