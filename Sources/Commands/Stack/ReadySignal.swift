import JSON
import Posix
import Services

/// Where `serve` says that it is ready, for those who do not read its output.
struct ReadySignal {
    private let file: String?
    private let descriptor: Int32?
    /// The file is a device or a pipe: written to, never replaced or removed.
    private let isStream: Bool

    /// Looks whether it can be given, before anything has begun.
    /// - Throws: `CommandError` of a usage that cannot work.
    init(file: String?, descriptor: Int64?) throws {
        self.file = file
        self.descriptor = descriptor.map { Int32(clamping: $0) }
        isStream = try file.map(Self.isStream) ?? false
        if let number = self.descriptor, !FileDescriptor.isWritable(number) {
            throw CommandError(
                .usage, "--ready-fd \(number) is not open for writing.",
                hint: "For example: msorch serve --ready-fd 3 3>ready.json")
        }
    }

    private static let nothingDone = "Nothing was started."
    /// No ready line is longer, in bytes.
    private static let lineLimit = 4096

    /// - Returns: whether the file is to be written to as it is; `false` if it can be made, and
    ///   replaced.
    private static func isStream(_ file: String) throws -> Bool {
        func refusal(_ words: String, hint: String = nothingDone) -> CommandError {
            CommandError(.usage, "--ready-file \(file) \(words).", hint: hint)
        }
        let kind = FileKind(of: file)
        switch kind {
        case .folder: throw refusal("is a folder")
        case .socket:
            throw refusal(
                "is a socket", hint: "\(nothingDone) --ready-fd takes the number of an open one.")
        case .pipe, .device:
            guard FileSystem.isWritable(file) else {
                throw refusal("cannot be written: it takes nothing of yours")
            }
            return true
        case .regular, nil: break
        }
        guard FileSystem.linkTarget(file) == nil else {
            throw refusal(
                "is a symbolic link, which would be replaced",
                hint: "\(nothingDone) Name the file itself; --ready-fd 1 is standard output.")
        }
        let folder = FileSystem.parent(of: file)
        guard FileSystem.isDirectory(folder) else {
            throw refusal("cannot be written: there is no folder \(folder)")
        }
        guard FileSystem.isWritable(folder) else {
            throw refusal("cannot be written: \(folder) takes no files of yours")
        }
        guard kind == nil || isReplaceable(file) else {
            throw refusal(
                "is there already, and no serve has written it",
                hint: "\(nothingDone) It would be replaced: name another file, or remove it.")
        }
        return false
    }

    /// Whether a file holds nothing, or what a `serve` has said.
    private static func isReplaceable(_ file: String) -> Bool {
        guard let size = try? FileDescriptor(reading: file).status().size, size <= lineLimit,
            let bytes = try? FileSystem.read(file)
        else { return false }
        return bytes.isEmpty || ServerRecord(line: bytes) != nil
    }

    /// Takes back what was said, by this `serve` or an earlier one that is gone.
    ///
    /// - Parameter running: the `serve` that is there instead; what it has said stays.
    /// - Throws: `CommandError` that names what the user named.
    func takeBack(butOf running: Int32? = nil) throws {
        guard let file, !isStream, Self.isReplaceable(file) else { return }
        if let running, let bytes = try? FileSystem.read(file),
            ServerRecord(line: bytes)?.process == running
        {
            return
        }
        try Self.writing(file) { path throws(SystemError) in try FileSystem.remove(path) }
    }

    /// - Throws: `CommandError` that names what the user named.
    func send(_ json: JSONValue) throws {
        let line = Array((json.serialized() + "\n").utf8)
        if let file {
            try Self.writing(file) { path throws(SystemError) in
                if isStream {
                    try Self.tell(line, path)
                } else {
                    try FileSystem.replace(path, with: line)
                }
            }
        }
        guard let descriptor else { return }
        do throws(SystemError) {
            try Self.write(line, to: descriptor)
        } catch {
            throw CommandError(
                .inputOutput, "--ready-fd \(descriptor) cannot be written to: \(error.reason).")
        }
    }

    /// A pipe that nobody reads yet gets it once somebody does.
    private static func tell(_ line: [UInt8], _ file: String) throws(SystemError) {
        @Sendable func write(_ isWaiting: Bool) throws(SystemError) {
            let stream = try FileDescriptor(streamingTo: file, isWaiting: isWaiting)
            try line.withBytes { bytes throws(SystemError) in try stream.writeAll(bytes) }
        }
        do throws(SystemError) {
            try write(false)
        } catch {
            guard error.isUnread else { throw error }
            try Thread(name: "ready") { try? write(true) }.detach()
        }
    }

    /// Who waits for the end of what the number stands for hears of it; of the standard streams, at
    /// the end of the process: the next file that is opened must not get their words.
    private static func write(_ line: [UInt8], to number: Int32) throws(SystemError) {
        let isStandard = StandardStream(rawValue: number) != nil
        let descriptor =
            isStandard
            ? try FileDescriptor(duplicating: number) : FileDescriptor(owning: number)
        try line.withBytes { bytes throws(SystemError) in try descriptor.writeAll(bytes) }
    }

    private static func writing(
        _ file: String, _ body: (String) throws(SystemError) -> Void
    ) throws {
        do throws(SystemError) {
            try body(file)
        } catch {
            throw CommandError(
                .inputOutput, "--ready-file \(file) cannot be written: \(error.reason).")
        }
    }
}
