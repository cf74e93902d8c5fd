import JSON
import QueueModel
import StackModel

extension Deployer {
    /// What is deployed, with the queues as they are: since then one may have been removed, or told
    /// otherwise, and a deploy of `wanted` undoes that. `nil` if nothing is deployed.
    func present(beside wanted: Stack) throws -> Stack? {
        guard let current else { return nil }
        var stack = current.stack.json.objectValue ?? JSONObject()
        var values = stack["queues"]?.objectValue ?? JSONObject()
        let existing = try Set(queues.names())
        let wantedValues = wanted.json["queues"]?.objectValue ?? JSONObject()
        for deployed in current.stack.queues {
            guard let value = wantedValues[deployed.name] else { continue }
            let settings =
                try existing.contains(deployed.name) ? settings(of: deployed.name) : nil
            guard let settings else {
                values[deployed.name] = nil
                continue
            }
            let asked = QueueSettings(json: value)
            // What somebody has set to what is asked for now is still a change of the deployment.
            guard settings != deployed.settings, settings != asked else { continue }
            values[deployed.name] = Self.spelled(settings, as: value, asked)
        }
        stack["queues"] = .object(values)
        return Stack(json: .object(stack))
    }

    /// `nil` if the queue was removed meanwhile.
    private func settings(of name: String) throws -> QueueSettings? {
        do {
            return try queues.queue(name).settings
        } catch QueueError.noSuchQueue {
            return nil
        }
    }

    /// `settings` in the words of a stack file that asks for others: only what differs differs.
    private static func spelled(
        _ settings: QueueSettings, as value: JSONValue, _ asked: QueueSettings
    ) -> JSONValue {
        var spelled = value.objectValue ?? JSONObject()
        let present = settings.json.objectValue ?? JSONObject()
        let other = asked.json.objectValue ?? JSONObject()
        for key in present.keys + other.keys where present[key] != other[key] {
            spelled[key] = present[key]
        }
        return .object(spelled)
    }
}
