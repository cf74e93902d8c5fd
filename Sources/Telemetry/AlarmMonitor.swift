import JSON

/// An alarm's state, why it is so, and since when.
package struct AlarmState: Equatable, Sendable {
    package var value: AlarmStateValue
    package var reason: String
    package var since: Timestamp

    package init(value: AlarmStateValue, reason: String, since: Timestamp) {
        self.value = value
        self.reason = reason
        self.since = since
    }

    package static func initial(at time: Timestamp) -> AlarmState {
        AlarmState(value: .insufficientData, reason: AlarmReason.initial, since: time)
    }
}

/// A change of state: a line of `.msorch/alarms.jsonl`, and the only thing that runs actions.
package struct AlarmTransition: Equatable, Sendable {
    package var alarm: String
    package var from: AlarmStateValue
    package var to: AlarmStateValue
    package var reason: String
    package var time: Timestamp
    /// When the alarm was made; `nil` where nobody said so. One of its name may have been before.
    package var created: Timestamp?

    /// What it led to.
    package var state: AlarmState { AlarmState(value: to, reason: reason, since: time) }

    package init(
        alarm: String, from: AlarmStateValue, to: AlarmStateValue, reason: String, time: Timestamp
    ) {
        self.alarm = alarm
        self.from = from
        self.to = to
        self.reason = reason
        self.time = time
    }

    package var json: JSONValue {
        var json: JSONObject = [
            "timestamp": .int(time.milliseconds), "alarm": .string(alarm),
            "from": .string(from.rawValue), "to": .string(to.rawValue), "reason": .string(reason),
        ]
        json["created"] = created.map { .int($0.milliseconds) }
        return .object(json)
    }

    /// - Returns: `nil` for what is no transition, or from before all time.
    package init?(json: JSONValue) {
        guard let time = json["timestamp"]?.intValue, time >= 0,
            let alarm = json["alarm"]?.stringValue,
            let from = json["from"]?.stringValue.flatMap(AlarmStateValue.init(rawValue:)),
            let to = json["to"]?.stringValue.flatMap(AlarmStateValue.init(rawValue:)),
            let reason = json["reason"]?.stringValue
        else { return nil }
        self.init(
            alarm: alarm, from: from, to: to, reason: reason, time: Timestamp(milliseconds: time))
        created = json["created"]?.intValue.map { Timestamp(milliseconds: $0) }
    }
}

/// The state machine of one alarm: looks at its metric, tick by tick.
package struct AlarmMonitor: Sendable {
    package let definition: AlarmDefinition
    package private(set) var state: AlarmState

    package init(_ definition: AlarmDefinition, _ state: AlarmState) {
        self.definition = definition
        self.state = state
    }

    /// Looks at the range that ends at `end`. A state that stays keeps its reason and its time.
    package mutating func look(at series: MetricSeries, end: Timestamp) -> AlarmTransition? {
        let period = Duration.seconds(definition.periodSeconds)
        var range: [AlarmDatapoint?] = []
        for index in (0..<definition.evaluationRange).reversed() {
            let to = end - period * index
            let values = series.values(from: to - period, to: to)
            range.append(
                definition.statistic.value(of: values).map {
                    AlarmDatapoint(start: to - period, value: $0)
                })
        }
        let judgement = definition.judge(range)
        guard let next = judgement.state, next != state.value else { return nil }
        let reason = AlarmReason.text(definition, judgement, next)
        let transition = AlarmTransition(
            alarm: definition.name, from: state.value, to: next, reason: reason, time: end)
        state = AlarmState(value: next, reason: reason, since: end)
        return transition
    }

    /// What a watcher sees at each tick after `start`, up to `end`: at whole minutes, or whole ten
    /// seconds, and never in between, where CloudWatch does not look.
    package mutating func watch(
        _ series: MetricSeries, after start: Timestamp, upTo end: Timestamp
    ) -> [AlarmTransition] {
        guard start < end else { return [] }
        let tick = Int64(definition.tickSeconds) * 1000
        let folded = series.folded(periodSeconds: definition.tickSeconds)
        var transitions: [AlarmTransition] = []
        var at = start.milliseconds.flooredToMultiple(of: tick) + tick
        while at <= end.milliseconds {
            if let change = look(at: folded, end: Timestamp(milliseconds: at)) {
                transitions.append(change)
            }
            at += tick
        }
        return transitions
    }
}

/// What changed lately.
package enum AlarmHistory {
    /// Where `alarm`, made at that time, stands after its last change; `nil` if it never changed.
    package static func state(
        of alarm: String, created: Timestamp?, after transitions: [AlarmTransition]
    ) -> AlarmState? {
        transitions.last { $0.alarm == alarm && $0.created == created }?.state
    }
}
