import JSON

/// One line of a log stream's file: `{"timestamp":1764000000123,"message":"…"}`.
package struct LogEvent: Equatable, Sendable {
    package var time: Timestamp
    /// Without its line ending.
    package var message: String

    package init(time: Timestamp, message: String) {
        self.time = time
        self.message = message
    }

    /// Appends the line, newline included.
    package func append(to bytes: inout [UInt8]) {
        JSONWriter.append("{\"timestamp\":", &bytes)
        JSONWriter.appendInteger(time.milliseconds, to: &bytes)
        JSONWriter.append(",\"message\":", &bytes)
        JSONWriter.appendString(message, to: &bytes)
        JSONWriter.append("}\n", &bytes)
    }

    /// What `append` wrote, without its newline; `nil` for anything else.
    package init?(line: some Collection<UInt8>) {
        guard let json = try? JSONValue.parse(Array(line)),
            let time = json["timestamp"]?.intValue, let message = json["message"]?.stringValue
        else { return nil }
        self.init(time: Timestamp(milliseconds: time), message: message)
    }
}

/// A log stream's name, and the file it has beneath its group.
///
/// `2026/11/24/[$LATEST]0f…` lies in `2026-11-24/[$LATEST]0f….jsonl`. Any other name lies under the
/// day of its events; what a path cannot hold is written as `%2F`.
package struct LogStreamName: Hashable, Sendable {
    package var date: String
    package var file: String

    package init(_ stream: String, time: Timestamp) {
        let parts = stream.split(separator: "/", omittingEmptySubsequences: false)
        let isDated =
            parts.count > 3
            && zip(parts, [4, 2, 2]).allSatisfy { part, digits in
                part.utf8.count == digits && part.utf8.allSatisfy { (48...57).contains($0) }
            }
        date = isDated ? parts[0..<3].joined(separator: "-") : time.date
        let rest = isDated ? parts[3...].joined(separator: "/") : stream
        file = Self.escaped(rest) + ".jsonl"
    }

    /// A path component that leads nowhere else.
    package static func escaped(_ name: String) -> String {
        if name.isEmpty { return "%" }
        if name.utf8.allSatisfy({ $0 == UInt8(ascii: ".") }) {
            return String(repeating: "%2E", count: name.utf8.count)
        }
        var result = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "/": result += "%2F"
            case "%": result += "%25"
            case "\0": result += "%00"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
