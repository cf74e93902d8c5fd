import JSON
import Posix
import Synchronization

/// The calls that journals and their folders make on files: the real ones, or a test's.
package protocol JournalStorage: Sendable {
    func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile
    func list(_ folder: String) throws(SystemError) -> [String]
    /// Whether a folder is there; one that cannot be asked about is an error.
    func isDirectory(_ path: String) throws(SystemError) -> Bool
    func makeDirectory(_ folder: String) throws(SystemError)
    func rename(_ source: String, to target: String) throws(SystemError)
    /// Two folders change places, in one step where the file system can.
    func exchange(_ one: String, _ other: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    /// Removes a folder with all that is in it, file by file. Not an error if there is none.
    func removeTree(_ folder: String) throws(SystemError)
    func syncDirectory(_ folder: String) throws(SystemError)
}

extension JournalStorage {
    /// Writes a file beside `path`, which gets that name when all of it is there. What fails leaves
    /// nothing behind.
    package func replace(
        _ path: String, _ fill: (any JournalFile) throws(SystemError) -> Void
    ) throws(SystemError) {
        let temporary = path + DiskStorage.unfinished
        do throws(SystemError) {
            try remove(temporary)
            try fill(try open(temporary, creating: true))
            try rename(temporary, to: path)
        } catch {
            try? remove(temporary)
            throw error
        }
    }

    package func exchange(_ one: String, _ other: String) throws(SystemError) {
        try exchangeByRenaming(one, other)
    }

    fileprivate func exchangeByRenaming(_ one: String, _ other: String) throws(SystemError) {
        try rename(one, to: one + ".new")
        try rename(other, to: one)
        try rename(one + ".new", to: other)
    }
}

/// One open file of a journal.
package protocol JournalFile: AnyObject, Sendable {
    func status() throws(SystemError) -> FileDescriptor.Status
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int
    /// May write less than asked.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int
    func truncate(to size: UInt64) throws(SystemError)
    /// Makes the file at least that large, with room on the disk for all of it.
    func allocate(_ size: UInt64) throws(SystemError)
    func sync() throws(SystemError)
    func tryLock() throws(SystemError) -> Bool
    /// Waits for the lock, up to `milliseconds`, in a line with the other processes.
    func lock(milliseconds: Int32) throws(SystemError) -> Bool
    func unlock()
}

/// The file system.
package struct DiskStorage: JournalStorage {
    /// How a file's name ends that has yet to get its own. Who holds the lock finds one only where
    /// another process has died.
    package static let unfinished = ".new"

    package init() {}

    package func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
        DiskFile(try FileDescriptor(updating: path, creating: creating))
    }
    package func list(_ folder: String) throws(SystemError) -> [String] {
        try FileSystem.list(folder)
    }
    package func isDirectory(_ path: String) throws(SystemError) -> Bool {
        try FileSystem.hasDirectory(path)
    }
    package func makeDirectory(_ folder: String) throws(SystemError) {
        try FileSystem.makeDirectory(folder)
    }
    package func rename(_ source: String, to target: String) throws(SystemError) {
        try FileSystem.rename(source, to: target)
    }
    package func exchange(_ one: String, _ other: String) throws(SystemError) {
        if try !FileSystem.exchange(one, other) { try exchangeByRenaming(one, other) }
    }
    package func remove(_ path: String) throws(SystemError) { try FileSystem.remove(path) }
    package func removeTree(_ folder: String) throws(SystemError) {
        try FileSystem.removeTree(folder)
    }
    package func syncDirectory(_ folder: String) throws(SystemError) {
        try FileSystem.syncDirectory(folder)
    }
}

private final class DiskFile: JournalFile {
    private let descriptor: FileDescriptor
    private let turns = Atomic<UInt>(0)
    private let syncFailure = Mutex<SystemError?>(nil)
    private static let turnsInARow: UInt = 4
    /// It let others go first, and has not been in the line since.
    private let isStandingAside = Atomic<Bool>(false)
    /// Long enough for one who waits to be awake.
    private static let aside: UInt32 = 100

    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    func status() throws(SystemError) -> FileDescriptor.Status { try descriptor.status() }
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        try descriptor.read(into: buffer, at: offset)
    }
    func write(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        try descriptor.write(bytes, at: offset)
    }
    func truncate(to size: UInt64) throws(SystemError) { try descriptor.truncate(to: size) }
    func allocate(_ size: UInt64) throws(SystemError) { try descriptor.allocate(size) }
    /// One at a time, and none after one that failed: the system tells of a failure once, and who
    /// syncs meanwhile or later must hear of it too.
    func sync() throws(SystemError) {
        let failure = syncFailure.withLock { failure in
            guard failure == nil else { return failure }
            do throws(SystemError) {
                try descriptor.syncData()
            } catch {
                failure = error
            }
            return failure
        }
        if let failure { throw failure }
    }
    /// Now and then lets those go first who wait: a process that never pauses would take the lock
    /// again before they are awake.
    func tryLock() throws(SystemError) -> Bool {
        let turn = turns.wrappingAdd(1, ordering: .relaxed).newValue
        if turn.isMultiple(of: Self.turnsInARow), descriptor.hasWaiters() {
            isStandingAside.store(true, ordering: .relaxed)
            return false
        }
        return try descriptor.tryLock()
    }
    func lock(milliseconds: Int32) throws(SystemError) -> Bool {
        if isStandingAside.exchange(false, ordering: .relaxed) {
            SystemClock.pause(microseconds: Self.aside)
        }
        return try descriptor.lock(milliseconds: milliseconds)
    }
    func unlock() { descriptor.unlock() }
}

