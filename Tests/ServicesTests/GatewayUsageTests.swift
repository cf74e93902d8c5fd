import GatewayModel
import JSON
import Posix
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
        #expect(try usage.admit([], quota: quota, at: now))
        #expect(try !usage.admit([], quota: quota, at: now), "one save is asked for")
        #expect(throws: SystemError.self) { try usage.save() }
        #expect(try usage.admit([], quota: quota, at: now), "another is asked for")
        try FileSystem.removeTree(path)
        try usage.save()
        #expect(GatewayUsage.load(folder.path).used(quota, at: now) == 3)
    }
}
