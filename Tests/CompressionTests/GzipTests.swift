import Compression
import Foundation
import TestSupport
import Testing

@Suite struct GzipTests {
    private static let bodies: [[UInt8]] = [
        [], Array("a".utf8), Array(String(repeating: "order ", count: 50_000).utf8),
        (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) },
        [UInt8](repeating: 0, count: 64 * 1024), [UInt8](repeating: 7, count: 1_048_576),
    ]

    @Test("what is packed comes back", arguments: bodies.indices)
    func roundTrip(index: Int) throws {
        let body = Self.bodies[index]
        let packed = Gzip.compress(body)
        #expect(packed == Gzip.compress(body))
        #expect(try Gzip.decompress(packed, limit: body.count) == body)
    }

    @Test("a limit holds, however small the packed bytes are")
    func limit() {
        let bomb = Gzip.compress([UInt8](repeating: 0, count: 8 * 1024 * 1024))
        #expect(bomb.count < 10_000)
        #expect(throws: Gzip.Failure.tooLarge(limit: 1024 * 1024)) {
            try Gzip.decompress(bomb, limit: 1024 * 1024)
        }
        #expect(throws: Gzip.Failure.tooLarge(limit: 4)) {
            try Gzip.decompress(Gzip.compress(Array("hello".utf8)), limit: 4)
        }
    }

    @Test("every cut is noticed, and no flipped bit behind the header changes what comes back")
    func harmed() throws {
        let body = Array("a body of some length, a body of some length".utf8)
        let packed = Gzip.compress(body)
        for length in 0..<packed.count {
            #expect(throws: Gzip.Failure.malformed, "cut at \(length)") {
                try Gzip.decompress(Array(packed.prefix(length)), limit: 1000)
            }
        }
        for bit in (10 * 8)..<(packed.count * 8) {
            var harmed = packed
            harmed[bit / 8] ^= 1 << (bit % 8)
            // A few bits only fill the last byte up.
            let seen = try? Gzip.decompress(harmed, limit: 1000)
            #expect(seen == nil || seen == body, "bit \(bit)")
        }
        #expect(throws: Gzip.Failure.malformed) {
            try Gzip.decompress(packed + [0], limit: 1000)
        }
    }

    @Test("members in a row are one body, and the limit is for all of them")
    func members() throws {
        let parts = ["hello ", "", "world"].map { Gzip.compress(Array($0.utf8)) }
        let packed = parts.flatMap { $0 }
        #expect(try Gzip.decompress(packed, limit: 11) == Array("hello world".utf8))
        #expect(throws: Gzip.Failure.tooLarge(limit: 10)) {
            try Gzip.decompress(packed, limit: 10)
        }
        let ends = parts.indices.map { parts[...$0].joined().count }
        for length in 1..<packed.count where !ends.contains(length) {
            #expect(throws: Gzip.Failure.malformed, "cut at \(length)") {
                try Gzip.decompress(Array(packed.prefix(length)), limit: 11)
            }
        }
    }

    @Test("gunzip reads it, and gzip's own is read")
    func interoperates() throws {
        let folder = try TemporaryFolder("gzip")
        let body = Array("ñ one two three".utf8)
        let file = URL(filePath: folder.path).appending(path: "x.gz")
        try Data(Gzip.compress(body)).write(to: file)
        let read = try BuiltExecutable.run("/bin/bash", ["-c", "zcat x.gz"], in: folder.path)
        #expect(Array(read.output.utf8) == body)
        let made = try BuiltExecutable.run(
            "/bin/bash", ["-c", "printf 'hello' | gzip -9 > y.gz"], in: folder.path)
        #expect(made.status == 0)
        let packed = try Data(contentsOf: URL(filePath: folder.path).appending(path: "y.gz"))
        #expect(try Gzip.decompress(Array(packed), limit: 5) == Array("hello".utf8))
    }
}
