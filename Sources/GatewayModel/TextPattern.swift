/// A regular expression of ECMA 262, as JSON Schema's patterns are, that takes time in proportion
/// to the text, whatever the text: it follows all ways at once instead of trying one after the
/// other. What cannot be matched so, references back and looking around, is refused.
package struct TextPattern: Sendable {
    /// Longer texts match nothing.
    package static let maximumBytes = 65_536

    /// What is wrong with a pattern, in words for its author.
    package struct Mistake: Error, Equatable, Sendable {
        package var message: String
    }

    package let text: String
    private let program: [PatternStep]

    package init(_ text: String) throws(Mistake) {
        self.text = text
        var parser = PatternParser(text)
        program = try parser.program()
    }

    /// Whether the whole text fits.
    package func matches(_ candidate: String) -> Bool { run(candidate, isWhole: true) }

    /// Whether a part of the text fits.
    package func occurs(in candidate: String) -> Bool { run(candidate, isWhole: false) }

    private func run(_ candidate: String, isWhole: Bool) -> Bool {
        guard candidate.utf8.count <= Self.maximumBytes else { return false }
        let scalars = Array(candidate.unicodeScalars.map(\.value))
        var now = Ways(program.count)
        var next = Ways(program.count)
        for position in 0...scalars.count {
            if position == 0 || !isWhole { follow(0, at: position, scalars, &now) }
            if now.isDone, !isWhole || position == scalars.count { return true }
            guard position < scalars.count else { return false }
            next.clear()
            for step in now.steps where program[step].takes(scalars[position]) {
                follow(step + 1, at: position + 1, scalars, &next)
            }
            swap(&now, &next)
            if isWhole, now.steps.isEmpty, !now.isDone { return false }
        }
        return false
    }

    /// The steps that a pattern may stand at, each once.
    private struct Ways {
        /// Those that take a character.
        private(set) var steps: [Int] = []
        var isDone = false
        private var seen: [Bool]
        private var touched: [Int] = []

        init(_ count: Int) { seen = [Bool](repeating: false, count: count) }

        mutating func clear() {
            for step in touched { seen[step] = false }
            touched.removeAll(keepingCapacity: true)
            steps.removeAll(keepingCapacity: true)
            isDone = false
        }

        mutating func isNew(_ step: Int) -> Bool {
            guard !seen[step] else { return false }
            seen[step] = true
            touched.append(step)
            return true
        }

        mutating func add(_ step: Int) { steps.append(step) }
    }

    /// Goes on from a step to all that can be reached without a character.
    private func follow(_ start: Int, at position: Int, _ scalars: [UInt32], _ ways: inout Ways) {
        var open = [start]
        while let step = open.popLast() {
            guard ways.isNew(step) else { continue }
            switch program[step] {
            case .character, .anything, .set: ways.add(step)
            case .either(let one, let other):
                open.append(other)
                open.append(one)
            case .jump(let target): open.append(target)
            case .begin: if position == 0 { open.append(step + 1) }
            case .end: if position == scalars.count { open.append(step + 1) }
            case .boundary(let isWanted):
                func isWord(_ index: Int) -> Bool {
                    scalars.indices.contains(index) && CharacterRanges.word.contains(scalars[index])
                }
                if (isWord(position - 1) != isWord(position)) == isWanted { open.append(step + 1) }
            case .done: ways.isDone = true
            }
        }
    }
}

/// One step of a compiled pattern.
enum PatternStep: Equatable, Sendable {
    case character(UInt32)
    /// All but line ends.
    case anything
    case set(CharacterRanges)
    case either(Int, Int)
    case jump(Int)
    case begin
    case end
    case boundary(Bool)
    case done

    func takes(_ scalar: UInt32) -> Bool {
        switch self {
        case .character(let own): own == scalar
        case .anything: !CharacterRanges.lineEnds.contains(scalar)
        case .set(let ranges): ranges.contains(scalar)
        default: false
        }
    }
}

/// A set of Unicode scalars.
struct CharacterRanges: Equatable, Sendable {
    static let digit = CharacterRanges([0x30...0x39])
    static let word = CharacterRanges([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let lineEnds = CharacterRanges([0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029])
    static let space = CharacterRanges([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
        0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])

    var ranges: [ClosedRange<UInt32>]
    var isNegated = false

    init(_ ranges: [ClosedRange<UInt32>] = []) { self.ranges = ranges }

    func contains(_ scalar: UInt32) -> Bool {
        ranges.contains { $0.contains(scalar) } != isNegated
    }

    /// The same scalars without being negated.
    var plain: [ClosedRange<UInt32>] {
        guard isNegated else { return ranges }
        var rest: [ClosedRange<UInt32>] = []
        var start: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > start { rest.append(start...range.lowerBound - 1) }
            start = max(start, range.upperBound + 1)
        }
        if start <= 0x10FFFF { rest.append(start...0x10FFFF) }
        return rest
    }
}
