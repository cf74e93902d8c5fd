import JSON

/// A route's path: `/orders`, `/orders/{id}`, `/files/{proxy+}`.
package struct RoutePath: Equatable, Sendable {
    package enum Segment: Equatable, Sendable {
        case text(String)
        /// `{id}`: one segment.
        case variable(String)
        /// `{proxy+}`: the rest of the path, at least one segment, which may be empty in an HTTP
        /// API, as the root's is; last only.
        case greedy(String)

        /// Lower is more specific.
        fileprivate var rank: Int {
            switch self {
            case .text: 0
            case .variable: 1
            case .greedy: 2
            }
        }
    }

    /// What is wrong with a path, in words for the stack's author.
    package struct Mistake: Error, Equatable, Sendable {
        package var message: String
    }

    /// As it was written.
    package let text: String
    package let segments: [Segment]

    /// - Parameter text: begins with `/`; variables are whole segments.
    package init(_ text: String) throws(Mistake) {
        guard text.hasPrefix("/") else { throw Mistake(message: "a path begins with '/'") }
        self.text = text
        var segments: [Segment] = []
        var names: Set<String> = []
        let words =
            text == "/"
            ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, word) in words.enumerated() {
            let segment = try Self.segment(word)
            switch segment {
            case .text: break
            case .variable(let name), .greedy(let name):
                guard names.insert(name).inserted else {
                    throw Mistake(message: "the variable '\(name)' stands twice")
                }
            }
            if case .greedy = segment, index < words.count - 1 {
                throw Mistake(message: "'\(word)' takes the rest of a path and must stand last")
            }
            segments.append(segment)
        }
        self.segments = segments
    }

    private static func segment(_ word: Substring) throws(Mistake) -> Segment {
        guard !word.isEmpty else { throw Mistake(message: "a segment is empty") }
        guard word.contains(where: { "{}".contains($0) }) else {
            guard !word.contains(where: { "?#%".contains($0) || $0.isWhitespace }) else {
                throw Mistake(message: "'\(word)' holds a '?', '#', '%' or blank")
            }
            return .text(String(word))
        }
        guard word.hasPrefix("{"), word.hasSuffix("}") else {
            throw Mistake(message: "'\(word)': a variable is a whole segment, as in {id}")
        }
        var name = word.dropFirst().dropLast()
        let isGreedy = name.hasSuffix("+")
        if isGreedy { name = name.dropLast() }
        guard !name.isEmpty, name.utf8.allSatisfy(isNameCharacter) else {
            throw Mistake(
                message: "'\(word)': a variable's name is letters, digits, '.', '_', '-' and ':'")
        }
        return isGreedy ? .greedy(String(name)) : .variable(String(name))
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "._-:".utf8.contains(byte)
        }
    }

    /// The same for two paths that match the same requests.
    package var shape: String {
        segments.map { segment in
            switch segment {
            case .text(let text): "/\(text)"
            case .variable: "/{}"
            case .greedy: "/{+}"
            }
        }.joined()
    }

    /// The variables' values in their order, as they came for a REST API and decoded for an HTTP
    /// API; `nil` if the path is another.
    /// - Parameter words: the request's path, split at `/`, still encoded.
    func match(_ words: [Substring], _ kind: APIKind) -> [(name: String, value: String)]? {
        func value(_ text: some StringProtocol) -> String {
            kind == .rest ? String(text) : PercentEncoding.decode(text)
        }
        if kind == .http, words.isEmpty, case .greedy(let name) = segments.first {
            return [(name, "")]
        }
        var variables: [(name: String, value: String)] = []
        for (index, segment) in segments.enumerated() {
            guard index < words.count else { return nil }
            switch segment {
            case .text(let text):
                // By bytes, as policies do: what merely equals it as Unicode sees it is another.
                let word = PercentEncoding.decode(words[index])
                guard word.utf8.elementsEqual(text.utf8) else { return nil }
            case .variable(let name):
                guard !words[index].isEmpty else { return nil }
                variables.append((name, value(words[index])))
            case .greedy(let name):
                let rest = words[index...].joined(separator: "/")
                guard kind == .http || !rest.isEmpty else { return nil }
                variables.append((name, value(rest)))
                return variables
            }
        }
        return words.count == segments.count ? variables : nil
    }

    var isGreedy: Bool {
        if case .greedy = segments.last { true } else { false }
    }

    /// Of two paths that match, the more specific one is lexicographically smaller.
    var rank: [Int] { segments.map(\.rank) }
}
