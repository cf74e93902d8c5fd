import JSON
import Services
import StackModel
import Telemetry

extension Command {
    static let alarms = Command(
        path: ["alarms"], abstract: "Judges the stack's alarms, and shows how they look now.",
        examples: [
            "msorch alarms", "msorch alarms --output json | jq '.[] | select(.state == \"ALARM\")'",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let events = EventStore(stateDirectory: invocation.stateDirectory)
            defer { events.close() }
            let actions = AlarmActions(deployment.stack) { payload, function in
                try events.accept(payload, for: function)
            }
            var told: Set<String> = []
            let states = try AlarmStore(stateDirectory: invocation.stateDirectory)
                .evaluate(deployment, now: StackClock().now()) { change in
                    for trouble in actions.run(change) {
                        invocation.output.note("warning: \(trouble)")
                    }
                    told.formUnion(change.actions)
                }.alarms
            let json = states.map { definition, state -> JSONValue in
                [
                    "name": .string(definition.name), "state": .string(state.value.rawValue),
                    "since": .string(state.since.iso8601), "reason": .string(state.reason),
                    "namespace": .string(definition.metric.namespace),
                    "metric": .string(definition.metric.name),
                ]
            }
            try invocation.output.result(.array(json)) {
                guard !states.isEmpty else { return nil }
                return Output.table(
                    ["ALARM", "STATE", "SINCE", "REASON"],
                    states.map { definition, state in
                        [
                            definition.name, state.value.rawValue, state.since.iso8601,
                            state.reason,
                        ]
                    })
            }
            if !told.isEmpty {
                invocation.output.note(
                    "What changed waits for \(told.sorted().joined(separator: ", ")); "
                        + "'msorch serve' delivers it.")
            }
            if states.isEmpty { invocation.output.note("The stack has no alarms.") }
        })
}
