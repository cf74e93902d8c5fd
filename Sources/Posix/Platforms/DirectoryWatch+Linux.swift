import CPosix
import Glibc

/// Waits for files of one folder to be written, created or renamed, by any process (inotify).
package struct DirectoryWatch: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// - Throws: `SystemError` where the system refuses (128 instances a user is a usual limit);
    /// the caller falls back to looking now and then.
    package init(_ folder: String) throws(SystemError) {
        descriptor = try Self.open(folder)
    }

    private static func open(_ folder: String) throws(SystemError) -> FileDescriptor {
        let raw = inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        guard raw >= 0 else { throw .last("inotify_init1") }
        let descriptor = FileDescriptor(owning: raw)
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE)
        guard inotify_add_watch(raw, folder, events) >= 0 else {
            throw .last("inotify_add_watch", path: folder)
        }
        return descriptor
    }

    /// Whether something happened before `milliseconds` passed. Forgets what it reports.
    package borrowing func wait(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return false }
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
            while Glibc.read(descriptor.rawValue, buffer.baseAddress, buffer.count) > 0 {}
        }
        return true
    }
}
