import Posix
import Services
import StackModel

/// How commands come to the parts of a stack: each in one way, so that all of them are observed.
extension Invocation {
    func queues() -> QueueDirectory { queueDirectory }

    /// Runs `body` with the queue that the first argument names; once more if another one, such as
    /// a repair's, has come in its place meanwhile.
    func withQueue<R>(_ body: (Queue) throws -> R) throws -> R {
        try queues().withQueue(arguments[0], body)
    }

    /// What is done at the end of each command, whatever came of it.
    func end() {
        leaveTraces()
        queueDirectory.close()
    }

    /// Metrics and logs of what was done. A failure here does not undo the work.
    private func leaveTraces() {
        do {
            try monitor.flush(queueDirectory)
        } catch {
            output.note("Metrics and logs could not be written: \(error).")
        }
    }

    /// What is deployed.
    func deployment() throws -> Deployment {
        guard let deployment = try Deployment.load(stateDirectory) else {
            throw CommandError(
                .notFound, "Nothing is deployed in \(stateDirectory).",
                hint: "'msorch deploy' deploys stack.json.")
        }
        return deployment
    }

    /// Runs `body` with a stack that is up; every process is gone when this returns.
    func withRuntime<R>(
        _ deployment: Deployment, _ body: (StackRuntime) throws -> R
    ) throws -> R {
        let server = try StackServer(
            deployment, queues: queues(), guardExecutable: ProcessEnvironment.executable,
            monitor: monitor, warn: output.note)
        defer { server.stop() }
        return try body(server.runtime)
    }
}

extension Stack {
    /// - Throws: with the nearest name as its hint.
    func requiredFunction(_ name: String) throws(InvocationError) -> FunctionDefinition {
        guard let function = function(name) else {
            let names = functions.flatMap { [$0.key, $0.functionName] }
            throw .noSuchFunction(name, existing: Set(names).sorted())
        }
        return function
    }
}
