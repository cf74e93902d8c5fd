import JSON
import Testing

@testable import Access

/// What conditions find of who asks, and when.
@Suite struct ConditionContextTests {
    private static let role = "arn:aws:sts::123456789012:assumed-role/f/f"
    private static let user = "arn:aws:iam::123456789012:user/ada"

    private func decision(
        _ effect: String, _ condition: JSONValue, by principal: String,
        knowing more: [String: [String]] = [:]
    ) throws -> AccessDecision {
        let statement: JSONValue = [
            "Effect": .string(effect), "Action": "*", "Resource": "*", "Condition": condition,
        ]
        let everything: JSONValue = ["Effect": "Allow", "Action": "*", "Resource": "*"]
        let policy = try Policy(
            json: .array(effect == "Deny" ? [everything, statement] : [statement]))
        let request = AccessRequest(
            principal: principal, action: "sqs:SendMessage",
            resource: "arn:aws:sqs:us-east-1:123456789012:Q",
            context: ["aws:SourceIp": ["127.0.0.1"], "aws:EpochTime": ["1764000000"]]
                .merging(more) { $1 })
        return AccessDecision(request, identity: policy)
    }

    @Test("a moment that no clock shows is none", arguments: ["9223372036854775807", "x", ""])
    func overflow(moment: String) throws {
        for key in ["aws:SourceIp", "aws:EpochTime"] {
            let condition: JSONValue = ["DateLessThan": [key: .string(moment)]]
            #expect(try !decision("Allow", condition, by: Self.user).isAllowed)
        }
    }

    @Test("a session of a role is that role, and no user")
    func roles() throws {
        let isRole: JSONValue = [
            "ArnEquals": ["aws:PrincipalArn": "arn:aws:iam::123456789012:role/f"]
        ]
        #expect(try !decision("Deny", isRole, by: Self.role).isAllowed)
        #expect(try decision("Deny", isRole, by: Self.user).isAllowed)
        let isNoUser: JSONValue = ["Null": ["aws:username": "true"]]
        #expect(try !decision("Deny", isNoUser, by: Self.role).isAllowed)
        #expect(try decision("Deny", isNoUser, by: Self.user).isAllowed)
    }

    @Test(
        "what every request has, negated operators find, too",
        arguments: [
            ("aws:RequestedRegion", "us-east-1", user),
            ("aws:ResourceAccount", "123456789012", user),
            ("aws:ViaAWSService", "false", role), ("aws:PrincipalIsAWSService", "false", role),
            ("aws:PrincipalType", "AssumedRole", role), ("aws:PrincipalType", "User", user),
            ("aws:PrincipalType", "Anonymous", AccessRequest.anonymous),
            ("aws:PrincipalAccount", "anonymous", AccessRequest.anonymous),
            ("aws:userid", "anonymous", AccessRequest.anonymous),
        ])
    func alwaysThere(key: String, value: String, principal: String) throws {
        for value in [value, "another"] {
            let others: JSONValue = ["StringNotEquals": [key: .string(value)]]
            #expect(try decision("Deny", others, by: principal).isAllowed == (value != "another"))
        }
        let isThere: JSONValue = ["Null": [key: "false"]]
        #expect(try decision("Allow", isThere, by: principal).isAllowed)
    }

    @Test(
        "what a request says of itself counts, whoever asks",
        arguments: [
            "RequestedRegion", "ResourceAccount", "ViaAWSService", "PrincipalIsAWSService",
            "PrincipalType", "PrincipalArn", "PrincipalAccount", "userid", "username",
        ], [user, role, AccessRequest.anonymous, "sns.amazonaws.com"])
    func given(key: String, principal: String) throws {
        let isGiven: JSONValue = ["StringEquals": ["aws:\(key)": "given"]]
        let given = ["aws:\(key.lowercased())": ["given"]]
        #expect(try decision("Allow", isGiven, by: principal, knowing: given).isAllowed)
        #expect(try !decision("Allow", isGiven, by: principal).isAllowed)
    }

    @Test("what is no service is none, and nobody is not even that")
    func services() throws {
        let isService: JSONValue = ["Bool": ["aws:PrincipalIsAWSService": "true"]]
        #expect(try decision("Allow", isService, by: "sns.amazonaws.com").isAllowed)
        #expect(try !decision("Allow", isService, by: Self.user).isAllowed)
        let isMissing: JSONValue = ["Null": ["aws:PrincipalIsAWSService": "true"]]
        #expect(try decision("Allow", isMissing, by: AccessRequest.anonymous).isAllowed)
    }
}
