import JSON

/// An alarm that has changed its state.
package struct AlarmChange: Equatable, Sendable {
    package var definition: AlarmDefinition
    package var previous: AlarmState
    package var state: AlarmState

    package init(definition: AlarmDefinition, previous: AlarmState, state: AlarmState) {
        self.definition = definition
        self.previous = previous
        self.state = state
    }

    /// The functions to be told, by their names in the stack.
    package var actions: [String] { definition.actions[state.value] ?? [] }

    /// What a function gets that is an alarm's action (CloudWatch guide, *alarms-and-actions*).
    ///
    /// - Parameter metricID: a UUID; the same for an alarm each time.
    package func event(
        alarmARN: String, region: String, accountID: String, metricID: String
    ) -> JSONValue {
        let dimensions = definition.metric.dimensions.map {
            (key: $0.name, value: JSONValue.string($0.value))
        }
        let metric: JSONValue = [
            "namespace": .string(definition.metric.namespace),
            "name": .string(definition.metric.name),
            "dimensions": .object(JSONObject(dimensions)),
        ]
        var configuration: JSONObject = [
            "metrics": [
                [
                    "id": .string(metricID),
                    "metricStat": [
                        "metric": metric, "period": .int(Int64(definition.periodSeconds)),
                        "stat": .string(definition.statistic.description),
                    ], "returnData": true,
                ]
            ]
        ]
        if !definition.text.isEmpty { configuration["description"] = .string(definition.text) }
        return [
            "source": "aws.cloudwatch", "alarmArn": .string(alarmARN),
            "accountId": .string(accountID), "time": .string(Self.stamp(state.since)),
            "region": .string(region),
            "alarmData": [
                "alarmName": .string(definition.name), "state": Self.json(state),
                "previousState": Self.json(previous), "configuration": .object(configuration),
            ],
        ]
    }

    private static func json(_ state: AlarmState) -> JSONValue {
        [
            "value": .string(state.value.rawValue), "reason": .string(state.reason),
            "timestamp": .string(stamp(state.since)),
        ]
    }

    /// `2026-11-25T10:00:00.000+0000`, as CloudWatch writes it.
    private static func stamp(_ time: Timestamp) -> String {
        let text = time.iso8601
        return (text.hasSuffix("Z") ? String(text.dropLast()) : text) + "+0000"
    }
}
