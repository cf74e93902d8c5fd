import JSON
import Posix
import QueueModel
import Services
import StackModel

/// One warm Python function that returns its event, invoked over and over.
enum Invocations {
    /// `--folder` for the stack, `--msorch` is the binary that guards functions, `--count`.
    static func run(_ options: Options) throws {
        let folder = FileSystem.absolute(options.text("folder", "."))
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
        let server = try StackServer(
            deployment, queues: queues, guardExecutable: options.text("msorch", "msorch"),
            monitor: Monitor(stateDirectory: state))
        defer { server.stop() }
        let runtime = server.runtime
        let payload = Array(#"{"order_id": 1}"#.utf8)
        for _ in 0..<100 { _ = try runtime.invoke(function, payload: payload) }
        let count = options.integer("count", 3000)
        let took = try Report.seconds {
            for _ in 0..<count { _ = try runtime.invoke(function, payload: payload) }
        }
        Report.figure("warm invocation", took / Double(count) * 1e6, "us")
    }
}
