import StackModel

/// Where a server listens, and how it behaves. The defaults are those of a private one, which lives
/// as long as a command.
package struct ServerOptions: Sendable {
    /// An address of this machine; `localhost` stands for 127.0.0.1 and ::1.
    package var host = "127.0.0.1"
    /// The endpoint's; 0 lets the system choose.
    package var port: UInt16 = 0
    /// Event loops that serve the endpoint where it has many connections.
    package var loops = 1
    /// `nil`: no gateway.
    package var gatewayPort: UInt16?
    /// Names that clients may ask for beside this machine's own.
    package var allowedHosts: [String] = []
    /// Instead of the stack's own `security.iam`.
    package var iamMode: IAMMode?
    /// Whether other machines may get in without saying who they are.
    package var isOpen = false
    /// Whether what is asked on the ports is written to `requests/`.
    package var logsRequests = false
    /// Whether triggers deliver, also those of later deployments.
    package var deliversMessages = false
    /// How long invocations that run may take when it is asked to end.
    package var finishLimit = Duration.seconds(30)
    /// How long invocations that run may take when another deployment takes over: Lambda's longest
    /// timeout.
    package var replaceLimit = Duration.seconds(900)

    package init() {}
}
