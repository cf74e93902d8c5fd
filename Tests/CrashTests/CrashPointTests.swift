import Foundation
import Synchronization
import TestSupport
import Testing

/// Processes killed at named points and at random, on queues whose segments roll all the time.
/// `Scripts/crash N` runs N kills for each durability.
@Suite(.serialized) struct CrashPointTests {
    private static let kills =
        ProcessInfo.processInfo.environment["MSORCH_KILLS"].flatMap { Int($0) } ?? 150
    /// With nobody left to do anything, something is wrong.
    private static let deadline: TimeInterval = 3600

    /// Many kills are to have met every point, also those that few processes come to.
    private static func goesOn(_ ledger: CrashLedger) -> Bool {
        let count = ledger.killCount
        guard count >= kills else { return true }
        return kills >= 1000 && count < 3 * kills
            && CrashRun.points.contains { ledger.kills[$0] == nil }
    }

    private func prepare(_ run: CrashRun, _ durability: String) throws {
        let common = ["--visibility-timeout", "2", "--durability", durability, "--quiet"]
        for arguments in [
            ["Dead"], ["Q", "--dead-letter-queue", "Dead", "--max-receive-count", "2"], ["F.fifo"],
        ] {
            let created = try run.msorch(["queue", "create"] + arguments + common, kills: false)
            #expect(created.isDone, "\(created.result.error)")
        }
    }

    @Test(
        "killed anywhere: nothing lost, nothing twice in flight, in order, and deletes final",
        arguments: ["fsync", "os"])
    func killed(durability: String) throws {
        let folder = try TemporaryFolder("points")
        defer { withExtendedLifetime(folder) {} }
        let ledger = CrashLedger(visibility: 2)
        let run = CrashRun(folder: folder.path, ledger: ledger)
        try prepare(run, durability)
        let end = Date.now.addingTimeInterval(Self.deadline)
        let workers = DispatchGroup()
        func worker(_ body: @escaping @Sendable (_ turn: Int) throws -> Void) {
            workers.enter()
            let thread = Thread {
                #expect(throws: Never.self) {
                    var turn = 0
                    while Self.goesOn(ledger), ledger.violations.isEmpty, .now < end {
                        try body(turn)
                        turn += 1
                    }
                }
                workers.leave()
            }
            thread.start()
        }
        for sender in 0..<2 {
            worker { turn in
                let count = turn.isMultiple(of: 3) ? 25 : 1
                try run.send("Q", (0..<count).map { "s\(sender)-\(turn)-\($0)" })
            }
        }
        for group in ["a", "b"] {
            worker { turn in try run.send("F.fifo", ["\(group)-\(turn)"], group: group) }
        }
        for _ in 0..<2 { worker { _ in _ = try run.receive("Q") } }
        // One alone: only so can order be told from what is printed.
        worker { _ in _ = try run.receive("F.fifo") }
        worker { _ in try run.renew("New") }
        worker { turn in
            if turn.isMultiple(of: 8) {
                _ = try run.msorch(["queue", "redrive", "Dead", "--quiet"])
            } else {
                _ = try run.receive("Dead")
            }
        }
        workers.wait()
        #expect(ledger.killCount >= Self.kills)
        try settle(run)
        #expect(ledger.violations.isEmpty, "\(ledger.violations.prefix(5))")
        let seldom = CrashRun.points.filter { ledger.kills[$0] == nil }
        print(
            "\(durability): \(ledger.killCount) kills, \(ledger.acknowledged.count) sends;",
            "none at \(seldom);", ledger.kills.sorted { $0.key < $1.key })
        for point in ["before-append", "half-append", "after-append", "random"] {
            #expect(ledger.kills[point] != nil, "nobody died at \(point)")
        }
        if Self.kills >= 1000 { #expect(seldom.isEmpty) }
    }

    /// What is there in the end is what was sent and not deleted, each once.
    private func settle(_ run: CrashRun) throws {
        // Finishes moves that were cut.
        for queue in ["Q", "Dead"] { _ = try run.receive(queue, kills: false) }
        var there: [String] = []
        for queue in ["Q", "Dead", "F.fifo"] {
            let check = try run.msorch(["queue", "verify", queue], kills: false)
            #expect(check.isDone, "\(check.result.output)")
            there += try run.exported(queue)
        }
        let found = Set(there)
        #expect(found.count == there.count, "a message is there twice")
        #expect(run.ledger.mustRemain.subtracting(found).isEmpty, "lost")
        #expect(run.ledger.mustBeGone.isDisjoint(with: found), "deleted, and there")
        #expect(found.isSubset(of: run.ledger.intended))
        #expect(run.ledger.acknowledged.count > Self.kills / 4)
    }
}
