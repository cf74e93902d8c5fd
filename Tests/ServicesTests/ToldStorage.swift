import Journal
import Posix

/// The real files; tells when a folder is about to be deleted, or a file opened.
struct ToldStorage: JournalStorage {
    let disk = DiskStorage()
    let willRemove: @Sendable (String) -> Void
    var willOpen: @Sendable (String) -> Void = { _ in }
    var didOpen: @Sendable (String) -> Void = { _ in }

    func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
        willOpen(path)
        let file = try disk.open(path, creating: creating)
        didOpen(path)
        return file
    }
    func list(_ folder: String) throws(SystemError) -> [String] { try disk.list(folder) }
    func isDirectory(_ path: String) throws(SystemError) -> Bool { try disk.isDirectory(path) }
    func makeDirectory(_ folder: String) throws(SystemError) { try disk.makeDirectory(folder) }
    func rename(_ source: String, to target: String) throws(SystemError) {
        try disk.rename(source, to: target)
    }
    func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
    func removeTree(_ folder: String) throws(SystemError) {
        willRemove(folder)
        try disk.removeTree(folder)
    }
    func syncDirectory(_ folder: String) throws(SystemError) { try disk.syncDirectory(folder) }
}
