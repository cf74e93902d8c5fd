import Access
import JSON
import Testing

/// Who may do what: IAM's evaluation logic as tables.
@Suite struct PolicyTests {
    static let queue = "arn:aws:sqs:us-east-1:123456789012:OrderQueue"
    static let role = "arn:aws:sts::123456789012:assumed-role/CreateOrder/CreateOrder"
    static let account = "arn:aws:iam::123456789012"

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var statements: String
        var action = "sqs:SendMessage"
        var resource = queue
        var context: [String: [String]] = [:]
        var isAllowed: Bool
    }

    static func policy(_ text: String) throws -> Policy {
        try Policy(json: try JSONValue.parse(Array(text.utf8)))
    }

    static func allow(_ rest: String) -> String {
        #"{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"\#(rest)}"#
    }

    static func condition(
        _ name: String, _ condition: String, _ context: [String: [String]], _ isAllowed: Bool
    ) -> Case {
        Case(
            testDescription: name, statements: allow(#", "Condition": \#(condition)"#),
            context: context, isAllowed: isAllowed)
    }

    static let cases: [Case] = [
        Case(testDescription: "nothing is allowed by itself", statements: "[]", isAllowed: false),
        Case(testDescription: "an allow", statements: allow(""), isAllowed: true),
        Case(
            testDescription: "a deny wins, wherever it stands",
            statements: "[\(allow("")), \(allow("").replacing("Allow", with: "Deny"))]",
            isAllowed: false),
        Case(
            testDescription: "actions have no case",
            statements: #"{"Effect": "Allow", "Action": "SQS:sendmessage", "Resource": "*"}"#,
            isAllowed: true),
        Case(
            testDescription: "an action's wildcards",
            statements: #"{"Effect": "Allow", "Action": ["sqs:Send*"], "Resource": "*"}"#,
            isAllowed: true),
        Case(
            testDescription: "another action",
            statements: #"{"Effect": "Allow", "Action": "sqs:Receive*", "Resource": "*"}"#,
            isAllowed: false),
        Case(
            testDescription: "all but some actions",
            statements: #"{"Effect": "Allow", "NotAction": "sqs:Delete*", "Resource": "*"}"#,
            isAllowed: true),
        Case(
            testDescription: "all but some resources",
            statements: #"{"Effect": "Allow", "Action": "*", "NotResource": "\#(queue)"}"#,
            isAllowed: false),
        Case(
            testDescription: "resources have a case",
            statements:
                #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:*:orderqueue"}"#,
            isAllowed: false),
        Case(
            testDescription: "a resource's star reaches over colons",
            statements: #"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:*:OrderQueue"}"#,
            isAllowed: true),
        Case(
            testDescription: "a resource's question mark",
            statements:
                #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:*:Order?ueue"}"#,
            isAllowed: true),
        Case(
            testDescription: "a variable in a resource",
            statements:
                #"{"Effect":"Allow","Action":"*","Resource":"arn:*:${aws:PrincipalAccount}:C*"}"#,
            resource: "arn:aws:sqs:us-east-1:123456789012:CreateOrder", isAllowed: true),
        Case(
            testDescription: "a role has no user name",
            statements:
                #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:*:${aws:username}"}"#,
            resource: "arn:aws:sqs:us-east-1:123456789012:CreateOrder", isAllowed: false),
        Case(
            testDescription: "a variable without a value matches nothing",
            statements:
                #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:*:*${aws:none}"}"#,
            isAllowed: false),
        Case(
            testDescription: "a star that means itself",
            statements: #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:${*}"}"#,
            isAllowed: false),
        Case(
            testDescription: "a request's star is no wildcard",
            statements:
                #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:${aws:tag}"}"#,
            context: ["aws:tag": ["*"]], isAllowed: false),
        condition("${?} and ?", #"{"StringLike": {"k": "${?}?${*}${$}"}}"#, ["k": ["?a*$"]], true),
        condition("${?} is no ?", #"{"StringLike": {"k": "a${?}"}}"#, ["k": ["ab"]], false),
        condition(
            "a value's star in an ARN", #"{"ArnLike": {"k": "arn:aws:sqs:${r}:1:*"}}"#,
            ["k": ["arn:aws:sqs:eu:1:Q"], "r": ["*"]], false),
        condition("a default", #"{"StringLike": {"k": "${none, 'a*'}"}}"#, ["k": ["a*"]], true),
        condition(
            "StringEquals", #"{"StringEquals": {"aws:tag": ["a", "b"]}}"#, ["AWS:Tag": ["b"]], true),
        condition("a key that is missing", #"{"StringEquals": {"aws:tag": "a"}}"#, [:], false),
        condition(
            "IfExists without the key", #"{"StringEqualsIfExists": {"aws:tag": "a"}}"#, [:], true),
        condition("a negation without the key", #"{"StringNotEquals": {"k": "a"}}"#, [:], true),
        condition("StringNotLike", #"{"StringNotLike": {"k": "a*"}}"#, ["k": ["abc"]], false),
        condition(
            "StringEqualsIgnoreCase", #"{"StringEqualsIgnoreCase": {"k": "AbC"}}"#,
            ["k": ["aBc"]], true),
        condition(
            "NumericLessThanEquals", #"{"NumericLessThanEquals": {"k": 10}}"#, ["k": ["10"]], true),
        condition(
            "no number", #"{"NumericLessThan": {"k": 10}}"#, ["k": ["nine"]], false),
        condition(
            "DateLessThan", #"{"DateLessThan": {"k": "2026-01-01T00:00:00Z"}}"#,
            ["k": ["2025-12-31T23:59:59Z"]], true),
        condition(
            "Bool", #"{"Bool": {"aws:SecureTransport": "false"}}"#,
            ["aws:SecureTransport": ["false"]], true),
        condition(
            "IpAddress", #"{"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}"#,
            ["aws:SourceIp": ["127.9.9.9"]], true),
        condition(
            "NotIpAddress", #"{"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}"#,
            ["aws:SourceIp": ["127.9.9.9"]], false),
        condition(
            "an IPv6 range", #"{"IpAddress": {"k": "2001:DB8:0::/33"}}"#,
            ["k": ["2001:db8:7fff::1"]], true),
        condition(
            "outside of an IPv6 range", #"{"IpAddress": {"k": "2001:db8::/33"}}"#,
            ["k": ["2001:db8:8000::1"]], false),
        condition(
            "an IPv6 address in other words", #"{"IpAddress": {"k": "0:0:0:0:0:0:0.0.0.1"}}"#,
            ["k": ["::1"]], true),
        condition(
            "two gaps are no address", #"{"IpAddress": {"k": "::1::/0"}}"#, ["k": ["::1"]], false),
        condition(
            "an IPv4 address is in no IPv6 range", #"{"IpAddress": {"k": "::/0"}}"#,
            ["k": ["127.0.0.1"]], false),
        condition(
            "every IPv4 address", #"{"IpAddress": {"k": "9.9.9.9/0"}}"#, ["k": ["127.0.0.1"]], true),
        condition(
            "ArnLike", #"{"ArnLike": {"aws:SourceArn": "arn:aws:lambda:*:*:function:*"}}"#,
            ["aws:SourceArn": ["arn:aws:lambda:us-east-1:1:function:F"]], true),
        condition(
            "a condition's star does not reach over colons", #"{"ArnLike": {"k": "arn:aws:*:F"}}"#,
            ["k": ["arn:aws:lambda:us-east-1:1:F"]], false),
        condition("Null, and it is missing", #"{"Null": {"k": "true"}}"#, [:], true),
        condition("Null, and it is there", #"{"Null": {"k": "true"}}"#, ["k": ["1"]], false),
        condition(
            "ForAllValues", #"{"ForAllValues:StringEquals": {"k": ["a", "b"]}}"#,
            ["k": ["a", "c"]], false),
        condition(
            "ForAnyValue", #"{"ForAnyValue:StringEquals": {"k": ["a", "b"]}}"#,
            ["k": ["c", "a"]], true),
        condition(
            "ForAnyValue of nothing", #"{"ForAnyValue:StringEquals": {"k": "a"}}"#, [:], false),
        condition(
            "StringEquals of a text that Unicode takes for the same",
            #"{"StringEquals": {"k": "\u00e9"}}"#, ["k": ["e\u{301}"]], false),
        condition(
            "StringNotEquals of one", #"{"StringNotEquals": {"k": "\u00e9"}}"#,
            ["k": ["e\u{301}"]], true),
        condition(
            "StringEqualsIgnoreCase of one",
            #"{"StringEqualsIgnoreCase": {"k": "\u00c9"}}"#, ["k": ["e\u{301}"]], false),
        condition(
            "a key that Unicode takes for the same", #"{"StringEquals": {"\u00e9": "a"}}"#,
            ["e\u{301}": ["a"]], false),
        condition(
            "every operator must hold",
            #"{"StringEquals": {"k": "a"}, "Bool": {"b": true}}"#, ["k": ["a"]], false),
    ]

    @Test("a policy's word", arguments: cases)
    func decisions(_ example: Case) throws {
        let request = AccessRequest(
            principal: Self.role, action: example.action, resource: example.resource,
            context: example.context)
        let decision = AccessDecision(request, identity: try Self.policy(example.statements))
        #expect(decision.isAllowed == example.isAllowed, "\(decision)")
    }

    struct Naming: Sendable, CustomTestStringConvertible {
        var principal: String
        var caller = PolicyTests.role
        var isAllowed: Bool
        var testDescription: String { "\(principal) for \(caller)" }
    }

    @Test(
        "a queue's own policy allows whom it names",
        arguments: [
            Naming(principal: #""*""#, isAllowed: true),
            Naming(principal: #"{"AWS": "*"}"#, isAllowed: true),
            Naming(principal: #"{"AWS": ["999999999999", "\#(role)"]}"#, isAllowed: true),
            Naming(
                principal:
                    #"{"Federated": "graph.facebook.com", "CanonicalUser": "7", "AWS": "*"}"#,
                isAllowed: true),
            Naming(
                principal: #"{"AWS": "arn:aws:iam::123456789012:role/CreateOrder"}"#,
                isAllowed: true),
            Naming(
                principal: #"{"AWS": "arn:aws:iam::123456789012:role/Create"}"#, isAllowed: false),
            Naming(principal: #"{"AWS": "999999999999"}"#, isAllowed: false),
            // The account says who of it may: the callers' own policies do.
            Naming(principal: #"{"AWS": "123456789012"}"#, isAllowed: false),
            Naming(principal: #"{"AWS": "arn:aws:iam::123456789012:root"}"#, isAllowed: false),
            Naming(principal: #"{"Service": "sns.amazonaws.com"}"#, isAllowed: false),
            Naming(
                principal: #"{"Service": "sns.amazonaws.com"}"#, caller: "sns.amazonaws.com",
                isAllowed: true),
            Naming(
                principal: #"{"AWS": "*"}"#, caller: AccessRequest.anonymous, isAllowed: true),
        ])
    func principals(case naming: Naming) throws {
        let request = AccessRequest(
            principal: naming.caller, action: "sqs:SendMessage", resource: Self.queue)
        let statement =
            #"{"Effect": "Allow", "Principal": \#(naming.principal), "Action": "sqs:*"}"#
        let decision = AccessDecision(
            request, identity: Policy([]), resource: try Self.policy(statement))
        #expect(decision.isAllowed == naming.isAllowed, "\(decision)")
    }

    @Test(
        "a queue's own policy denies what the caller's allows",
        arguments: [
            (#""Principal": "*""#, true), (#""Principal": {"AWS": "123456789012"}"#, true),
            (#""Principal": {"AWS": "999999999999"}"#, false),
            (#""NotPrincipal": {"AWS": "999999999999"}"#, true),
            (#""NotPrincipal": {"AWS": "\#(role)"}"#, false),
            // An account spares nobody else of it than who stands beside it.
            (#""NotPrincipal": {"AWS": "\#(account):root"}"#, false),
            (#""NotPrincipal": {"AWS": ["\#(account):user/Bob", "\#(account):root"]}"#, true),
            (#""NotPrincipal": {"AWS": ["123456789012", "\#(account):role/Other"]}"#, true),
            (#""NotPrincipal": {"AWS": ["123456789012", "\#(role)x"]}"#, true),
            (#""NotPrincipal": {"AWS": ["\#(account):role/CreateOrder", "123456789012"]}"#, false),
            (
                #""NotPrincipal": {"AWS": ["\#(account):root", "arn:aws:iam::999999999999:user/Bob"]}"#,
                false
            ),
            (
                #""NotPrincipal": {"AWS": ["\#(role)", "\#(account):role/CreateOrder", "\#(account):root"]}"#,
                false
            ),
        ])
    func resourceDenies(principal: String, isDenied: Bool) throws {
        let request = AccessRequest(
            principal: Self.role, action: "sqs:SendMessage", resource: Self.queue)
        let deny = try Self.policy(#"{"Effect": "Deny", \#(principal), "Action": "sqs:Send*"}"#)
        let decision = AccessDecision(
            request, identity: try Self.policy(Self.allow("")), resource: deny)
        #expect(!decision.isAllowed == isDenied)
        #expect(
            decision.message(request).hasSuffix("an explicit deny in a resource-based policy")
                == isDenied)
    }

    @Test("a refusal says what AWS says")
    func words() {
        let request = AccessRequest(
            principal: Self.role, action: "sqs:SendMessage", resource: Self.queue)
        #expect(
            AccessDecision.notAllowed.message(request)
                == "User: \(Self.role) is not authorized to perform: sqs:sendmessage on resource: "
                + "\(Self.queue) because no identity-based policy allows the sqs:sendmessage action"
        )
    }

    @Test(
        "what is no policy is refused with what is wrong",
        arguments: [
            ("3", "a statement must be an object"),
            (#"{"Effect": "Maybe", "Action": "*"}"#, "Effect must be Allow or Deny"),
            (#"{"Effect": "Allow"}"#, "a statement needs an Action or NotAction"),
            (#"{"Effect": "Allow", "Action": 3}"#, "Action must be a text or a list of texts"),
            (
                #"{"Effect": "Allow", "Action": "*", "NotAction": "*"}"#,
                "a statement has Action or NotAction, not both"
            ),
            (
                #"{"Effect": "Allow", "Action": "*", "Condition": {"Sure": {"k": "v"}}}"#,
                "'Sure' is no condition operator"
            ),
            (
                #"{"Effect": "Allow", "Action": "*", "Condition": {"NotNull": {"k": "true"}}}"#,
                "'NotNull' is no condition operator"
            ),
            (
                #"{"Effect": "Allow", "Action": "*", "When": 1}"#,
                "a statement has no element 'When'"
            ),
            (
                #"{"Effect": "Allow", "Action": "*", "Principal": {"Foo": "*"}}"#,
                "'Foo' is no kind of principal"
            ),
        ])
    func mistakes(text: String, message: String) {
        #expect { try Self.policy(text) } throws: { error in
            (error as? PolicyError)?.message == message
        }
    }

    @Test(
        "a principal is somebody, or everybody",
        arguments: [
            (#""hello""#, "hello"), (#"{"AWS": "hello"}"#, "hello"), (#"{"AWS": ""}"#, ""),
            (#"{"AWS": "anonymous"}"#, "anonymous"), (#"{"AWS": "12345"}"#, "12345"),
            (#"{"AWS": "\#(account):user/*"}"#, "\(account):user/*"),
            (#"{"AWS": "\#(account):user/B?b"}"#, "\(account):user/B?b"),
            (#"{"AWS": "\#(account):user/"}"#, "\(account):user/"),
            (#"{"AWS": "\#(account):group/Staff"}"#, "\(account):group/Staff"),
            (#"{"AWS": "\#(account):assumed-role/R/S"}"#, "\(account):assumed-role/R/S"),
            (
                #"{"AWS": "arn:aws:sts::123456789012:user/Bob"}"#,
                "arn:aws:sts::123456789012:user/Bob"
            ),
            (#"{"AWS": "arn:aws:iam:::root"}"#, "arn:aws:iam:::root"),
            (#"{"AWS": "arn:aws:iam::*:root"}"#, "arn:aws:iam::*:root"),
            (#"{"AWS": ["*", "\#(queue)"]}"#, queue), (#"{"Service": "*"}"#, "*"),
            (#"{"Service": ["sns.amazonaws.com", "s?s.amazonaws.com"]}"#, "s?s.amazonaws.com"),
            (#"{"Federated": ""}"#, ""),
        ])
    func nobody(principal: String, name: String) {
        for element in ["Principal", "NotPrincipal"] {
            #expect {
                try Self.policy(#"{"Effect": "Deny", "\#(element)": \#(principal), "Action": "*"}"#)
            } throws: { error in
                (error as? PolicyError)?.message == "'\(name)' is no principal"
            }
        }
    }

    @Test(
        "what two readers could understand differently is no policy",
        arguments: [
            (
                #"{"Effect": "Deny", "Effect": "Allow", "Action": "*"}"#,
                "'Effect' stands twice, in line 1, column 20"
            ),
            (
                #"{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"k": true, "k": false}}}]}"#,
                "'k' stands twice, in line 1, column 85"
            ),
            (
                #"{"Statement": [], "Statement": [{}]}"#,
                "'Statement' stands twice, in line 1, column 19"
            ),
            (
                #"{"Version": "2012-10-18", "Statement": []}"#,
                "Version must be 2012-10-17 or 2008-10-17"
            ),
            (
                #"{"Version": 2012, "Statement": []}"#, "Version must be 2012-10-17 or 2008-10-17"
            ),
        ])
    func ambiguities(text: String, message: String) throws {
        let written = try LocatedJSON.parse(Array(text.utf8))
        #expect { try Policy(written: written) } throws: { error in
            (error as? PolicyError)?.message == message
        }
    }

    @Test(
        "a user's statement is about what can be an action's name, and a resource's, to IAM",
        arguments: [
            ("Action", "*", true), ("Action", "*:*", true), ("Action", "sqs:Send*", true),
            ("Action", "execute-api:Invoke", true), ("Action", "SendMessage", false),
            ("Action", "sqs*", false), ("Action", "", false), ("Action", "sqs:", false),
            ("Action", ":SendMessage", false), ("Action", "s*s:SendMessage", false),
            ("Action", "sqs:Send:Message", false), ("Action", "\(queue):SendMessage", false),
            ("Resource", "*", true), ("Resource", queue, true),
            ("Resource", "arn:*:sqs:*:*:*", true), ("Resource", "arn:aws:sqs:*", true),
            ("Resource", "arn:aws:execute-api:*/orders", true),
            ("Resource", "arn:aws:s3:::Orders", true),
            ("Resource", "arn:aws:sqs:*:*:${aws:username}", true),
            ("Resource", "arn:aws:logs:*:*:log-group:/aws/lambda/F:*", true),
            ("Resource", "Orders", false), ("Resource", "", false), ("Resource", "arn:", false),
            ("Resource", "arn:*", false), ("Resource", "arn:aws:sqs", false),
            ("Resource", "arn:aws:*:*:*:Orders", false), ("Resource", "arn:aws::*", false),
            ("Resource", "arn:aws-cn:sqs:*:*:Orders", false),
            ("Resource", "arn::sqs:*:*:Orders", false), ("Resource", "x:aws:sqs:*:*:Q", false),
            ("Resource", "arn:aws:sqs::Orders", false),
        ])
    func names(element: String, name: String, isOne: Bool) throws {
        for element in [element, "Not\(element)"] {
            var statement: JSONObject = ["Effect": "Deny", "Action": "*", "Resource": "*"]
            statement[element.hasSuffix("Action") ? "Action" : "Resource"] = nil
            statement[element] = [.string(name), "*"]
            let text = JSONValue.object(statement).serialized()
            let written = try LocatedJSON.parse(Array(text.utf8))
            #expect(((try? Policy(ofIdentity: written)) != nil) == isOne, "\(text)")
        }
    }

    @Test("IAM's versions", arguments: ["2012-10-17", "2008-10-17"])
    func versions(version: String) throws {
        let text = #"{"Version": "\#(version)", "Statement": \#(Self.allow(""))}"#
        let policy = try Policy(written: try LocatedJSON.parse(Array(text.utf8)))
        #expect(policy.statements.count == 1)
    }

    @Test(
        "variables are texts in a document that does not say that it has them",
        arguments: [
            (#""Version": "2012-10-17", "#, true), (#""Version": "2008-10-17", "#, false),
            ("", false),
        ])
    func literalVariables(version: String, hasVariables: Bool) throws {
        for statement in [
            #"{"Effect":"Allow","Action":"*","Resource":"arn:*:${aws:PrincipalAccount}:O*"}"#,
            Self.allow(#", "Condition": {"StringEquals": {"k": "${aws:PrincipalAccount}"}}"#),
        ] {
            func isAllowed(_ text: String, _ resource: String, _ value: String) throws -> Bool {
                let request = AccessRequest(
                    principal: Self.role, action: "sqs:SendMessage", resource: resource,
                    context: ["k": [value]])
                return AccessDecision(request, identity: try Self.policy(text)).isAllowed
            }
            let document = #"{\#(version)"Statement": [\#(statement)]}"#
            #expect(try isAllowed(document, Self.queue, "123456789012") == hasVariables)
            let literal = "${aws:PrincipalAccount}"
            let named = Self.queue.replacing("123456789012", with: literal)
            #expect(try isAllowed(document, named, literal) == !hasVariables)
            // A short form has no place for a version.
            #expect(try isAllowed(statement, Self.queue, "123456789012"))
        }
    }
}
