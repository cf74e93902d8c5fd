import JSON
import QueueModel

/// The parameters of a Query request: those of the address, then those of the body.
struct QueryForm: Sendable {
    /// A batch of ten with ten attributes each has 440; nobody needs more than this.
    static let limit = 2000

    private(set) var parameters: [(name: String, value: String)] = []

    init(query: Substring?, body: [UInt8]) throws(SQSError) {
        if let query { try append(Array(query.utf8)[...]) }
        try append(body[...])
    }

    subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    private mutating func append(_ bytes: ArraySlice<UInt8>) throws(SQSError) {
        var rest = bytes
        while !rest.isEmpty {
            let pair = rest.prefix { $0 != UInt8(ascii: "&") }
            rest = rest[pair.endIndex...].dropFirst()
            guard !pair.isEmpty else { continue }
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            let value = pair[name.endIndex...].dropFirst()
            guard parameters.count < Self.limit else { throw .malformedQuery }
            parameters.append((try Self.decode(name), try Self.decode(value)))
        }
    }

    private static func decode(_ bytes: ArraySlice<UInt8>) throws(SQSError) -> String {
        guard let text = PercentEncoding.decodeForm(bytes) else { throw .malformedQuery }
        return text
    }
}

extension SQSError {
    static let malformedQuery = SQSError(
        shape: "SerializationException", queryCode: "MalformedQueryString",
        message: "The query string is malformed.")
}
