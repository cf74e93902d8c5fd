import JSON

/// Why an alarm is in its state, in AWS's sentences.
package enum AlarmReason {
    package static let initial = "Unchecked: Initial alarm creation"

    package static func text(
        _ definition: AlarmDefinition, _ judgement: AlarmJudgement, _ state: AlarmStateValue
    ) -> String {
        if state == .insufficientData {
            let count = definition.evaluationPeriods
            return "Insufficient Data: \(datapoints(count)) \(were(count)) unknown."
        }
        // The datapoints that speak for the state.
        let speaking = judgement.datapoints.filter {
            definition.isBreaching($0.value) == (state == .alarm)
        }
        var result = "Threshold Crossed: "
        if speaking.isEmpty {
            let periods = judgement.filled == 1 ? "1 period" : "\(judgement.filled) periods"
            result += "no datapoints were received for \(periods)"
        } else {
            let all = judgement.datapoints.count
            let isPlain = speaking.count == all && definition.datapointsToAlarm == nil
            result +=
                isPlain
                ? datapoints(speaking.count)
                : "\(speaking.count) out of the last \(all) datapoints"
            let shown = speaking.map { "\(number($0.value)) (\(stamp($0.start)))" }
            result += " [\(shown.joined(separator: ", "))] \(were(speaking.count)) "
            result += state == .alarm ? "" : "not "
            result += "\(words(definition.comparison)) the threshold "
            result += "(\(number(definition.threshold)))"
            if !isPlain {
                let needed =
                    state == .alarm
                    ? definition.neededDatapoints
                    : definition.evaluationPeriods - definition.neededDatapoints + 1
                let change = state == .alarm ? "OK -> ALARM" : "ALARM -> OK"
                result += " (minimum \(datapoints(needed)) for \(change) transition)"
            }
        }
        if judgement.filled > 0 {
            let treated =
                definition.treatMissingData == .breaching ? "Breaching" : "NonBreaching"
            let count = judgement.filled
            result += " and \(count) missing \(count == 1 ? "datapoint" : "datapoints") "
            result += "\(were(count)) treated as [\(treated)]"
        }
        return result + "."
    }

    private static func datapoints(_ count: Int) -> String {
        count == 1 ? "1 datapoint" : "\(count) datapoints"
    }

    /// As Java writes a double: `21.5`, `8.60604416E8`, `1.0E-4`.
    private static func number(_ value: Double) -> String {
        let size = value.magnitude
        guard value.isFinite, size != 0, size < 1e-3 || size >= 1e7 else { return "\(value)" }
        let parts = "\(size)".split(separator: "e")
        let (whole, fraction) = (parts[0].prefix { $0 != "." }, parts[0].drop { $0 != "." })
        let all = whole + fraction.dropFirst()
        let leadingZeros = all.prefix { $0 == "0" }.count
        var digits = all.dropFirst(leadingZeros)
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        let exponent =
            (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1 - leadingZeros
        let rest = digits.count > 1 ? digits.dropFirst() : "0"
        return "\(value < 0 ? "-" : "")\(digits.prefix(1)).\(rest)E\(exponent)"
    }

    private static func were(_ count: Int) -> String { count == 1 ? "was" : "were" }

    private static func words(_ comparison: ComparisonOperator) -> String {
        switch comparison {
        case .greaterThanOrEqualToThreshold: "greater than or equal to"
        case .greaterThanThreshold: "greater than"
        case .lessThanThreshold: "less than"
        case .lessThanOrEqualToThreshold: "less than or equal to"
        }
    }

    /// `24/11/26 10:00:00`, day first.
    private static func stamp(_ time: Timestamp) -> String {
        let text = time.iso8601
        let date = text.prefix(10).split(separator: "-")
        let clock = text.dropFirst(11).prefix(8)
        guard date.count == 3 else { return text }
        return "\(date[2])/\(date[1])/\(date[0].suffix(2)) \(clock)"
    }
}
