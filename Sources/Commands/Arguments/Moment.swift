import JSON
import Services

/// A moment as people type it: `2026-11-24T10:00:00Z` (UTC if no offset is given), or how long ago:
/// `90s`, `10m`, `1h`, `7d`.
enum Moment {
    static func parse(
        _ text: String, _ option: String, now: Timestamp
    ) throws(CommandError) -> Timestamp {
        if let time = Timestamp(iso8601: text) { return time }
        if let span = try? TimeSpan.parse(text, option) { return now - span }
        throw CommandError(
            .usage, "--\(option) must be a time or a span, not \(text).",
            hint:
                "For example --\(option) 2026-11-24T10:00:00Z, or --\(option) 10m: ten minutes ago."
        )
    }
}

extension JournalPoint {
    /// A moment, or the number of a record (`n` in the journal and in `queue tail --output json`);
    /// for a beginning also `oldest`, all that is retained.
    static func parse(
        _ text: String, _ option: String, now: Timestamp
    ) throws(CommandError) -> JournalPoint {
        if let n = UInt64(text), n > 0 { return .record(n) }
        if text == "oldest", option == "from" { return .oldest }
        do throws(CommandError) {
            return .time(try Moment.parse(text, option, now: now))
        } catch {
            throw CommandError(
                .usage, "--\(option) must be a time, a span or a record's number, not \(text).",
                hint:
                    "For example --\(option) 2026-11-24T10:00Z, --\(option) 10m or --\(option) 17."
            )
        }
    }
}
