import Journal
import QueueModel
import TestSupport
import Testing

@testable import Services

@Suite struct CooldownTests {
    @Test("a removed queue's name is not free for a minute, but for who insists")
    func recreate() throws {
        let folder = try TemporaryFolder("cooldown")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings(), waitsAfterRemoval: true)
        try queues.remove("Q", force: false)
        // Another process sees it as well.
        let other = QueueDirectory(stateDirectory: folder.path)
        let error = #expect(throws: QueueError.self) {
            try other.create("Q", QueueSettings(), waitsAfterRemoval: true)
        }
        guard case .deletedRecently("Q", let seconds) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect((1...60).contains(seconds))
        try other.create("R", QueueSettings(), waitsAfterRemoval: true)
        try other.create("Q", QueueSettings())
        #expect(try other.names() == ["Q", "R"])
        #expect(throws: QueueError.self, "it exists") {
            try other.create("Q", QueueSettings(), waitsAfterRemoval: true)
        }
    }
}
