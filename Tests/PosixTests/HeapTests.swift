import Posix
import TestSupport
import Testing

/// Memory that a process does not need any more.
@Suite struct HeapTests {
    @Test(
        "what lies free between what is in use goes back to the system",
        .enabled(
            if: ProcessEnvironment.value("MSORCH_SANITIZER") == nil,
            "a sanitizer brings a heap of its own"))
    func givesBack() async {
        await #expect(processExitsWith: .success) {
            func residentPages() throws -> Int {
                let words = String(decoding: try FileSystem.read("/proc/self/statm"), as: UTF8.self)
                    .split(separator: " ")
                return try #require(Int(words[1]))
            }
            // A kibibyte each, of which every sixteenth is kept: the heap cannot shrink.
            var pieces = (0..<65_536).map {
                [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: 1024)
            }
            let full = try residentPages()
            for index in pieces.indices where !index.isMultiple(of: 16) { pieces[index] = [] }
            ProcessEnvironment.giveBackMemory()
            // 64 MiB, of which three quarters lie in pages that are wholly free.
            #expect(try full - residentPages() > 8192)
            #expect(pieces.count == 65_536)
        }
    }
}
