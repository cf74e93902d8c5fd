/// A row of small bars: one character a value.
package enum Sparkline {
    private static let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// Bars from zero (or the lowest value, if that is below zero) to the highest; `·` where there
    /// is
    /// no value. More values than `width` are joined, the highest of each group showing.
    package static func draw(_ values: [Double?], width: Int) -> String {
        guard width > 0 else { return "" }
        let shown = values.count > width ? joined(values, width: width) : values
        let real = shown.compactMap { $0 }.filter(\.isFinite)
        let low = min(real.min() ?? 0, 0)
        let high = max(real.max() ?? 0, 0)
        return String(
            shown.map { value -> Character in
                guard let value, value.isFinite else { return "·" }
                guard high > low else { return bars[0] }
                let share =
                    (high - low).isFinite
                    ? (value - low) / (high - low)
                    : (value / 2 - low / 2) / (high / 2 - low / 2)
                let height = share * Double(bars.count)
                // Something is never drawn as nothing.
                let step = Int(height.rounded(.up)) - 1
                return bars[min(max(step, value > low ? 1 : 0), bars.count - 1)]
            })
    }

    private static func joined(_ values: [Double?], width: Int) -> [Double?] {
        (0..<width).map { index in
            let start = index * values.count / width
            let end = (index + 1) * values.count / width
            return values[start..<end].compactMap { $0 }.max()
        }
    }
}
