import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

/// Two syncs of one file: the system tells only one of them that it failed.
@Suite struct SegmentSyncsTests {
    private static let patience = Duration.seconds(60)

    @Test("who seals a segment while a sync of it fails does not take it for synced")
    func overlapping() throws {
        let folder = try TemporaryFolder()
        let storage = FaultyStorage()
        var options = JournalOptions()
        options.segmentBytes = 2000
        let journal = try Journal<Tally>(folder: folder.path, options: options, storage: storage)
        try journal.add(1)

        let hasRun = ThreadCondition(false)
        let failed = ThreadCondition<UInt64?>(nil)
        storage.failingSync.withLock { hook in
            hook = { file in
                failed.withLock { $0 = try? file.status().inode }
                failed.signal()
                // The other one has appended, and goes on to seal the segment.
                _ = hasRun.wait(upTo: Self.patience) { $0 ? true : nil }
            }
        }
        storage.arm(.sync, 1)
        let first = try Thread(name: "first") { try? journal.add(2) }
        let second = try Thread(name: "second") {
            _ = failed.wait(upTo: Self.patience) { $0 }
            _ = try? journal.transact(now: Timestamp(milliseconds: 1000)) { session in
                for value in Int64(3)...100 { try session.append(Tally.add(value)) }
                hasRun.withLock { $0 = true }
                hasRun.signal()
            }
        }
        first.join()
        second.join()

        let segments = try FileSystem.list(folder.path).filter { $0.hasSuffix(".jsonl") }
        let inodes = try segments.map {
            try FileDescriptor(updating: "\(folder.path)/\($0)", creating: false).status().inode
        }
        #expect(inodes.count > 1, "one was sealed")
        #expect(try !inodes.contains(#require(failed.withLock { $0 })))
        #expect(try Journal<Tally>(folder: folder.path).values == Array(1...100))
    }

    @Test("a tail that a dead writer left does not keep a file in place whose sync failed")
    func tornTail() throws {
        let folder = try TemporaryFolder()
        let storage = FaultyStorage()
        let journal = try Journal<Tally>(folder: folder.path, storage: storage)
        try journal.add(1)
        // The disk is full, too: the file cannot be replaced now.
        storage.failingSync.withLock { hook in
            hook = { [storage] _ in storage.largestFile.withLock { $0 = 1 } }
        }
        storage.arm(.sync, 1)
        #expect(throws: JournalError.self) { try journal.add(2) }
        storage.largestFile.withLock { $0 = .max }
        let segment = try DiskStorage().open(
            "\(folder.path)/\(SegmentName.file(1))", creating: false)
        try segment.writeAll(Array("{\"n\":".utf8), at: segment.status().size)
        try journal.add(3)
        #expect(try Journal<Tally>(folder: folder.path).values == [1, 2, 3])
    }
}
