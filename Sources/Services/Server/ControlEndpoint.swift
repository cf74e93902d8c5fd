import HTTP
import JSON
import Synchronization

/// What the server says of itself, below `/_msorch/`.
final class ControlEndpoint: Sendable {
    static let prefix = "/_msorch/"

    /// Takes a request that knows of a newer deployment.
    typealias CatchUp = @Sendable (HTTPRequest, HTTPResponder) -> Void

    private let catchUp = Mutex<CatchUp?>(nil)
    private let stopping = Flag()
    private let hurried = Flag()

    /// Set once: long polls end, and nothing new begins.
    var isStopping: Bool { stopping.isSet }
    func beginToStop() { stopping.set() }
    /// Set once: nobody waits any more for what runs.
    var isHurried: Bool { hurried.isSet }
    func hurry() { hurried.set() }

    /// Who follows deployments says so here; `nil` ends that.
    func follow(_ follower: CatchUp?) { catchUp.withLock { $0 = follower } }

    /// - Returns: whether somebody takes the request from here.
    func catchUp(_ request: HTTPRequest, _ responder: HTTPResponder) -> Bool {
        guard let follower = catchUp.withLock({ $0 }) else { return false }
        follower(request, responder)
        return true
    }

    /// On the loop.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        guard request.path == "\(Self.prefix)health" else {
            return responder.respond(.json(404, ["message": "There is no such page."]))
        }
        guard ["GET", "HEAD"].contains(request.method) else {
            return responder.respond(
                .json(405, ["message": "Ask by GET."], headers: ["Allow": "GET, HEAD"]))
        }
        responder.respond(.json(200, ["status": .string(isStopping ? "stopping" : "ok")]))
    }
}
