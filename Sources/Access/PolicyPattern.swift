/// `*` and `?` as policies use them, and `${…}` variables.
enum PolicyPattern {
    /// Whether all of `text` fits `pattern`: `*` is any run of characters, `?` is one.
    static func matches(_ text: String, _ pattern: String) -> Bool {
        if pattern == "*" || pattern.utf8.elementsEqual(text.utf8) { return true }
        let text = Array(text.unicodeScalars)
        let pattern = Array(pattern.unicodeScalars)
        var at = 0
        var next = 0
        /// Where the last star stands, and how far it reaches.
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if next < pattern.count, pattern[next] == "*" {
                star = (next, at)
                next += 1
            } else if next < pattern.count, pattern[next] == "?" || pattern[next] == text[at] {
                at += 1
                next += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                at = last.text + 1
                next = last.pattern + 1
            } else {
                return false
            }
        }
        return pattern[next...].allSatisfy { $0 == "*" }
    }

    /// As conditions compare ARNs, part by part: no star reaches over a colon of the first five.
    /// In a statement's Resource it does, and `matches` serves.
    static func matchesARN(_ arn: String, _ pattern: String) -> Bool {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        let wanted = pattern.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == wanted.count else { return pattern == "*" }
        return zip(parts, wanted).allSatisfy { matches(String($0), String($1)) }
    }

    /// Puts the request's values in for `${name}` and `${name, 'default'}`.
    /// - Returns: `nil` if the request has no such value: then nothing matches.
    static func filled(_ pattern: String, _ value: (String) -> String?) -> String? {
        guard pattern.utf8.contains(UInt8(ascii: "$")) else { return pattern }
        var output = ""
        var rest = pattern[...]
        while let start = rest.firstRange(of: "${"),
            let end = rest[start.upperBound...].firstIndex(of: "}")
        {
            output += rest[..<start.lowerBound]
            let inside = rest[start.upperBound..<end]
            let parts = inside.split(separator: ",", maxSplits: 1)
            let name = parts.first.map { $0.filter { $0 != " " } } ?? ""
            if ["*", "?", "$"].contains(name) {
                output += name
            } else if let found = value(name) {
                output += found
            } else if parts.count == 2 {
                output += parts[1].filter { $0 != "'" }.drop { $0 == " " }
            } else {
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        return output + rest
    }
}
