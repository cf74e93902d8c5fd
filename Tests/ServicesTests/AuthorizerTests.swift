import Access
import HTTP
import JSON
import Posix
import StackModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// Who calls, and whether it may, in each mode of `security.iam`.
@Suite struct AuthorizerTests {
    static let queue = "arn:aws:sqs:us-east-1:123456789012:Open"
    static let everybody = Result {
        try Policy(
            json: ["Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"])
    }
    static let role = "arn:aws:sts::123456789012:assumed-role/Probe/Probe"

    /// A stack in a folder of its own, its keys, and what its authorizer told of.
    struct Fixture {
        final class Log: Sendable {
            let judgements = Mutex<[Judgement]>([])
        }

        let folder: TemporaryFolder
        let store: CredentialStore
        let clock = SteppedClock()
        let log = Log()
        let authorizer: Authorizer

        init(_ mode: IAMMode) throws {
            folder = try TemporaryFolder("authorizer")
            store = CredentialStore(stateDirectory: folder.path)
            try store.ensure(["developer", "Probe"])
            let stack: JSONValue = [
                "lambdas": [
                    "Probe": [
                        "runtime": "python3", "handler": "h.f", "code": "c",
                        "policies": [
                            ["Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"]
                        ],
                    ]
                ], "queues": ["Open": [:]],
            ]
            let deployment = Deployment(
                stateDirectory: folder.path, stack: Stack(json: stack), code: [:],
                deployedAt: Timestamp(milliseconds: 0), removing: [])
            authorizer = try Authorizer(deployment, mode: mode, clock: clock.clock) { [log] in
                let judgement = $0
                log.judgements.withLock { $0.append(judgement) }
            }
        }

        func key(_ owner: String) throws -> AccessKey {
            let own = try #require(try store.load()[owner])
            return AccessKey(
                id: own.accessKeyID, secret: own.secretAccessKey,
                sessionToken: own.sessionToken.isEmpty ? nil : own.sessionToken)
        }

        func request(
            _ key: AccessKey?, service: String = "sqs", operation: String = "ListQueues",
            body: String = "{}"
        ) -> HTTPRequest {
            let target = "AmazonSQS.\(operation)"
            var request = HTTPRequest(
                method: "POST", target: "/",
                headers: ["Host": "localhost", "X-Amz-Target": target], body: Array(body.utf8))
            let signed = SignedRequest(
                method: "POST", path: "/", query: "",
                headers: [("Host", "localhost"), ("X-Amz-Target", target)], body: request.body)
            guard let key else { return request }
            let added = SignatureV4.sign(
                signed, with: key, region: "us-east-1", service: service, at: clock.clock.now())
            for (name, value) in added { request.headers.append(name, value) }
            return request
        }

        func judge(
            _ request: HTTPRequest, _ action: String, policy: Policy? = nil
        ) throws -> Judgement {
            let caller = try authorizer.caller(of: request, service: "sqs")
            return authorizer.judge(
                caller, action: action, resource: AuthorizerTests.queue, resourcePolicy: policy)
        }
    }

