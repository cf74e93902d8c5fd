/// What stands for one character: `[a-z]`, `\d`, `\u00e9`.
extension PatternParser {
    mutating func characterClass() throws(TextPattern.Mistake) -> CharacterRanges {
        var set = CharacterRanges()
        let isNegated = accept("^")
        while !accept("]") {
            let low = try classMember()
            if peek == "-", at + 1 < scalars.count, scalars[at + 1] != "]" {
                at += 1
                let high = try classMember()
                guard case .character(let first) = low, case .character(let last) = high,
                    first <= last
                else { throw Mistake(message: "a range in [ ] runs backwards") }
                set.ranges.append(first...last)
            } else if case .set(let other) = low {
                set.ranges += other.plain
            } else if case .character(let value) = low {
                set.ranges.append(value...value)
            }
        }
        set.isNegated = isNegated
        return set
    }

    mutating func classMember() throws(TextPattern.Mistake) -> PatternStep {
        guard let scalar = take() else { throw Mistake(message: "a '[' is never closed") }
        guard scalar == "\\" else { return .character(scalar.value) }
        if accept("b") { return .character(8) }
        if accept("-") { return .character(0x2D) }
        let step = try escape()
        switch step {
        case .character, .set: return step
        default: throw Mistake(message: "an escape makes no sense in [ ]")
        }
    }

    mutating func escape() throws(TextPattern.Mistake) -> PatternStep {
        guard let scalar = take() else { throw Mistake(message: "it ends with a '\\'") }
        func negated(_ set: CharacterRanges) -> PatternStep {
            var set = set
            set.isNegated = true
            return .set(set)
        }
        switch scalar {
        case "d": return .set(.digit)
        case "D": return negated(.digit)
        case "w": return .set(.word)
        case "W": return negated(.word)
        case "s": return .set(.space)
        case "S": return negated(.space)
        case "b": return .boundary(true)
        case "B": return .boundary(false)
        case "t": return .character(0x09)
        case "n": return .character(0x0A)
        case "v": return .character(0x0B)
        case "f": return .character(0x0C)
        case "r": return .character(0x0D)
        case "0": return .character(0)
        case "x": return .character(try hexadecimal(2))
        case "u":
            guard accept("{") else { return .character(try hexadecimal(4)) }
            let value = try hexadecimal(nil)
            guard accept("}") else { throw Mistake(message: "a '\\u{' is never closed") }
            return .character(value)
        case "1"..."9", "k": throw Mistake(message: "references back are not supported")
        case "a"..."z", "A"..."Z":
            throw Mistake(message: "'\\\(scalar)' is not an escape that is known")
        default: return .character(scalar.value)
        }
    }

    /// - Parameter digits: how many; `nil` is one to six.
    mutating func hexadecimal(_ digits: Int?) throws(TextPattern.Mistake) -> UInt32 {
        var value: UInt32 = 0
        var seen = 0
        while seen < digits ?? 6, let digit = peek.flatMap(Self.hexValue) {
            value = value << 4 | digit
            at += 1
            seen += 1
        }
        guard seen == digits ?? seen, seen > 0 else {
            throw Mistake(message: "an escape lacks hexadecimal digits")
        }
        return value
    }

    private static func hexValue(_ scalar: Unicode.Scalar) -> UInt32? {
        scalar.isASCII ? Character(scalar).hexDigitValue.map { UInt32($0) } : nil
    }
}
