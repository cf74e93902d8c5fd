import GatewayModel
import JSON
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Services

@Suite struct GatewayUsageTests {
    @Test("what could not be written is written after the next change")
    func retried() throws {
        let folder = try TemporaryFolder("usage")
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let usage = GatewayUsage(stateDirectory: folder.path)
        let quota = Admission.QuotaDemand("plan/key", QuotaSettings(limit: 10, period: .day))
        // A folder stands where the file belongs.
        let path = folder.path + "/usage.json"
        try FileSystem.makeDirectory(path)
        #expect(try usage.admit([], quota: quota, at: { now }))
        #expect(try !usage.admit([], quota: quota, at: { now }), "one save is asked for")
        #expect(throws: SystemError.self) { try usage.save() }
        #expect(try usage.admit([], quota: quota, at: { now }), "another is asked for")
        try FileSystem.removeTree(path)
        try usage.save()
        #expect(GatewayUsage.load(folder.path).used(quota, at: now) == 3)
    }

    @Test("requests that overtake each other get no more than the rate")
    func overtaking() throws {
        let folder = try TemporaryFolder("usage")
        let usage = GatewayUsage(stateDirectory: folder.path)
        let demand = [Admission.Demand("stage", ThrottleSettings(rate: 500, burst: 10))]
        let (threads, each) = (4, 5_000)
        // Each look at the clock is a millisecond later, and half a request's worth.
        let time = Atomic<Int64>(1_800_000_000_000)
        let admitted = Atomic(0)
        let running = ThreadCondition(threads)
        for _ in 0..<threads {
            let thread = try Thread(name: "caller") {
                for _ in 0..<each {
                    let isAdmitted = try? usage.admit(demand) {
                        Timestamp(milliseconds: time.add(1, ordering: .relaxed).newValue)
                    }
                    if isAdmitted != nil { admitted.add(1, ordering: .relaxed) }
                }
                running.withLock { $0 -= 1 }
                running.signal()
            }
            thread.detach()
        }
        #expect(running.wait(upTo: .seconds(60)) { $0 == 0 ? true : nil } == true)
        let count = admitted.load(ordering: .relaxed)
        #expect((threads * each / 2...threads * each / 2 + 10).contains(count))
    }
}
