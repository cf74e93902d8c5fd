import CPosix
import Glibc
import Synchronization

/// Waits for files of one folder to be written, created or renamed, by any process (inotify).
package struct DirectoryWatch: ~Copyable, Sendable {
    private let instance: CInt
    private let watch: CInt

    /// Instances that watch nothing just now. Closing one takes the system milliseconds, since it
    /// waits for every processor; a receiver that got its message must not wait for that.
    private static let idle = Mutex<[CInt]>([])
    /// A user usually has 128 in all.
    private static var idleLimit: Int { 8 }

    /// - Throws: `SystemError` where the system refuses (128 instances a user is a usual limit);
    /// the caller falls back to looking now and then.
    package init(_ folder: String) throws(SystemError) {
        let raw =
            Self.idle.withLock { $0.popLast() } ?? inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        guard raw >= 0 else { throw .last("inotify_init1") }
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE)
        let added = inotify_add_watch(raw, folder, events)
        guard added >= 0 else {
            let error = SystemError.last("inotify_add_watch", path: folder)
            Self.putAside(raw)
            throw error
        }
        instance = raw
        watch = added
    }

    deinit {
        inotify_rm_watch(instance, watch)
        Self.putAside(instance)
    }

    /// Keeps an instance for the next watch, without what it still has to tell.
    private static func putAside(_ instance: CInt) {
        forgetEvents(instance)
        let isKept = idle.withLock { idle in
            guard idle.count < idleLimit else { return false }
            idle.append(instance)
            return true
        }
        if !isKept { close(instance) }
    }

    private static func forgetEvents(_ instance: CInt) {
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
            while Glibc.read(instance, buffer.baseAddress, buffer.count) > 0 {}
        }
    }

    /// Whether something happened before `milliseconds` passed. Forgets what it reports.
    ///
    /// - Parameter interruption: ends the wait as soon as it is there.
    package borrowing func wait(
        milliseconds: Int32, unless interruption: Interruption? = nil
    ) -> Bool {
        var entries = [instance, interruption?.descriptor ?? -1].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        guard poll(&entries, 2, milliseconds) > 0, entries[0].revents != 0 else { return false }
        Self.forgetEvents(instance)
        return true
    }

    /// Ready for reading once something happened; for an event loop.
    package var descriptor: CInt { instance }

    /// Forgets what happened so far.
    package borrowing func forget() { Self.forgetEvents(instance) }
}
