import Access
import HTTP
import JSON
import StackModel

/// Who calls a stack, and whether it may: signatures are checked and policies evaluated, as
/// `security.iam` says. Services turn what it finds into their own protocol's errors.
package final class Authorizer: Sendable {
    private let mode: IAMMode
    private let region: String
    private let skew: Duration
    private let clock: StackClock
    private let principals: PrincipalDirectory
    private let signingKeys = SigningKeys()
    private let observe: @Sendable (Judgement) -> Void

    /// - Parameters:
    ///   - mode: instead of the stack's own `security.iam`.
    ///   - observe: gets every call that is not allowed; from any thread.
    package init(
        _ deployment: Deployment, mode: IAMMode? = nil, clock: StackClock,
        observe: @escaping @Sendable (Judgement) -> Void
    ) throws {
        let stack = deployment.stack
        self.mode = mode ?? stack.iamMode
        region = stack.region
        skew = stack.clockSkew
        self.clock = clock
        self.observe = observe
        principals = try PrincipalDirectory(deployment)
    }

    /// Who sent a request, by its signature. A request without one comes from nobody, which is no
    /// error here: a resource's policy may allow everybody. In `audit` a bad signature is noted in
    /// the caller and counts as none; in `off` it is not looked at: an access key that is known
    /// says who calls, and whoever has none is the developer.
    ///
    /// - Parameters:
    ///   - service: as credential scopes name it: `sqs`, `execute-api`.
    ///   - requiresNormalizedPath: whether the path must be the one that is signed.
    package func caller(
        of request: HTTPRequest, service: String, requiresNormalizedPath: Bool = false
    ) throws(SignatureFailure) -> Caller {
        var caller = Caller(sourceAddress: request.remoteAddress)
        guard mode != .off else {
            caller.principal = principals.owner(of: request)
            return caller
        }
        let signed = SignedRequest(request)
        var verifier = SignatureVerifier(region: region, service: service)
        verifier.allowedSkew = skew
        verifier.requiresNormalizedPath = requiresNormalizedPath
        verifier.signingKey = signingKeys.key
        var principal: Principal?
        do throws(SignatureFailure) {
            _ = try verifier.verify(signed, at: clock.now()) { id in
                principal = principals.principal(id)
                return principal?.key
            }
            caller.principal = principal
        } catch .missing {
            return caller
        } catch {
            guard mode == .audit else { throw error }
            caller.failure = error
        }
        return caller
    }

    /// The access key that a request names; nothing is checked.
    static func keyID(of request: HTTPRequest) -> String? {
        request.headers.bytes(of: "Authorization")
            .flatMap { SignatureVerifier.keyID(authorization: $0) }
            ?? SignatureVerifier.keyID(of: SignedRequest(request))
    }

    /// Every action that policies are asked about.
    package static let actions: [String] =
        Set(SQSOperation.allCases.map(\.action)).sorted()
        + ["lambda:InvokeFunction", "execute-api:Invoke"]

    /// Whether policies say who may do what.
    package var asksPolicies: Bool { mode != .off }

    /// The condition keys that every call has, besides those that follow from who asks for what.
    ///
    /// - Parameters:
    ///   - userID: as STS's UserId names the caller.
    ///   - region: of the stack that is called.
    package static func context(
        of userID: String, from address: String, to region: String, at now: Timestamp
    ) -> [String: [String]] {
        [
            "aws:sourceip": [address], "aws:securetransport": ["false"],
            "aws:currenttime": [now.iso8601], "aws:epochtime": [String(now.milliseconds / 1000)],
            "aws:requestedregion": [region], "aws:userid": [userID],
        ]
    }

    /// Whether a caller may do something, by its own policy and the resource's, as AWS evaluates
    /// them within one account. What is not allowed is told to the observer.
    ///
    /// - Parameters:
    ///   - action: `sqs:SendMessage`.
    ///   - resource: its ARN.
    ///   - isFinal: whether this is the last word; else the observer is not told.
    package func judge(
        _ caller: Caller, action: String, resource: String, resourcePolicy: Policy? = nil,
        isFinal: Bool = true
    ) -> Judgement {
        let asked = AccessRequest(
            principal: caller.arn, action: action, resource: resource,
            context: Self.context(
                of: caller.userID, from: caller.sourceAddress, to: region, at: clock.now()))
        var judgement = Judgement(
            request: asked, decision: nil, failure: caller.failure, isEnforced: mode == .enforce)
        guard mode != .off else { return judgement }
        let own = caller.principal?.policy ?? Policy([])
        let decision = AccessDecision(asked, identity: own, resource: resourcePolicy)
        judgement.decision = decision
        if isFinal, !decision.isAllowed { observe(judgement) }
        return judgement
    }
}

/// Who sent a request.
package struct Caller: Sendable {
    /// `nil`: nobody that is known.
    package var principal: Principal?
    /// In `audit`: why its signature is not good.
    package var failure: SignatureFailure?
    package var sourceAddress: String

    package var isAnonymous: Bool { principal == nil }
    package var arn: String { principal?.arn ?? AccessRequest.anonymous }
    /// As STS's UserId names it.
    package var userID: String { principal?.userID ?? AccessRequest.anonymous }
}

/// What became of a call that policies were asked about.
package struct Judgement: Sendable {
    package var request: AccessRequest
    /// `nil` where policies are not asked (`off`).
    package var decision: AccessDecision?
    /// In `audit`: why the signature is not good.
    package var failure: SignatureFailure?
    /// In `audit`, what is not allowed is done all the same.
    package var isEnforced: Bool

    /// Whether the call must not be done.
    package var isRefused: Bool { isEnforced && !(decision?.isAllowed ?? true) }
    /// AWS's words for a refusal.
    package var message: String { (decision ?? .notAllowed).message(request) }
}
