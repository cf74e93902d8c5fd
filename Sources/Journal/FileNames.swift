/// Segments are named by the sequence number of their first record, 20 digits.
package enum SegmentName {
    package static func file(_ name: UInt64) -> String { digits(name) + ".jsonl" }

    package static func digits(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }

    package static func parse(_ file: String) -> UInt64? {
        guard file.utf8.count == 26, file.hasSuffix(".jsonl") else { return nil }
        return UInt64(file.dropLast(6))
    }
}

/// What is set aside is named by the number that its first record would have had.
package enum TornName {
    private static let torn = "torn-"

    /// - Parameter tears: how often the journal was torn there: a number may be given again.
    static func file(_ n: UInt64, _ tears: Int) -> String {
        "\(torn)\(n)" + (tears > 1 ? "-\(tears)" : "") + ".bin"
    }

    package static func isTorn(_ file: String) -> Bool { file.hasPrefix(torn) }

    /// Whether a file was torn before another one: by the record, and how often it was torn there.
    package static func isOlder(_ file: String, than other: String) -> Bool {
        func numbers(_ file: String) -> [UInt64] {
            file.dropFirst(torn.count).dropLast(4).split(separator: "-").compactMap { UInt64($0) }
        }
        return numbers(file).lexicographicallyPrecedes(numbers(other))
    }

    /// As which a file is kept whose messages have been sent again.
    package static func restored(_ file: String, _ tears: Int) -> String {
        "restored-\(file.dropFirst(torn.count).dropLast(4))"
            + (tears > 1 ? "-\(tears)" : "") + ".bin"
    }
}
