import CPosix
import Glibc

/// Differs when a file was replaced or written to.
package struct FileStamp: Equatable, Sendable {
    let inode: UInt64
    let size: Int64
    let seconds: Int64
    let nanoseconds: Int64

    /// When it was written to, since the Unix epoch.
    package var modifiedMilliseconds: Int64 { seconds * 1000 + nanoseconds / 1_000_000 }
}

/// Whole-file and folder operations.
package enum FileSystem {
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func isExecutable(_ path: String) -> Bool {
        access(path, X_OK) == 0 && !isDirectory(path)
    }

    /// Whether this process may write to a file, or make files in a folder.
    package static func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// A file's identity and last change; `nil` if there is none.
    package static func stamp(of path: String) -> FileStamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileStamp(
            inode: UInt64(status.st_ino), size: Int64(status.st_size),
            seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
    }

    /// As above, but a folder that cannot be asked about is an error, not absent.
    package static func hasDirectory(_ path: String) throws(SystemError) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return false }
            throw .last("stat", path: path)
        }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// Where a symbolic link leads; `nil` if it is none.
    package static func linkTarget(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let count = readlink(path, base, buffer.count)
            guard count >= 0 else { return nil }
            return String(
                decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// The names in a folder, sorted, without `.` and `..`.
    package static func list(_ folder: String) throws(SystemError) -> [String] {
        guard let stream = opendir(folder) else { throw .last("opendir", path: folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes the folder and its parents, owner-only. Not an error if it is there.
    package static func makeDirectory(_ path: String) throws(SystemError) {
        if mkdir(path, 0o700) == 0 { return }
        switch errno {
        case EEXIST where isDirectory(path): return
        case EEXIST: throw SystemError(call: "mkdir", code: ENOTDIR, path: path)
        case ENOENT:
            let parent = parent(of: path)
            guard parent != path else { throw SystemError(call: "mkdir", code: ENOENT, path: path) }
            try makeDirectory(parent)
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw .last("mkdir", path: path)
            }
        default: throw .last("mkdir", path: path)
        }
    }

    package static func parent(of path: String) -> String {
        guard let slash = path.dropLast().lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Renames, replacing what stands there, in one step.
    package static func rename(_ source: String, to target: String) throws(SystemError) {
        guard Glibc.rename(source, target) == 0 else { throw .last("rename", path: target) }
    }

    /// Two folders or files change places, in one step.
    /// - Returns: `false` if the file system cannot do that.
    package static func exchange(_ one: String, _ other: String) throws(SystemError) -> Bool {
        if msorch_exchange(one, other) == 0 { return true }
        guard errno == EINVAL || errno == ENOSYS else {
            throw .last("renameat2", path: other)
        }
        return false
    }

    /// Removes a file. Not an error if there is none.
    package static func remove(_ path: String) throws(SystemError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .last("unlink", path: path) }
    }

    /// Removes a folder and everything below it, following no links. Not an error if there is none.
    package static func removeTree(_ path: String) throws(SystemError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .last("lstat", path: path)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return try remove(path) }
        // Names cannot be removed from a folder that may not be written to, as Go's modules' are.
        if status.st_mode & S_IRWXU != S_IRWXU { chmod(path, status.st_mode | S_IRWXU) }
        for name in try list(path) { try removeTree(path + "/" + name) }
        guard rmdir(path) == 0 || errno == ENOENT else { throw .last("rmdir", path: path) }
    }

    /// Puts created, renamed and removed names of a folder on the disk.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let folder = try FileDescriptor(reading: path)
        guard retrying({ fsync(folder.rawValue) }) == 0 else { throw .last("fsync", path: path) }
    }

    /// Gives a finished folder its name, in one step: after a power cut it is there with all that
    /// is below it, or not at all.
    package static func settle(_ folder: String, as target: String) throws(SystemError) {
        // Begun for all before any is waited for: else each waits for the disk by itself.
        try visitTree(folder) { file, _ throws(SystemError) in file.beginSync() }
        try visitTree(folder) { file, path throws(SystemError) in
            guard retrying({ fsync(file.rawValue) }) == 0 else { throw .last("fsync", path: path) }
        }
        try rename(folder, to: target)
        // Its parent may be new, too.
        try syncDirectory(parent(of: target))
        try syncDirectory(parent(of: parent(of: target)))
    }

    /// A folder's files and folders, then the folder itself; links and the like are passed over.
    private static func visitTree(
        _ path: String,
        _ visit: (borrowing FileDescriptor, String) throws(SystemError) -> Void
    ) throws(SystemError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .last("lstat", path: path) }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: for name in try list(path) { try visitTree("\(path)/\(name)", visit) }
        case S_IFREG: break
        default: return
        }
        try visit(try FileDescriptor(reading: path), path)
    }

    /// The whole file.
    package static func read(_ path: String) throws(SystemError) -> [UInt8] {
        do throws(SystemError) {
            return try read(try FileDescriptor(reading: path))
        } catch {
            throw error.naming(path)
        }
    }

    /// So many bytes more than its size a file may have, as those of /proc do. A device may never
    /// end.
    private static let unsizedLimit = 64 * 1024 * 1024

    private static func read(_ file: borrowing FileDescriptor) throws(SystemError) -> [UInt8] {
        let size = Int(try file.status().size)
        var bytes = [UInt8](repeating: 0, count: size + 1)
        var count = 0
        while true {
            let read = try bytes.withMutableBytes { buffer throws(SystemError) in
                try file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]),
                    at: UInt64(count))
            }
            count += read
            guard read > 0 else { break }
            guard count - size <= unsizedLimit else {
                throw SystemError(call: "pread", code: ESPIPE)
            }
            if count == bytes.count {
                bytes += [UInt8](repeating: 0, count: bytes.count)
            }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Copies a file's bytes; what stands at `target` is replaced.
    package static func copyFile(
        _ source: String, to target: String, isExecutable: Bool
    ) throws(SystemError) {
        let bytes = try read(source)
        try remove(target)
        let file = try FileDescriptor(appendingTo: target)
        try bytes.withBytes { buffer throws(SystemError) in try file.writeAll(buffer) }
        let mode: mode_t = isExecutable ? 0o700 : 0o600
        guard fchmod(file.rawValue, mode) == 0 else { throw .last("fchmod", path: target) }
    }

    /// The path from the root on.
    package static func absolute(_ path: String) -> String {
        let full = path.hasPrefix("/") ? path : "\(ProcessEnvironment.workingDirectory)/\(path)"
        var parts: [Substring] = []
        for part in full.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The path from the root on, through no symbolic link; `nil` if nothing is there.
    package static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Adds whole lines to the end of a file, in one write; makes it if there is none. Should it
    /// end in a line that was cut, they begin on one of their own.
    ///
    /// - Parameter bytes: lines, each with its end.
    /// - Returns: how many of `bytes` are in the file, counting whole lines alone; the failure, if
    ///   these are not all.
    package static func appendWholeLines(
        _ bytes: [UInt8], to path: String
    ) -> (written: Int, failure: SystemError?) {
        let newline = UInt8(ascii: "\n")
        var count = 0
        var lead = 0
        do throws(SystemError) {
            let file = try FileDescriptor(appendingTo: path)
            let size = try file.status().size
            var last: [UInt8] = [newline]
            if size > 0 {
                _ = try last.withMutableBytes { buffer throws(SystemError) in
                    try file.read(into: buffer, at: UInt64(size) - 1)
                }
            }
            lead = last == [newline] ? 0 : 1
            let all = lead == 0 ? bytes : [newline] + bytes
            try all.withBytes { buffer throws(SystemError) in
                while count < buffer.count {
                    count += try file.write(UnsafeRawBufferPointer(rebasing: buffer[count...]))
                }
            }
            return (bytes.count, nil)
        } catch {
            let whole = bytes.prefix(max(0, count - lead)).lastIndex(of: newline)
            return (whole.map { $0 + 1 } ?? 0, error)
        }
    }

    /// The same, for who does not go on where it failed.
    package static func appendLines(_ bytes: [UInt8], to path: String) throws(SystemError) {
        if let failure = appendWholeLines(bytes, to: path).failure { throw failure }
    }

    /// Replaces the file by `bytes` so that a crash leaves the old or the new one, whole and
    /// durable.
    package static func replace(
        _ path: String, with bytes: [UInt8]
    ) throws(SystemError) {
        let temporary = path + ".new-\(getpid())"
        do throws(SystemError) {
            try remove(temporary)
            let file = try FileDescriptor(appendingTo: temporary)
            try bytes.withBytes { buffer throws(SystemError) in try file.writeAll(buffer) }
            try file.syncData()
            try rename(temporary, to: path)
            try syncDirectory(parent(of: path))
        } catch {
            unlink(temporary)
            throw error.naming(path)
        }
    }

    /// The process that holds a `flock` on the file, as `/proc/locks` tells; `nil` if it cannot be
    /// known.
    package static func lockHolder(of status: FileDescriptor.Status) -> Int32? {
        guard let text = try? read("/proc/locks") else { return nil }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] == "FLOCK", words[3] == "WRITE",
                words[5].hasSuffix(":\(status.inode)")
            else { continue }
            return Int32(words[4])
        }
        return nil
    }
}
