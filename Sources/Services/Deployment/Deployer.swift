import FunctionModel
import JSON
import Posix
import QueueModel
import StackModel

/// Brings a state directory from what is deployed to what a stack file says. Holds the deploy lock
/// from beginning to end: deploys of several terminals come one after the other.
package struct Deployer: ~Copyable {
    private static let lockPause: UInt32 = 20_000

    let stateDirectory: String
    let queues: QueueDirectory
    private let clock: StackClock
    private let lock: FileDescriptor?
    package let current: Deployment?

    /// - Parameters:
    ///   - isReadOnly: only `plan` will be called; there is no lock, and nothing is written.
    ///   - onWait: called once if another deploy goes on.
    /// - Throws: `DeploymentError.interrupted` when a signal ends the wait.
    package init(
        stateDirectory: String, queues: QueueDirectory, clock: StackClock = StackClock(),
        isReadOnly: Bool = false, onWait: (_ holder: Int32?) -> Void
    ) throws {
        let lock = isReadOnly ? nil : try Self.lock(stateDirectory, onWait: onWait)
        let current = try Deployment.load(stateDirectory)
        self.stateDirectory = FileSystem.absolute(stateDirectory)
        self.queues = queues
        self.clock = clock
        self.lock = lock
        self.current = current
    }

    static func lockPath(_ stateDirectory: String) -> String { "\(stateDirectory)/deploy.lock" }

    static func lock(
        _ stateDirectory: String, onWait: (_ holder: Int32?) -> Void
    ) throws -> FileDescriptor {
        let path = lockPath(stateDirectory)
        var hasToldOfWait = false
        while true {
            try FileSystem.makeDirectory(stateDirectory)
            let lock = try FileDescriptor(appendingTo: path)
            while try !lock.tryLock() {
                if !hasToldOfWait { onWait(FileSystem.lockHolder(of: try lock.status())) }
                hasToldOfWait = true
                SystemClock.pause(microseconds: lockPause)
                if Signals.termination != nil { throw DeploymentError.interrupted }
            }
            // A destroy may have taken the folder away meanwhile.
            if lock.isNamed(path) { return lock }
        }
    }

    /// What is to be done.
    package struct Plan {
        package let stack: Stack
        package let diff: StackDiff
        /// Interpreter by function key.
        package let interpreters: [String: Interpreter]
        let folders: [String: CodeFolder]
        /// Queues to remove, with what a deploy that was cut short left.
        let removing: [String]
        package var isEmpty: Bool { diff.isEmpty && removing.isEmpty }
    }

    /// Finds out, and changes nothing.
    /// - Parameters:
    ///   - json: a stack file without errors.
    ///   - folder: where it lies.
    package func plan(_ json: JSONValue, folder: String) throws -> Plan {
        var folders: [String: CodeFolder] = [:]
        var interpreters: [String: Interpreter] = [:]
        var found: [String: Interpreter] = [:]
        var file = json.objectValue ?? JSONObject()
        var lambdas = json["lambdas"]?.objectValue ?? JSONObject()
        for function in Stack(json: json).functions {
            let path = function.code.hasPrefix("/") ? function.code : "\(folder)/\(function.code)"
            let code = try CodeFolder(
                function: function.key, path: path, stateDirectory: stateDirectory)
            folders[function.key] = code
            var value = lambdas[function.key]?.objectValue ?? JSONObject()
            value["codeSha256"] = .string(code.sha256)
            lambdas[function.key] = .object(value)
            guard let runtime = RuntimeIdentifier(function.runtime), runtime.family != .provided
            else { continue }
            guard let interpreter = found[runtime.name] ?? Interpreter.find(runtime) else {
                throw DeploymentError.noInterpreter(
                    function: function.key, runtime: function.runtime, programs: runtime.programs)
            }
            found[runtime.name] = interpreter
            interpreters[function.key] = interpreter
        }
        file["lambdas"] = .object(lambdas)
        file["security"] = try Self.withKeySet(file["security"], folder: folder)
        let stack = Stack(json: .object(file))
        let wanted = Set(stack.queues.map(\.name))
        let before = (current?.stack.queues.map(\.name) ?? []) + leftQueues()
        let existing = try Set(queues.names())
        return Plan(
            stack: stack, diff: StackDiff(from: try present(beside: stack), to: stack),
            interpreters: interpreters, folders: folders,
            removing: before.filter { !wanted.contains($0) && existing.contains($0) })
    }

    /// Queues that a deploy before was to remove, without those that somebody has made since.
    private func leftQueues() -> [String] {
        guard let current else { return [] }
        return current.removing.filter { name in
            // What cannot be read is not new.
            let created = try? queues.queue(name).statistics().created
            return created.map { $0 <= current.deployedAt } ?? true
        }
    }

    /// Carries a plan out. A crash at any point leaves the old or the new deployment; the next
    /// deploy finishes what is left.
    ///
    /// - Parameter force: removes queues although they hold messages.
    /// - Throws: `DeploymentError.filledMeanwhile` if all is done but the removal of queues that
    ///   got messages after the first look.
    package func apply(_ plan: Plan, force: Bool, progress: (String) -> Void) throws {
        if !force { try refuseLosses(plan) }
        var code: [String: Deployment.Code] = [:]
        for function in plan.stack.functions {
            code[function.key] = try prepare(function, plan, progress)
            if Signals.termination != nil { throw DeploymentError.interrupted }
        }
        try CredentialStore(stateDirectory: stateDirectory).ensure(
            [CredentialStore.developer] + plan.stack.functions.map(\.functionName))
        try APIKeyStore(stateDirectory: stateDirectory).ensure(plan.stack.apiKeyNames)
        if let pool = plan.stack.userPool {
            try UserPool.keys(pool, stateDirectory: stateDirectory).ensure(at: clock.now())
        }
        try RuntimeClients.install(in: "\(stateDirectory)/runtimes")
        let now = clock.now()
        var deployment = Deployment(
            stateDirectory: stateDirectory, stack: plan.stack, code: code, deployedAt: now,
            removing: plan.removing,
            alarms: AlarmLife.all(of: plan.stack, after: current, now: now))
        if plan.isEmpty, code == current?.code {
            try reconcileQueues(plan.stack)  // what a cut deploy may have left
            return try forgetRemovals()
        }
        try createQueues(plan.stack)
        try deployment.save()
        try note(deployment)
        try reconcileQueues(plan.stack)
        let kept = try removeQueues(plan.removing, force: force)
        if !plan.removing.isEmpty {
            deployment.removing = kept.map(\.queue)
            try deployment.save()
        }
        try removeOldCode(deployment)
        if !kept.isEmpty { throw DeploymentError.filledMeanwhile(kept) }
    }

    /// - Returns: those that hold messages by now, which nobody has agreed to lose.
    private func removeQueues(
        _ names: [String], force: Bool
    ) throws -> [(queue: String, count: UInt64)] {
        var kept: [(queue: String, count: UInt64)] = []
        var rest = names
        while true {
            var failed: [String] = []
            var failure: (any Error)?
            for name in rest {
                do {
                    try queues.remove(name, force: force)
                } catch QueueError.holdsMessages(_, let count) {
                    kept.append((name, count))
                } catch QueueError.noSuchQueue {
                    continue  // somebody was quicker
                } catch {
                    failed.append(name)
                    failure = failure ?? error
                }
            }
            guard let failure else { return kept }
            // A harmed queue keeps those that have messages on their way to it, until it is gone.
            guard failed.count < rest.count else { throw failure }
            rest = failed
        }
    }

    /// A deploy that was killed after it had removed queues still names them: others of these names
    /// are not its business.
    private func forgetRemovals() throws {
        guard var current, !current.removing.isEmpty else { return }
        current.removing = []
        try current.save()
    }

    private func refuseLosses(_ plan: Plan) throws {
        let losses = try plan.removing.map { ($0, try queues.queue($0).messageCount) }
        guard losses.allSatisfy({ $0.1 == 0 }) else {
            throw DeploymentError.holdsMessages(
                losses.filter { $0.1 > 0 }.map { (queue: $0.0, count: $0.1) })
        }
    }

    private func createQueues(_ stack: Stack) throws {
        let existing = try Set(queues.names())
        for queue in stack.queues where !existing.contains(queue.name) {
            // Who takes whose dead letters was checked as the stack wants it; the queue that takes
            // them may hear of that after this.
            try queues.create(queue.name, queue.settings, checksRedrive: false)
        }
    }

    private func reconcileQueues(_ stack: Stack) throws {
        for queue in stack.queues { try queues.queue(queue.name).set(queue.settings) }
    }

    private func prepare(
        _ function: FunctionDefinition, _ plan: Plan, _ progress: (String) -> Void
    ) throws -> Deployment.Code {
        let folder = Deployment.folder(stateDirectory, function.key)
        guard let code = plan.folders[function.key] else {
            throw DeploymentError.noCode(function: function.key, path: function.code)
        }
        let copy = "\(folder)/\(code.sha256)"
        try code.copy(to: copy)
        guard let interpreter = plan.interpreters[function.key] else { return Deployment.Code() }
        let file = "\(copy)/\(PythonPackages.requirements)"
        guard RuntimeIdentifier(function.runtime)?.family == .python, FileSystem.exists(file) else {
            return Deployment.Code(interpreter: interpreter)
        }
        let packages = PythonPackages(
            function: function.key, interpreter: interpreter, file: file, codeSHA256: code.sha256)
        let name = try packages.folderName()
        if !FileSystem.isDirectory("\(folder)/\(name)") {
            if try packages.isSatisfied() { return Deployment.Code(interpreter: interpreter) }
            progress("\(function.key): installing what requirements.txt asks for")
            try packages.install(in: "\(folder)/\(name)") { progress("  \($0)") }
        }
        return Deployment.Code(interpreter: interpreter, packages: name)
    }
}
