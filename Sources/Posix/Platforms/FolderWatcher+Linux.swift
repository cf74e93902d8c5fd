import CPosix
import Glibc

/// Tells, on an event loop, when files of some folders are written, created, renamed or removed,
/// by any process. One inotify instance serves them all: a user usually has 128.
package final class FolderWatcher: Sendable {
    package typealias Token = CInt

    private let loop: EventLoop
    private let instance: FileDescriptor
    private let handlers: LoopConfined<[Token: @Sendable () -> Void]>

    /// - Throws: `SystemError` where the system refuses; the caller falls back to looking now and
    /// then.
    package init(loop: EventLoop) throws(SystemError) {
        let raw = inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        guard raw >= 0 else { throw .last("inotify_init1") }
        instance = FileDescriptor(owning: raw)
        self.loop = loop
        handlers = LoopConfined([:], loop: loop)
        try loop.watch(raw, .read) { [weak self] _ in self?.read() }
    }

    deinit { loop.unwatch(instance.rawValue) }

    /// Calls `onChange`, on the loop, after each change; several may be told of at once. On the
    /// loop. Each folder has one handler at a time.
    package func watch(
        _ folder: String, _ onChange: @escaping @Sendable () -> Void
    ) throws(SystemError) -> Token {
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF)
        let token = inotify_add_watch(instance.rawValue, folder, events)
        guard token >= 0 else { throw .last("inotify_add_watch", path: folder) }
        handlers.with { $0[token] = onChange }
        return token
    }

    /// On the loop.
    package func unwatch(_ token: Token) {
        handlers.with { $0[token] = nil }
        inotify_rm_watch(instance.rawValue, token)
    }

    private func read() {
        var touched: Set<Token> = []
        var isOverflown = false
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
            while true {
                let count = Glibc.read(instance.rawValue, buffer.baseAddress, buffer.count)
                guard count > 0 else { return }
                var at = 0
                while at + MemoryLayout<inotify_event>.size <= count {
                    let event = buffer.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
                    // Too much happened to be told: anything may have changed.
                    if event.wd < 0 { isOverflown = true }
                    touched.insert(event.wd)
                    at += MemoryLayout<inotify_event>.size + Int(event.len)
                }
            }
        }
        let due = handlers.with { handlers in
            handlers.filter { isOverflown || touched.contains($0.key) }.values
        }
        for handler in due { handler() }
    }
}
