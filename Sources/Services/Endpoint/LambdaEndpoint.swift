import Access
import Crypto
import FunctionModel
import HTTP
import JSON
import Posix
import StackModel

/// Lambda's Invoke API: `POST /2015-03-31/functions/NAME/invocations`.
final class LambdaEndpoint: Sendable {
    static let prefix = "/2015-03-31/functions/"
    private static let version = "$LATEST"
    /// Of the log, that the caller gets with `LogType=Tail`.
    private static let logTailBytes = 4096
    /// AWS takes 3,583 bytes of client context.
    private static let clientContextBytes = 3583

    private enum InvocationType: String {
        case requestResponse = "RequestResponse"
        case event = "Event"
        case dryRun = "DryRun"
    }

    private struct Call {
        var function: FunctionDefinition
        var kind: InvocationType
        var wantsLog: Bool
        var payload: [UInt8]
        var clientContext: String?
    }

    private let runtime: StackRuntime
    private let events: EventInvoker
    private let stack: Stack

    init(_ runtime: StackRuntime, events: EventInvoker) {
        self.runtime = runtime
        self.events = events
        stack = runtime.deployment.stack
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        runtime.perform { [self] in
            let id = RandomBytes.uuid()
            do throws(LambdaError) {
                let (call, caller) = try parse(request)
                perform(call, id) { response in
                    var response = response
                    response.operation = "Invoke"
                    response.principal = caller
                    responder.respond(response)
                }
            } catch {
                responder.respond(error.response(id))
            }
        }
    }

    private func parse(
        _ request: HTTPRequest
    ) throws(LambdaError) -> (Call, caller: String) {
        let path = request.path.dropFirst(Self.prefix.count)
        let words = path.split(separator: "/", omittingEmptySubsequences: false)
        guard words.count == 2, words[1] == "invocations", request.method == "POST" else {
            throw .unknownOperation
        }
        let qualifier = SignedRequest(request).parameters.first { $0.name == "Qualifier" }?.value
        let name = FunctionName(PercentEncoding.decode(words[0]), qualifier: qualifier)
        // Policies speak of the function by its own name, whatever the call says.
        let found = name.find(in: stack)
        let arn = found.map(stack.functionARN) ?? name.arn(in: stack)
        let caller = try runtime.authorizer.mayInvoke(request, arn)
        guard let function = found else { throw .notFound(arn) }
        guard
            let kind = InvocationType(
                rawValue: request.headers["X-Amz-Invocation-Type"] ?? "RequestResponse")
        else { throw .invalid("The invocation type is not known.") }
        let bytes = request.body.count
        guard bytes <= FunctionLimits.requestBytes else { throw .tooLarge }
        guard kind != .event || bytes <= EventInvoker.payloadBytes else {
            throw .eventTooLarge(bytes: bytes, limit: EventInvoker.payloadBytes)
        }
        let payload = request.body.isEmpty ? Array("{}".utf8) : request.body
        do throws(JSONError) {
            _ = try JSONValue.parse(payload)
        } catch {
            throw .notJSON(error.message)
        }
        let call = Call(
            function: function, kind: kind,
            wantsLog: request.headers["X-Amz-Log-Type"] == "Tail", payload: payload,
            clientContext: try clientContext(request))
        return (call, caller)
    }

    private func clientContext(_ request: HTTPRequest) throws(LambdaError) -> String? {
        guard let field = request.headers["X-Amz-Client-Context"] else { return nil }
        guard field.utf8.count <= Self.clientContextBytes else {
            throw .invalid("The client context has more than \(Self.clientContextBytes) bytes.")
        }
        guard let bytes = Base64.decode(field), let json = try? JSONValue.parse(bytes),
            json.objectValue != nil
        else { throw .badClientContext }
        return json.serializedASCII()
    }

    private func perform(
        _ call: Call, _ id: String, answer: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        switch call.kind {
        // No version has run: none is named.
        case .dryRun: answer(.reply(204, to: id))
        case .event:
            do {
                let id = try events.accept(call.payload, for: call.function)
                answer(.reply(202, to: id))
            } catch {
                answer(LambdaError.service("\(error)").response(id))
            }
        case .requestResponse:
            let isReserved = call.function.reservedConcurrency != nil
            runtime.invoke(
                call.function, payload: call.payload, requestID: id,
                clientContext: call.clientContext, notAfter: nil
            ) { outcome in
                switch outcome {
                case .success(let result):
                    answer(Self.response(to: result, id, wantsLog: call.wantsLog))
                case .failure(let error):
                    answer(LambdaError(error, isReserved: isReserved).response(id))
                }
            }
        }
    }

    private static func response(
        to result: InvocationResult, _ id: String, wantsLog: Bool
    ) -> HTTPResponse {
        var response = HTTPResponse.reply(200, to: id, result.payload)
        response.headers["X-Amz-Executed-Version"] = version
        response.headers["Content-Type"] = "application/json"
        if result.failure != nil { response.headers["X-Amz-Function-Error"] = "Unhandled" }
        if wantsLog {
            let log = Array(result.log.map { $0.text + "\n" }.joined().utf8)
            response.headers["X-Amz-Log-Result"] = Base64.encode(Array(log.suffix(logTailBytes)))
        }
        return response
    }
}

extension Authorizer {
    /// - Returns: who asks, and may invoke the function.
    func mayInvoke(_ request: HTTPRequest, _ arn: String) throws(LambdaError) -> String {
        let caller: Caller
        do throws(SignatureFailure) {
            caller = try self.caller(of: request, service: "lambda")
        } catch {
            throw LambdaError(error)
        }
        let judgement = judge(caller, action: "lambda:InvokeFunction", resource: arn)
        guard judgement.isRefused else { return caller.arn }
        throw caller.isAnonymous
            ? LambdaError(SignatureFailure.missing) : .accessDenied(judgement.message)
    }
}

extension LambdaError {
    init(_ error: InvocationError, isReserved: Bool) {
        self =
            switch error {
            case .noSuchFunction(let name, _): .notFound(name)
            case .payloadTooLarge: .tooLarge
            case .throttled: .throttled(isReserved: isReserved)
            case .cannotStart(_, let reason): .service(reason)
            case .stopped: .unavailable
            }
    }
}

/// How a caller names a function: by name, partial ARN or ARN, with a version or without.
struct FunctionName: Equatable {
    var name: String
    /// `nil` is the function itself.
    var qualifier: String?
    /// What an ARN says beside the name: region and account, if it says them.
    private var place: [String]?

    init(_ text: String, qualifier: String?) {
        var words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        self.qualifier = qualifier
        if let index = words.firstIndex(of: "function"), index + 1 < words.count {
            // `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, `ACCOUNT:function:NAME`
            place = Array(words[..<index].suffix(2))
            words = Array(words[(index + 1)...])
        }
        name = words[0]
        if words.count == 2, qualifier == nil { self.qualifier = words[1] }
        if words.count > 2 { name = text }  // nobody's
    }

    func arn(in stack: Stack) -> String {
        "arn:aws:lambda:\(stack.region):\(stack.accountID):function:\(name)"
            + (qualifier.map { $0 == "$LATEST" ? "" : ":\($0)" } ?? "")
    }

    /// `nil`: there is none of that name, version, region and account.
    func find(in stack: Stack) -> FunctionDefinition? {
        guard [nil, "$LATEST"].contains(qualifier),
            place?.allSatisfy({ [stack.region, stack.accountID].contains($0) }) ?? true
        else { return nil }
        return stack.functions.first { $0.functionName == name } ?? stack.function(name)
    }
}
