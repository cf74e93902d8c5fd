import Posix

/// Header fields in the order and case in which they came; names compare without case.
///
/// All of them lie in one run of bytes: texts are made of those only that somebody asks for.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    /// Where a field's name stands, and behind it its value.
    struct Place: Sendable {
        var name: Range<Int>
        var value: Range<Int>
    }

    /// Names by their length and first letter, all that are the same in that taken for one: most
    /// that are looked for are not there.
    private struct Names: Sendable {
        private var seen: UInt64 = 0
        private var seenAgain: UInt64 = 0

        @inline(__always)
        mutating func insert(_ count: Int, _ first: UInt8) {
            let bit = Self.bit(count, first)
            seenAgain |= seen & bit
            seen |= bit
        }

        func mayHold(_ name: UnsafeRawBufferPointer) -> Bool {
            seen & Self.bit(name.count, name[0]) != 0
        }

        func mayRepeat(_ name: UnsafeRawBufferPointer) -> Bool {
            seenAgain & Self.bit(name.count, name[0]) != 0
        }

        private static func bit(_ count: Int, _ first: UInt8) -> UInt64 {
            1 &<< (UInt64(count) &+ UInt64(first | 0x20))
        }
    }

    private var bytes: [UInt8] = []
    private var places: [Place] = []
    /// At least those of `places`.
    private var names = Names()

    package init() {}
    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    package var count: Int { places.count }

    /// All of them, as texts.
    package var fields: [(name: String, value: String)] {
        places.map { (text($0.name), text($0.value)) }
    }

    /// The first field of that name. Setting replaces every one of them.
    package subscript(name: StaticString) -> String? {
        get { first(name).map { text($0.value) } }
        set {
            let bytes = UnsafeRawBufferPointer(name)
            places = look(for: bytes) { isNamed in places.filter { !isNamed($0) } }
            if let newValue { append(name.description, newValue) }
        }
    }

    /// The first field of that name, for who needs no text of it.
    package func bytes(of name: StaticString) -> ArraySlice<UInt8>? {
        first(name).map { bytes[$0.value] }
    }

    /// Every field of that name.
    package func all(_ name: StaticString) -> [String] {
        look(for: UnsafeRawBufferPointer(name)) { isNamed in places.filter(isNamed) }
            .map { text($0.value) }
    }

    /// Whether there is more than one field of that name.
    package func isRepeated(_ name: StaticString) -> Bool {
        let name = UnsafeRawBufferPointer(name)
        return names.mayRepeat(name)
            && look(for: name) { isNamed in places.count(where: isNamed) } > 1
    }

    package mutating func append(_ name: String, _ value: String) {
        // Few fields are added one by one: an answer's.
        if places.isEmpty { reserveCapacity(4) }
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        let middle = bytes.count
        bytes.append(contentsOf: value.utf8)
        names.insert(name.utf8.count, name.utf8.first ?? 0)
        places.append(Place(name: start..<middle, value: middle..<bytes.count))
    }

    /// A field of one of the lines that are appended next.
    ///
    /// - Parameters:
    ///   - place: of the field in its line.
    ///   - line: this.
    ///   - distance: where it begins in those lines.
    // Inlined, as `field` is: a place that is handed on goes through memory.
    @inline(__always)
    mutating func append(_ place: Place, of line: UnsafeRawBufferPointer, at distance: Int) {
        if places.isEmpty { places.reserveCapacity(12) }
        names.insert(place.name.count, line[place.name.lowerBound])
        let start = bytes.count + distance
        places.append(
            Place(
                name: start + place.name.lowerBound..<start + place.name.upperBound,
                value: start + place.value.lowerBound..<start + place.value.upperBound))
    }

    /// The lines in which those fields stand whose places came before.
    mutating func append(lines: UnsafeRawBufferPointer) { bytes.add(lines) }

    /// The same where no lines are yet: there is no copy, and what else stands there stays.
    mutating func share(lines: [UInt8]) { bytes = lines }

    var hasLines: Bool { !bytes.isEmpty }
    /// What its lines keep in memory, in bytes.
    package var heldBytes: Int { bytes.capacity }

    /// For so many fields of usual length.
    private mutating func reserveCapacity(_ count: Int) {
        places.reserveCapacity(count)
        bytes.reserveCapacity(count * 64)
    }

    /// So many bytes they take on the wire at most.
    var wireBytes: Int { bytes.count + 4 * places.count }

    /// Calls `body` with each field's bytes.
    func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void)
    {
        bytes.withUnsafeBytes { bytes in
            for place in places {
                body(
                    UnsafeRawBufferPointer(rebasing: bytes[place.name]),
                    UnsafeRawBufferPointer(rebasing: bytes[place.value]))
            }
        }
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    private func first(_ name: StaticString) -> Place? {
        let name = UnsafeRawBufferPointer(name)
        guard names.mayHold(name) else { return nil }
        return look(for: name) { isNamed in places.first(where: isNamed) }
    }

    /// Hands `body` the question whether a field is of that name. Inlined, so that looking through
    /// all fields costs no call for those of another length.
    @inline(__always)
    private func look<R>(for name: UnsafeRawBufferPointer, _ body: ((Place) -> Bool) -> R) -> R {
        bytes.withUnsafeBytes { bytes in
            body { place in
                place.name.count == name.count
                    && UnsafeRawBufferPointer(rebasing: bytes[place.name]).isSame(name)
            }
        }
    }

    /// Checks one `Name: value` line (RFC 9112 section 5).
    ///
    /// - Parameter isPrintable: whether it is known that all of it is printed in ASCII.
    @inline(__always)
    static func field(
        _ line: UnsafeRawBufferPointer, isPrintable: Bool = false
    ) throws(HTTPError) -> Place {
        let colon = line.endOfToken
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
            throw HTTPError(400, "a header field is not 'Name: value'")
        }
        var start = colon + 1
        var end = line.count
        while start < end, line[start].isBlank { start += 1 }
        while end > start, line[end - 1].isBlank { end -= 1 }
        guard isPrintable || isText(UnsafeRawBufferPointer(rebasing: line[start..<end])) else {
            throw HTTPError(400, "a header field holds a control character")
        }
        return Place(name: 0..<colon, value: start..<end)
    }

    /// Whether a name is a token (RFC 9110 section 5.6.2), if it is not empty.
    static func isToken(_ name: UnsafeRawBufferPointer) -> Bool {
        name.endOfToken == name.count
    }

    /// Whether a value holds no control character but tabs.
    static func isText(_ value: UnsafeRawBufferPointer) -> Bool {
        value[value.endOfPrintable(from: 0)...].allSatisfy(\.isTextCharacter)
    }

    static func isSame(_ lhs: some StringProtocol, _ rhs: some StringProtocol) -> Bool {
        let (lhs, rhs) = (lhs.utf8, rhs.utf8)
        return lhs.count == rhs.count && lhs.elementsEqual(rhs) { $0.isSame($1) }
    }
}

