import Glibc
import Journal
import Posix

/// The simulated disk as one process uses it.
final class SimulatedStorage: JournalStorage, @unchecked Sendable {
    // Safe to share: a simulation has one thread.
    private let process: SimulatedProcess
    private let world: SimulatedWorld
    private var disk: SimulatedDisk { world.disk }

    init(process: SimulatedProcess, world: SimulatedWorld) {
        self.process = process
        self.world = world
    }

    /// Does it, unless something happens.
    private func perform<R>(
        _ name: String, _ path: String, _ kind: Call = .other,
        _ effect: () throws(SystemError) -> R
    ) throws(SystemError) -> R {
        switch try process.fate(of: kind) {
        case .normal, .short: return try effect()
        case .fails(let code): throw process.failure(name, code, path)
        case .dies(let losingPower):
            if world.random.chance(1, in: 2) { _ = try effect() }
            throw process.end(losingPower: losingPower)
        }
    }

    func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
        try perform("open", path) { () throws(SystemError) in
            if let file = disk.file(path), !world.isHidden(path) {
                return SimulatedFile(file, path, process, world)
            }
            guard creating, let file = disk.createFile(path) else {
                throw SystemError(call: "open", code: ENOENT, path: path)
            }
            return SimulatedFile(file, path, process, world)
        }
    }

    func list(_ folder: String) throws(SystemError) -> [String] {
        try perform("opendir", folder) { () throws(SystemError) in
            guard let found = disk.folder(folder) else {
                throw SystemError(call: "opendir", code: ENOENT, path: folder)
            }
            return found.entries.keys.sorted()
        }
    }

    func isDirectory(_ path: String) throws(SystemError) -> Bool {
        try perform("stat", path) { disk.folder(path) != nil }
    }

    func makeDirectory(_ folder: String) throws(SystemError) {
        try perform("mkdir", folder) {
            var path = ""
            for name in folder.split(separator: "/") {
                path += "/\(name)"
                _ = disk.createFolder(path)
            }
        }
    }

    func rename(_ source: String, to target: String) throws(SystemError) {
        try perform("rename", source) { () throws(SystemError) in
            let code = disk.rename(source, to: target)
            guard code == 0 else { throw SystemError(call: "rename", code: code, path: source) }
        }
    }

    func remove(_ path: String) throws(SystemError) {
        try perform("unlink", path) { disk.remove(path) }
    }

    func removeTree(_ folder: String) throws(SystemError) {
        for name in disk.folder(folder)?.entries.keys.sorted() ?? [] {
            try remove("\(folder)/\(name)")
        }
        try remove(folder)
    }

    func syncDirectory(_ folder: String) throws(SystemError) {
        try perform("fsync", folder) { () throws(SystemError) in
            guard let found = disk.folder(folder) else {
                throw SystemError(call: "open", code: ENOENT, path: folder)
            }
            if !world.lies.contains(.folderSync) { disk.sync(found) }
        }
    }
}

/// A handle on a file, which lives on when its name is gone.
private final class SimulatedFile: JournalFile, @unchecked Sendable {
    // Safe to share: a simulation has one thread.
    /// A write this small goes within one page, and so wholly or not at all.
    private static let atomicBytes = 64

    private let file: SimulatedDisk.File
    private let path: String
    private let process: SimulatedProcess
    private let world: SimulatedWorld
    private var failuresHeard: Int

    init(
        _ file: SimulatedDisk.File, _ path: String, _ process: SimulatedProcess,
        _ world: SimulatedWorld
    ) {
        self.file = file
        self.path = path
        self.process = process
        self.world = world
        failuresHeard = file.failedSyncs
    }

    deinit { unlock() }

    func status() throws(SystemError) -> FileDescriptor.Status {
        guard process.isAlive else { throw SystemError(call: "fstat", code: ESRCH) }
        return FileDescriptor.Status(
            size: UInt64(file.bytes.count), device: 1, inode: file.inode, isDirectory: false)
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        switch try process.fate(of: .read) {
        case .normal, .short: break
        case .fails(let code): throw process.failure("pread", code, path)
        case .dies(let losingPower): throw process.end(losingPower: losingPower)
        }
        let start = min(Int(clamping: offset), file.bytes.count)
        let count = min(buffer.count, file.bytes.count - start)
        file.bytes.withUnsafeBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
        }
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        let start = Int(clamping: offset)
        func put(_ count: Int) {
            guard !world.isForgotten(bytes, path) else { return }
            world.disk.write(bytes.prefix(count), to: file, at: start)
        }
        func part() -> Int {
            if bytes.count <= Self.atomicBytes {
                return world.random.chance(1, in: 2) ? bytes.count : 0
            }
            return world.random.below(bytes.count + 1)
        }
        switch try process.fate(of: .write) {
        case .normal: break
        case .short:
            let count = max(1, part())
            put(count)
            return count
        case .fails(let code):
            put(part())
            throw process.failure("pwrite", code, path)
        case .dies(let losingPower):
            put(part())
            throw process.end(losingPower: losingPower)
        }
        let growth = max(0, start + bytes.count - file.bytes.count)
        let missing = growth - world.room(for: growth)
        let count = bytes.count - missing
        guard count > 0 else { throw process.failure("pwrite", ENOSPC, path) }
        put(count)
        return count
    }

    func truncate(to size: UInt64) throws(SystemError) {
        switch try process.fate(of: .other) {
        case .normal, .short: break
        case .fails(let code): throw process.failure("ftruncate", code, path)
        case .dies(let losingPower):
            if world.random.chance(1, in: 2) { world.disk.truncate(file, to: Int(size)) }
            throw process.end(losingPower: losingPower)
        }
        if world.lies.contains(.staleBytes), hasStaleBytes(behind: Int(size)) { return }
        world.disk.truncate(file, to: Int(size))
    }

    /// Whether something stands there behind room that was prepared for records.
    private func hasStaleBytes(behind size: Int) -> Bool {
        let rest = file.bytes.dropFirst(size)
        return path.hasSuffix(".jsonl") && rest.first == 0x0A && rest.contains { $0 != 0x0A }
    }

    func sync() throws(SystemError) {
        switch try process.fate(of: .sync, isSegment: path.hasSuffix(".jsonl")) {
        case .normal, .short: break
        case .fails(let code):
            world.disk.failSync(file, &world.random)
            failuresHeard = file.failedSyncs
            if world.lies.contains(.syncError) { return }
            throw process.failure("fdatasync", code, path)
        case .dies(let losingPower):
            if world.random.chance(1, in: 2) { world.disk.sync(file) }
            throw process.end(losingPower: losingPower)
        }
        if failuresHeard < file.failedSyncs {
            failuresHeard = file.failedSyncs
            if !world.lies.contains(.syncError) { throw process.failure("fdatasync", EIO, path) }
        }
        if !isLiedAbout { world.disk.sync(file) }
    }

    private var isLiedAbout: Bool {
        world.lies.contains(.fileSync)
            || world.lies.contains(.submittedSync) && process.isAtJob
            || world.lies.contains(.newQueueSync) && path.contains("/.new-")
    }

    func tryLock() throws(SystemError) -> Bool {
        switch try process.fate(of: .lock) {
        case .normal, .short, .fails: break
        case .dies(let losingPower): throw process.end(losingPower: losingPower)
        }
        let lock = SimulatedProcess.Lock(file: file, isJournals: path.hasSuffix("/lock"))
        return process.take(lock, for: ObjectIdentifier(self))
    }

    func unlock() { process.release(for: ObjectIdentifier(self)) }
}
