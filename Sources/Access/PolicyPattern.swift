/// A text of a policy, once the request's values stand in it for `${…}`: `*` is any run of
/// characters and `?` is one, but not where a value or `${*}`, `${?}` and `${$}` put them (IAM User
/// Guide, *Variables and tags*).
struct PolicyPattern {
    /// As operators without wildcards compare it.
    let text: String
    /// For each of its characters whether it means itself; empty if none was put in.
    private let isFixed: [Bool]

    private typealias Sign = (character: Unicode.Scalar, isFixed: Bool)

    init(_ text: String) {
        self.text = text
        isFixed = []
    }

    /// Puts the request's values in for `${name}` and `${name, 'default'}`.
    ///
    /// - Returns: `nil` if the request has no such value: then nothing matches.
    init?(_ pattern: String, value: (String) -> String?) {
        guard pattern.utf8.contains(UInt8(ascii: "$")) else {
            text = pattern
            isFixed = []
            return
        }
        var output = ""
        var isFixed: [Bool] = []
        func add(_ part: some StringProtocol, isFixed fixed: Bool) {
            output += part
            isFixed += repeatElement(fixed, count: part.unicodeScalars.count)
        }
        var rest = pattern[...]
        while let start = rest.firstRange(of: "${"),
            let end = rest[start.upperBound...].firstIndex(of: "}")
        {
            add(rest[..<start.lowerBound], isFixed: false)
            let inside = rest[start.upperBound..<end]
            let parts = inside.split(separator: ",", maxSplits: 1)
            let name = parts.first.map { $0.filter { $0 != " " } } ?? ""
            if ["*", "?", "$"].contains(name) {
                add(name, isFixed: true)
            } else if let found = value(name) {
                add(found, isFixed: true)
            } else if parts.count == 2 {
                add(String(parts[1].filter { $0 != "'" }.drop { $0 == " " }), isFixed: true)
            } else {
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        add(rest, isFixed: false)
        text = output
        self.isFixed = isFixed
    }

    /// Whether all of `text` fits.
    func matches(_ text: String) -> Bool {
        if isFixed.isEmpty, self.text == "*" || self.text.utf8.elementsEqual(text.utf8) {
            return true
        }
        return Self.matches(text[...], signs[...])
    }

    /// As conditions compare ARNs, part by part: no star reaches over a colon of the first five.
    /// In a statement's Resource it does, and `matches` serves.
    func matchesARN(_ arn: String) -> Bool {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        let wanted = signs.split(maxSplits: 5, omittingEmptySubsequences: false) {
            $0.character == ":"
        }
        guard parts.count == wanted.count else { return isFixed.isEmpty && text == "*" }
        return zip(parts, wanted).allSatisfy { Self.matches($0, $1) }
    }

    private var signs: [Sign] {
        let characters = text.unicodeScalars
        guard !isFixed.isEmpty else { return characters.map { ($0, false) } }
        return zip(characters, isFixed).map { ($0, $1) }
    }

    private static func matches(_ text: Substring, _ pattern: ArraySlice<Sign>) -> Bool {
        let text = Array(text.unicodeScalars)
        func isAnyRun(_ sign: Sign) -> Bool { sign.character == "*" && !sign.isFixed }
        func fits(_ sign: Sign, _ character: Unicode.Scalar) -> Bool {
            sign.character == character || sign.character == "?" && !sign.isFixed
        }
        var at = 0
        var next = pattern.startIndex
        /// Where the last star stands, and how far it reaches.
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if next < pattern.endIndex, isAnyRun(pattern[next]) {
                star = (next, at)
                next += 1
            } else if next < pattern.endIndex, fits(pattern[next], text[at]) {
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
        return pattern[next...].allSatisfy(isAnyRun)
    }
}
