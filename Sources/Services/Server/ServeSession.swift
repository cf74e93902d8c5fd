import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// What `serve` is from its ready line to its end: the one server of a state directory, which
/// delivers messages, watches alarms, follows deployments and keeps the house.
package final class ServeSession: Sendable {
    package let record: ServerRecord
    package let server: StackServer
    private let stateDirectory: String
    private let options: ServerOptions
    private let folder: RunFolder
    private let watch: Mutex<DeploymentWatch?>
    private let housekeeping: Housekeeping
    /// One deployment takes over after the other.
    private let reloading = Mutex(())

    /// Serves from here on.
    ///
    /// - Parameter whenAlone: called once no other `serve` can be on the state directory, before
    ///   anything else begins.
    /// - Throws: `ServerError`, and whatever keeps the deployment from running.
    package init(
        _ deployment: Deployment, queues: QueueDirectory, options: ServerOptions,
        guardExecutable: String, monitor: Monitor, warn: @escaping @Sendable (String) -> Void,
        whenAlone: () throws -> Void
    ) throws {
        stateDirectory = deployment.stateDirectory
        self.options = options
        folder = try RunFolder(stateDirectory)
        try whenAlone()
        server = try StackServer(
            deployment, queues: queues, options: options, guardExecutable: guardExecutable,
            monitor: monitor, warn: warn)
        record = ServerRecord(
            process: ProcessEnvironment.processID, endpointURL: server.endpointURL,
            gatewayURL: server.gatewayURL ?? "", started: server.host.clock.now())
        housekeeping = Housekeeping(server)
        watch = Mutex(nil)
        try folder.publish(record, warn: warn)
        let watch = DeploymentWatch(stateDirectory, loop: server.host.loop) { [weak self] in
            guard let self else { return }
            server.host.pool.execute { self.reload() }
        }
        self.watch.withLock { $0 = watch }
        server.follow { [weak self] request, responder in
            guard let self else { return responder.respond(HTTPResponse(503)) }
            server.host.pool.execute { self.catchUp(request, responder) }
        }
        server.startDelivery()
        try watch.start()
        housekeeping.start()
    }

    /// Takes nothing new, lets what runs come to its end, and writes what is still to be written.
    package func finish(isHurried: () -> Bool) {
        folder.withdraw()
        watch.withLock { $0.take() }?.stop()
        server.follow(nil)
        housekeeping.stop()
        server.finish(isHurried: isHurried)
    }

    private func catchUp(_ request: HTTPRequest, _ responder: HTTPResponder) {
        reload()
        var request = request
        request.headers[InvokeEndpoint.deployedField] = nil  // once is enough
        server.host.loop.execute { [request] in self.server.dispatch(request, responder) }
    }

    private func reload() {
        reloading.withLock { _ in
            do {
                guard let deployment = try Deployment.load(stateDirectory),
                    deployment.deployedAt != server.runtime.deployment.deployedAt
                else { return }
                if let door = OpenDoor(deployment.stack, options) { throw door }
                guard try server.replace(by: deployment) else { return }
                server.host.warn("The deployment of \(deployment.deployedAt.iso8601) took over.")
            } catch {
                server.host.warn("A new deployment cannot be used; the old one goes on: \(error)")
            }
        }
    }
}
