import FunctionModel
import Testing

/// Every call in every phase.
@Suite struct RuntimeStateTests {
    private typealias Phase = RuntimeState.Phase

    private static func state(in phase: RuntimeState.Phase) throws -> RuntimeState {
        var state = RuntimeState()
        switch phase {
        case .started: break
        case .initError: try state.call(.initError)
        case .ready: try state.call(.next)
        case .running:
            try state.call(.next)
            state.deliver("a")
        case .responseSent:
            try state.call(.next)
            state.deliver("a")
            try state.call(.response(requestID: "a"))
        case .exited: state.exit()
        }
        return state
    }

    private static let allowed: [(RuntimeState.Phase, RuntimeState.Call, RuntimeState.Phase)] = [
        (.started, .next, .ready), (.started, .initError, .initError), (.ready, .next, .ready),
        (.running, .response(requestID: "a"), .responseSent),
        (.running, .error(requestID: "a"), .responseSent), (.responseSent, .next, .ready),
    ]

    @Test("what is allowed is allowed, anything else is refused", arguments: Phase.allCases)
    func everyCall(phase: RuntimeState.Phase) throws {
        let calls: [RuntimeState.Call] = [
            .next, .initError, .response(requestID: "a"), .error(requestID: "a"),
            .response(requestID: "b"),
        ]
        for call in calls {
            var state = try Self.state(in: phase)
            let before = state
            if let target = Self.allowed.first(where: { $0.0 == phase && $0.1 == call })?.2 {
                try state.call(call)
                #expect(state.phase == target)
                continue
            }
            let error = #expect(throws: RuntimeAPIError.self) { try state.call(call) }
            #expect(state == before, "a refusal changes nothing")
            #expect(error?.status == (error == .invalidRequestID ? 400 : 403))
        }
    }

    @Test("refusals in AWS's words")
    func words() throws {
        var state = try Self.state(in: .running)
        #expect(throws: RuntimeAPIError.invalidRequestID) {
            try state.call(.response(requestID: "b"))
        }
        let error = #expect(throws: RuntimeAPIError.self) { try state.call(.next) }
        #expect(
            error?.message == "State transition from Running to Ready failed for runtime. "
                + "Error: State transition is not allowed")
    }
}
