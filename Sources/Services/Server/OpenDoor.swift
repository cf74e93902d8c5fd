import Posix
import StackModel

/// A way for other machines into a stack without saying who they are.
package enum OpenDoor: Error, Equatable, Sendable {
    /// Calls of the endpoint need no signature.
    case endpoint(IAMMode)
    /// So many routes ask for nothing, such as this one.
    case routes(Int, example: String)

    /// The first that there is; `nil` if nobody gets in from outside, everybody is asked, or it is
    /// meant so.
    package init?(_ stack: Stack, _ options: ServerOptions) {
        guard !HostAddress.isLoopback(options.host), !options.isOpen else { return nil }
        let mode = options.iamMode ?? stack.iamMode
        guard mode == .enforce else {
            self = .endpoint(mode)
            return
        }
        let open = stack.api.routes.filter { $0.authorization == .none && !$0.needsAPIKey }
        guard let first = open.first else { return nil }
        self = .routes(open.count, example: first.key)
    }
}

extension OpenDoor: CustomStringConvertible {
    package var description: String {
        switch self {
        case .endpoint(let mode):
            "other machines could use the stack without a signature: security.iam is "
                + mode.rawValue
        case .routes(let count, let example):
            "other machines could call \(count) routes without saying who they are, such as "
                + "'\(example)'"
        }
    }
}
