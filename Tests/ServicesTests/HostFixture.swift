import HTTP
import JSON
import Journal
import Posix
import TestSupport

@testable import Services

/// What a stack runs on, without ports and processes, in a folder of its own and at a time that the
/// test moves.
final class HostFixture: Sendable {
    let folder: TemporaryFolder
    let clock = SteppedClock()
    let queues: QueueDirectory
    let host: RuntimeHost
    /// What a person would have been told.
    let words = ThreadCondition<[String]>([])

    init(_ name: String, _ options: JournalOptions = JournalOptions()) throws {
        folder = try TemporaryFolder(name)
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        queues = QueueDirectory(
            stateDirectory: folder.path, environment: environment, options: options)
        let loop = try EventLoop(name: "test")
        let workers = WorkerPool(name: "test", limit: 4)
        let warn: @Sendable (String) -> Void = { [words] word in
            words.withLock { $0.append(word) }
            words.signal()
        }
        host = RuntimeHost(
            loop: loop, pool: workers, queues: queues,
            polls: LongPolls(loop: loop, workers: workers, queues: queues),
            moveTasks: MoveTaskRunner(queues, warn: warn), clock: clock.clock,
            monitor: Monitor(stateDirectory: folder.path, clock: clock.clock),
            endpointURL: "http://h", guardExecutable: "", warn: warn)
    }

    deinit {
        host.moveTasks.stop()
        host.polls.stop()
        host.loop.shutdown()
        host.pool.shutdown()
    }

    /// What the endpoint answers to one call, JSON; `nil` if it does not within half a minute.
    func answer(_ request: HTTPRequest, by endpoint: SQSEndpoint) -> HTTPResponse? {
        let answer = ThreadCondition<HTTPResponse?>(nil)
        let client = PretendClient(loop: host.loop) { response in
            answer.withLock { $0 = response }
            answer.signal()
        }
        host.loop.execute { endpoint.handle(request, client) }
        return answer.wait(upTo: .seconds(30)) { $0 }
    }
}

/// A client of an SQS endpoint that never leaves.
final class PretendClient: SQSClient {
    let loop: EventLoop
    let onAnswer: @Sendable (HTTPResponse) -> Void

    init(loop: EventLoop, onAnswer: @escaping @Sendable (HTTPResponse) -> Void) {
        self.loop = loop
        self.onAnswer = onAnswer
    }

    var isOnLoop: Bool { loop.isOnLoop }
    func respond(_ response: HTTPResponse) { onAnswer(response) }
    func onDisconnect(_ body: @escaping @Sendable () -> Void) {}
    func perform(_ work: @escaping @Sendable () -> Void) { loop.perform(work) }
}
