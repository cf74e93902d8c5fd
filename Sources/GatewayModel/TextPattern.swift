/// A regular expression that its author wrote as text.
package struct TextPattern: Sendable {
    /// Longer texts match nothing: matching may take far more steps than there are characters.
    package static let maximumBytes = 65_536

    package let text: String
    // A Regex made from text holds no closures; nothing of it changes after it is made.
    nonisolated(unsafe) private let expression: Regex<AnyRegexOutput>

    /// `nil` if it is no regular expression.
    package init?(_ text: String) {
        guard let expression = try? Regex(text) else { return nil }
        self.text = text
        self.expression = expression
    }

    /// Whether the whole text fits.
    package func matches(_ candidate: String) -> Bool {
        guard candidate.utf8.count <= Self.maximumBytes else { return false }
        return (try? expression.wholeMatch(in: candidate)) != nil
    }

    /// Whether a part of the text fits.
    package func occurs(in candidate: String) -> Bool {
        guard candidate.utf8.count <= Self.maximumBytes else { return false }
        return (try? expression.firstMatch(in: candidate)) != nil
    }
}