    @Test("a signature says who calls; a policy whether it may")
    func enforced() throws {
        let fixture = try Fixture(.enforce)
        let own = fixture.request(try fixture.key("Probe"))
        #expect(try fixture.authorizer.caller(of: own, service: "sqs").arn == Self.role)
        #expect(try !fixture.judge(own, "sqs:SendMessage").isRefused)
        let refused = try fixture.judge(own, "sqs:ReceiveMessage")
        #expect(refused.isRefused)
        #expect(refused.message.hasPrefix("User: \(Self.role) is not authorized to perform: "))
        #expect(fixture.log.judgements.withLock { $0.count } == 1)
        let developer = fixture.request(try fixture.key("developer"))
        #expect(try !fixture.judge(developer, "sqs:ReceiveMessage").isRefused)
        #expect(throws: SignatureFailure.self) {
            try fixture.authorizer.caller(of: developer, service: "execute-api")
        }
    }

    @Test("the usual lock to a region lets its own region in; who calls has a number")
    func regionLock() throws {
        let fixture = try Fixture(.enforce)
        let own = fixture.request(try fixture.key("Probe"))
        let id = try fixture.authorizer.caller(of: own, service: "sqs").userID
        for (key, value, isAllowed) in [
            ("aws:RequestedRegion", "us-east-1", true),
            ("aws:RequestedRegion", "eu-west-1", false),
            ("aws:ResourceAccount", "123456789012", true),
            ("aws:userid", id, true), ("aws:userid", "AROA:Other", false),
        ] {
            let lock = try Policy(
                json: [
                    "Effect": "Deny", "Principal": "*", "NotAction": "iam:*", "Resource": "*",
                    "Condition": ["StringNotEquals": [key: .string(value)]],
                ])
            let judgement = try fixture.judge(own, "sqs:SendMessage", policy: lock)
            #expect(judgement.isRefused != isAllowed, "\(key)")
        }
    }

    @Test("nobody may what a resource's policy does not allow everybody")
    func anonymous() throws {
        let fixture = try Fixture(.enforce)
        let everybody = try Self.everybody.get()
        let nobody = fixture.request(nil)
        let caller = try fixture.authorizer.caller(of: nobody, service: "sqs")
        #expect(caller.isAnonymous)
        #expect(try fixture.judge(nobody, "sqs:SendMessage").isRefused)
        #expect(try !fixture.judge(nobody, "sqs:SendMessage", policy: everybody).isRefused)
        #expect(try fixture.judge(nobody, "lambda:InvokeFunction", policy: everybody).isRefused)
    }

    @Test("a date has its time, and a forged secret is nobody's")
    func forged() throws {
        let fixture = try Fixture(.enforce)
        var key = try fixture.key("developer")
        let request = fixture.request(key)
        fixture.clock.step(.seconds(900))
        #expect(throws: Never.self) {
            try fixture.authorizer.caller(of: request, service: "sqs")
        }
        fixture.clock.step(.seconds(1))
        #expect(throws: SignatureFailure.self) {
            try fixture.authorizer.caller(of: request, service: "sqs")
        }
        key.secret += "x"
        let forged = fixture.request(key)
        #expect(throws: SignatureFailure.mismatch) {
            try fixture.authorizer.caller(of: forged, service: "sqs")
        }
    }

    @Test("audit does what it writes down")
    func audit() throws {
        let fixture = try Fixture(.audit)
        var key = try fixture.key("Probe")
        #expect(try !fixture.judge(fixture.request(key), "sqs:ReceiveMessage").isRefused)
        key.secret += "x"
        let forged = try fixture.judge(fixture.request(key), "sqs:SendMessage")
        #expect(!forged.isRefused)
        #expect(forged.failure == .mismatch)
        #expect(fixture.log.judgements.withLock { $0.map(\.isEnforced) } == [false, false])
    }

    @Test("off takes any credentials: a known key is its owner's, all others the developer's")
    func off() throws {
        let fixture = try Fixture(.off)
        var key = try fixture.key("Probe")
        key.secret += "x"
        let requests = [
            (fixture.request(key), Self.role),
            (
                fixture.request(AccessKey(id: "test", secret: "test")),
                "arn:aws:iam::123456789012:user/developer"
            ),
            (fixture.request(nil), "arn:aws:iam::123456789012:user/developer"),
        ]
        fixture.clock.step(.seconds(86_400 * 365))
        for (request, arn) in requests {
            #expect(try fixture.authorizer.caller(of: request, service: "sqs").arn == arn)
            #expect(try !fixture.judge(request, "sqs:ReceiveMessage").isRefused)
        }
        #expect(fixture.log.judgements.withLock { $0.isEmpty })
    }

    @Test("keys that are made or go while it runs are seen at the next request")
    func changes() throws {
        let fixture = try Fixture(.enforce)
        let old = try fixture.key("Probe")
        try FileSystem.remove(CredentialStore.path(fixture.folder.path))
        try fixture.store.ensure(["developer", "Probe"])
        #expect(throws: SignatureFailure.unknownKey) {
            try fixture.authorizer.caller(of: fixture.request(old), service: "sqs")
        }
        let new = fixture.request(try fixture.key("Probe"))
        #expect(try fixture.authorizer.caller(of: new, service: "sqs").arn == Self.role)
    }

    @Test("unique ids have IAM's form, and are the same every time")
    func userIDs() throws {
        let fixture = try Fixture(.off)
        let role = try fixture.authorizer.caller(
            of: fixture.request(try fixture.key("Probe")), service: "sts")
        #expect(role.userID.wholeMatch(of: /AROA[A-Z2-7]{17}:Probe/) != nil, "\(role.userID)")
        let developer = try fixture.authorizer.caller(of: fixture.request(nil), service: "sts")
        #expect(developer.userID.wholeMatch(of: /AIDA[A-Z2-7]{17}/) != nil)
    }
}
