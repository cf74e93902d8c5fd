import JSON
import QueueModel
import Services
import StackModel

extension Command {
    static let status = Command(
        path: ["status"], abstract: "Shows what is deployed, in one screen.",
        examples: ["msorch status", "msorch status --output json | jq .functions"],
        run: { invocation in
            let deployment = try invocation.deployment()
            let stack = deployment.stack
            let queues = invocation.queues()
            var gone: [String] = []
            var failures: [any Error] = []
            let counts = stack.queues.map { queue -> (name: String, counts: QueueState.Counts?) in
                do {
                    let counts = try queues.withQueue(queue.name) { try $0.outlook().counts }
                    return (queue.name, counts)
                } catch {
                    if QueueDirectory.isRemoval(error) {
                        gone.append(queue.name)
                    } else {
                        failures.append(error)
                    }
                    return (queue.name, nil)
                }
            }
            let record = ServerRecord.running(invocation.stateDirectory)
            let routes = stack.json["routes"]?.objectValue?.members ?? []
            let alarms = stack.json["alarms"]?.objectValue?.keys ?? []
            let json: JSONValue = [
                "name": .string(stack.name), "region": .string(stack.region),
                "accountId": .string(stack.accountID),
                "deployedAt": .string(deployment.deployedAt.iso8601),
                "serve": record?.json ?? .null,
                "functions": .array(
                    stack.functions.map { function in
                        [
                            "key": .string(function.key),
                            "functionName": .string(function.functionName),
                            "runtime": .string(function.runtime),
                            "interpreter": (deployment.code[function.key]?.interpreter)
                                .map { .string($0.program) } ?? .null,
                            "triggers": .array(function.triggers.map { .string($0.queue) }),
                        ]
                    }),
                "queues": .array(
                    counts.map { name, counts in
                        func number(_ value: UInt64?) -> JSONValue {
                            value.map { .int(Int64(clamping: $0)) } ?? .null
                        }
                        return [
                            "name": .string(name), "visible": number(counts?.visible),
                            "inFlight": number(counts?.inFlight),
                            "delayed": number(counts?.delayed),
                        ]
                    }),
                "routes": .array(routes.map { .string($0.key) }),
                "alarms": .array(alarms.map { .string($0) }),
            ]
            try invocation.output.result(json) {
                var parts = [
                    "\(stack.name) in \(stack.region), deployed \(deployment.deployedAt.iso8601)"
                ]
                if let record {
                    parts[0] +=
                        "\nserved by process \(record.process) since \(record.started.iso8601): "
                        + "endpoint \(record.endpointURL), gateway \(record.gatewayURL)"
                }
                let functions = stack.functions.map { function in
                    [
                        function.key, function.functionName, function.runtime,
                        function.triggers.isEmpty
                            ? "-" : "← " + function.triggers.map(\.queue).joined(separator: ", "),
                    ]
                }
                if !functions.isEmpty {
                    parts.append(
                        Output.table(["FUNCTION", "NAME", "RUNTIME", "QUEUES"], functions))
                }
                let rows = counts.map { name, counts in
                    let numbers = [counts?.visible, counts?.inFlight, counts?.delayed]
                    return [name] + numbers.map { $0.map { String($0) } ?? "-" }
                }
                if !rows.isEmpty {
                    parts.append(Output.table(["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED"], rows))
                }
                let table = routes.map { [$0.key, "→ \($0.value["lambda"]?.stringValue ?? "")"] }
                if !table.isEmpty { parts.append(Output.table(["ROUTE", "FUNCTION"], table)) }
                if !alarms.isEmpty { parts.append("\(alarms.count) alarms ('msorch alarms')") }
                return parts.joined(separator: "\n\n")
            }
            for name in gone {
                invocation.output.note(
                    "The queue '\(name)' was removed; 'msorch deploy' makes it again.")
            }
            try invocation.output.check(failures)
        })
}
