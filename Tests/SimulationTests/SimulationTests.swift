import Posix
import Testing

@Suite struct SimulationTests {
    /// Steps of one seed.
    static let length = 240

    /// Seeds that failed once, each the bug of a line in docs/testing.md.
    static let onceFailed: [UInt64] = [
        618_238_856_000_027, 618_238_856_500_727, 618_801_605_500_083, 618_801_605_000_202,
        1_010_024_696_000_000, 1_013_345_562_000_042,
        1_013_599_020_000_023, 1_013_764_856_500_019, 1_013_345_562_500_646,
        1_017_279_983_500_076, 1_017_279_983_000_154,
        1_017_450_852_500_040, 1_017_450_852_000_385, 1_017_544_226_500_132,
        1_018_976_247_500_328, 1_018_976_247_001_120,
        2_021_413_164_500_015, 2_021_413_164_000_017,
        2_021_664_910_000_397, 2_021_664_910_500_921,
        2_023_862_305_000_828, 2_024_805_800_500_261, 2_025_826_700_000_439,
        2_042_240_201_000_005, 2_041_866_793_000_286,
        2_046_642_556_000_387, 2_046_642_556_500_988, 2_068_619_172_500_131,
        2_070_424_869_500_118, 2_072_105_715_500_267, 2_072_105_715_003_788,
        2_078_508_905_002_519, 2_087_780_875_000_174,
        1_019_787_612_500_574,
        1_017_544_226_000_633, 1_018_628_912_500_157, 1_018_628_912_000_672,
    ]

    /// One seed's whole run; what failed, in words, and how to see it again.
    static func run(
        _ seed: UInt64
    ) -> (operations: Int, report: String?) {
        var scenario = Scenario(seed: seed)
        let steps = scenario.steps(length)
        func attempt(
            _ steps: [Step], dump: String? = nil
        ) -> (operations: Int, failure: Simulation.Failure?) {
            let simulation = Simulation(scenario)
            let failure = simulation.run(steps)
            if let dump { try? simulation.world.disk.save(to: dump) }
            return (simulation.operations, failure)
        }
        let (operations, failure) = attempt(steps)
        guard let failure else { return (operations, nil) }
        let short = Shrinker.shrink(steps) { attempt($0).failure != nil }
        let last = attempt(short, dump: dumpFolder).failure ?? failure
        return (
            operations,
            """
            seed \(seed), step \(failure.step): \(failure.violation.text)
            shortest trace found, \(short.count) steps, to: \(last.violation.text)
            \(Shrinker.describe(short))
            \(scenario.options)
            MSORCH_SEED=\(seed) swift test --filter SimulationTests
            """
        )
    }

    /// Where the files of a failing run are left, for whoever looks into it.
    private static var dumpFolder: String? { ProcessEnvironment.value("MSORCH_SIMULATION_DUMP") }

    private static func number(_ name: String) -> UInt64? {
        ProcessEnvironment.value(name).flatMap { UInt64($0) }
    }

    @Test("seeds that failed once", arguments: onceFailed)
    func fixedSeeds(seed: UInt64) {
        if let report = Self.run(seed).report { Issue.record("\(report)") }
    }

    @Test("a stack in a simulated world does what a naive one does")
    func simulation() async {
        if let seed = Self.number("MSORCH_SEED") {
            if let report = Self.run(seed).report { Issue.record("\(report)") }
            return
        }
        let seconds = Self.number("MSORCH_SIMULATION_SECONDS") ?? 10
        let workers = Self.number("MSORCH_SIMULATION_THREADS") ?? 1
        let time = UInt64(SystemClock.unixMilliseconds())
        let first = Scenario.firstDelaying + time % 1_000_000_000 * 1_000_000
        let counts = await withTaskGroup(of: (seeds: Int, operations: Int).self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var (seeds, operations) = (0, 0)
                    var seed = first + worker * 500_000
                    // From here: other tests may keep a task waiting for long.
                    let end = SystemClock.monotonicNanoseconds() + seconds * 1_000_000_000
                    while SystemClock.monotonicNanoseconds() < end {
                        let result = Self.run(seed)
                        operations += result.operations
                        seeds += 1
                        seed += 1
                        guard let report = result.report else { continue }
                        Issue.record("\(report)")
                        break
                    }
                    return (seeds, operations)
                }
            }
            return await group.reduce(into: (seeds: 0, operations: 0)) {
                $0.seeds += $1.seeds
                $0.operations += $1.operations
            }
        }
        print("simulation: \(counts.operations) operations of \(counts.seeds) seeds")
        #expect(counts.operations > 0)
    }
}
