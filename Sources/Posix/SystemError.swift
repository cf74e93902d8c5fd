import Glibc

/// A system call that failed, and why.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call's name, as in the manual: "open", "fdatasync".
    package var call: String
    /// The kernel's number: `ENOSPC`, `EACCES`…
    package var code: CInt
    /// What was called upon, where that helps the reader.
    package var path: String?

    package init(call: String, code: CInt, path: String? = nil) {
        self.call = call
        self.code = code
        self.path = path
    }

    package static func unreadable(_ path: String) -> SystemError {
        SystemError(call: "read", code: EIO, path: path)
    }

    package static func notFound(_ call: String, path: String) -> SystemError {
        SystemError(call: call, code: ENOENT, path: path)
    }

    /// The failure that `errno` holds right now.
    package static func last(_ call: String, path: String? = nil) -> SystemError {
        SystemError(call: call, code: errno, path: path)
    }

    /// The same with what was called upon, should it not be known.
    func naming(_ path: String) -> SystemError {
        SystemError(call: call, code: code, path: self.path ?? path)
    }

    package var isNotFound: Bool { code == ENOENT }
    /// A folder with something in it has the name.
    package var isOccupied: Bool { code == ENOTEMPTY || code == EEXIST }
    package var isNoSpace: Bool { isDiskFull || isFileTooLarge }
    package var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
    /// A limit on files' sizes (`ulimit -f`).
    package var isFileTooLarge: Bool { code == EFBIG }
    package var isDenied: Bool { code == EACCES || code == EPERM }
    package var isReadOnly: Bool { code == EROFS }
    package var isAddressInUse: Bool { code == EADDRINUSE }
    /// This machine has no such address, or nothing of its family.
    package var isAddressMissing: Bool { code == EADDRNOTAVAIL || code == EAFNOSUPPORT }
    /// This process, or the whole system, has as many open files as it may.
    package var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }
    package var isBrokenPipe: Bool { code == EPIPE }
    /// Nobody has the pipe open for reading, or reads what is in it.
    package var isUnread: Bool { code == ENXIO || code == EAGAIN }
    /// A directory where a file should be, or the reverse.
    package var isOtherKind: Bool { code == EISDIR || code == ENOTDIR }

    /// The system's name of a signal: "Segmentation fault".
    package static func signalName(_ number: Int32) -> String {
        strsignal(number).map { String(cString: $0) } ?? "signal \(number)"
    }

    /// The system's own words: "No space left on device". Only of a pipe, and what is like it, it
    /// says too little.
    package var reason: String {
        code == ESPIPE ? "Not a regular file" : String(cString: strerror(code))
    }
    package var description: String {
        path.map { "\(reason): \($0) (\(call))" } ?? "\(reason) (\(call))"
    }
}

/// Repeats a call while a signal interrupts it.
@inline(__always)
func retrying<R: BinaryInteger>(_ call: () -> R) -> R {
    while true {
        let result = call()
        guard result == -1, errno == EINTR else { return result }
    }
}
