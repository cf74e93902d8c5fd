import JSON
import Posix
import Services
import StackModel
import Telemetry

extension Command {
    private static let followInterval: UInt32 = 100_000

    static let logs = Command(
        path: ["logs"], abstract: "Shows what functions said.",
        arguments: [
            Argument(
                name: "FUNCTION", help: "Its key or its name (default: all).", isOptional: true)
        ],
        options: [
            .text("since", "TIME", "How far back: 90s, 10m, 1h, 7d (default: 1h)."),
            .text(
                "filter", "PATTERN",
                "Only events with these words: 'ERROR', '\"two words\"', '?one ?other', '-not'."),
            .flag("follow", "Go on with what comes, until interrupted."),
        ],
        examples: [
            "msorch logs CreateOrder --since 10m", "msorch logs --follow --filter ERROR",
            "msorch logs Notification --output json | jq -r .message",
        ],
        run: { invocation in
            let span = try TimeSpan.parse(invocation.text("since") ?? "1h", "since")
            let pattern = invocation.text("filter") ?? ""
            guard let filter = LogFilter(pattern) else {
                throw CommandError(
                    .usage, "--filter takes words, not the pattern '\(pattern)'.",
                    hint: "Between double quotes any text is one word: '\"{\"'.")
            }
            let store = LogStore(stateDirectory: invocation.stateDirectory)
            let function = try invocation.arguments.first.map { name in
                try functionName(name, invocation, store)
            }
            let start = StackClock().now() - span
            var position = LogStore.Position()
            var isEmpty = true
            repeat {
                let entries = try store.read(function, from: start, after: &position)
                for entry in entries where filter.matches(entry.event.message) {
                    isEmpty = false
                    try invocation.output.result(entry.json) {
                        function == nil
                            ? "\(entry.functionName): \(entry.event.message)" : entry.event.message
                    }
                }
                guard invocation.has("follow") else { break }
                if entries.isEmpty { SystemClock.pause(microseconds: followInterval) }
            } while Signals.termination == nil && StandardStream.output.hasReader
            if isEmpty, !invocation.has("follow") {
                invocation.output.note("There are no such log events in this time.")
            }
        })

    private static func functionName(
        _ name: String, _ invocation: Invocation, _ store: LogStore
    ) throws -> String {
        if let stack = try Deployment.load(invocation.stateDirectory)?.stack {
            if let function = stack.function(name) { return function.functionName }
            let known = try store.functionNames()
            if !known.contains(name) { _ = try stack.requiredFunction(name) }
            return name
        }
        guard try store.functionNames().contains(name) else {
            throw InvocationError.noSuchFunction(name, existing: try store.functionNames())
        }
        return name
    }
}

extension LogStore.Entry {
    fileprivate var json: JSONValue {
        [
            "timestamp": .string(event.time.iso8601), "function": .string(functionName),
            "stream": .string(stream), "message": .string(event.message),
        ]
    }
}
