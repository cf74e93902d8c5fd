import Access
import Crypto
import HTTP
import JSON
import QueueModel

/// STS, as far as tools need it before anything else: who am I? In Query and JSON.
struct STSEndpoint: Sendable {
    private static let target = "AWSSecurityTokenServiceV20110615."
    private static let operation = "GetCallerIdentity"
    private static let namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
    private static let scope = "/sts/aws4_request"
    /// Bytes of a Query request that can only be STS's.
    private static let bodyLimit = 4096

    let accountID: String
    let authorizer: Authorizer

    /// Whether a request is meant for STS: by its target, its signature's scope, or its action.
    static func takes(_ request: HTTPRequest) -> Bool {
        if let target = request.headers.bytes(of: "X-Amz-Target") {
            // Most are shorter, which costs less to see.
            return target.count >= Self.target.utf8.count
                && target.starts(with: Self.target.utf8)
        }
        if let authorization = request.headers["Authorization"] {
            return authorization.contains(scope)
        }
        guard request.body.count <= bodyLimit,
            request.query?.contains(operation) == true
                || String(decoding: request.body, as: UTF8.self).contains(operation)
        else { return false }
        return (try? QueryForm(query: request.query, body: request.body))?["Action"] == operation
    }

    func respond(to request: HTTPRequest) -> HTTPResponse {
        let id = RandomBytes.uuid()
        let isJSON = request.headers["X-Amz-Target"] != nil
        do throws(SQSError) {
            guard try action(request) == Self.operation else {
                throw .invalidAction(try action(request) ?? "")
            }
            let principal = try principal(request)
            let members: [(name: String, value: String)] = [
                ("Arn", principal.arn), ("UserId", principal.userID), ("Account", accountID),
            ]
            if isJSON {
                let json = JSONObject(members.map { (key: $0.name, value: .string($0.value)) })
                return response(200, .object(json), id)
            }
            let name = Self.operation
            return response(
                200, id,
                "<\(name)Response xmlns=\"\(Self.namespace)\"><\(name)Result>"
                    + members.map { "<\($0.name)>\(Self.escaped($0.value))</\($0.name)>" }.joined()
                    + "</\(name)Result><ResponseMetadata><RequestId>\(id)</RequestId>"
                    + "</ResponseMetadata></\(name)Response>")
        } catch {
            if isJSON {
                return response(
                    error.status,
                    ["__type": .string(error.shape), "message": .string(error.message)], id)
            }
            return response(
                error.status, id,
                "<ErrorResponse xmlns=\"\(Self.namespace)\"><Error><Type>Sender</Type><Code>"
                    + "\(error.queryCode)</Code><Message>\(Self.escaped(error.message))</Message>"
                    + "</Error><RequestId>\(id)</RequestId></ErrorResponse>")
        }
    }

    private func action(_ request: HTTPRequest) throws(SQSError) -> String? {
        if let target = request.headers["X-Amz-Target"] {
            return String(Substring(target.utf8.dropFirst(Self.target.utf8.count)))
        }
        return try QueryForm(query: request.query, body: request.body)["Action"]
    }

    /// No policy can forbid to ask (STS API reference, *GetCallerIdentity*).
    private func principal(_ request: HTTPRequest) throws(SQSError) -> Principal {
        do throws(SignatureFailure) {
            let caller = try authorizer.caller(of: request, service: "sts")
            guard let principal = caller.principal else { throw .missing }
            return principal
        } catch {
            throw SQSError(error)
        }
    }

    private static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        XMLText.append(text.utf8, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func response(_ status: Int, _ id: String, _ xml: String) -> HTTPResponse {
        .reply(status, to: id, type: "text/xml", Array(xml.utf8))
    }

    private func response(_ status: Int, _ json: JSONValue, _ id: String) -> HTTPResponse {
        .reply(status, to: id, type: "application/x-amz-json-1.1", Array(json.serialized().utf8))
    }
}
