import Posix

/// A span of time as people type it: "90s", "10m", "1h", "7d".
enum TimeSpan {
    private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    private static let longest: Int64 = 366 * 86_400

    static func parse(_ text: String, _ option: String) throws(CommandError) -> Duration {
        guard let last = text.last, let unit = units[last], let count = Int64(text.dropLast()),
            count > 0, count <= longest / unit
        else {
            throw CommandError(
                .usage, "--\(option) must be a number and s, m, h or d, not \(text).",
                hint: "For example --\(option) 90s, 10m, 1h or 7d.")
        }
        return .seconds(count * unit)
    }
}
