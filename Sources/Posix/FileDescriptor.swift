import CPosix
import Glibc

/// One open file. Not copyable, so it cannot be closed twice or used after closing; closed at an
/// exec, so no child inherits it (nor the lock that it may hold).
package struct FileDescriptor: ~Copyable, Sendable {
    /// Size and identity of an open file.
    package struct Status: Equatable, Sendable {
        package var size: UInt64
        package var device: UInt64
        package var inode: UInt64
        package var isDirectory: Bool
        /// How many names the file has: none once it was removed.
        package var links: UInt64 = 1

        package init(
            size: UInt64, device: UInt64, inode: UInt64, isDirectory: Bool, links: UInt64 = 1
        ) {
            self.size = size
            self.device = device
            self.inode = inode
            self.isDirectory = isDirectory
            self.links = links
        }
    }

    package let rawValue: CInt

    package init(owning rawValue: CInt) { self.rawValue = rawValue }

    /// Another number for what `number` stands for, which stays open.
    package init(duplicating number: CInt) throws(SystemError) {
        rawValue = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard rawValue >= 0 else { throw .last("dup") }
    }

    /// Whether a number that somebody names stands for something open that can be written to.
    package static func isWritable(_ number: CInt) -> Bool {
        let flags = fcntl(number, F_GETFL)
        return flags >= 0 && flags & O_ACCMODE != O_RDONLY
    }

    /// Opens for reading and writing; `creating` makes the file with owner-only permissions.
    package init(updating path: String, creating: Bool) throws(SystemError) {
        let flags = O_RDWR | O_CLOEXEC | (creating ? O_CREAT : 0)
        try self.init(path, flags)
    }

    /// Opens for reading. A named pipe opens as well, also before anybody writes to it; reading it
    /// at an offset is what fails.
    package init(reading path: String) throws(SystemError) {
        try self.init(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }

    /// Opens for appending: writes of one call by several processes do not mix.
    package init(appendingTo path: String) throws(SystemError) {
        try self.init(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC)
    }

    /// Opens what is no regular file for writing: a device, a named pipe.
    /// - Parameter isWaiting: whether to wait for somebody who reads the pipe; an error otherwise.
    package init(streamingTo path: String, isWaiting: Bool) throws(SystemError) {
        try self.init(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | (isWaiting ? 0 : O_NONBLOCK))
    }

    private init(_ path: String, _ flags: CInt) throws(SystemError) {
        rawValue = retrying { open(path, flags, 0o600) }
        guard rawValue >= 0 else { throw .last("open", path: path) }
    }

    deinit { _ = Glibc.close(rawValue) }

    /// Asks for no time: a write after such a question would change the inode as well
    /// (`docs/decisions/0006-prepared-room.md`).
    package borrowing func status() throws(SystemError) -> Status {
        var status = Status(size: 0, device: 0, inode: 0, isDirectory: false)
        var mode: UInt32 = 0
        guard
            msorch_status(
                rawValue, &status.size, &status.device, &status.inode, &status.links, &mode) == 0
        else { throw .last("statx") }
        status.isDirectory = mode & S_IFMT == S_IFDIR
        return status
    }

    /// Whether `path` leads to this very file: another may have come in its place, or none.
    package borrowing func isNamed(_ path: String) -> Bool {
        var own = stat()
        var named = stat()
        return fstat(rawValue, &own) == 0 && stat(path, &named) == 0
            && own.st_dev == named.st_dev && own.st_ino == named.st_ino
    }

    /// Reads up to `buffer.count` bytes at `offset`; 0 at the end of the file.
    package borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        let count = retrying { pread(rawValue, buffer.baseAddress, buffer.count, off_t(offset)) }
        guard count >= 0 else { throw .last("pread") }
        return count
    }

    /// Writes once at `offset`; may write less than asked.
    package borrowing func write(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        let count = retrying { pwrite(rawValue, bytes.baseAddress, bytes.count, off_t(offset)) }
        guard count >= 0 else { throw .last("pwrite") }
        return count
    }

    /// Writes all of `bytes` at the descriptor's own place.
    package borrowing func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            rest = UnsafeRawBufferPointer(rebasing: rest[try write(rest)...])
        }
    }

    /// - Returns: how many bytes the system took; at least one, unless there are none.
    borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        let count = retrying { Glibc.write(rawValue, bytes.baseAddress, bytes.count) }
        guard count >= 0 else { throw .last("write") }
        return count
    }

    package borrowing func truncate(to size: UInt64) throws(SystemError) {
        guard retrying({ ftruncate(rawValue, off_t(size)) }) == 0 else { throw .last("ftruncate") }
    }

    /// Makes the file at least that large, with room on the disk for all of it.
    package borrowing func allocate(_ size: UInt64) throws(SystemError) {
        let code = posix_fallocate(rawValue, 0, off_t(size))
        guard code == 0 else { throw SystemError(call: "posix_fallocate", code: code) }
    }

    /// Everything written so far, and the size, is on the disk when this returns. A failure is
    /// final: the kernel may have dropped the pages, and a second try would lie.
    package borrowing func syncData() throws(SystemError) {
        guard retrying({ fdatasync(rawValue) }) == 0 else { throw .last("fdatasync") }
    }

    /// Lets what was written so far go to the disk; whether it is there, a sync tells.
    borrowing func beginSync() { _ = msorch_begin_sync(rawValue) }

    /// Takes the exclusive `flock`, or says that somebody else holds it.
    package borrowing func tryLock() throws(SystemError) -> Bool {
        if retrying({ flock(rawValue, LOCK_EX | LOCK_NB) }) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw .last("flock") }
        return false
    }

    /// Takes a shared `flock`, or says that somebody holds the exclusive one.
    package borrowing func trySharedLock() throws(SystemError) -> Bool {
        if retrying({ flock(rawValue, LOCK_SH | LOCK_NB) }) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw .last("flock") }
        return false
    }

    /// Waits for the exclusive `flock`, in a line with all who do.
    /// - Returns: whether it came within that time.
    package borrowing func lock(milliseconds: Int32) throws(SystemError) -> Bool {
        if msorch_flock(rawValue, milliseconds) == 0 { return true }
        guard errno == ETIMEDOUT else { throw .last("flock") }
        return false
    }

    /// Whether somebody waits in `lock`.
    package borrowing func hasWaiters() -> Bool { msorch_has_waiters(rawValue) != 0 }

    package borrowing func unlock() {
        _ = flock(rawValue, LOCK_UN)
    }
}
