import JSON
import Journal
import Posix
import TestSupport
import Testing

/// A journal that is removed, and made again under its name, while another process opens it.
@Suite struct SuccessorTests {
    /// The real files; something happens between the opening of a lock file and its lock.
    private final class InterruptedStorage: JournalStorage {
        private let disk = DiskStorage()
        private let interruption: @Sendable () throws -> Void

        init(_ interruption: @escaping @Sendable () throws -> Void) {
            self.interruption = interruption
        }

        func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
            let file = try disk.open(path, creating: creating)
            do {
                if path.hasSuffix("/lock") { try interruption() }
            } catch {
                Issue.record(error)
            }
            return file
        }
        func list(_ folder: String) throws(SystemError) -> [String] { try disk.list(folder) }
        func isDirectory(_ path: String) throws(SystemError) -> Bool { try disk.isDirectory(path) }
        func makeDirectory(_ folder: String) throws(SystemError) { try disk.makeDirectory(folder) }
        func rename(_ source: String, to target: String) throws(SystemError) {
            try disk.rename(source, to: target)
        }
        func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
        func removeTree(_ folder: String) throws(SystemError) { try disk.removeTree(folder) }
        func syncDirectory(_ folder: String) throws(SystemError) { try disk.syncDirectory(folder) }
    }

    @Test("who comes late hears that the journal was removed, and touches nothing in its place")
    func late() throws {
        let parent = try TemporaryFolder()
        let folder = "\(parent.path)/queue"
        let unfinished = "\(folder)/\(SegmentName.file(1))\(DiskStorage.unfinished)"
        _ = try Journal<Tally>(folder: folder)
        let grave = "\(parent.path)/grave"
        let storage = InterruptedStorage {
            // As by another process, which has just begun the next one.
            try JournalRemoval.finish(
                folder: folder, storage: DiskStorage(), options: JournalOptions(), isEnding: true
            ) { () throws(SystemError) in try FileSystem.rename(folder, to: grave) }
            try FileSystem.makeDirectory(folder)
            try FileSystem.replace(unfinished, with: [])
        }
        #expect {
            try Journal<Tally>(folder: folder, storage: storage)
        } throws: { error in
            if case JournalError.removed = error { true } else { false }
        }
        #expect(FileSystem.exists(unfinished))
    }
}