extension JournalFile {
    /// For storage that has no line of its own: looks again and again.
    package func lock(milliseconds: Int32) throws(SystemError) -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        var pause: UInt32 = 20
        while SystemClock.monotonicNanoseconds() < deadline {
            SystemClock.pause(microseconds: pause)
            if try tryLock() { return true }
            pause = min(pause * 2, 1000)
        }
        return false
    }

    /// Takes the lock between processes; says who holds it if that takes too long.
    package func lock(_ options: JournalOptions) throws(JournalError) {
        if try storing({ () throws(SystemError) in try tryLock() }) { return }
        let milliseconds = Int32(clamping: options.lockTimeout.wholeMilliseconds)
        if try storing({ () throws(SystemError) in try lock(milliseconds: milliseconds) }) {
            return
        }
        let status = try storing { () throws(SystemError) in try self.status() }
        throw .busy(holder: FileSystem.lockHolder(of: status))
    }

    /// Whether it is still the one at `path`.
    func isInPlace(
        at path: String, _ storage: any JournalStorage
    ) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try storage.open(path, creating: false).status().inode == status().inode
        } catch {
            guard error.isNotFound else { throw error }
            return false
        }
    }

    /// Syncs; bytes of whom it is not known whether a sync of theirs failed are written once more
    /// before, since the kernel may take them for synced.
    func sync(writingAnew unproven: Range<UInt64>?) throws(SystemError) {
        if let unproven {
            let bytes = try bytes(at: unproven.lowerBound, count: unproven.count)
            try writeAll(bytes, at: unproven.lowerBound)
        }
        try sync()
    }

    package func allocate(_ size: UInt64) throws(SystemError) {
        var end = try status().size
        while end < size {
            let piece = [UInt8](repeating: 0, count: Int(min(size - end, 256 * 1024)))
            try writeAll(piece, at: end)
            end += UInt64(piece.count)
        }
    }

    /// Writes all of `bytes`, or fails; what was written by then is the caller's to undo.
    package func writeAll(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
        // By hand: the runtime takes a while to look up what a generic function works with.
        let failure = bytes.withUnsafeBytes { buffer -> SystemError? in
            var done = 0
            do throws(SystemError) {
                while done < buffer.count {
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
                    done += try write(rest, at: offset + UInt64(done))
                }
            } catch {
                return error
            }
            return nil
        }
        if let failure { throw failure }
    }

    /// Up to `count` bytes from `offset`; fewer at the end of the file.
    package func bytes(at offset: UInt64, count: Int) throws(SystemError) -> [UInt8] {
        // An array without room is Swift's empty one, which all share: it would be written to.
        guard count > 0 else { return [] }
        var failure: SystemError?
        // Not zeroed before: pieces are often longer than what is there.
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, done in
            do throws(SystemError) {
                try fill(UnsafeMutableRawBufferPointer(room), at: offset, &done)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// As above, of a few bytes, but `nil` if they are `known`: then no array is made of them.
    func bytes(
        at offset: UInt64, count: Int, unless known: [UInt8]
    ) throws(SystemError) -> [UInt8]? {
        let result = withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) {
            room -> Result<[UInt8]?, SystemError> in
            do throws(SystemError) {
                var done = 0
                try fill(room, at: offset, &done)
                let bytes = UnsafeRawBufferPointer(rebasing: room[..<done])
                let isKnown = known.withUnsafeBytes { $0.isSame(as: bytes) }
                return .success(isKnown ? nil : Array(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Reads until `room` is full, or the file ends.
    private func fill(
        _ room: UnsafeMutableRawBufferPointer, at offset: UInt64, _ done: inout Int
    ) throws(SystemError) {
        while done < room.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[done...])
            let read = try self.read(into: rest, at: offset + UInt64(done))
            guard read > 0 else { break }
            done += read
        }
    }
}

/// Runs file calls whose failure is the journal's `storage` error.
func storing<R>(_ body: () throws(SystemError) -> R) throws(JournalError) -> R {
    do throws(SystemError) {
        return try body()
    } catch {
        throw .storage(error)
    }
}

/// The same for calls on a journal that was there: what is not found was removed.
func storingInPlace<R>(_ body: () throws(SystemError) -> R) throws(JournalError) -> R {
    do throws(SystemError) {
        return try body()
    } catch {
        throw error.isNotFound ? .removed : .storage(error)
    }
}
