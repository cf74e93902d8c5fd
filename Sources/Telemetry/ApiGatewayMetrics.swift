import JSON

/// The namespace `AWS/ApiGateway`: what an answered request leaves behind (API Gateway guide,
/// *Amazon API Gateway dimensions and metrics*).
package enum ApiGatewayMetrics {
    package static let namespace = "AWS/ApiGateway"

    /// One request of a REST API: under its name, its stage, and its method and resource. 4XXError
    /// and 5XXError are 0 for all others, so that their average is the error rate.
    ///
    /// - Parameters:
    ///   - method: the route's, with its path as `resource`; `nil` where no route was found.
    ///   - integrationLatency: what the function took; `nil` where none was asked.
    package static func rest(
        apiName: String, stage: String, method: String?, resource: String?, status: Int,
        latency: Duration, integrationLatency: Duration?, time: Timestamp
    ) -> [Datapoint] {
        let name = Dimension("ApiName", apiName)
        var dimensions = [[name], [name, Dimension("Stage", stage)]]
        if let method, let resource {
            dimensions.append([
                name, Dimension("Stage", stage), Dimension("Method", method),
                Dimension("Resource", resource),
            ])
        }
        return datapoints(
            dimensions, errors: ("4XXError", "5XXError"), status, latency, integrationLatency, time)
    }

    /// One request of an HTTP API: under its id, its stage, and its method and resource.
    /// - Parameter bytes: what was sent back.
    package static func http(
        apiID: String, stage: String, method: String?, resource: String?, status: Int, bytes: Int,
        latency: Duration, integrationLatency: Duration?, time: Timestamp
    ) -> [Datapoint] {
        let id = Dimension("ApiId", apiID)
        var dimensions = [[id], [id, Dimension("Stage", stage)]]
        if let method, let resource {
            dimensions.append([
                id, Dimension("Stage", stage), Dimension("Method", method),
                Dimension("Resource", resource),
            ])
        }
        return datapoints(
            dimensions, errors: ("4xx", "5xx"), status, latency, integrationLatency, time)
            + dimensions.map {
                Datapoint(Metric(namespace, "DataProcessed", $0), .bytes, time, Double(bytes))
            }
    }

    private static func datapoints(
        _ dimensions: [[Dimension]], errors: (client: String, server: String), _ status: Int,
        _ latency: Duration, _ integrationLatency: Duration?, _ time: Timestamp
    ) -> [Datapoint] {
        dimensions.flatMap { dimensions -> [Datapoint] in
            func point(_ name: String, _ value: Double, _ unit: MetricUnit) -> Datapoint {
                Datapoint(Metric(namespace, name, dimensions), unit, time, value)
            }
            var points = [
                point("Count", 1, .count),
                point(errors.client, (400...499).contains(status) ? 1 : 0, .count),
                point(errors.server, status >= 500 ? 1 : 0, .count),
                point("Latency", milliseconds(latency), .milliseconds),
            ]
            if let integrationLatency {
                points.append(
                    point("IntegrationLatency", milliseconds(integrationLatency), .milliseconds))
            }
            return points
        }
    }

    private static func milliseconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) * 1000 + Double(attoseconds) / 1e15
    }
}
