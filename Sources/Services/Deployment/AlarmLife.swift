import JSON
import StackModel
import Telemetry

/// Since when an alarm is what it is.
package struct AlarmLife: Equatable, Sendable {
    /// When it came: one that was removed and comes again is a new one. `nil` if that was before
    /// deployments said so.
    package var created: Timestamp?
    /// When its definition came.
    package var changed: Timestamp

    /// Of the alarms of a stack that is deployed `now`, after `previous`; without those that have
    /// not changed since before deployments said so.
    static func all(
        of stack: Stack, after previous: Deployment?, now: Timestamp
    ) -> [String: AlarmLife] {
        let known = previous.map { AlarmStore.definitions($0.stack) } ?? []
        var lives: [String: AlarmLife] = [:]
        for definition in AlarmStore.definitions(stack) {
            let name = definition.name
            if let old = known.first(where: { $0.name == name }) {
                let life = previous?.alarms[name]
                lives[name] =
                    old == definition ? life : AlarmLife(created: life?.created, changed: now)
            } else {
                lives[name] = AlarmLife(created: now, changed: now)
            }
        }
        return lives
    }
}

extension AlarmLife {
    init?(json: JSONValue) {
        guard let changed = json["changed"]?.stringValue.flatMap({ Timestamp(iso8601: $0) })
        else { return nil }
        self.changed = changed
        created = json["created"]?.stringValue.flatMap { Timestamp(iso8601: $0) }
    }

    var json: JSONValue {
        var json: JSONObject = ["changed": .string(changed.iso8601)]
        json["created"] = created.map { .string($0.iso8601) }
        return .object(json)
    }
}
