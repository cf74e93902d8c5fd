import GatewayModel
import JSON
import Telemetry

/// A request that the gateway has answered.
package struct GatewayActivity: Sendable {
    package var apiName: String
    package var apiID: String
    package var kind: APIKind
    package var stage: String
    /// The route's method and path; `nil` where no route was found.
    package var method: String?
    package var resource: String?
    package var status: Int
    package var responseBytes: Int
    /// When the request came.
    package var time: Timestamp
    package var latency: Duration
    /// What the function took; `nil` where none was asked.
    package var integrationLatency: Duration?

    /// What CloudWatch would have of it.
    var datapoints: [Datapoint] {
        switch kind {
        case .rest:
            ApiGatewayMetrics.rest(
                apiName: apiName, stage: stage, method: method, resource: resource,
                status: status, latency: latency, integrationLatency: integrationLatency,
                time: time)
        case .http:
            ApiGatewayMetrics.http(
                apiID: apiID, stage: stage, method: method, resource: resource, status: status,
                bytes: responseBytes, latency: latency, integrationLatency: integrationLatency,
                time: time)
        }
    }
}
