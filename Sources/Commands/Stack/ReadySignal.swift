import JSON
import Posix

/// Where `serve` says that it is ready, for those who do not read its output.
struct ReadySignal {
    private let file: String?
    private let descriptor: Int32?

    /// Looks whether it can be given, before anything has begun.
    /// - Throws: `CommandError` of a usage that cannot work.
    init(file: String?, descriptor: Int64?) throws {
        self.file = file
        self.descriptor = descriptor.map { Int32(clamping: $0) }
        if let file {
            let folder = FileSystem.parent(of: file)
            guard FileSystem.isDirectory(folder), !FileSystem.isDirectory(file) else {
                throw CommandError(
                    .usage,
                    FileSystem.isDirectory(file)
                        ? "--ready-file \(file) is a folder."
                        : "--ready-file \(file) cannot be written: there is no folder \(folder).",
                    hint: Self.nothingDone)
            }
            guard FileSystem.isWritable(folder) else {
                throw CommandError(
                    .usage,
                    "--ready-file \(file) cannot be written: \(folder) takes no files of yours.",
                    hint: Self.nothingDone)
            }
        }
        if let number = self.descriptor, !FileDescriptor.isWritable(number) {
            throw CommandError(
                .usage, "--ready-fd \(number) is not open for writing.",
                hint: "For example: msorch serve --ready-fd 3 3>ready.json")
        }
    }

    private static let nothingDone = "Nothing was started."

    /// Takes back what was said, by this `serve` or an earlier one that is gone.
    ///
    /// - Parameter running: the `serve` that is there instead; what it has said stays.
    /// - Throws: `CommandError` that names what the user named.
    func takeBack(butOf running: Int32? = nil) throws {
        guard let file else { return }
        if let running, let bytes = try? FileSystem.read(file),
            let pid = try? JSONValue.parse(bytes)["pid"]?.intValue, pid == Int64(running)
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
                try FileSystem.replace(path, with: line)
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
