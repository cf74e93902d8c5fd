import CPosix
import Journal
import Posix
import Synchronization

/// The real files, but one call of a kind fails.
///
/// Fault model: a call that fails has no effect, except that a failing write may have written a
/// part (`short`). A failing sync leaves the pages readable, as Linux does for a while.
final class FaultyStorage: JournalStorage {
    enum Kind: CaseIterable {
        case open
        case read
        case write
        case short
        case sync
        case truncate
        case rename
        case syncDirectory
    }

    /// Fails the `countdown`th call of `kind` from when it is armed; 0 is disarmed.
    let plan = Mutex<(kind: Kind, countdown: Int)>((.open, 0))
    /// Is called at each sync, on its thread.
    let syncing = Mutex<(@Sendable () -> Void)?>(nil)
    /// Is called with the file whose sync fails, before that returns.
    let failingSync = Mutex<(@Sendable (any JournalFile) -> Void)?>(nil)
    /// Is called once a file has got the name of a segment.
    let segmentNamed = Mutex<(@Sendable () -> Void)?>(nil)
    /// No file may grow beyond it.
    let largestFile = Mutex<UInt64>(.max)
    let disk = DiskStorage()

    func arm(_ kind: Kind, _ countdown: Int) { plan.withLock { $0 = (kind, countdown) } }
    func disarm() { arm(.open, 0) }

    func fails(_ kind: Kind) -> Bool {
        plan.withLock { plan in
            guard plan.countdown > 0, plan.kind == kind else { return false }
            plan.countdown -= 1
            return plan.countdown == 0
        }
    }

    private func check(_ kind: Kind) throws(SystemError) {
        if fails(kind) { throw SystemError(call: "\(kind)", code: EIO) }
    }

    func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
        try check(.open)
        return FaultyFile(storage: self, file: try disk.open(path, creating: creating))
    }
    func list(_ folder: String) throws(SystemError) -> [String] { try disk.list(folder) }
    func isDirectory(_ path: String) throws(SystemError) -> Bool { try disk.isDirectory(path) }
    func removeTree(_ folder: String) throws(SystemError) { try disk.removeTree(folder) }
    func makeDirectory(_ folder: String) throws(SystemError) { try disk.makeDirectory(folder) }
    func rename(_ source: String, to target: String) throws(SystemError) {
        try check(.rename)
        try disk.rename(source, to: target)
        if target.hasSuffix(".jsonl") { segmentNamed.withLock { $0 }?() }
    }
    func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
    func syncDirectory(_ folder: String) throws(SystemError) {
        try check(.syncDirectory)
        try disk.syncDirectory(folder)
    }
}

private final class FaultyFile: JournalFile {
    let storage: FaultyStorage
    let file: any JournalFile

    init(storage: FaultyStorage, file: any JournalFile) {
        self.storage = storage
        self.file = file
    }

    private func check(_ kind: FaultyStorage.Kind, _ code: CInt = EIO) throws(SystemError) {
        if storage.fails(kind) { throw SystemError(call: "\(kind)", code: code) }
    }

    func status() throws(SystemError) -> FileDescriptor.Status { try file.status() }
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        try check(.read)
        return try file.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        try check(.write, ENOSPC)
        guard offset + UInt64(bytes.count) <= storage.largestFile.withLock({ $0 }) else {
            throw SystemError(call: "pwrite", code: EFBIG)
        }
        if storage.fails(.short) {
            _ = try file.write(
                UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2)), at: offset)
            throw SystemError(call: "pwrite", code: ENOSPC)
        }
        return try file.write(bytes, at: offset)
    }
    func truncate(to size: UInt64) throws(SystemError) {
        try check(.truncate)
        try file.truncate(to: size)
    }
    func sync() throws(SystemError) {
        storage.syncing.withLock { $0 }?()
        if storage.fails(.sync) {
            storage.failingSync.withLock { $0 }?(file)
            throw SystemError(call: "fdatasync", code: EIO)
        }
        try file.sync()
    }
    func tryLock() throws(SystemError) -> Bool { try file.tryLock() }
    func unlock() { file.unlock() }
}
