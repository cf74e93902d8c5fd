import CPosix
import Glibc

/// What stands under a name.
package enum FileKind: Sendable {
    case regular
    case folder
    /// Named, or one end of a pipe under its name in `/proc`.
    case pipe
    case socket
    case device

    /// - Parameter path: symbolic links are followed.
    /// - Returns: `nil` if nothing is there, or it cannot be asked about.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .regular
        case S_IFDIR: self = .folder
        case S_IFIFO: self = .pipe
        case S_IFSOCK: self = .socket
        default: self = .device
        }
    }
}
