import JSON
import Journal
import Posix
import Testing

/// Records of one length in room that was prepared for them, and power that fails: those are the
/// circumstances in which a record that was lost could be replaced by another, and the ones behind
/// it would be good again.
@Suite struct PreparedRoomTests {
    /// Numbers of five digits, in order.
    private struct Numbers: JournaledState {
        var values: [Int64] = []

        mutating func apply(
            _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
        ) throws(StateError) {
            var read: [Int64] = []
            do throws(JSONError) {
                var scanner = JSONScanner(line)
                try scanner.object { (key, scanner) throws(JSONError) in
                    guard scanner.matches(key, "v") else {
                        try scanner.skipValue()
                        return
                    }
                    try scanner.array { (scanner) throws(JSONError) in
                        read.append(try scanner.int())
                    }
                }
            } catch {
                throw StateError(error.message)
            }
            values += read
        }

        var oldestSegment: UInt64? { 0 }

        func encodeBase<Failure: Error>(
            to bytes: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
        ) throws(Failure) {
            bytes.append(contentsOf: "\"op\":\"base\",\"v\":\(values)".utf8)
        }

        static func add(_ value: Int64) -> [UInt8] { Array("\"op\":\"add\",\"v\":[\(value)]".utf8) }
    }

    /// Two processes on one journal, and what they must see.
    private struct Run {
        private static let folder = "\(SimulatedWorld.stateDirectory)/numbers"

        let world: SimulatedWorld
        var random: Generator
        var processes: [SimulatedProcess] = []
        var journals: [Journal<Numbers>] = []
        var values: [Int64] = []
        /// So many of them were synced.
        var durable = 0
        /// One that was being added when the power failed.
        var attempted: Int64?
        var next: Int64 = 10_000
        var losses = 0

        init(seed: UInt64, lies: Set<SimulatedWorld.Lie>) {
            random = Generator(seed: seed)
            var options = JournalOptions()
            options.preparedBytes = UInt64(random.pick([1000, 3000]))
            options.preparingSyncs = 1
            options.checkpointBytes = UInt64(random.pick([500, 100_000]))
            options.reserveBytes = 16
            world = SimulatedWorld(
                options: options, now: Timestamp(milliseconds: 1_764_000_000_000))
            world.beginStep(0, salt: random.next())
            world.lies = lies
        }

        /// What went wrong, if anything did.
        mutating func violation(steps: Int) throws -> String? {
            try restart()
            // The folder was made long ago.
            world.disk.folder(SimulatedWorld.stateDirectory).map(world.disk.sync)
            for _ in 0..<steps {
                switch random.below(12) {
                case ..<6: try add()
                case ..<8: try sync()
                case 8: try loseOne()
                case 9: try losePower(inCall: random.below(4))
                default: try losePower(inCall: nil)
                }
                for journal in journals {
                    let seen = try journal.read { $0.state.values }
                    if seen != values { return "\(seen) in place of \(values)" }
                }
            }
            let storage = SimulatedStorage(process: world.startProcess(), world: world)
            return try Journal<Numbers>.verify(folder: Self.folder, storage: storage)
                .problems.first?.message
        }

        private mutating func open() throws {
            processes.append(world.startProcess())
            let storage = SimulatedStorage(process: processes[processes.count - 1], world: world)
            journals.append(
                try Journal<Numbers>(
                    folder: Self.folder, at: world.now, options: world.options, storage: storage))
        }

        private mutating func restart() throws {
            (processes, journals) = ([], [])
            for _ in 0..<2 { try open() }
        }

        private func add(_ value: Int64, to journal: Journal<Numbers>) throws {
            _ = try journal.transact(now: world.now) { try $0.append(Numbers.add(value)) }
        }

        private mutating func add() throws {
            for _ in 0...random.below(4) {
                try add(next, to: random.pick(journals))
                values.append(next)
                next += 1
            }
        }

        private mutating func sync() throws {
            try random.pick(journals).sync()
            durable = values.count
        }

        private mutating func loseOne() throws {
            let index = random.below(processes.count)
            processes[index].die()
            processes.remove(at: index)
            journals.remove(at: index)
            try open()
        }

        /// - Parameter call: while a value is being added; else between calls.
        private mutating func losePower(inCall call: Int?) throws {
            if let call {
                processes[0].faults = [Fault(kind: .powerLoss, call: call)]
                attempted = (try? add(next, to: journals[0])) == nil ? next : nil
                if attempted == nil { values.append(next) }
                next += 1
            }
            world.losePower()
            world.restorePower()
            losses += 1
            try restart()
            let seen = try journals[0].read { $0.state.values }
            let possible = values + (attempted.map { [$0] } ?? [])
            attempted = nil
            // Anything that was synced, and no record without those before it.
            let isPrefix = seen.count >= durable && possible.starts(with: seen)
            values = isPrefix ? seen : possible
        }
    }

    /// Whether anything went wrong in one of so many seeds.
    private func firstViolation(
        seeds: Int, lies: Set<SimulatedWorld.Lie> = []
    ) throws -> (seed: UInt64, text: String)? {
        for seed in UInt64(1)...UInt64(seeds) {
            var run = Run(seed: seed, lies: lies)
            if let text = try run.violation(steps: 60) { return (seed, text) }
            #expect(run.losses > 0)
        }
        return nil
    }

    @Test("what was lost stays lost, and what follows it does not come back")
    func losesPower() throws {
        let violation = try firstViolation(seeds: 400)
        #expect(violation == nil, "\(String(describing: violation))")
    }

    @Test("where what power loss left behind is not cut off, that is noticed")
    func staleBytes() throws {
        #expect(try firstViolation(seeds: 400, lies: [.staleBytes]) != nil)
    }
}
