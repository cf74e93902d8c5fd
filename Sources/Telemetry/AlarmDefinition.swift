/// How a value is held against the threshold.
package enum ComparisonOperator: String, Sendable, CaseIterable {
    case greaterThanOrEqualToThreshold = "GreaterThanOrEqualToThreshold"
    case greaterThanThreshold = "GreaterThanThreshold"
    case lessThanThreshold = "LessThanThreshold"
    case lessThanOrEqualToThreshold = "LessThanOrEqualToThreshold"

    package func isBreaching(_ value: Double, _ threshold: Double) -> Bool {
        switch self {
        case .greaterThanOrEqualToThreshold: value >= threshold
        case .greaterThanThreshold: value > threshold
        case .lessThanThreshold: value < threshold
        case .lessThanOrEqualToThreshold: value <= threshold
        }
    }
}

/// What stands in for a period without a value.
package enum MissingDataTreatment: String, Sendable, CaseIterable {
    case missing
    case ignore
    case breaching
    case notBreaching
}

/// An alarm on one metric: `neededDatapoints` (M) of `evaluationPeriods` (N).
package struct AlarmDefinition: Equatable, Sendable {
    package var name: String
    /// What it means; empty if nobody said.
    package var text: String
    package var metric: Metric
    package var statistic: Statistic
    package var periodSeconds: Int
    package var evaluationPeriods: Int
    /// `nil` is all, without a word of it in reasons.
    package var datapointsToAlarm: Int?
    package var threshold: Double
    package var comparison: ComparisonOperator
    package var treatMissingData: MissingDataTreatment
    /// The functions to be told when it gets into a state, by their names in the stack.
    package var actions: [AlarmStateValue: [String]]

    package init(
        name: String, text: String = "", metric: Metric, statistic: Statistic, periodSeconds: Int,
        evaluationPeriods: Int, datapointsToAlarm: Int? = nil, threshold: Double,
        comparison: ComparisonOperator, treatMissingData: MissingDataTreatment = .missing,
        actions: [AlarmStateValue: [String]] = [:]
    ) {
        precondition(periodSeconds > 0 && evaluationPeriods > 0, "checked with the stack")
        self.name = name
        self.text = text
        self.actions = actions
        self.metric = metric
        self.statistic = statistic
        self.periodSeconds = periodSeconds
        self.evaluationPeriods = evaluationPeriods
        self.datapointsToAlarm = datapointsToAlarm
        self.threshold = threshold
        self.comparison = comparison
        self.treatMissingData = treatMissingData
    }

    package var neededDatapoints: Int {
        min(datapointsToAlarm ?? evaluationPeriods, evaluationPeriods)
    }

    /// How many periods are looked at: more than N, so that late and thin data is not missing data.
    /// AWS gives 5 for N = 3 and no rule; two more is ours.
    package var evaluationRange: Int { evaluationPeriods + 2 }

    /// How often an alarm is looked at.
    package var tickSeconds: Int { periodSeconds < 60 ? 10 : 60 }
}
