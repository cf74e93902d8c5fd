import JSON

extension AlarmDefinition {
    /// An alarm as a checked stack has it; `nil` if it is not one.
    ///
    /// - Parameter functionName: the name on AWS of what the stack calls a function.
    package init?(name: String, json: JSONValue, functionName: (String) -> String) {
        guard let metricName = json["metric"]?.stringValue,
            let statistic = json["statistic"]?.stringValue.flatMap({ Statistic($0) }),
            let period = json["period"]?.intValue,
            let periods = json["evaluationPeriods"]?.intValue,
            let threshold = json["threshold"]?.doubleValue,
            let comparison = json["comparison"]?.stringValue
                .flatMap({ ComparisonOperator(rawValue: $0) })
        else { return nil }
        let metric: Metric
        if let function = json["lambda"]?.stringValue {
            metric = LambdaMetrics.metric(metricName, function: functionName(function))
        } else if let queue = json["queue"]?.stringValue {
            metric = SQSMetrics.metric(metricName, queue: queue)
        } else if let namespace = json["namespace"]?.stringValue {
            let dimensions = json["dimensions"]?.objectValue?.members ?? []
            metric = Metric(
                namespace, metricName,
                dimensions.map { Dimension($0.key, $0.value.stringValue ?? "") })
        } else {
            return nil
        }
        var actions: [AlarmStateValue: [String]] = [:]
        if json["actionsEnabled"]?.boolValue != false {
            for (key, state) in Self.actionKeys {
                actions[state] = json[key]?.arrayValue?.compactMap(\.stringValue)
            }
        }
        self.init(
            name: name, text: json["description"]?.stringValue ?? "", metric: metric,
            statistic: statistic, periodSeconds: Int(period),
            evaluationPeriods: Int(periods),
            datapointsToAlarm: json["datapointsToAlarm"]?.intValue.map { Int($0) },
            threshold: threshold, comparison: comparison,
            treatMissingData: json["treatMissingData"]?.stringValue
                .flatMap { MissingDataTreatment(rawValue: $0) } ?? .missing,
            actions: actions)
    }

    private static let actionKeys: [(String, AlarmStateValue)] = [
        ("alarmActions", .alarm), ("okActions", .ok),
        ("insufficientDataActions", .insufficientData),
    ]
}
