import Testing

@testable import Services

/// When memory is looked at closely.
@Suite struct CloseLooksTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let start = 5000 * millisecond

    @Test("the first look is due at once")
    func first() {
        #expect(CloseLooks().isDue(1, at: Self.start))
    }

    @Test(
        "after a look there is a rest of twenty times as long, and of a second at most",
        arguments: [(2, 40), (49, 980), (50, 1000), (500, 1000)] as [(UInt64, UInt64)])
    func rest(look: UInt64, rest: UInt64) {
        var looks = CloseLooks()
        let end = Self.start + look * Self.millisecond
        looks.note(1000, from: Self.start, to: end)
        #expect(!looks.isDue(1000, at: end + rest * Self.millisecond - 1))
        #expect(looks.isDue(1000, at: end + rest * Self.millisecond))
    }

    @Test("who seems to hold more than twice as much as at the last look has no rest")
    func growth() {
        var looks = CloseLooks()
        looks.note(1000, from: Self.start, to: Self.start + Self.millisecond)
        #expect(!looks.isDue(2000, at: Self.start + 2 * Self.millisecond))
        #expect(looks.isDue(2001, at: Self.start + 2 * Self.millisecond))
    }
}
