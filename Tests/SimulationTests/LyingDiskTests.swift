import Posix
import Testing

/// The tester tested: a disk that breaks its word must be noticed.
@Suite struct LyingDiskTests {
    /// As many as a plain run of ten seconds has.
    private static let seeds = 40

    // The others have their own circumstances: `PreparedRoomTests`, `RemovalTests`.
    @Test(
        "a disk that lies is caught",
        arguments: SimulatedWorld.Lie.allCases.filter {
            $0 != .staleBytes && $0 != .transferNumbers
        })
    func lie(_ lie: SimulatedWorld.Lie) {
        let first = lie.isOfFullRuns ? Scenario.firstFull : 0
        let isCaught = (UInt64(1)...UInt64(Self.seeds)).contains { seed in
            var scenario = Scenario(seed: first + seed)
            var steps = scenario.steps(SimulationTests.length)
            if lie == .syncError { Self.failSyncs(in: &steps) }
            let simulation = Simulation(scenario)
            simulation.world.lies = [lie]
            return simulation.run(steps) != nil
        }
        #expect(isCaught, "\(Self.seeds) seeds ran clean on a disk that lies about \(lie)")
    }

    /// Of all that goes wrong, a sync is one in eight, and power loss must follow: here it is each.
    private static func failSyncs(in steps: inout [Step]) {
        for index in steps.indices {
            for fault in steps[index].faults.indices {
                steps[index].faults[fault].kind = .syncError
                steps[index].faults[fault].call %= 6
            }
        }
    }
}
