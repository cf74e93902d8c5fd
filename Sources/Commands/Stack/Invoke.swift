import FunctionModel
import JSON
import Posix
import Services
import StackModel

extension Command {
    static let invoke = Command(
        path: ["invoke"], abstract: "Runs a function once and prints its response.",
        arguments: [Argument(name: "FUNCTION", help: "Its key in stack.json, or its name.")],
        options: [
            .text(
                "payload", "JSON|@FILE|-",
                "The event: JSON, a file, or standard input (default: {})."),
            .flag("log", "Show the function's log on standard error."),
        ],
        examples: [
            "msorch invoke CreateOrder --payload '{\"order_id\": 1, \"order_details\": \"two\"}'",
            "msorch invoke CreateOrder --payload @event.json --log",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let function = try deployment.stack.requiredFunction(invocation.arguments[0])
            let payload = try payload(invocation)
            let result = try invocation.withRuntime(deployment) { runtime in
                try runtime.invoke(function, payload: payload)
            }
            if invocation.has("log") {
                for line in result.log { StandardStream.error.write("\(line.text)\n".utf8) }
            }
            switch invocation.output.format {
            case .text, .csv: try invocation.output.data(result.payload + [0x0A])
            case .json: try invocation.output.data(result.json.serialized())
            }
            if let failure = result.failure {
                throw CommandError(
                    .failure, "The function \(result.functionName) failed: \(failure.errorType).",
                    hint: invocation.has("log") ? nil : "--log shows what it said.")
            }
        })

    /// The event, checked before anything is started.
    private static func payload(_ invocation: Invocation) throws -> [UInt8] {
        let text = invocation.text("payload") ?? "{}"
        var bytes: [UInt8]
        if text == "-" {
            bytes = []
            while case let more = try StandardStream.input.read(upTo: 65_536), !more.isEmpty {
                bytes += more
                guard bytes.count <= FunctionLimits.payloadBytes else {
                    throw InvocationError.payloadTooLarge(bytes: bytes.count)
                }
            }
        } else if text.hasPrefix("@") {
            let path = String(text.dropFirst())
            do throws(SystemError) {
                bytes = try FileSystem.read(path)
            } catch {
                throw CommandError(
                    error.isNotFound ? .notFound : .inputOutput,
                    "The payload \(path) cannot be read: \(error.reason).")
            }
        } else {
            bytes = Array(text.utf8)
        }
        guard bytes.count <= FunctionLimits.payloadBytes else {
            throw InvocationError.payloadTooLarge(bytes: bytes.count)
        }
        do throws(JSONError) {
            _ = try JSONValue.parse(bytes)
        } catch {
            let place = "line \(error.position.line), column \(error.position.column)"
            throw CommandError(
                .usage, "The payload is not JSON: \(place): \(error.message).",
                hint: "Nothing was started. A text needs its quotes: --payload '\"text\"'.")
        }
        return bytes
    }
}

extension InvocationResult {
    fileprivate var json: JSONValue {
        var json: JSONObject = [
            "statusCode": 200, "executedVersion": "$LATEST",
            "requestId": .string(report.requestID),
            "payload": (try? JSONValue.parse(payload))
                ?? .string(String(decoding: payload, as: UTF8.self)),
            "durationMilliseconds": .double(report.durationMilliseconds),
            "billedMilliseconds": .int(report.billedMilliseconds),
            "maxMemoryUsed": .int(report.maxMemoryUsed),
            "log": .array(log.map { .string($0.text) }),
        ]
        json["initMilliseconds"] = report.initMilliseconds.map { .double($0) }
        if let failure = report.failure {
            json["functionError"] = "Unhandled"
            json["errorType"] = .string(failure.errorType)
        }
        return .object(json)
    }
}
