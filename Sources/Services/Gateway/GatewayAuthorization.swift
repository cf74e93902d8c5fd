import Access
import GatewayModel
import HTTP
import JSON
import StackModel

/// Who may call a route.
struct GatewayAuthorization: Sendable {
    static let service = "execute-api"

    let api: APIDefinition
    let region: String
    let accountID: String
    let authorizer: Authorizer
    /// `nil`: the stack has no issuer of tokens.
    let tokens: (any TokenJudge)?

    func identity(
        of exchange: GatewayExchange, on route: RouteDefinition
    ) throws(GatewayFailure) -> GatewayCaller.Identity {
        switch route.authorization {
        case .none: .anonymous
        case .iam: try signer(of: exchange, route)
        case .jwt: try bearer(of: exchange, route)
        }
    }

    private func signer(
        of exchange: GatewayExchange, _ route: RouteDefinition
    ) throws(GatewayFailure) -> GatewayCaller.Identity {
        let caller: Caller
        do throws(SignatureFailure) {
            caller = try authorizer.caller(
                of: exchange.original, service: Self.service, requiresNormalizedPath: true)
        } catch {
            throw GatewayFailure(error)
        }
        let resource = resource(exchange.request)
        let judgement = authorizer.judge(
            caller, action: "execute-api:Invoke", resource: resource)
        if judgement.isRefused {
            guard !caller.isAnonymous else { throw .missingSignature }
            // AWS shows the last four digits of the account alone.
            let masked = resource.replacing(accountID, with: "********\(accountID.suffix(4))")
            throw .accessDenied(message: judgement.message.replacing(resource, with: masked))
        }
        guard let principal = caller.principal else { return .anonymous }
        return .iam(
            accessKeyID: principal.key.id, accountID: accountID, arn: principal.arn,
            userID: principal.userID)
    }

    private func bearer(
        of exchange: GatewayExchange, _ route: RouteDefinition
    ) throws(GatewayFailure) -> GatewayCaller.Identity {
        guard exchange.request.header("Authorization") != nil else { throw .unauthorized }
        guard let tokens else { throw .integrationFailure }
        let claims: JSONObject
        do throws(TokenFailure) {
            claims = try tokens.claims(of: exchange.original, scopes: route.scopes)
        } catch {
            switch error {
            case .expired: throw .tokenExpired
            case .scope: throw .insufficientScope
            case .badKeySet: throw .integrationFailure
            default: throw .unauthorized
            }
        }
        let scopes = TokenRules.scopes(of: claims).sorted().map(\.text)
        return .token(claims: claims, scopes: scopes)
    }

    /// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`.
    private func resource(_ request: GatewayRequest) -> String {
        let path = RouteTable.resource(Gateway.path(of: request, in: api) ?? "/", kind: api.kind)
        return "arn:aws:execute-api:\(region):\(accountID):\(api.id)/\(api.stage)/"
            + "\(request.method)/\(path)"
    }
}

extension GatewayFailure {
    /// As API Gateway answers what Signature V4 finds (docs/gateway.md).
    fileprivate init(_ failure: SignatureFailure) {
        self = .signature(code: failure.exception, message: failure.message)
    }
}
