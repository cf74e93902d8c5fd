import JSON
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_764_000_000_123, "2025-11-24T16:00:00.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func iso8601(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
        #expect(Timestamp(iso8601: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("2026-01-01", "2026-01-01T00:00:00.000Z"),
        ("2026-01-01T10:30Z", "2026-01-01T10:30:00.000Z"),
        ("2026-01-01T10:30:00+01:30", "2026-01-01T09:00:00.000Z"),
        ("2026-01-01 10:30:00.5", "2026-01-01T10:30:00.500Z"),
        ("2026-01-01T10:30:00.123999999-01:30", "2026-01-01T12:00:00.123Z"),
    ])
    func otherSpellings(text: String, canonical: String) {
        #expect(Timestamp(iso8601: text)?.iso8601 == canonical)
    }

    @Test(arguments: [
        "", "2026", "2026-13-01", "2026-02-29", "2026-01-01T25:00Z", "2026-01-01T10:00:00.Z",
        "2026-01-01x", "2026-1-1", "2026-01-01T10:00:00.0123456789Z", "2026-01-01T10:00:00+1",
        "2026-01-01T10:00ZZ", "２026-01-01", "+026-01-01", "2026-01-01T10:00\u{301}Z",
    ])
    func refused(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test("no moment is too far away to be written")
    func farAway() {
        let end = Timestamp(milliseconds: .max)
        #expect(end.iso8601 == "292278994-08-17T07:12:55.807Z" && end.date == "292278994-08-17")
        #expect(Timestamp(milliseconds: .min).iso8601 == "-292275055-05-16T16:47:04.192Z")
        #expect(Timestamp(milliseconds: -1).date == "1969-12-31")
    }

    @Test func arithmetic() {
        let start = Timestamp(milliseconds: 1000)
        #expect((start + .seconds(30)).milliseconds == 31_000)
        #expect(start + .seconds(30) - start == .seconds(30))
        #expect((start - .milliseconds(1001)).seconds == -1)
    }
}
