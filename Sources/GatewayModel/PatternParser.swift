/// Reads a pattern into steps.
struct PatternParser {
    /// Steps of one pattern; counted repetitions are written out.
    private static let maximumSteps = 4000
    /// Groups within each other.
    private static let maximumDepth = 100
    private static let maximumCount = 1000

    typealias Mistake = TextPattern.Mistake

    let scalars: [Unicode.Scalar]
    var at = 0
    private var depth = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func program() throws(TextPattern.Mistake) -> [PatternStep] {
        let steps = try alternatives()
        guard at == scalars.count else { throw Mistake(message: "a ')' closes nothing") }
        return steps + [.done]
    }

    /// Jumps are relative to the start of what is returned; `shifted` moves them.
    private mutating func alternatives() throws(TextPattern.Mistake) -> [PatternStep] {
        var steps = try sequence()
        while accept("|") {
            let other = try sequence()
            // either(first, other); first; jump over; other
            steps =
                [.either(1, steps.count + 2)] + Self.shifted(steps, 1)
                + [.jump(steps.count + 2 + other.count)] + Self.shifted(other, steps.count + 2)
            try check(steps)
        }
        return steps
    }

    private mutating func sequence() throws(TextPattern.Mistake) -> [PatternStep] {
        var steps: [PatternStep] = []
        while let next = peek, next != "|", next != ")" {
            let atom = try atom()
            steps += Self.shifted(try repeated(atom), steps.count)
            try check(steps)
        }
        return steps
    }

    private mutating func atom() throws(TextPattern.Mistake) -> [PatternStep] {
        guard let scalar = take() else { throw Mistake(message: "it ends too early") }
        switch scalar {
        case ".": return [.anything]
        case "^": return [.begin]
        case "$": return [.end]
        case "(": return try group()
        case "[": return [.set(try characterClass())]
        case "\\": return [try escape()]
        case "*", "+", "?": throw Mistake(message: "a '\(scalar)' repeats nothing")
        case "{" where count(from: at) != nil:
            throw Mistake(message: "a '{' repeats nothing")
        default: return [.character(scalar.value)]
        }
    }

    private mutating func group() throws(TextPattern.Mistake) -> [PatternStep] {
        if accept("?") {
            if accept("<") {
                guard let first = peek, first != "=", first != "!" else {
                    throw Mistake(message: "looking behind is not supported")
                }
                while let scalar = take(), scalar != ">" {}
            } else if !accept(":") {
                throw Mistake(message: "looking ahead is not supported")
            }
        }
        depth += 1
        guard depth <= Self.maximumDepth else { throw Mistake(message: "too many groups") }
        let steps = try alternatives()
        depth -= 1
        guard accept(")") else { throw Mistake(message: "a '(' is never closed") }
        return steps
    }

    /// What follows an atom: `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`, each perhaps with a `?`.
    private mutating func repeated(_ atom: [PatternStep]) throws(TextPattern.Mistake)
        -> [PatternStep]
    {
        let least: Int
        let most: Int?
        switch peek {
        case "*": (least, most) = (0, nil)
        case "+": (least, most) = (1, nil)
        case "?": (least, most) = (0, 1)
        case "{":
            guard let counted = count(from: at + 1) else { return atom }
            (least, most) = (counted.least, counted.most)
            at = counted.end - 1
        default: return atom
        }
        at += 1
        _ = accept("?")  // the shortest match exists where a match does
        guard least <= Self.maximumCount, most ?? 0 <= Self.maximumCount else {
            throw Mistake(message: "it repeats more than \(Self.maximumCount) times")
        }
        guard least <= most ?? least else { throw Mistake(message: "it repeats {more,less}") }
        guard (least + (most ?? 1)) * (atom.count + 1) <= Self.maximumSteps * 2 else {
            throw Mistake(message: "it is too large")
        }
        var steps: [PatternStep] = []
        for _ in 0..<least { steps += Self.shifted(atom, steps.count) }
        if let most {
            // Each further one may be left out, and all after it.
            let end = steps.count + (most - least) * (atom.count + 1)
            for _ in least..<most {
                steps.append(.either(steps.count + 1, end))
                steps += Self.shifted(atom, steps.count)
            }
        } else {
            let start = steps.count
            steps.append(.either(start + 1, start + atom.count + 2))
            steps += Self.shifted(atom, start + 1) + [.jump(start)]
        }
        return steps
    }

    /// A count that begins behind a `{`: its bounds, and where it ends; `nil` if it is none.
    private func count(from start: Int) -> (least: Int, most: Int?, end: Int)? {
        var at = start
        func number() -> Int? {
            let first = at
            while at < scalars.count, ("0"..."9").contains(scalars[at]) { at += 1 }
            guard at > first else { return nil }
            let text = String(String.UnicodeScalarView(scalars[first..<at]))
            return Int(text) ?? Int.max
        }
        guard let least = number() else { return nil }
        var most: Int? = least
        if at < scalars.count, scalars[at] == "," {
            at += 1
            most = number()
        }
        guard at < scalars.count, scalars[at] == "}" else { return nil }
        return (least, most, at + 1)
    }

    var peek: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

    mutating func take() -> Unicode.Scalar? {
        guard let scalar = peek else { return nil }
        at += 1
        return scalar
    }

    mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        at += 1
        return true
    }

    private func check(_ steps: [PatternStep]) throws(TextPattern.Mistake) {
        guard steps.count <= Self.maximumSteps else { throw Mistake(message: "it is too large") }
    }

    private static func shifted(_ steps: [PatternStep], _ distance: Int) -> [PatternStep] {
        steps.map { step in
            switch step {
            case .either(let one, let other): .either(one + distance, other + distance)
            case .jump(let target): .jump(target + distance)
            default: step
            }
        }
    }
}
