import Glibc
import Posix
import TestSupport
import Testing

@Suite struct FileSystemTests {
    @Test("a replaced file is whole, and nothing else is left")
    func replace() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/file"
        try FileSystem.replace(path, with: Array("one".utf8))
        try FileSystem.replace(path, with: Array("two".utf8))
        #expect(try FileSystem.read(path) == Array("two".utf8))
        #expect(try FileSystem.list(folder.path) == ["file"])
    }

    @Test("lines are the same in blocks of any size", arguments: [1, 2, 3, 7, 4096])
    func lines(blockBytes: Int) throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/lines"
        for text in ["", "\n", "a", "a\n", "\n\nab\n\ncdefghijk\nl\nmn", "abcdefgh\n\n"] {
            try FileSystem.replace(path, with: Array(text.utf8))
            var lines: [String] = []
            try FileSystem.readLines(path, blockBytes: blockBytes) {
                lines.append(String(decoding: $0, as: UTF8.self))
            }
            #expect(lines == text.split(separator: "\n").map(String.init))
        }
        #expect(throws: SystemError.self) { try FileSystem.readLines(path + "x") { _ in } }
    }

    @Test("who reads on gets each line once, when it has its end", arguments: [1, 3, 4096])
    func linesThatGrow(blockBytes: Int) throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/lines"
        var lines: [String] = []
        var offset: UInt64 = 0
        func read() throws {
            offset = try FileSystem.readLines(
                path, from: offset, givesUnfinished: false, blockBytes: blockBytes
            ) { lines.append(String(decoding: $0, as: UTF8.self)) }
        }
        for (text, expected) in [
            ("", []), ("a", []), ("ab\ncdefg", ["ab"]), ("ab\ncdefghi\n", ["cdefghi"]),
            ("ab\ncdefghi\n\nj\nk", ["j"]), ("ab\ncdefghi\n\nj\nk", []),
            ("ab\ncdefghi\n\nj\nkl\n", ["kl"]),
        ] {
            try FileSystem.replace(path, with: Array(text.utf8))
            lines = []
            try read()
            #expect(lines == expected, "\(text)")
            let whole = text.utf8.lastIndex(of: UInt8(ascii: "\n")).map {
                text.utf8.distance(from: text.startIndex, to: $0) + 1
            }
            #expect(offset == UInt64(whole ?? 0))
        }
        #expect(try FileSystem.readLines(path, from: 14, blockBytes: blockBytes) { _ in } == 17)
    }

    @Test("a lock held elsewhere is seen, and its holder named")
    func locks() throws {
        let folder = try TemporaryFolder()
        let one = try FileDescriptor(updating: "\(folder.path)/lock", creating: true)
        let two = try FileDescriptor(updating: "\(folder.path)/lock", creating: true)
        let isFirst = try one.tryLock()
        let isSecond = try two.tryLock()
        #expect(isFirst && !isSecond)
        let status = try two.status()
        #expect(FileSystem.lockHolder(of: status) == ProcessEnvironment.processID)
        one.unlock()
        let isFree = try two.tryLock()
        #expect(isFree)
    }

    @Test("a tree goes whole, and what is not there is no error")
    func removeTree() throws {
        let folder = try TemporaryFolder()
        try FileSystem.makeDirectory("\(folder.path)/a/b/c")
        try FileSystem.replace("\(folder.path)/a/b/file", with: [1])
        try FileSystem.removeTree("\(folder.path)/a")
        try FileSystem.removeTree("\(folder.path)/a")
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test("a watch that stood before the change reports it")
    func watch() throws {
        let folder = try TemporaryFolder()
        let watch = try DirectoryWatch(folder.path)
        let isEarly = watch.wait(milliseconds: 0)
        #expect(!isEarly)
        try FileSystem.replace("\(folder.path)/file", with: [1])
        let isSeen = watch.wait(milliseconds: 10_000)
        #expect(isSeen)
    }

    @Test("a watch knows nothing of what others before it watched")
    func watchAgain() throws {
        let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
        for number in 0..<20 {
            do {
                let watch = try DirectoryWatch(first.path)
                try FileSystem.replace("\(first.path)/seen", with: [1])
                let isSeen = watch.wait(milliseconds: 10_000)
                #expect(isSeen)
                try FileSystem.replace("\(first.path)/unseen", with: [1])
            }
            let watch = try DirectoryWatch(second.path)
            try FileSystem.replace("\(first.path)/after", with: [1])
            let isEarly = watch.wait(milliseconds: 0)
            #expect(!isEarly)
            try FileSystem.replace("\(second.path)/file-\(number)", with: [1])
            let isSeen = watch.wait(milliseconds: 10_000)
            #expect(isSeen)
        }
    }

    @Test("errors speak the system's words")
    func errors() {
        let error = #expect(throws: SystemError.self) { try FileSystem.read("/nowhere/at/all") }
        #expect(error?.description == "No such file or directory: /nowhere/at/all (open)")
    }

    @Test("what is no file is named, and a pipe that nobody writes to keeps no reader waiting")
    func otherKinds() throws {
        let folder = try TemporaryFolder()
        let pipe = "\(folder.path)/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        var error = #expect(throws: SystemError.self) { try FileSystem.read(pipe) }
        #expect(error?.description == "Not a regular file: \(pipe) (pread)")
        error = #expect(throws: SystemError.self) { try FileSystem.read("/dev/zero") }
        #expect(error?.description == "Not a regular file: /dev/zero (pread)")
        error = #expect(throws: SystemError.self) { try FileSystem.read(folder.path) }
        #expect(error?.description == "Is a directory: \(folder.path) (pread)")
    }

    @Test("lines that are appended begin on a line of their own, whatever stands before")
    func cutLine() throws {
        let folder = try TemporaryFolder("lines")
        let path = folder.path + "/f"
        func text() throws -> String { String(decoding: try FileSystem.read(path), as: UTF8.self) }
        var outcome = FileSystem.appendWholeLines(Array("a\nb\n".utf8), to: path)
        #expect(outcome.written == 4 && outcome.failure == nil)
        try FileSystem.appendLines(Array("cut".utf8), to: path)
        outcome = FileSystem.appendWholeLines(Array("d\n".utf8), to: path)
        #expect(outcome.written == 2 && outcome.failure == nil)
        #expect(try text() == "a\nb\ncut\nd\n")
        outcome = FileSystem.appendWholeLines(Array("e\n".utf8), to: folder.path)
        #expect(outcome.written == 0 && outcome.failure != nil)
        outcome = FileSystem.appendWholeLines(Array("f\n".utf8), to: "/dev/full")
        #expect(outcome.written == 0 && outcome.failure != nil)
        #expect(throws: SystemError.self) {
            try FileSystem.appendLines(Array("g\n".utf8), to: "/dev/full")
        }
    }

    @Test("who waits longest comes first, among few and among many")
    func waitingLine() {
        var line = WaitingLine<Int>()
        #expect(line.isEmpty && line.popFirst() == nil)
        var next = 0
        var expected = 0
        // Grows by two and shrinks by one, then drains.
        for _ in 0..<500 {
            line.append(next)
            line.append(next + 1)
            next += 2
            #expect(line.popFirst() == expected)
            expected += 1
        }
        #expect(line.count == 500)
        for _ in 0..<400 {
            #expect(line.popFirst() == expected)
            expected += 1
        }
        #expect(line.drain() == Array(expected..<next))
        #expect(line.isEmpty && line.drain().isEmpty)
    }

    @Test("a file's status is what the system says of it")
    func status() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/file"
        try FileSystem.replace(path, with: Array("four".utf8))
        let file = try FileDescriptor(updating: path, creating: false)
        for isNamed in [true, false] {
            if !isNamed { try FileSystem.remove(path) }
            var there = stat()
            #expect(fstat(file.rawValue, &there) == 0)
            #expect(
                try file.status()
                    == FileDescriptor.Status(
                        size: 4, device: UInt64(there.st_dev), inode: UInt64(there.st_ino),
                        isDirectory: false, links: isNamed ? 1 : 0))
        }
        #expect(try FileDescriptor(reading: folder.path).status().isDirectory)
    }

    /// Within a tick Linux gives a write the time of that tick, as those before it: the inode stays
    /// as it is. But if somebody looked at the file's times, the write gets one of its own.
    @Test("who asks for a file's status does not make its next write change the inode")
    func quietStatus() throws {
        let folder = try TemporaryFolder()
        let file = try FileDescriptor(updating: "\(folder.path)/file", creating: true)
        func write() throws {
            try [UInt8]("x".utf8).withUnsafeBytes { _ = try file.write($0, at: 0) }
        }
        func tick() -> timespec {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &now)
            return now
        }
        // Files of others may be asked about within the same tick, and then share their time.
        #expect(
            try eventually {
                let last = tick()
                while tick().tv_nsec == last.tv_nsec {}
                let before = tick()
                try write()
                _ = try file.status()
                try write()
                let after = tick()
                var there = stat()
                fstat(file.rawValue, &there)
                return before.tv_nsec == after.tv_nsec && there.st_ctim.tv_nsec == before.tv_nsec
            })
    }
}
