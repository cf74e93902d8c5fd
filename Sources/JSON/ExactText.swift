/// A text as a key. To Swift's `String`, `é` is an `e` with an accent as well; to AWS and to JSON,
/// texts are the same if their bytes are.
package struct ExactText: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
    package let text: String

    package init(_ text: String) { self.text = text }
    package init(stringLiteral value: String) { text = value }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.text.isExactly(rhs.text) }
    package static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.text.utf8.lexicographicallyPrecedes(rhs.text.utf8)
    }
}

extension String {
    /// Whether both have the same bytes.
    package func isExactly(_ other: String) -> Bool {
        var (one, other) = (self, other)
        return one.withUTF8 { one in
            other.withUTF8 { one.count == $0.count && one.elementsEqual($0) }
        }
    }

    /// Whether its bytes begin with those of the prefix, also within a character.
    package func beginsExactly(with prefix: some StringProtocol) -> Bool {
        utf8.starts(with: prefix.utf8)
    }
}
