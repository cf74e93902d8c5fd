import Journal
import Posix
import Synchronization

/// The file system, with a count of what goes to journal segments: that tells the size of the
/// groups that share one sync.
final class CountingStorage: JournalStorage {
    fileprivate let syncs = Atomic(0)
    fileprivate let bytes = Atomic(0)
    private let disk = DiskStorage()

    /// Syncs of segments, and bytes written to them, since this storage was made.
    var counts: (syncs: Int, bytes: Int) {
        (syncs.load(ordering: .relaxed), bytes.load(ordering: .relaxed))
    }

    func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
        let file = try disk.open(path, creating: creating)
        return path.hasSuffix(".jsonl") ? CountingFile(file, self) : file
    }
    func list(_ folder: String) throws(SystemError) -> [String] { try disk.list(folder) }
    func isDirectory(_ path: String) throws(SystemError) -> Bool { try disk.isDirectory(path) }
    func makeDirectory(_ folder: String) throws(SystemError) { try disk.makeDirectory(folder) }
    func rename(_ source: String, to target: String) throws(SystemError) {
        try disk.rename(source, to: target)
    }
    func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
    func removeTree(_ folder: String) throws(SystemError) { try disk.removeTree(folder) }
    func syncDirectory(_ folder: String) throws(SystemError) { try disk.syncDirectory(folder) }
}

private final class CountingFile: JournalFile {
    private let file: any JournalFile
    private let storage: CountingStorage

    init(_ file: any JournalFile, _ storage: CountingStorage) {
        self.file = file
        self.storage = storage
    }

    func status() throws(SystemError) -> FileDescriptor.Status { try file.status() }
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        try file.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        let written = try file.write(bytes, at: offset)
        guard bytes.first != UInt8(ascii: "\n") else { return written }  // prepared room
        storage.bytes.add(written, ordering: .relaxed)
        return written
    }
    func truncate(to size: UInt64) throws(SystemError) { try file.truncate(to: size) }
    func sync() throws(SystemError) {
        try file.sync()
        storage.syncs.add(1, ordering: .relaxed)
    }
    func tryLock() throws(SystemError) -> Bool { try file.tryLock() }
    func unlock() { file.unlock() }
}
