import JSON
import StackModel
import TestSupport
import Testing

@testable import Services

/// A server without functions, in this process.
@Suite struct StackServerTests {
    private let fixture: HostFixture

    init() throws { fixture = try HostFixture("server") }

    private func deployment(_ milliseconds: Int64) -> Deployment {
        Deployment(
            stateDirectory: fixture.folder.path,
            stack: Stack(json: ["name": "shop", "lambdas": [:], "queues": [:]]), code: [:],
            deployedAt: Timestamp(milliseconds: milliseconds), removing: [])
    }

    @Test("what was deployed just before the end takes nothing over any more")
    func lateDeployment() throws {
        try CredentialStore(stateDirectory: fixture.folder.path).ensure(["developer"])
        var options = ServerOptions()
        options.deliversMessages = true
        let server = try StackServer(
            deployment(1), queues: fixture.queues, options: options, clock: fixture.clock.clock,
            guardExecutable: "",
            monitor: Monitor(stateDirectory: fixture.folder.path, clock: fixture.clock.clock))
        #expect(try server.replace(by: deployment(2)))
        let last = server.runtime
        #expect(last.deployment.deployedAt.milliseconds == 2)
        server.finish { false }
        #expect(try !server.replace(by: deployment(3)))
        #expect(server.runtime === last)
    }
}
