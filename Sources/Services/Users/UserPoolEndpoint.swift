import Access
import Crypto
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// Cognito's user pools over HTTP: `cognito-idp`'s JSON 1.1 protocol (botocore
/// `cognito-idp/2016-04-18`), and what verifiers of tokens ask for below `/{poolId}/.well-known/`.
package final class UserPoolEndpoint: Sendable {
    package static let target = "AWSCognitoIdentityProviderService."
    private static let contentType: StaticString = "application/x-amz-json-1.1"
    /// Each password that is checked takes a core for a fifth of a second, and 16 MB.
    private static let limitRunning = 2
    /// Calls that wait for their turn; more are told to come again.
    private static let limitWaiting = 64

    private struct Line {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    let pool: UserPool
    private let authorizer: Authorizer
    private let workers: WorkerPool
    private let line = Mutex(Line())

    /// - Parameter workers: does what blocks; two at a time are enough.
    package init(_ pool: UserPool, authorizer: Authorizer, workers: WorkerPool) {
        self.pool = pool
        self.authorizer = authorizer
        self.workers = workers
    }

    /// Whether a request is for it.
    package func takes(_ request: HTTPRequest) -> Bool {
        request.headers.bytes(of: "X-Amz-Target")?.starts(with: Self.target.utf8) ?? false
            || request.path.hasPrefix("/\(pool.definition.id)/.well-known/")
    }

    /// Answers once, from a worker: passwords block.
    package func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        let isTaken = line.withLock { line in
            if line.running < Self.limitRunning {
                line.running += 1
                workers.execute { [self] in work { responder.respond(self.respond(to: request)) } }
                return true
            }
            guard line.waiting.count < Self.limitWaiting else { return false }
            line.waiting.append { [self] in responder.respond(respond(to: request)) }
            return true
        }
        if !isTaken { responder.respond(refusal(.tooManyRequests, RandomBytes.uuid())) }
    }

    /// On a worker, until nobody waits any more.
    private func work(_ first: () -> Void) {
        first()
        while let next = next() { next() }
    }

    private func next() -> (@Sendable () -> Void)? {
        line.withLock { line in
            guard !line.waiting.isEmpty else {
                line.running -= 1
                return nil
            }
            return line.waiting.removeFirst()
        }
    }

    func respond(to request: HTTPRequest) -> HTTPResponse {
        let id = RandomBytes.uuid()
        do {
            if request.path.contains("/.well-known/") { return try wellKnown(request) }
            let result = try perform(request)
            return response(200, .object(result), id)
        } catch let error as UserPoolError {
            return refusal(error, id)
        } catch {
            return refusal(UserPoolError("InternalErrorException", "\(error)"), id, 500)
        }
    }

    private func perform(_ request: HTTPRequest) throws -> JSONObject {
        let target = request.headers["X-Amz-Target"] ?? ""
        guard request.method == "POST", target.hasPrefix(Self.target),
            let operation = Operation(rawValue: String(target.dropFirst(Self.target.count)))
        else { throw UserPoolError("UnknownOperationException", "Unknown operation.") }
        if operation.isAdministration { try authorize(request, operation) }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue.parse(request.body)
        } catch {
            throw UserPoolError("SerializationException", "The request is not JSON.")
        }
        guard json.objectValue != nil else {
            throw UserPoolError("SerializationException", "The request is not a JSON object.")
        }
        return try perform(operation, UserPoolRequest(json: json))
    }

    private func authorize(_ request: HTTPRequest, _ operation: Operation) throws(UserPoolError) {
        let caller: Caller
        do throws(SignatureFailure) {
            caller = try authorizer.caller(of: request, service: "cognito-idp")
        } catch {
            throw UserPoolError(error)
        }
        let judgement = authorizer.judge(
            caller, action: "cognito-idp:\(operation.rawValue)", resource: pool.definition.arn)
        guard judgement.isRefused else { return }
        if caller.isAnonymous { throw UserPoolError(SignatureFailure.missing) }
        throw UserPoolError("AccessDeniedException", judgement.message)
    }

    /// Nothing that anybody may not know (OpenID Connect Discovery 1.0).
    private func wellKnown(_ request: HTTPRequest) throws -> HTTPResponse {
        let base = "/\(pool.definition.id)/.well-known"
        let json: JSONValue
        switch String(request.path) {
        case "\(base)/jwks.json": json = try pool.keys.keySet(at: pool.clock.now())
        case "\(base)/openid-configuration":
            let host = request.headers["Host"] ?? "localhost"
            json = [
                "issuer": .string(pool.definition.issuer),
                "jwks_uri": .string("http://\(host)\(base)/jwks.json"),
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"],
                "subject_types_supported": ["public"],
            ]
        default: return HTTPResponse(404, type: "application/json", Array("{}".utf8))
        }
        guard ["GET", "HEAD"].contains(request.method) else {
            return HTTPResponse(405, headers: ["Allow": "GET, HEAD"])
        }
        return HTTPResponse(200, type: "application/json", Array(json.serialized().utf8))
    }

    private func response(_ status: Int, _ json: JSONValue, _ id: String) -> HTTPResponse {
        .reply(status, to: id, type: Self.contentType, Array(json.serialized().utf8))
    }

    private func refusal(_ error: UserPoolError, _ id: String, _ status: Int = 400) -> HTTPResponse
    {
        var response = response(
            status, ["__type": .string(error.name), "message": .string(error.message)], id)
        response.headers["x-amzn-ErrorType"] = "\(error.name):"
        return response
    }
}

extension UserPoolError {
    fileprivate init(_ failure: SignatureFailure) {
        self.init(failure.exception, failure.message)
    }
}
