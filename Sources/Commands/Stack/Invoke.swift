import FunctionModel
import HTTP
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
            let result = try summary(of: function, payload, deployment, invocation)
            if invocation.has("log") {
                for line in result.log { StandardStream.error.write("\(line)\n".utf8) }
            }
            switch invocation.output.format {
            case .text, .csv: try invocation.output.data(result.payload + [0x0A])
            case .json: try invocation.output.data(result.json.serialized())
            }
            if let errorType = result.errorType {
                throw CommandError(
                    .failure, "The function \(result.functionName) failed: \(errorType).",
                    hint: invocation.has("log") ? nil : "--log shows what it said.")
            }
        })

    /// By the `serve` that runs, where functions are warm; otherwise by a private one.
    private static func summary(
        of function: FunctionDefinition, _ payload: [UInt8], _ deployment: Deployment,
        _ invocation: Invocation
    ) throws -> InvocationSummary {
        if let record = ServerRecord.running(invocation.stateDirectory),
            let client = try ServeClient(record, deployment, as: CredentialStore.developer)
        {
            do {
                return try client.invoke(function, payload: payload)
            } catch HTTPClient.Failure.unreachable {
                // It has ended since.
            }
        }
        return try invocation.withRuntime(deployment) { runtime in
            InvocationSummary(try runtime.invoke(function, payload: payload))
        }
    }

    /// The event, checked before anything is started.
    private static func payload(_ invocation: Invocation) throws -> [UInt8] {
        let text = invocation.text("payload") ?? "{}"
        var bytes: [UInt8]
        if text == "-" {
            bytes = []
            while case let more = try StandardStream.input.read(upTo: 65_536), !more.isEmpty {
                bytes += more
                guard bytes.count <= FunctionLimits.requestBytes else {
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
        guard bytes.count <= FunctionLimits.requestBytes else {
            throw InvocationError.payloadTooLarge(bytes: bytes.count)
        }
        do throws(JSONError) {
            _ = try JSONValue.parse(bytes)
        } catch {
            let place = "line \(error.position.line), column \(error.position.column)"
            guard !error.isTooDeep else {
                throw CommandError(
                    .usage, "The payload cannot be read: \(place): it is \(error.message).",
                    hint: "Nothing was started. So deep does msorch read JSON (docs/functions.md).")
            }
            throw CommandError(
                .usage, "The payload is not JSON: \(place): \(error.message).",
                hint: "Nothing was started. A text needs its quotes: --payload '\"text\"'.")
        }
        return bytes
    }
}

extension InvocationSummary {
    fileprivate var json: JSONValue {
        var json: JSONObject = [
            "statusCode": 200, "executedVersion": "$LATEST",
            "requestId": .string(requestID),
            "payload": (try? JSONValue.parse(payload))
                ?? .string(String(decoding: payload, as: UTF8.self)),
            "durationMilliseconds": .double(durationMilliseconds),
            "billedMilliseconds": .int(billedMilliseconds),
            "maxMemoryUsed": .int(maxMemoryUsed),
            "log": .array(log.map { .string($0) }),
        ]
        json["initMilliseconds"] = initMilliseconds.map { .double($0) }
        if let errorType {
            json["functionError"] = "Unhandled"
            json["errorType"] = .string(errorType)
        }
        return .object(json)
    }
}