extension [UInt8] {
    /// Appends bytes: where there are none yet, an array made of them costs less.
    mutating func add(_ bytes: some Collection<UInt8>) {
        if isEmpty { self = Array(bytes) } else { append(contentsOf: bytes) }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes are an ASCII text.
    func isExactly(_ text: StaticString) -> Bool {
        let text = Self(text)
        return count == text.count && (0..<count).allSatisfy { self[$0] == text[$0] }
    }

    /// Whether these bytes are an ASCII text, whatever the letters' case.
    func isSame(_ text: StaticString) -> Bool { isSame(Self(text)) }

    func isSame(_ text: UnsafeRawBufferPointer) -> Bool {
        guard count == text.count else { return false }
        var same = 0
        // Most names come in the case that everybody writes them in. The last eight of several
        // bytes may overlap those before.
        while same <= count - 8, eight(at: same) == text.eight(at: same) {
            same = same == count - 8 ? count : Swift.min(same + 8, count - 8)
        }
        return (same..<count).allSatisfy { self[$0].isSame(text[$0]) }
    }

    /// The first byte from `start` on that is not printed in ASCII; without one, the end.
    func endOfPrintable(from start: Int) -> Int {
        var place = start
        let (end, last) = (count, count - 8)
        while place <= last {
            let others = eight(at: place).unprintable
            if others != 0 { return place + others.trailingZeroBitCount / 8 }
            place += 8
        }
        while place < end, self[place].isPrintable { place += 1 }
        return place
    }

    /// The first byte that is not a token's; without one, the end.
    var endOfToken: Int {
        var place = 0
        let (end, last) = (count, count - 8)
        while true {
            // Most are letters.
            while place <= last {
                let others = eight(at: place).noLettersOrDashes
                place += others.trailingZeroBitCount / 8
                if others != 0 { break }
            }
            guard place < end, self[place].isTokenCharacter else { return place }
            place += 1
        }
    }

    private func eight(at place: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: place, as: UInt64.self))
    }

    fileprivate init(_ text: StaticString) {
        self.init(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}

/// Eight characters at once.
extension UInt64 {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops = ones << 7

    /// The lowest bit that is set is of the first that is not printed in ASCII; none if all are.
    fileprivate var unprintable: UInt64 {
        // A byte gets its top bit where it was less than what is taken away, or 0x7F. What it then
        // does to others it does only to those behind it.
        (self | (self &- Self.ones &* 0x20) | (self &+ Self.ones)) & Self.tops
    }

    /// The lowest bit that is set is of the first that is no ASCII letter and no `-`; none if all
    /// are.
    fileprivate var noLettersOrDashes: UInt64 {
        let small = self | Self.ones &* 0x20
        // A byte's top bit says what is the case, if neither it nor one before had it.
        let isFromA = small &+ Self.ones &* (0x80 - 0x61)
        let isBeyondZ = small &+ Self.ones &* (0x80 - 0x7B)
        let isNoDash = (self ^ Self.ones &* 0x2D) &+ Self.ones &* 0x7F
        return (self | (~isFromA | isBeyondZ) & isNoDash) & Self.tops
    }
}

extension UInt8 {
    var asciiLowercase: UInt8 { 65 <= self && self <= 90 ? self + 32 : self }

    /// Whether both are the same letter, or else the same byte.
    func isSame(_ other: UInt8) -> Bool {
        self == other || asciiLowercase == other.asciiLowercase
    }

    /// RFC 9110 section 5.6.2.
    var isTokenCharacter: Bool {
        let half = self < 64 ? Self.lowTokens : self < 128 ? Self.highTokens : 0
        return half >> UInt64(self & 63) & 1 == 1
    }

    /// A bit for each letter, each digit, and each of ``!#$%&'*+-.^_`|~``, from 0 and from 64 on.
    private static let lowTokens: UInt64 = 0x03FF_6CFA_0000_0000
    private static let highTokens: UInt64 = 0x57FF_FFFF_C7FF_FFFE

    fileprivate var isPrintable: Bool { 0x20 <= self && self <= 0x7E }

    /// No control character but the tab.
    var isTextCharacter: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension Substring {
    var trimmed: Substring {
        var text = self
        while let first = text.utf8.first, first.isBlank { text = text.dropFirst() }
        while let last = text.utf8.last, last.isBlank { text = text.dropLast() }
        return text
    }
}
