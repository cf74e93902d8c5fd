import GatewayModel
import Testing

@Suite struct TextPatternTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String { pattern }
        var pattern: String
        /// Texts that fit as a whole, that hold something that fits, and that hold nothing.
        var whole: [String]
        var part: [String] = []
        var none: [String] = []
    }

    @Test(arguments: [
        Case(pattern: "", whole: [""], part: ["a"]),
        Case(pattern: "abc", whole: ["abc"], part: ["xabcx"], none: ["ab", "ABC", ""]),
        Case(pattern: "a|bc|", whole: ["a", "bc", ""], part: ["b"]),
        Case(pattern: "^a$", whole: ["a"], none: ["ba", "ab", "a\n"]),
        Case(pattern: "(a|b)*c", whole: ["c", "abbac"], part: ["xc"], none: ["ab"]),
        Case(pattern: "a{2}", whole: ["aa"], part: ["aaa"], none: ["a"]),
        Case(pattern: "^a{2,}$", whole: ["aa", "aaaaa"], none: ["a"]),
        Case(pattern: "^a{0,2}b$", whole: ["b", "ab", "aab"], none: ["aaab"]),
        Case(pattern: "^(ab?){2,3}$", whole: ["aa", "abab", "abaab"], none: ["a", "abababab"]),
        Case(pattern: "a{,2}", whole: ["a{,2}"], none: ["aa"]),
        Case(pattern: "x{a}", whole: ["x{a}"], none: ["xa"]),
        Case(pattern: "a+?b", whole: ["ab", "aab"], none: ["b"]),
        Case(pattern: "[a-c_-]+", whole: ["ab-_c"], part: ["xa"], none: ["d"]),
        Case(pattern: "[^a-c]", whole: ["d", "ñ", "\n"], none: ["a", ""]),
        Case(pattern: #"[\d\W]"#, whole: ["5", "-", "é"], none: ["a"]),
        Case(pattern: #"[^\S]"#, whole: [" ", "\t"], none: ["a"]),
        Case(pattern: #"[\]\\^]"#, whole: ["]", "\\", "^"], none: ["a"]),
        Case(pattern: #"^\d{3}-\d{4}$"#, whole: ["555-1234"], none: ["555-12345", "５５５-1234"]),
        Case(pattern: #"\bcat\b"#, whole: ["cat"], part: ["a cat."], none: ["concat", "cats"]),
        Case(pattern: #"a\Bb"#, whole: ["ab"], none: ["a b"]),
        Case(pattern: #"\u00e9\x41\u{1f600}"#, whole: ["éA😀"], none: ["e"]),
        Case(pattern: #"\.\*\/\-"#, whole: [".*/-"], none: ["a"]),
        Case(pattern: ".", whole: ["a", "😀", "ñ"], none: ["\n", ""]),
        Case(pattern: ".*not found.*", whole: ["order not found!"], none: ["notfound"]),
        Case(pattern: "(?:a|(?<name>b))c", whole: ["ac", "bc"], none: ["c"]),
        Case(pattern: "(|a)+b", whole: ["b", "aab"], none: ["c"]),
        Case(pattern: "((a*)*)*", whole: ["", "aaa"], part: ["b"]),
        Case(
            pattern: "^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$",
            whole: ["a.b+c@shop.example"], none: ["a@b", "a b@c.de"]),
    ])
    func match(_ sample: Case) throws {
        let pattern = try TextPattern(sample.pattern)
        for text in sample.whole {
            #expect(pattern.matches(text), "\(text)")
            #expect(pattern.occurs(in: text), "\(text)")
        }
        for text in sample.part {
            #expect(!pattern.matches(text), "\(text)")
            #expect(pattern.occurs(in: text), "\(text)")
        }
        for text in sample.none {
            #expect(!pattern.matches(text), "\(text)")
            #expect(!pattern.occurs(in: text), "\(text)")
        }
    }

    @Test(
        "what is none, or could take for ever",
        arguments: [
            "(", ")", "a)", "[", "[a", "*", "a**", "+a", "{2}", "a{3,2}", "\\", "[b-a]", "[\\d-z]",
            "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(a)\\1", "\\k<a>", "\\p{L}", "\\xg", "\\u12",
            "a{1001}", "((a{1000}){1000}){1000}", "(?i)a", "[\\b-\\B]",
        ])
    func mistakes(text: String) {
        #expect(throws: TextPattern.Mistake.self) { _ = try TextPattern(text) }
    }

    @Test("texts that drive others mad take no longer than others", .timeLimit(.minutes(1)))
    func linear() throws {
        let text = String(repeating: "a", count: 20_000) + "b"
        for pattern in ["^(a+)+$", "(a*)*c", "^(a|aa)+$", "(.*)(.*)(.*)(.*)x", "^(a?){50}a{50}$"] {
            #expect(!(try TextPattern(pattern).occurs(in: text)), "\(pattern)")
        }
        let long = String(repeating: "a", count: TextPattern.maximumBytes + 1)
        #expect(!(try TextPattern("a").occurs(in: long)))
    }

    @Test("random patterns mean what they mean to Swift's own")
    func random() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            let text = Self.pattern(&generator, depth: 3)
            let own = try TextPattern(text)
            let other = try Regex(text).matchingSemantics(.unicodeScalar)
            for _ in 0..<5 {
                let candidate = String(
                    (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                        "abc".randomElement(using: &generator) ?? "a"
                    })
                #expect(
                    own.matches(candidate) == ((try other.wholeMatch(in: candidate)) != nil),
                    "\(text) on \(candidate)")
                #expect(
                    own.occurs(in: candidate) == ((try other.firstMatch(in: candidate)) != nil),
                    "\(text) in \(candidate)")
            }
        }
    }

    private struct SeededGenerator: RandomNumberGenerator {
        var state: UInt64
        init(seed: UInt64) { state = seed }
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    private static func pattern(_ generator: inout SeededGenerator, depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 4), using: &generator) {
        case 0: return "a"
        case 1: return "b"
        case 2: return "[^a]"
        case 3: return "[b-c]"
        case 4: return "."
        case 5: return "(\(pattern(&generator, depth: depth - 1)))*"
        case 6: return "(\(pattern(&generator, depth: depth - 1))){1,2}"
        case 7:
            return "(\(pattern(&generator, depth: depth - 1))|"
                + "\(pattern(&generator, depth: depth - 1)))"
        default:
            return pattern(&generator, depth: depth - 1) + pattern(&generator, depth: depth - 1)
        }
    }
}
