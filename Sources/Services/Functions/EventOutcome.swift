import FunctionModel
import JSON

/// What became of an asynchronous event, as its destination is told (Lambda guide,
/// *invocation-async-retain-records*).
struct EventOutcome {
    enum Condition: String {
        case success = "Success"
        case retriesExhausted = "RetriesExhausted"
        case eventAgeExceeded = "EventAgeExceeded"
    }

    var requestID: String
    var functionARN: String
    var condition: Condition
    /// How often it has failed.
    var attempts: Int
    var payload: [UInt8]
    /// Of the last attempt; `nil` if there was none.
    var result: InvocationResult?

    func json(at now: Timestamp) -> JSONValue {
        var json: JSONObject = [
            "version": "1.0", "timestamp": .string(now.iso8601),
            "requestContext": [
                "requestId": .string(requestID),
                "functionArn": .string("\(functionARN):$LATEST"),
                "condition": .string(condition.rawValue),
                "approximateInvokeCount": .int(
                    condition == .success ? attempts + 1 : attempts),
            ],
            "requestPayload": Self.value(payload),
        ]
        guard let result else { return .object(json) }
        var context: JSONObject = ["statusCode": 200, "executedVersion": "$LATEST"]
        if result.failure != nil { context["functionError"] = "Unhandled" }
        json["responseContext"] = .object(context)
        json["responsePayload"] = Self.value(result.payload)
        return .object(json)
    }

    private static func value(_ bytes: [UInt8]) -> JSONValue {
        (try? JSONValue.parse(bytes)) ?? .string(String(decoding: bytes, as: UTF8.self))
    }
}
