/// What Lambda allows (Lambda guide, *gettingstarted-limits*).
package enum FunctionLimits {
    /// A synchronous request, or an event source's: 6 MB.
    package static let requestBytes = 6_291_456
    /// A response: 6 MB and a little.
    package static let responseBytes = 6_291_556
    package static let initPhase = Duration.seconds(10)
    /// A log event; longer lines are cut into several (CloudWatch Logs quotas).
    package static let logEventBytes = 262_118
}
