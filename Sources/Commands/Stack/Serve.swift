import JSON
import Posix
import Services
import StackModel

extension Command {
    static let serve = Command(
        path: ["serve"],
        abstract: "Runs the stack until it is stopped: endpoint, gateway, triggers, alarms.",
        options: [
            .number(
                "port", "PORT", 0...65_535,
                "AWS's endpoint (default: 4566); 0 lets the system choose."),
            .number(
                "gateway-port", "PORT", 0...65_535, "The stack's routes (default: 8080), as above."
            ),
            .text(
                "host", "ADDRESS",
                "Listen on this address alone (default: localhost, 127.0.0.1 and ::1)."),
            .text(
                "allow-host", "NAME,...",
                "Names that clients may ask for, beside addresses and localhost."),
            .choice(
                "iam", ["off", "audit", "enforce"], "Instead of the stack's security.iam."),
            .flag("insecure", "Let other machines in although not every call is authenticated."),
            .number(
                "grace", "SECONDS", 0...900,
                "How long invocations may go on after SIGTERM (default: 30)."),
            .text("ready-file", "FILE", "Write the result to FILE when ready."),
            .number("ready-fd", "NUMBER", 1...1023, "Write the result there when ready."),
        ],
        examples: [
            "msorch serve", "msorch serve --port 0 --gateway-port 0 --output json",
            "msorch serve --ready-file ready.json &",
        ],
        run: { invocation in
            let signal = try ReadySignal(
                file: invocation.text("ready-file"), descriptor: invocation.number("ready-fd"))
            let session = try begin(invocation, signal)
            do {
                let record = session.record
                try signal.send(record.json)
                sayReady(record, invocation.output)
                Signals.wait(for: 1)
                try? signal.takeBack()
                invocation.output.note("Stopping; a second signal hurries.")
            } catch {
                try? signal.takeBack()
                session.finish(isHurried: { true })
                throw error
            }
            session.finish(isHurried: { Signals.count > 1 })
            throw SilentExit(exitCode: .success)  // being asked to end is no failure
        })

    /// Nothing of what is served needs a reader of the ready line.
    private static func sayReady(_ record: ServerRecord, _ output: Output) {
        let reason: String
        do {
            return try output.result(record.json) {
                "endpoint  \(record.endpointURL)\ngateway   \(record.gatewayURL)\nready"
            }
        } catch is BrokenPipe {
            reason = "nobody reads standard output."
        } catch {
            reason = CommandError(error).message
        }
        output.note("The ready line could not be written: \(reason) It serves all the same.")
    }

    /// What an earlier `serve` has said of its ports does not hold any more, unless that one is
    /// still there.
    private static func begin(
        _ invocation: Invocation, _ signal: ReadySignal
    ) throws -> ServeSession {
        do {
            let deployment = try invocation.deployment()
            let options = try options(invocation, deployment.stack)
            try Signals.allowHurry()
            ProcessEnvironment.raiseFileLimit()
            ProcessEnvironment.shareHeaps()
            return try ServeSession(
                deployment, queues: invocation.queues(), options: options,
                guardExecutable: ProcessEnvironment.executable, monitor: invocation.monitor,
                warn: invocation.output.note,
                whenAlone: {
                    _ = try invocation.deployment()  // a destroy may have come first
                    try signal.takeBack()
                })
        } catch {
            if case .alreadyRunning(let process, _) = error as? ServerError {
                if let process { try? signal.takeBack(butOf: process) }
            } else {
                try? signal.takeBack()
            }
            throw error
        }
    }

    /// More than four would wait for each other at one queue's journal. Where no signature is
    /// checked a request takes its client longer than the loop: that leaves it a processor.
    private static func loops(where mode: IAMMode) -> Int {
        let processors = ProcessEnvironment.processorCount
        return min(4, mode == .off ? max(1, processors - 1) : processors)
    }

    private static func options(
        _ invocation: Invocation, _ stack: Stack
    ) throws -> ServerOptions {
        var options = ServerOptions()
        options.host = invocation.text("host") ?? HostAddress.loopback
        options.port = UInt16(clamping: invocation.number("port") ?? 4566)
        options.gatewayPort = UInt16(clamping: invocation.number("gateway-port") ?? 8080)
        options.iamMode = invocation.text("iam").flatMap(IAMMode.init)
        options.loops = loops(where: options.iamMode ?? stack.iamMode)
        options.allowedHosts = (invocation.text("allow-host") ?? "").split(separator: ",")
            .map(String.init)
        options.deliversMessages = true
        options.logsRequests = true
        if let seconds = invocation.number("grace") { options.finishLimit = .seconds(seconds) }
        guard options.host == HostAddress.loopback || HostAddress.isNumeric(options.host) else {
            throw CommandError(
                .usage,
                "--host must be an address, such as 127.0.0.1 or ::1, or localhost for both, "
                    + "not \(options.host).")
        }
        options.isOpen = invocation.has("insecure")
        switch OpenDoor(stack, options) {
        case nil: return options
        case .endpoint(let mode)?:
            throw CommandError(
                .refused,
                "Other machines could use the stack by \(options.host) without a signature: "
                    + "security.iam is \(mode.rawValue).",
                hint: "--iam enforce demands signatures; --insecure says that it is meant.")
        case .routes(let count, let example)?:
            throw CommandError(
                .refused,
                "Other machines could call \(count) routes by \(options.host) without saying "
                    + "who they are, such as '\(example)'.",
                hint: "Give them an \"authorization\", or say --insecure if it is meant.")
        }
    }
}
