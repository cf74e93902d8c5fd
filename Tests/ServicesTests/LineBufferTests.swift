import FunctionModel
import Testing

@testable import Services

@Suite struct LineBufferTests {
    private static let limit = FunctionLimits.logEventBytes

    @Test("a long line is cut between characters", arguments: ["a", "é", "€", "🦤"], 0..<4)
    func characters(character: String, lead: Int) {
        let text =
            String(repeating: "-", count: lead)
            + String(repeating: character, count: 2 * Self.limit / character.utf8.count)
        var buffer = LineBuffer()
        let events = buffer.append(text.utf8) + buffer.finish()
        // Half a megabyte is not to be printed.
        let isWhole = events.joined() == text
        #expect(isWhole)
        #expect(events.allSatisfy { $0.utf8.count <= Self.limit })
        #expect(events.dropLast().allSatisfy { $0.utf8.count > Self.limit - 4 })
    }

    @Test("what is no text is cut, too")
    func bytes() {
        var buffer = LineBuffer()
        let events = buffer.append([UInt8](repeating: 0x80, count: Self.limit + 1))
        #expect(events.map(\.unicodeScalars.count) == [Self.limit])
        #expect(buffer.finish() == ["\u{FFFD}"])
    }
}
