import Posix
import Testing

@Suite struct LoopConfinedTests {
    @Test("the loop's state changes there")
    func changes() throws {
        let loop = try EventLoop(name: "test")
        let state = LoopConfined(1, loop: loop)
        let seen = ThreadCondition<Int?>(nil)
        loop.execute {
            state.with { $0 += 1 }
            let value = state.with { $0 }
            seen.withLock { $0 = value }
            seen.signal()
        }
        #expect(seen.wait { $0 } == 2)
        loop.shutdown()
    }

    @Test("who is at work with it already stops the process")
    func onlyOne() async {
        await #expect(processExitsWith: .failure) {
            let loop = try EventLoop(name: "test")
            let state = LoopConfined(1, loop: loop)
            loop.execute { state.with { $0 = state.with { $0 } } }
            loop.shutdown()
        }
    }

    @Test("every other thread stops the process")
    func otherThread() async {
        await #expect(processExitsWith: .failure) {
            let loop = try EventLoop(name: "test")
            LoopConfined(1, loop: loop).with { $0 = 2 }
            loop.shutdown()
        }
    }
}
