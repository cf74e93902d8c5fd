import JSON
import Posix
import Telemetry

/// The functions' logs: a folder a function and day, a file a stream, one event a line.
package struct LogStore: Sendable {
    package struct Entry: Equatable, Sendable {
        package var functionName: String
        package var stream: String
        package var event: LogEvent
    }

    /// An environment that says nothing for longer has ended: it idles for five minutes, or runs
    /// for fifteen, at most.
    private static let longestSilence = Duration.seconds(20 * 60)
    /// Lines are written in pieces of so many bytes: as JSON they may need six times as many.
    private static let pieceBytes = 1024 * 1024

    private let folder: String

    package init(stateDirectory: String) { folder = "\(stateDirectory)/logs/aws/lambda" }

    /// Appends whole lines, in one write a stream and piece, and takes what is written out of
    /// `lines`, also where it throws. A stream that cannot be written does not keep others back.
    package func append(_ lines: inout [FunctionLogLine]) throws(SystemError) {
        var left: [FunctionLogLine] = []
        /// Why a stream cannot be written; what it says next must not come before the rest.
        var failures: [String: SystemError] = [:]
        var start = 0
        while start < lines.count {
            var end = start
            var bytes = 0
            while end < lines.count, bytes < Self.pieceBytes {
                bytes += lines[end].heldBytes
                end += 1
            }
            left += append(lines[start..<end], &failures)
            start = end
        }
        lines = left
        if let failure = failures.values.first { throw failure }
    }

    /// - Returns: those that are not written.
    private func append(
        _ lines: ArraySlice<FunctionLogLine>, _ failures: inout [String: SystemError]
    ) -> [FunctionLogLine] {
        var files: [String: (batch: LineBatch, places: [Int])] = [:]
        for (place, line) in zip(lines.indices, lines) {
            let name = LogStreamName(line.stream, time: line.time)
            let function = LogStreamName.escaped(line.functionName)
            let path = "\(folder)/\(function)/\(name.date)/\(name.file)"
            files[path, default: (LineBatch(), [])].places.append(place)
            guard failures[path] == nil else { continue }
            files[path]?.batch.append {
                LogEvent(time: line.time, message: line.text).append(to: &$0)
            }
        }
        var left: [Int] = []
        for (path, (batch, places)) in files {
            var written = 0
            if failures[path] == nil {
                do throws(SystemError) {
                    try FileSystem.makeDirectory(FileSystem.parent(of: path))
                    let outcome = batch.write(to: path)
                    written = outcome.written
                    if let cause = outcome.failure { throw cause }
                } catch {
                    failures[path] = error
                }
            }
            left += places[written...]
        }
        return left.sorted().map { lines[$0] }
    }

    /// The functions that have logs.
    package func functionNames() throws(SystemError) -> [String] {
        FileSystem.isDirectory(folder) ? try FileSystem.list(folder) : []
    }

    fileprivate struct File {
        var path: String
        var function: String
        var stream: String
    }

    /// How far somebody has read, by file.
    package struct Position: Sendable {
        fileprivate var offsets: [String: UInt64] = [:]
        /// Streams that began days before and may go on; `nil` before they were looked for.
        fileprivate var older: [File]?
        package init() {}
    }

    /// What was written since `position`, in order of time, and moves it on.
    ///
    /// - Parameters:
    ///   - functionName: `nil` is all.
    ///   - start: earlier events are left out.
    package func read(
        _ functionName: String?, from start: Timestamp, after position: inout Position
    ) throws(SystemError) -> [Entry] {
        let recent = start - Self.longestSilence
        // Somebody may remove old logs meanwhile.
        var older = (position.older ?? []).filter { FileSystem.exists($0.path) }
        var files: [File] = []
        for function in try functionNames() where functionName == nil || function == functionName {
            let group = "\(folder)/\(function)"
            for day in try FileSystem.list(group)
            where day >= recent.date || position.older == nil {
                for name in try FileSystem.list("\(group)/\(day)") {
                    let stream = name.hasSuffix(".jsonl") ? String(name.dropLast(6)) : name
                    let file = File(
                        path: "\(group)/\(day)/\(name)", function: function, stream: stream)
                    // The day is that of the stream's beginning: what is old may go on.
                    if day >= recent.date {
                        files.append(file)
                    } else if Self.isWritten(file.path, since: recent) {
                        older.append(file)
                    }
                }
            }
        }
        position.older = older
        var entries: [Entry] = []
        for file in older + files { try read(file, start, &position, &entries) }
        // Events of one moment stay as they lie in their files.
        return entries.enumerated()
            .sorted { ($0.element.event.time, $0.offset) < ($1.element.event.time, $1.offset) }
            .map(\.element)
    }

    /// The file system's clock is coarse, and may lag a little behind.
    private static func isWritten(_ path: String, since start: Timestamp) -> Bool {
        guard let stamp = FileSystem.stamp(of: path) else { return false }
        return stamp.modifiedMilliseconds + 1000 >= start.milliseconds
    }

    private func read(
        _ file: File, _ start: Timestamp, _ position: inout Position, _ entries: inout [Entry]
    ) throws(SystemError) {
        let known = position.offsets[file.path] ?? 0
        // The last line may still be on its way.
        position.offsets[file.path] = try FileSystem.readLines(
            file.path, from: known, givesUnfinished: false
        ) { line in
            guard let event = LogEvent(line: line), event.time >= start else { return }
            entries.append(Entry(functionName: file.function, stream: file.stream, event: event))
        }
    }
}
