/// A filter pattern in CloudWatch's unstructured form: `ERROR`, `"two words"`, `?either ?or`,
/// `-not`.
/// Terms are found anywhere in the message, in the case they are written in.
package struct LogFilter: Equatable, Sendable {
    package private(set) var required: [String] = []
    package private(set) var anyOf: [String] = []
    package private(set) var excluded: [String] = []

    /// - Returns: `nil` for patterns of CloudWatch's other kinds: of JSON's members (`{…}`), of
    ///   words by their place (`[…]`), regular expressions (`%…%`). Between quotes each is a text.
    package init?(_ pattern: String) {
        var rest = pattern.drop { $0 == " " || $0 == "\t" }
        if rest.first == "{" || rest.first == "[" { return nil }
        while true {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            guard let first = rest.first else { return }
            let sign: Character? = first == "?" || first == "-" ? first : nil
            if sign != nil { rest = rest.dropFirst() }
            if rest.first == "%" { return nil }
            let term = Self.term(&rest)
            guard !term.isEmpty else { continue }
            switch sign {
            case "?": anyOf.append(term)
            case "-": excluded.append(term)
            default: required.append(term)
            }
        }
    }

    /// Whether a message passes. Required terms outrank the optional ones, as on CloudWatch.
    package func matches(_ message: String) -> Bool {
        if excluded.contains(where: message.contains) { return false }
        if !required.isEmpty { return required.allSatisfy(message.contains) }
        return anyOf.isEmpty || anyOf.contains(where: message.contains)
    }

    private static func term(_ rest: inout Substring) -> String {
        guard rest.first == "\"" else {
            let word = rest.prefix { $0 != " " && $0 != "\t" }
            rest = rest.dropFirst(word.count)
            return String(word)
        }
        rest = rest.dropFirst()
        var result = ""
        while let character = rest.popFirst() {
            if character == "\"" { break }
            if character == "\\", let escaped = rest.popFirst() {
                result.append(escaped)
            } else {
                result.append(character)
            }
        }
        return result
    }
}
