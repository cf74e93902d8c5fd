import Testing

@testable import HTTP

@Suite struct TimeTests {
    @Test(
        "dates as RFC 9110 writes them",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] as [(Int64, String)])
    func date(seconds: Int64, text: String) { #expect(HTTPDate.text(seconds) == text) }

    @Test("everybody is looked at once, after the deadline and not two ticks later")
    func wheel() {
        let start = 1_000_000 * DeadlineWheel.tick
        var wheel = DeadlineWheel(now: start)
        let deadlines = (0..<100).map { start + UInt64($0) * DeadlineWheel.tick / 3 }
        for (index, deadline) in deadlines.enumerated() { _ = wheel.insert(CInt(index), deadline) }
        var seen: Set<CInt> = []
        var now = start
        while now < start + 50 * DeadlineWheel.tick {
            for index in wheel.due(at: now) {
                #expect(seen.insert(index).inserted)
                #expect(deadlines[Int(index)] < now)
                #expect(now - deadlines[Int(index)] <= 2 * DeadlineWheel.tick)
            }
            now += DeadlineWheel.tick / 2
        }
        #expect(seen.count == deadlines.count)
    }

    @Test("who has longer than a turn of the wheel is looked at before; a long pause loses nobody")
    func far() {
        let start = 1_000_000 * DeadlineWheel.tick
        var wheel = DeadlineWheel(now: start)
        let looked = wheel.insert(7, start + 10_000 * DeadlineWheel.tick)
        #expect(looked * DeadlineWheel.tick < start + 1_000 * DeadlineWheel.tick)
        _ = wheel.insert(8, start)
        #expect(wheel.due(at: start).isEmpty)
        #expect(Set(wheel.due(at: start + 20_000 * DeadlineWheel.tick)) == [7, 8])
    }
}
