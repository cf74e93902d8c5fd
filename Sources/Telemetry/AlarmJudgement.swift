import JSON

package enum AlarmStateValue: String, Sendable, CaseIterable {
    case ok = "OK"
    case alarm = "ALARM"
    case insufficientData = "INSUFFICIENT_DATA"
}

/// A period's statistic, stamped with the period's start.
package struct AlarmDatapoint: Equatable, Sendable {
    package var start: Timestamp
    package var value: Double

    package init(start: Timestamp, value: Double) {
        self.start = start
        self.value = value
    }
}

/// One look at an alarm's evaluation range.
package struct AlarmJudgement: Equatable, Sendable {
    /// The state called for; `nil` keeps the one there is.
    package var state: AlarmStateValue?
    /// The real datapoints that counted, newest first.
    package var datapoints: [AlarmDatapoint]
    /// How many periods were filled by `treatMissingData`.
    package var filled: Int
}

extension AlarmDefinition {
    package func isBreaching(_ value: Double) -> Bool {
        comparison.isBreaching(value, threshold)
    }

    /// Judges `range`, newest last, `nil` where a period has no value.
    ///
    /// Real datapoints come first, however far back in the range. Only where there are fewer of
    /// them than evaluation periods does `treatMissingData` fill the difference.
    package func judge(_ range: [AlarmDatapoint?]) -> AlarmJudgement {
        let recent = range.suffix(evaluationRange)
        let real = Array(recent.reversed().compactMap { $0 }.prefix(evaluationPeriods))
        let missing = evaluationPeriods - real.count
        let breaching = real.count { isBreaching($0.value) }
        func judged(_ state: AlarmStateValue?, filled: Int = 0) -> AlarmJudgement {
            AlarmJudgement(state: state, datapoints: real, filled: filled)
        }

        if breaching >= neededDatapoints { return judged(.alarm) }
        if missing == 0 { return judged(.ok) }
        switch treatMissingData {
        case .breaching:
            return judged(
                breaching + missing >= neededDatapoints ? .alarm : .ok, filled: missing)
        case .notBreaching:
            return judged(.ok, filled: missing)
        case .ignore:
            return judged(breaching < real.count ? .ok : nil)
        case .missing:
            if real.isEmpty { return judged(.insufficientData) }
            if breaching < real.count { return judged(.ok) }
            // All there is breaches, but it is too little: not an alarm until the oldest of it is
            // as old as M periods, since what is missing may only be late.
            let oldest = recent.reversed().lastIndexFromNewest { $0 != nil } ?? 0
            return judged(oldest + 1 >= neededDatapoints ? .alarm : nil)
        }
    }
}

extension Sequence {
    /// The place, counted from the first element, of the last one that matches.
    fileprivate func lastIndexFromNewest(where matches: (Element) -> Bool) -> Int? {
        var result: Int?
        for (index, element) in enumerated() where matches(element) { result = index }
        return result
    }
}
