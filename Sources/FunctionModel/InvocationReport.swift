/// What an invocation took, and the lines that frame it in its log.
package struct InvocationReport: Equatable, Sendable {
    package var requestID: String
    /// Milliseconds in the invoke phase.
    package var durationMilliseconds: Double
    /// Milliseconds of the init phase before it, if this invocation had to wait for one.
    package var initMilliseconds: Double?
    /// MB.
    package var memorySize: Int64
    /// MB, at most `memorySize`.
    package var maxMemoryUsed: Int64
    /// `nil`: it went well.
    package var failure: InvocationFailure?

    package init(
        requestID: String, durationMilliseconds: Double, initMilliseconds: Double?,
        memorySize: Int64, maxMemoryUsed: Int64, failure: InvocationFailure?
    ) {
        self.requestID = requestID
        self.durationMilliseconds = durationMilliseconds
        self.initMilliseconds = initMilliseconds
        self.memorySize = memorySize
        self.maxMemoryUsed = maxMemoryUsed
        self.failure = failure
    }

    /// Whole milliseconds; the init phase counts since August 2025.
    package var billedMilliseconds: Int64 {
        Int64((durationMilliseconds + (initMilliseconds ?? 0)).rounded(.up))
    }

    package static func startLine(_ requestID: String) -> String {
        "START RequestId: \(requestID) Version: $LATEST"
    }

    package var endLine: String { "END RequestId: \(requestID)" }

    package var reportLine: String {
        var line = "REPORT RequestId: \(requestID)\t"
        line += "Duration: \(Self.twoDigits(durationMilliseconds)) ms\t"
        line += "Billed Duration: \(billedMilliseconds) ms\t"
        line += "Memory Size: \(memorySize) MB\tMax Memory Used: \(maxMemoryUsed) MB\t"
        if let initMilliseconds {
            line += "Init Duration: \(Self.twoDigits(initMilliseconds)) ms\t"
        }
        if let failure { line += "Status: \(failure.reportStatus)" }
        return line
    }

    /// - Parameter phase: "init", or "invoke" where an invocation waited for it.
    package static func initReportLine(
        milliseconds: Double, phase: String, status: String
    ) -> String {
        "INIT_REPORT Init Duration: \(twoDigits(milliseconds)) ms\tPhase: \(phase)\t"
            + "Status: \(status)"
    }

    private static func twoDigits(_ value: Double) -> String {
        let hundredths = Int64((value * 100).rounded())
        let rest = String(hundredths % 100)
        return "\(hundredths / 100).\(rest.count == 1 ? "0" : "")\(rest)"
    }
}
