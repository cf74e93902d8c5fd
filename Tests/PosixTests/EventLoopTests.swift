import Glibc
import Posix
import Synchronization
import Testing

@Suite struct EventLoopTests {
    @Test("work and timers run on the loop, in order")
    func order() throws {
        let loop = try EventLoop(name: "test")
        let seen = ThreadCondition<[Int]>([])
        @Sendable func note(_ value: Int) {
            seen.withLock { $0.append(value) }
            seen.signal()
        }
        loop.execute {
            // Nothing else runs on the loop meanwhile: no timer can overtake its own cancelling.
            loop.schedule(after: .milliseconds(20)) { note(4) }
            loop.schedule(after: .milliseconds(10)) { note(3) }
            loop.cancel(loop.schedule(after: .milliseconds(5)) { note(99) })
            note(loop.isOnLoop ? 1 : 0)
        }
        loop.execute { note(2) }
        seen.wait { $0.count == 4 ? () : nil }
        let order = seen.withLock { $0 }
        #expect(order.filter { $0 < 3 } == [1, 2])
        #expect(order.filter { $0 >= 3 } == [3, 4])
        #expect(!loop.isOnLoop)
        loop.shutdown()
    }

    @Test("a loop that has ended holds nobody, whatever was watched or planned")
    func forgets() throws {
        final class Owner: Sendable {
            let loop: EventLoop
            init(_ loop: EventLoop) { self.loop = loop }
            // As servers do; the loop must not be locked.
            deinit { loop.unwatch(-1) }
        }
        let loop = try EventLoop(name: "test")
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        weak var watching: Owner?
        weak var planned: Owner?
        do {
            let (first, second) = (Owner(loop), Owner(loop))
            watching = first
            planned = second
            try loop.watch(ends[0], .read) { _ in _ = first }
            loop.schedule(after: .seconds(3600)) { _ = second }
        }
        #expect(watching != nil && planned != nil)
        loop.shutdown()
        #expect(watching == nil && planned == nil)
    }

    @Test("timers that were cancelled long before their time are forgotten, the others run")
    func cancelledTimers() throws {
        final class Owner: Sendable {}
        let loop = try EventLoop(name: "test")
        defer { loop.shutdown() }
        weak var owner: Owner?
        let seen = ThreadCondition<[Int]>([])
        for number in 0..<5 {
            loop.schedule(after: .milliseconds(Int64(500 - number * 50))) {
                seen.withLock { $0.append(number) }
                seen.signal()
            }
        }
        do {
            let strong = Owner()
            owner = strong
            let timers = (0..<5000).map { number in
                loop.schedule(after: .seconds(300 + Int64(number))) {
                    withExtendedLifetime(strong) {}
                }
            }
            for timer in timers { loop.cancel(timer) }
            // Cancelled twice is cancelled once.
            for timer in timers { loop.cancel(timer) }
        }
        // The last thousand may stay; they hold another.
        #expect(owner != nil)
        for _ in 0..<2000 { loop.cancel(loop.schedule(after: .seconds(300)) {}) }
        #expect(owner == nil)
        let order = seen.wait(upTo: .seconds(20)) { $0.count == 5 ? $0 : nil }
        #expect(order == [4, 3, 2, 1, 0])
    }

    @Test("what is for the end of a round runs after all else of it, and before the loop ends")
    func endOfRound() throws {
        let loop = try EventLoop(name: "test")
        let seen = Mutex<[Int]>([])
        @Sendable func note(_ value: Int) { seen.withLock { $0.append(value) } }
        loop.execute {
            // The rest comes with the next round, which is one round only.
            loop.execute {
                loop.atEndOfRound {
                    note(EventLoop.current === loop ? 3 : -1)
                    loop.atEndOfRound { note(4) }
                }
                loop.perform { note(1) }
            }
            loop.execute { note(2) }
        }
        loop.shutdown()
        #expect(seen.withLock { $0 } == [1, 2, 3, 4])
        #expect(EventLoop.current == nil)
        #expect(!loop.execute { note(5) }, "nobody would run it")
    }

    @Test("what is for an idle moment waits for one, and only one gets it")
    func idle() throws {
        let loop = try EventLoop(name: "test")
        let seen = Mutex<[String]>([])
        @Sendable func note(_ value: String) { seen.withLock { $0.append(value) } }
        loop.execute {
            loop.whenIdle { note("first \($0)") }
            loop.whenIdle { note("second \($0)") }
            loop.execute { note("handed over") }
            loop.atEndOfRound { note("end of round") }
        }
        loop.shutdown()
        #expect(
            seen.withLock { $0 } == ["end of round", "handed over", "first false", "second true"])
    }

    @Test("a loop that is never idle says so after some rounds")
    func busy() throws {
        let loop = try EventLoop(name: "test")
        let told = ThreadCondition<Bool?>(nil)
        @Sendable func goOn() {
            if told.withLock({ $0 == nil }) { loop.execute(goOn) }
        }
        loop.execute {
            loop.whenIdle { isIdle in
                told.withLock { $0 = isIdle }
                told.signal()
            }
            goOn()
        }
        #expect(told.wait(upTo: .seconds(20)) { $0 } == false)
        loop.shutdown()
    }

    @Test("a pool does everything, with no more threads than allowed")
    func pool() throws {
        let pool = WorkerPool(name: "test", limit: 3)
        let running = Atomic<Int>(0)
        let most = Mutex(0)
        let done = Atomic<Int>(0)
        for _ in 0..<200 {
            pool.execute {
                let count = running.add(1, ordering: .relaxed).newValue
                most.withLock { $0 = max($0, count) }
                running.subtract(1, ordering: .relaxed)
                done.add(1, ordering: .relaxed)
            }
        }
        pool.shutdown()
        #expect(done.load(ordering: .relaxed) == 200)
        #expect(most.withLock { $0 } <= 3)
    }

    @Test("a pool ends also if work hands on more while it does")
    func poolEnding() throws {
        let pool = WorkerPool(name: "test", limit: 8)
        let running = ThreadCondition(0)
        let isEnding = ThreadCondition(false)
        let done = Atomic<Int>(0)
        for _ in 0..<2 {
            pool.execute {
                running.withLock { $0 += 1 }
                running.signal()
                _ = isEnding.wait { $0 ? true : nil }
                // Nobody is idle: threads begin for them.
                for _ in 0..<3 { pool.execute { done.add(1, ordering: .relaxed) } }
            }
        }
        _ = running.wait { $0 == 2 ? true : nil }
        let hasEnded = ThreadCondition(false)
        let ender = try Thread(name: "ender") {
            isEnding.withLock { $0 = true }
            isEnding.signal()
            pool.shutdown()
            hasEnded.withLock { $0 = true }
            hasEnded.signal()
        }
        #expect(hasEnded.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
        #expect(done.load(ordering: .relaxed) == 6)
        ender.join()
    }
}
