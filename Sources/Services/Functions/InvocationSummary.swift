import Crypto
import FunctionModel
import JSON

/// What a caller on the command line is told of an invocation, here or by a running server.
package struct InvocationSummary: Equatable, Sendable {
    package var functionName: String
    package var requestID: String
    /// The response, or the error object.
    package var payload: [UInt8]
    package var durationMilliseconds: Double
    package var billedMilliseconds: Int64
    package var initMilliseconds: Double?
    /// MB.
    package var maxMemoryUsed: Int64
    /// Line by line.
    package var log: [String]
    /// `nil`: it went well.
    package var errorType: String?

    package init(_ result: InvocationResult) {
        functionName = result.functionName
        requestID = result.report.requestID
        payload = result.payload
        durationMilliseconds = result.report.durationMilliseconds
        billedMilliseconds = result.report.billedMilliseconds
        initMilliseconds = result.report.initMilliseconds
        maxMemoryUsed = result.report.maxMemoryUsed
        log = result.log.map(\.text)
        errorType = result.failure?.errorType
    }

    /// What `json` wrote; `nil` if it is something else.
    package init?(json: JSONValue) {
        guard let functionName = json["functionName"]?.stringValue,
            let requestID = json["requestId"]?.stringValue,
            let payload = json["payload"]?.stringValue.flatMap(Base64.decode),
            let duration = json["durationMilliseconds"]?.doubleValue,
            let billed = json["billedMilliseconds"]?.intValue,
            let memory = json["maxMemoryUsed"]?.intValue
        else { return nil }
        self.functionName = functionName
        self.requestID = requestID
        self.payload = payload
        durationMilliseconds = duration
        billedMilliseconds = billed
        initMilliseconds = json["initMilliseconds"]?.doubleValue
        maxMemoryUsed = memory
        log = (json["log"]?.arrayValue ?? []).compactMap(\.stringValue)
        errorType = json["errorType"]?.stringValue
    }

    /// The payload in Base64: a function may answer with bytes that are no text.
    var json: JSONValue {
        var json: JSONObject = [
            "functionName": .string(functionName), "requestId": .string(requestID),
            "payload": .string(Base64.encode(payload)),
            "durationMilliseconds": .double(durationMilliseconds),
            "billedMilliseconds": .int(billedMilliseconds),
            "maxMemoryUsed": .int(maxMemoryUsed), "log": .array(log.map { .string($0) }),
        ]
        json["initMilliseconds"] = initMilliseconds.map { .double($0) }
        json["errorType"] = errorType.map { .string($0) }
        return .object(json)
    }
}

extension InvocationError {
    /// As one process tells it to another.
    var json: JSONValue {
        switch self {
        case .noSuchFunction(let name, let existing):
            [
                "error": "noSuchFunction", "name": .string(name),
                "existing": .array(existing.map { .string($0) }),
            ]
        case .payloadTooLarge(let bytes): ["error": "payloadTooLarge", "bytes": .int(bytes)]
        case .throttled(let name): ["error": "throttled", "name": .string(name)]
        case .cannotStart(let name, let reason):
            ["error": "cannotStart", "name": .string(name), "reason": .string(reason)]
        case .stopped: ["error": "stopped"]
        }
    }

    package init?(json: JSONValue) {
        let name = json["name"]?.stringValue ?? ""
        switch json["error"]?.stringValue {
        case "noSuchFunction":
            let existing = (json["existing"]?.arrayValue ?? []).compactMap(\.stringValue)
            self = .noSuchFunction(name, existing: existing)
        case "payloadTooLarge": self = .payloadTooLarge(bytes: Int(json["bytes"]?.intValue ?? 0))
        case "throttled": self = .throttled(functionName: name)
        case "cannotStart":
            self = .cannotStart(functionName: name, reason: json["reason"]?.stringValue ?? "")
        case "stopped": self = .stopped
        default: return nil
        }
    }
}
