import JSON
import Posix
import Telemetry
import TestSupport
import Testing

@testable import Services

@Suite struct MonitorTests {
    @Test("log lines wait for a disk that takes none, and so many at the most")
    func waiting() throws {
        let folder = try TemporaryFolder("monitor")
        let clock = SteppedClock()
        let monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
        let queues = QueueDirectory(stateDirectory: folder.path)
        monitor.write(by: { _, _ in })
        let more = 50
        for number in 0..<Monitor.waitingLines + more {
            monitor.log(
                FunctionLogLine(
                    functionName: "F", stream: "s", time: clock.clock.now(), text: "\(number)"))
        }
        // A file stands where the folder belongs.
        let logs = folder.path + "/logs"
        try FileSystem.replace(logs, with: [])
        #expect(throws: SystemError.self) { try monitor.flush(queues) }
        try FileSystem.remove(logs)
        try monitor.flush(queues)
        var position = LogStore.Position()
        let entries = try LogStore(stateDirectory: folder.path)
            .read("F", from: Timestamp(milliseconds: 0), after: &position)
        #expect(entries.count == Monitor.waitingLines)
        #expect(entries.first?.event.message == "\(more)")
    }
}
