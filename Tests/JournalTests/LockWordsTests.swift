import Testing

@testable import Journal

/// What a lock file says that was written in part, or cut.
@Suite struct LockWordsTests {
    private static let old = LockWords.encode(generation: 1 << 40, durable: 17, deletions: 3)

    @Test(
        "no part of a mark that ends a journal ends it",
        arguments: [LockWords.ended, LockWords.replaced])
    func partOfAMark(mark: UInt64) {
        let new = LockWords.encode(generation: mark, durable: 17, deletions: 3)
        #expect(LockWords(new).generation == mark)
        for count in 0..<LockWords.length {
            // Cut there; and written up to there, over what stood before.
            let isTold = [new.prefix(count), new.prefix(count) + Self.old.dropFirst(count)]
                .map { LockWords(Array($0)).generation }.contains(mark)
            #expect(!isTold, "\(count) bytes")
        }
    }

    @Test("files of earlier versions count as they are", arguments: [41, 62])
    func plain(length: Int) {
        let digits = SegmentName.digits(6) + " " + SegmentName.digits(9)
        let bytes = Array((length == 41 ? digits : digits + " " + SegmentName.digits(2)).utf8)
        let words = LockWords(bytes)
        #expect(bytes.count == length && words.harmed.isEmpty)
        #expect(words.generation == 6 && words.durable == 9)
        #expect(words.deletions == (length == 41 ? 0 : 2))
    }

    @Test("the part of the last durable record is written over the old one, and nothing else is")
    func durablePart() {
        var bytes = Self.old
        let part = LockWords.encode(durable: 18_446_744_073_709_551_615)
        let start = Int(LockWords.durableOffset)
        bytes.replaceSubrange(start..<start + part.count, with: part)
        var words = LockWords(Self.old)
        #expect(words.isWhole)
        words.durable = .max
        #expect(LockWords(bytes) == words)
        #expect(bytes == LockWords.encode(generation: 1 << 40, durable: .max, deletions: 3))
    }
}
