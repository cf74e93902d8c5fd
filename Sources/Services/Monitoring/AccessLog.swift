import Access
import JSON
import Posix

/// The calls that policies did not allow: a file a day, one line a call.
package struct AccessLog: Sendable {
    private let folder: String

    package init(stateDirectory: String) { folder = "\(stateDirectory)/access" }

    package func append(
        _ judgement: Judgement, at now: Timestamp
    ) throws(SystemError) {
        var json: JSONObject = [
            "time": .string(now.iso8601), "principal": .string(judgement.request.principal),
            "action": .string(judgement.request.action),
            "resource": .string(judgement.request.resource),
            "enforced": .bool(judgement.isEnforced),
        ]
        json["statement"] = judgement.decision?.statement?.json
        json["signature"] = judgement.failure.map { .string($0.message) }
        try FileSystem.makeDirectory(folder)
        let line = Array((JSONValue.object(json).serialized() + "\n").utf8)
        try FileSystem.appendLines(line, to: "\(folder)/\(now.date).jsonl")
    }

    /// What was written since `start`, oldest first. A line that a crash has cut is passed over.
    package func read(from start: Timestamp) throws(SystemError) -> [JSONValue] {
        guard FileSystem.isDirectory(folder) else { return [] }
        var entries: [JSONValue] = []
        for name in try FileSystem.list(folder) where name.prefix(10) >= start.date {
            try FileSystem.readLines("\(folder)/\(name)") { line in
                guard let json = try? JSONValue.parse(Array(line)),
                    let time = json["time"]?.stringValue, time >= start.iso8601
                else { return }
                entries.append(json)
            }
        }
        return entries
    }
}
