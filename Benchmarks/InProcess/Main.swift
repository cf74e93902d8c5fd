import JSON
import Posix
import QueueModel
import Services
import StackModel
import Synchronization

/// What only a program inside one process can measure: appends by many clients, warm invocations.
/// Prints one line a figure: name, value, unit.
@main
struct InProcess {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else {
            StandardStream.error.write("usage: in-process FOLDER MSORCH APPENDS\n".utf8)
            ProcessEnvironment.exit(2)
        }
        let folder = FileSystem.absolute(arguments[1])
        let count = Int(arguments[3]) ?? 20_000
        for durability in [QueueSettings.Durability.fsync, .os] {
            for clients in [1, 64] {
                let total = durability == .fsync && clients == 1 ? count / 10 : count
                let rate = try appends(
                    "\(folder)/append", durability, clients: clients, count: total)
                report("append, \(durability.rawValue), \(clients) clients", rate, "records/s")
            }
        }
        try invocations(folder, msorch: arguments[2])
    }

    private static func report(_ name: String, _ value: Double, _ unit: String) {
        let rounded = (value * 10).rounded() / 10
        StandardStream.output.write("\(name): \(rounded) \(unit)\n".utf8)
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = SystemClock.monotonicNanoseconds()
        try body()
        return Double(SystemClock.monotonicNanoseconds() - start) / 1e9
    }

    /// Sends of 256 bytes, each acknowledged, by clients that wait for their answers.
    private static func appends(
        _ folder: String, _ durability: QueueSettings.Durability, clients: Int, count: Int
    ) throws -> Double {
        let queues = QueueDirectory(stateDirectory: folder)
        let name = "q-\(durability.rawValue)-\(clients)"
        var settings = QueueSettings()
        settings.durability = durability
        try queues.create(name, settings)
        let queue = try queues.queue(name)
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 256)
        let failures = Atomic(0)
        let took = try seconds {
            let threads = try (0..<clients).map { _ in
                try Thread(name: "client") {
                    for _ in 0..<(count / clients) {
                        let entry = SendEntry(escapedBody: body, size: body.count)
                        let sent = try? queue.send([entry])[0].get()
                        if sent == nil { failures.add(1, ordering: .relaxed) }
                    }
                }
            }
            for thread in threads { thread.join() }
        }
        precondition(failures.load(ordering: .relaxed) == 0, "every send is acknowledged")
        return Double(count / clients * clients) / took
    }

    /// One warm Python function that returns its event, invoked over and over.
    private static func invocations(_ folder: String, msorch: String) throws {
        let state = "\(folder)/.msorch"
        try FileSystem.makeDirectory("\(folder)/echo")
        let handler = "def handle(event, context):\n    return event\n"
        try FileSystem.replace("\(folder)/echo/handler.py", with: Array(handler.utf8))
        let json: JSONValue = [
            "lambdas": [
                "Echo": ["runtime": "python3", "handler": "handler.handle", "code": "echo"]
            ],
            "queues": [:],
        ]
        let queues = QueueDirectory(stateDirectory: state)
        let deployer = try Deployer(stateDirectory: state, queues: queues) { _ in }
        let plan = try deployer.plan(json, folder: folder)
        try deployer.apply(plan, force: false) { _ in }
        guard let deployment = try Deployment.load(state),
            let function = deployment.stack.function("Echo")
        else { return }
        let runtime = try StackRuntime(
            deployment, queues: queues, guardExecutable: msorch,
            monitor: Monitor(stateDirectory: state))
        defer { runtime.stop() }
        let payload = Array(#"{"order_id": 1}"#.utf8)
        for _ in 0..<100 { _ = try runtime.invoke(function, payload: payload) }
        let count = 3000
        let took = try seconds {
            for _ in 0..<count { _ = try runtime.invoke(function, payload: payload) }
        }
        report("warm invocation, Python", took / Double(count) * 1e6, "us")
    }
}
