import CPosix
import Journal
import Posix
import Synchronization

/// A disk of so many bytes: what goes beyond is refused with ENOSPC, after a short write where a
/// part still fits.
final class CappedStorage: JournalStorage {
    private struct Disk {
        var cap: UInt64
        var sizes: [String: UInt64] = [:]
        var used: UInt64 { sizes.values.reduce(0, +) }
    }

    private let disk: Mutex<Disk>
    private let files = DiskStorage()

    init(cap: UInt64) { disk = Mutex(Disk(cap: cap)) }

    func setCap(_ cap: UInt64) { disk.withLock { $0.cap = cap } }
    var cap: UInt64 { disk.withLock { $0.cap } }
    var used: UInt64 { disk.withLock { $0.used } }

    /// How many of `count` bytes at `offset` fit.
    fileprivate func take(_ path: String, _ offset: UInt64, _ count: Int) -> Int {
        disk.withLock { disk in
            let size = disk.sizes[path] ?? 0
            let wanted = max(size, offset + UInt64(count))
            let free = disk.cap > disk.used ? disk.cap - disk.used : 0
            let end = min(wanted, size + free)
            disk.sizes[path] = max(size, end)
            return end > offset ? Int(min(end - offset, UInt64(count))) : 0
        }
    }

    fileprivate func cut(_ path: String, _ size: UInt64) {
        disk.withLock { $0.sizes[path] = size }
    }

    func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
        CappedFile(try files.open(path, creating: creating), path, self)
    }
    func list(_ folder: String) throws(SystemError) -> [String] { try files.list(folder) }
    func isDirectory(_ path: String) throws(SystemError) -> Bool { try files.isDirectory(path) }
    func removeTree(_ folder: String) throws(SystemError) { try files.removeTree(folder) }
    func makeDirectory(_ folder: String) throws(SystemError) { try files.makeDirectory(folder) }
    func rename(_ source: String, to target: String) throws(SystemError) {
        try files.rename(source, to: target)
        disk.withLock { $0.sizes[target] = $0.sizes.removeValue(forKey: source) }
    }
    func remove(_ path: String) throws(SystemError) {
        try files.remove(path)
        disk.withLock { $0.sizes[path] = nil }
    }
    func syncDirectory(_ folder: String) throws(SystemError) { try files.syncDirectory(folder) }
}

private final class CappedFile: JournalFile {
    private let file: any JournalFile
    private let path: String
    private let storage: CappedStorage

    init(_ file: any JournalFile, _ path: String, _ storage: CappedStorage) {
        self.file = file
        self.path = path
        self.storage = storage
    }

    func status() throws(SystemError) -> FileDescriptor.Status { try file.status() }
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int { try file.read(into: buffer, at: offset) }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        let fits = storage.take(path, offset, bytes.count)
        guard fits > 0 else { throw SystemError(call: "pwrite", code: ENOSPC) }
        return try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<fits]), at: offset)
    }
    func truncate(to size: UInt64) throws(SystemError) {
        try file.truncate(to: size)
        storage.cut(path, size)
    }
    func sync() throws(SystemError) { try file.sync() }
    func tryLock() throws(SystemError) -> Bool { try file.tryLock() }
    func unlock() { file.unlock() }
}
